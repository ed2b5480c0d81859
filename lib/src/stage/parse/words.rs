//! `--format words`: each word a record.

use super::Origin;
use super::text::{open, write_time};
use crate::line::json;
use crate::stream::{Output, StageError};

/// Writes a record for each word: what stands between ASCII's blanks.
pub(super) fn words(text: &[u8], origin: Origin<'_>, out: &mut Output) -> Result<(), StageError> {
    let is_word = |word: &&[u8]| !word.is_empty();
    for word in text.split(u8::is_ascii_whitespace).filter(is_word) {
        let row = out.row();
        open(origin.source, row);
        if let Some(time) = origin.time {
            write_time(time, row);
            row.push(b',');
        }
        row.extend_from_slice(b"\"word\":");
        json::write_string(word, row);
        row.push(b'}');
        out.finish_row()?;
    }
    Ok(())
}
