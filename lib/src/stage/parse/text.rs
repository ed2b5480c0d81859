//! Lines of text, each a record.

use super::{Origin, Parse, words::words};
use crate::format::{Parsed, Untimed, time_like};
use crate::line::{Line, Reason};
use crate::stream::{Output, StageError};
use crate::time::Timestamp;

impl Parse {
    pub(super) fn text_line(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let Some(parser) = &mut self.parser else {
            let stamp = (self.untimed == Untimed::Stamp).then(|| self.calendar.now());
            return words(text, Origin { time: origin.time.or(stamp), ..origin }, out);
        };
        let row = out.row();
        let start = row.len();
        open(origin.source, row);
        let members = row.len();
        match parser.parse(text, &mut self.calendar, row) {
            Ok(Parsed::Timed) => {}
            Ok(Parsed::Header) => {
                row.truncate(start);
                return Ok(());
            }
            Ok(Parsed::Untimed) => {
                let time = match (origin.time, self.untimed) {
                    (Some(time), _) => Some(time),
                    (None, Untimed::Stamp) => Some(self.calendar.now()),
                    (None, Untimed::Keep) => None,
                    (None, Untimed::Reject) => {
                        row.push(b'}');
                        let why = no_timestamp(self.time_field.as_deref(), &row[start..]);
                        row.truncate(start);
                        return out.reject(Reason::NoTimestamp, why, line);
                    }
                };
                insert_time(time, members, row);
            }
            Err(mismatch) => {
                row.truncate(start);
                return out.reject(mismatch.reason, mismatch, line);
            }
        }
        out.row().push(b'}');
        out.finish_row()
    }
}

const UNTIMED: &str = "the line has no time; --keep-untimed or --stamp lets it pass";

/// Why a record has no time: it may be in a field that only the user knows.
#[cold]
pub(super) fn no_timestamp(field: Option<&str>, record: &[u8]) -> String {
    match (time_like(record), field) {
        (Some(found), _) => format!("found {found}: add --time-field {found}"),
        (None, Some(field)) => format!("no {field}; --keep-untimed or --stamp lets the line pass"),
        (None, None) => UNTIMED.to_owned(),
    }
}

/// Puts a time in front of the members that begin at `members`.
fn insert_time(time: Option<Timestamp>, members: usize, row: &mut Vec<u8>) {
    let Some(time) = time else { return };
    let mut first = Vec::new();
    write_time(time, &mut first);
    if row.len() > members {
        first.push(b',');
    }
    row.splice(members..members, first);
}

pub(super) fn write_time(time: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"timestamp\":\"");
    time.write(out);
    out.push(b'"');
}

/// Begins a record.
#[inline]
pub(super) fn open(source: Option<&[u8]>, row: &mut Vec<u8>) {
    row.push(b'{');
    if let Some(source) = source {
        row.extend_from_slice(b"\"@source\":");
        row.extend_from_slice(source);
        row.push(b',');
    }
}
