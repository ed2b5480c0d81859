//! `parse`: text and JSON become normalised records.

use std::fmt;

use crate::format::{JsonError, JsonRecords, Normalized};
use crate::line::{Line, Reason};
use crate::stream::{Operator, Output, StageError, Stats};

/// The formats of the lines that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Decided line by line: what begins with `{` is JSON, the rest an access
    /// log line.
    #[default]
    Auto,
    /// JSON records.
    Json,
    /// Apache's common, combined and vhost_combined.
    Apache,
    /// nginx's combined, and what is often added behind it.
    Nginx,
}

/// Brings lines into normal form; see [`JsonRecords`] and the formats.
#[derive(Debug, Default)]
pub struct Parse {
    format: Format,
    json: JsonRecords,
    /// A text line taken out of its `@raw`.
    text: Vec<u8>,
    /// The value of its `@source`.
    source: Vec<u8>,
}

impl Parse {
    /// A parser for lines of this format, in plain or wrapped in `@raw`.
    pub fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

impl Operator for Parse {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            return out.reject(Reason::InvalidUtf8, "not UTF-8", line);
        }
        match self.json.normalize_or_unwrap(line.bytes, out.row()) {
            Ok(Normalized::AsIs) => out.copy_row(line.bytes),
            Ok(Normalized::Rewritten) => out.finish_row(),
            Ok(Normalized::Text { .. }) => Ok(()),
            Err(error) => out.reject(error.reason(), error, line),
        }
    }

    fn is_stateful(&self) -> bool {
        false
    }

    fn stats(&self, stats: &mut Stats) {
        stats.casts_failed += self.json.casts_failed;
    }
}
