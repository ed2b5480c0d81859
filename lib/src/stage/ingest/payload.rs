//! The payload of a message of Kafka, and how it becomes a record.

use crate::line::Reason;
use crate::line::{Scanner, json};

/// What a message holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'a> {
    /// Nothing: what stood under its key is deleted.
    Tombstone,
    /// A JSON object by its first and last byte.
    Record(&'a [u8]),
    Text(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// What some text is.
    #[inline]
    pub(super) fn of(text: &'a [u8]) -> Self {
        let trimmed = text.trim_ascii();
        if trimmed.starts_with(b"{") && trimmed.ends_with(b"}") {
            Self::Record(trimmed)
        } else {
            Self::Text(text)
        }
    }

    /// Appends the rest of a row that has been opened, whether or not a member
    /// is there already.
    #[inline]
    pub(super) fn write(self, row: &mut Vec<u8>) {
        let rest = match self {
            Self::Text(text) => {
                row.extend_from_slice(b"\"@raw\":");
                json::write_string(text, row);
                b"}"
            }
            Self::Tombstone => &b"}"[..],
            Self::Record(text) => &text[1..],
        };
        if row.ends_with(b",") && rest.trim_ascii_start() == b"}" {
            row.pop();
        }
        let start = row.len();
        row.extend_from_slice(rest);
        for at in memchr::memchr_iter(b'\n', rest) {
            row[start + at] = b' ';
        }
    }
}

/// Whether a payload of several lines cannot be made one: only between the
/// tokens of valid JSON is a line's end as good as a blank.
#[inline]
pub(super) fn is_torn(scanner: &mut Scanner, text: &[u8]) -> bool {
    memchr::memchr(b'\n', text).is_some()
        && scanner.scan(text).is_err_and(|error| error.reason != Reason::ReservedKey)
}
