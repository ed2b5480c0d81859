//! Static tables that records are joined with.

use std::collections::HashMap;

use bumpalo::Bump;

use super::error::{MAX_NAMES, is_reserved};
use crate::line::{Projection, Scanner, Value, json};

/// A file that is to be a table.
#[derive(Clone, Copy, Debug)]
pub struct TableFile<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// CSV with a header, or NDJSON, which begins with a brace.
    pub bytes: &'a [u8],
    /// `--on`: `KEY`, or `STREAM_KEY=TABLE_KEY`.
    pub on: &'a str,
}

/// Why a file is no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}: {what}")]
pub struct TableError {
    /// The file.
    pub name: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub what: String,
}

/// The rows of a table, by key.
#[derive(Debug)]
pub(super) struct Table {
    /// Names of the columns, the key's not among them.
    pub(super) columns: Vec<String>,
    rows: HashMap<Box<[u8]>, Vec<Row>>,
    /// Whether keys are compared as texts: those of CSV have no types.
    is_text: bool,
}

/// The values of a row: a column's number, and its value as JSON.
pub(super) type Row = Vec<(usize, Box<[u8]>)>;

impl Table {
    /// Reads a table; rows whose `key` is null or missing are left out, since
    /// null equals nothing.
    pub(super) fn read(name: &str, bytes: &[u8], key: &str) -> Result<Self, TableError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut builder = Builder::new(name, key);
        if let Err(error) = std::str::from_utf8(bytes) {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + memchr::memchr_iter(b'\n', before).count() as u64;
            return Err(builder.error(line, "not UTF-8"));
        }
        match bytes.trim_ascii_start().first() {
            None => return Err(builder.error(1, "the table is empty")),
            Some(b'{') => builder.read_ndjson(bytes)?,
            Some(_) => builder.read_csv(bytes)?,
        }
        Ok(builder.table)
    }

    /// The rows with this key, in the order of the table; `key` is space to
    /// work in. Null equals nothing.
    pub(super) fn rows(&self, value: &Value<'_>, key: &mut Vec<u8>) -> Option<&[Row]> {
        if value.is_null() {
            return None;
        }
        key.clear();
        match value {
            value if !self.is_text => value.write_key(key),
            Value::Str(text) => key.extend_from_slice(text),
            value => value.write(key),
        }
        self.rows.get(key.as_slice()).map(Vec::as_slice)
    }
}

/// A table in the making.
struct Builder<'a> {
    name: &'a str,
    key: &'a str,
    numbers: HashMap<String, usize>,
    table: Table,
}

impl<'a> Builder<'a> {
    fn new(name: &'a str, key: &'a str) -> Self {
        let table = Table { columns: Vec::new(), rows: HashMap::new(), is_text: false };
        Self { name, key, numbers: HashMap::new(), table }
    }

    fn error(&self, line: u64, what: impl Into<String>) -> TableError {
        TableError { name: self.name.to_owned(), line, what: what.into() }
    }

    /// The number of a column.
    fn column(&mut self, name: &str, line: u64) -> Result<usize, TableError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if is_reserved(name) {
            return Err(self.error(line, format!("the column {name} belongs to the stream")));
        }
        let number = self.table.columns.len();
        if number == MAX_NAMES {
            return Err(self.error(line, format!("more than {MAX_NAMES} columns")));
        }
        self.numbers.insert(name.to_owned(), number);
        self.table.columns.push(name.to_owned());
        Ok(number)
    }

    fn read_csv(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        self.table.is_text = true;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        let mut records = reader.records();
        let header = match records.next() {
            Some(header) => header.map_err(|error| self.csv_error(&error, bytes))?,
            None => return Err(self.error(1, "the table is empty")),
        };
        let names: Vec<&str> = header.iter().map(str::trim).collect();
        let Some(key) = names.iter().position(|name| *name == self.key) else {
            let what = format!("no column {}, only {}", self.key, names.join(", "));
            return Err(self.error(1, what));
        };
        let mut columns = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let number = if at == key { 0 } else { self.column(name, 1)? };
            if names[..at].contains(name) {
                return Err(self.error(1, format!("two columns are called {name}")));
            }
            columns.push(number);
        }
        for record in records {
            let record = record.map_err(|error| self.csv_error(&error, bytes))?;
            let cells = columns.iter().zip(record.iter()).enumerate();
            let row = cells.filter(|(at, _)| *at != key).map(|(_, (column, cell))| {
                let mut value = Vec::with_capacity(cell.len() + 2);
                json::write_string(cell.as_bytes(), &mut value);
                (*column, value.into())
            });
            self.table.rows.entry(record[key].as_bytes().into()).or_default().push(row.collect());
        }
        Ok(())
    }

    fn csv_error(&self, error: &csv::Error, bytes: &[u8]) -> TableError {
        let line = error.position().map_or(1, |position| {
            // The reader passes over blank lines before a record as part of it.
            let text = bytes.get(position.byte() as usize..).unwrap_or_default();
            let blank = text.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
            position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
        });
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                self.error(line, format!("{len} fields, but the header has {expected_len}"))
            }
            _ => self.error(line, error.to_string()),
        }
    }

    fn read_ndjson(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        let mut scanner = Scanner::new(Projection::from_iter([self.key])).with_members();
        let mut arena = Bump::new();
        let mut has_key = false;
        for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            // Places within a line are kept in 32 bits.
            if u32::try_from(text.len()).is_err() {
                return Err(self.error(line, "longer than 4 GiB"));
            }
            scanner.scan(text).map_err(|error| self.error(line, error.to_string()))?;
            arena.reset();
            let row = self.row(&scanner, text, line)?;
            has_key |= scanner.field(0).is_present();
            let value = Value::read_in(scanner.field(0), text, &arena);
            if !value.is_null() {
                let mut key = Vec::new();
                value.write_key(&mut key);
                self.table.rows.entry(key.into()).or_default().push(row);
            }
        }
        if has_key { Ok(()) } else { Err(self.error(1, format!("no row has {}", self.key))) }
    }

    /// The values of an object, without the key; of equal names the last.
    fn row(&mut self, scanner: &Scanner, text: &[u8], line: u64) -> Result<Row, TableError> {
        let mut row = Row::new();
        for member in scanner.members().iter().filter(|member| member.slot.is_none()) {
            let mut name = Vec::new();
            let start = member.key as usize + 1;
            let end = json::string_end(text, start).map_or(text.len(), |end| end.end - 1);
            json::unescape(&text[start..end], &mut name);
            let column = self.column(&String::from_utf8_lossy(&name), line)?;
            let value = member.value.text(text).into();
            match row.iter_mut().find(|(known, _)| *known == column) {
                Some((_, known)) => *known = value,
                None => row.push((column, value)),
            }
        }
        Ok(row)
    }
}
