//! Comma-separated values, a record a line.

use super::cursor::find_doubled_quote;
use super::fields::{Fields, Name, Spelling, Value};
use super::{FieldSource, Mismatch, Parsed};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Calendar;

/// Reads lines of CSV.
///
/// The columns are those of the first line, unless they are given; a line that
/// repeats this header, as the next of several files does, is a header too.
/// Names, their aliases and types are those of JSON records; all else is
/// text. An empty field is an empty string, or `null` where a number should
/// be. Of columns with the same name all are written, and the last one counts.
///
/// A field in quotes may hold delimiters and doubled quotes, but no line break:
/// a record is a line.
///
/// Source: RFC 4180.
#[derive(Debug)]
pub struct CsvParser {
    delimiter: u8,
    /// Names of the columns, one behind the other, and where each lies.
    names: Vec<u8>,
    columns: Vec<Name>,
    /// The header line, if the columns were read from one.
    header: Vec<u8>,
    fields: Fields,
}

impl CsvParser {
    /// A parser of lines with this delimiter, whose first line is a header.
    pub fn with_header(delimiter: u8) -> Self {
        let (names, header, columns) = (Vec::new(), Vec::new(), Vec::new());
        Self { delimiter, names, columns, header, fields: Fields::default() }
    }

    /// A parser of lines with these columns, written as a header would be.
    ///
    /// # Errors
    ///
    /// Fails if they are no header: a quote is not closed, a name is empty, or
    /// belongs to the stream itself.
    pub fn with_columns(delimiter: u8, columns: &str) -> Result<Self, Mismatch> {
        let mut parser = Self::with_header(delimiter);
        parser.read_header(columns.as_bytes())?;
        parser.header.clear();
        Ok(parser)
    }

    /// Looks for the time in the column of this name alone.
    #[must_use]
    pub fn with_time_field(mut self, field: Option<&str>) -> Self {
        self.fields.set_time_field(field, &self.names, self.columns.iter_mut());
        self
    }

    /// Appends the members of the line's record, without braces.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, read from left to right, and leaves `out` as
    /// it was.
    pub fn parse(
        &mut self,
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if self.columns.is_empty() {
            self.read_header(text)?;
            return Ok(Parsed::Header);
        }
        if !self.header.is_empty() && without_mark(text) == self.header {
            return Ok(Parsed::Header);
        }
        self.fields.clear();
        let mut columns = self.columns.iter();
        let mut at = Some(0);
        while let Some(start) = at {
            let (value, next) = field(text, start, self.delimiter)?;
            let name = columns.next().ok_or(Mismatch::no_match(start, "record", FEWER))?;
            self.fields.push(name.clone(), value);
            at = next;
        }
        if columns.next().is_some() {
            return Err(Mismatch::no_match(text.len(), "record", MORE));
        }
        self.fields.write(&self.names, text, calendar, out)
    }

    /// Whether the next line is the header.
    pub(crate) fn awaits_header(&self) -> bool {
        self.columns.is_empty()
    }

    /// Values that could not be cast, over all lines.
    pub fn casts_failed(&self) -> u64 {
        self.fields.casts_failed
    }

    /// Writes the header that was read, if one was.
    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(&self.header);
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if it wrote no header.
    pub(crate) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        match state.bytes()? {
            b"" => Ok(()),
            header => self
                .read_header(header)
                .map_err(|_| RestoreError::Damaged("the header of the CSV is none")),
        }
    }

    /// Where the fields of `line`, which was read last, come from.
    pub(super) fn sources(&self, line: &[u8]) -> Vec<FieldSource> {
        self.fields.sources(&self.names, line)
    }

    /// Which field a place in a line is in: ` (field 2 of 3, level)`.
    #[cold]
    pub(super) fn field_at(&self, text: &[u8], at: usize) -> String {
        let (mut start, mut number) = (0, 1);
        while let Ok((_, Some(next))) = field(text, start, self.delimiter)
            && next <= at
        {
            (start, number) = (next, number + 1);
        }
        let all = self.columns.len();
        match self.columns.get(number - 1).map(|name| &self.names[name.range.clone()]) {
            Some(name) => format!(" (field {number} of {all}, {})", String::from_utf8_lossy(name)),
            None if all > 0 => format!(" (field {number}, and there are {all} columns)"),
            None => format!(" (field {number})"),
        }
    }

    fn read_header(&mut self, text: &[u8]) -> Result<(), Mismatch> {
        let line = without_mark(text);
        let (mut names, mut columns) = (Vec::new(), Vec::new());
        let mut at = Some(0);
        while let Some(start) = at {
            let (value, next) = field(line, start, self.delimiter)?;
            let name = line[value.range].trim_ascii();
            if name.is_empty() {
                return Err(Mismatch::no_match(start, "header", "a name"));
            }
            let first = names.len();
            names.extend_from_slice(name);
            if value.spelling == Spelling::DoubledQuotes {
                undouble(&mut names, first);
            }
            let column = self.fields.name(&names, first..names.len());
            columns.push(column.map_err(|error| Mismatch { at: start, ..error })?);
            at = next;
        }
        (self.names, self.columns, self.header) = (names, columns, line.to_vec());
        Ok(())
    }
}

const FEWER: &str = "the end: the header has fewer columns";
const MORE: &str = "a delimiter and another field: the header has more columns";

/// The line without the byte order mark that a file may begin with.
#[inline]
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// Makes one quote of each two, from `first` on.
fn undouble(text: &mut Vec<u8>, first: usize) {
    let mut at = first;
    while let Some(length) = memchr::memchr(b'"', &text[at..]) {
        at += length + 1;
        text.drain(at..(at + 1).min(text.len()));
    }
}

/// Reads the field at `at`, and says where the next one begins.
#[inline]
fn field(text: &[u8], at: usize, delimiter: u8) -> Result<(Value, Option<usize>), Mismatch> {
    const CLOSING: &str = "a closing quote on the same line, since a record is a line";
    if text.get(at) != Some(&b'"') {
        let end = memchr::memchr(delimiter, &text[at..]).map(|length| at + length);
        let range = at..end.unwrap_or(text.len());
        return Ok((Value { range, spelling: Spelling::Plain }, end.map(|end| end + 1)));
    }
    let Some((end, doubled)) = find_doubled_quote(text, at + 1) else {
        return Err(Mismatch::no_match(text.len(), "field", CLOSING));
    };
    let spelling = if doubled { Spelling::DoubledQuotes } else { Spelling::Plain };
    let value = Value { range: at + 1..end, spelling };
    match text.get(end + 1) {
        None => Ok((value, None)),
        Some(byte) if *byte == delimiter => Ok((value, Some(end + 2))),
        Some(_) => Err(Mismatch::no_match(end + 1, "field", "a delimiter or the end")),
    }
}
