//! Where a record's event time comes from.

use crate::line::{Kind, Line, Projection, Reason, ScanError, Scanner, read_instant};
use crate::stream::{Output, StageError};
use crate::time::{TimeReader, Timestamp};

/// Fields that often hold the time, for the message where it is not found.
const TIME_LIKE: [&str; 7] = ["timestamp", "@timestamp", "time", "ts", "t", "date", "@raw"];

/// Reads event times: from a field, or from the window of another `window`'s
/// row.
#[derive(Debug)]
pub(super) struct EventTime {
    reader: TimeReader,
    /// The slot of the field.
    pub(super) slot: usize,
    /// Where a row of another `window` says its window's end.
    window_end: usize,
    /// Whether the field is named in a query's text, where no flag changes it.
    pub(super) is_named_by_query: bool,
}

impl EventTime {
    pub(super) fn new(field: &str, projection: &mut Projection) -> Self {
        Self {
            reader: TimeReader::default(),
            slot: projection.add(field),
            window_end: projection.add("window.end"),
            is_named_by_query: false,
        }
    }

    /// The event time of the record scanned last.
    #[inline]
    pub(super) fn read(&mut self, scanner: &Scanner, line: &[u8]) -> Result<Timestamp, Reason> {
        let field = scanner.field(self.slot);
        match field.kind {
            Kind::Missing | Kind::Null => self.of_window(scanner, line),
            _ => read_instant(field, line, &mut self.reader).ok_or(Reason::BadTimestamp),
        }
    }

    /// The event time of another window's row: its last instant, as Spark has
    /// it.
    #[cold]
    fn of_window(&mut self, scanner: &Scanner, line: &[u8]) -> Result<Timestamp, Reason> {
        let field = scanner.field(self.window_end);
        match field.kind {
            Kind::Str => {
                let end = self.reader.parse(field.inner(line)).ok_or(Reason::BadTimestamp)?;
                Ok(Timestamp::from_micros(end.micros - 1))
            }
            _ => Err(Reason::NoTimestamp),
        }
    }

    /// Rejects a record for its time, saying what would help.
    #[cold]
    pub(super) fn reject(
        &self,
        reason: Reason,
        scanner: &Scanner,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let field = String::from_utf8_lossy(scanner.projection().name(self.slot));
        if reason == Reason::BadTimestamp {
            return out.reject(reason, format_args!("no time that can be read in {field}"), line);
        }
        let mut scanner = Scanner::new(Projection::from_iter(TIME_LIKE));
        let found = match scanner.scan(line.bytes) {
            Ok(()) => (0..TIME_LIKE.len()).find(|&slot| scanner.field(slot).is_present()),
            Err(_) => None,
        };
        match found.map(|slot| TIME_LIKE[slot]) {
            Some("@raw") => out.reject(reason, "a text line: put parse before", line),
            Some(other) if *other != *field && self.is_named_by_query => {
                let hint = format_args!("found {other}, but the query names {field} as the time");
                out.reject(reason, hint, line)
            }
            Some(other) if *other != *field => {
                let hint = format_args!("found {other}: add --time {other}, or parse before");
                out.reject(reason, hint, line)
            }
            _ if self.is_named_by_query => out.reject(
                reason,
                format_args!("no {field}, which the query names as the time"),
                line,
            ),
            _ => out.reject(
                reason,
                format_args!("no {field}: add --time FIELD, or parse before"),
                line,
            ),
        }
    }
}

/// Rejects what is no record; plain text is sent to `parse`.
#[cold]
pub(super) fn reject_scan(
    error: &ScanError,
    line: Line<'_>,
    out: &mut Output,
) -> Result<(), StageError> {
    if line.bytes.trim_ascii_start().starts_with(b"{") {
        out.reject(error.reason, error, line)
    } else {
        out.reject(error.reason, format_args!("{error}: for text put parse before"), line)
    }
}
