//! A row, as rules see it.

use super::number::{self, NotANumber};
use crate::line::{Kind, json};
use crate::row::{Place, RowReader};
use crate::time::Timestamp;

/// A row that a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) reader: &'a RowReader,
    pub(super) line: &'a [u8],
    /// Where it stands, as far as that is known.
    pub(super) place: Option<Place>,
    /// The name of the field that holds its time, if it has no window.
    pub(super) time_field: &'a str,
    /// Processing time.
    pub(super) now: Timestamp,
}

impl Row<'_> {
    /// Its window, if it has one.
    pub(super) fn window(&self) -> Option<Place> {
        self.place.filter(|_| self.reader.window().is_some())
    }

    /// Where it stands in event time, as far as that is known.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.place.map(|place| place.end)
    }

    /// A field as it stands in the row; null if it has none.
    pub(super) fn json(&self, slot: usize) -> &[u8] {
        let field = self.reader.field(slot);
        if field.is_present() { field.text(self.line) } else { b"null" }
    }

    /// The number in a field; what is none is null, and counted.
    pub(super) fn number(&self, slot: usize, casts_failed: &mut u64) -> Option<f64> {
        number::read(self.reader.field(slot), self.line).unwrap_or_else(|NotANumber| {
            *casts_failed += 1;
            None
        })
    }

    /// Writes the number in a field, as it stands there if it is one.
    pub(super) fn write_number(&self, slot: usize, number: f64, out: &mut Vec<u8>) {
        let field = self.reader.field(slot);
        match field.kind {
            Kind::Int | Kind::Float => out.extend_from_slice(field.text(self.line)),
            _ => json::write_number(number, out),
        }
    }
}
