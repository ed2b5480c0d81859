//! Rows as CSV.

use std::io::{self, Write};

use super::{lines, no_row};
use crate::line::{Field, Kind, Projection, Scanner, json};
use crate::query::{Column, Plan, WindowSpec};
use crate::window::WindowOptions;

/// A column: its header and the field of the row that it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumn {
    /// What stands in the header.
    pub header: String,
    /// A field's name, or a path such as `window.start`.
    pub field: String,
}

/// Why rows cannot be CSV.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsvColumnsError {
    /// Rows of several queries have different columns.
    #[error(
        "CSV has one header, but there are {0} queries: run one at a time, or use ndjson or table"
    )]
    SeveralQueries(usize),
    /// Two columns would be called the same.
    #[error("two columns of the CSV are called {0}: name one with AS")]
    TwoColumns(String),
}

/// The columns that the rows of these plans have.
///
/// # Errors
///
/// Fails if that is not one list of different names.
pub fn csv_columns(
    plans: &[Plan],
    options: &WindowOptions,
) -> Result<Vec<CsvColumn>, CsvColumnsError> {
    if plans.len() > 1 {
        return Err(CsvColumnsError::SeveralQueries(plans.len()));
    }
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for column in plans.iter().flat_map(|plan| &plan.columns) {
        match column {
            Column::Window => {
                fields.extend([("window_start", "window.start"), ("window_end", "window.end")]);
            }
            Column::Value { name, .. } => fields.push((name, name)),
        }
    }
    // Only rows of windows that share panes can be partial.
    let overlap = |plan: &Plan| match plan.window {
        Some(WindowSpec::Fixed { size, slide, .. }) => slide < size,
        _ => false,
    };
    let optional = [
        ("partial", options.max_groups.is_some() && plans.iter().any(overlap)),
        ("overflow", options.max_groups.is_some()),
        ("revision", options.allowed_lateness.is_some()),
        ("closed_by", options.row_meta),
    ];
    fields.extend(optional.iter().filter(|(_, is_on)| *is_on).map(|&(name, _)| (name, name)));
    for (index, (header, _)) in fields.iter().enumerate() {
        if fields[..index].iter().any(|(other, _)| other == header) {
            return Err(CsvColumnsError::TwoColumns((*header).to_owned()));
        }
    }
    let column = |(header, field): (&str, &str)| CsvColumn {
        header: header.to_owned(),
        field: field.to_owned(),
    };
    Ok(fields.into_iter().map(column).collect())
}

/// Writes rows as CSV: RFC 4180, but for lines that end as Unix has it.
///
/// The header comes once, also where there are no rows. Null and missing
/// fields are empty, empty text is `""`, lists are JSON text. Numbers keep
/// their spelling.
#[derive(Debug)]
pub struct CsvSink<W> {
    scanner: Scanner,
    slots: Vec<usize>,
    header: Option<Vec<u8>>,
    buffer: Vec<u8>,
    out: W,
}

impl<W: Write> CsvSink<W> {
    /// Writes these columns to `out`.
    pub fn new(columns: &[CsvColumn], out: W) -> Self {
        let mut projection = Projection::default();
        let slots = columns.iter().map(|column| projection.add(&column.field)).collect();
        let mut header = Vec::new();
        for column in columns {
            write_text(column.header.as_bytes(), &mut header);
            header.push(b',');
        }
        end_record(&mut header, columns.len());
        Self {
            scanner: Scanner::new(projection),
            slots,
            header: Some(header),
            buffer: Vec::new(),
            out,
        }
    }

    fn row(&mut self, line: &[u8]) -> io::Result<()> {
        self.scanner.scan(line).map_err(no_row)?;
        for &slot in &self.slots {
            write_field(self.scanner.field(slot), line, &mut self.buffer);
            self.buffer.push(b',');
        }
        end_record(&mut self.buffer, self.slots.len());
        Ok(())
    }
}

impl<W: Write> Write for CsvSink<W> {
    /// Takes whole lines, all of them.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.buffer.extend(self.header.take().unwrap_or_default());
        for line in lines(block) {
            self.row(line)?;
        }
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map(|()| block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(header) = self.header.take() {
            self.out.write_all(&header)?;
        }
        self.out.flush()
    }
}

/// Ends a record, whose last field has a comma behind it.
fn end_record(record: &mut Vec<u8>, fields: usize) {
    let is_empty = matches!(record[..], [.., b'\n', b','] | [b',']);
    record.pop();
    if fields == 1 && is_empty {
        // A line without anything would be no record to many readers.
        record.extend_from_slice(b"\"\"");
    }
    record.push(b'\n');
}

fn write_field(field: Field, line: &[u8], out: &mut Vec<u8>) {
    match field.kind {
        Kind::Missing | Kind::Null => {}
        Kind::Str => write_text(field.inner(line), out),
        Kind::EscapedStr => {
            let mut text = Vec::new();
            json::unescape(field.inner(line), &mut text);
            write_text(&text, out);
        }
        Kind::Object | Kind::Array => write_text(field.text(line), out),
        _ => out.extend_from_slice(field.text(line)),
    }
}

/// Writes a text, in quotes if it needs them.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b',' | b'\n' | b'\r');
    let has_blank_edge = text.first() == Some(&b' ') || text.last() == Some(&b' ');
    if !text.is_empty() && !has_blank_edge && !text.iter().any(is_special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for piece in text.split_inclusive(|&byte| byte == b'"') {
        out.extend_from_slice(piece);
        if piece.last() == Some(&b'"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(names: &[&str], rows: &str) -> String {
        let column = |name: &&str| CsvColumn { header: (*name).into(), field: (*name).into() };
        let columns: Vec<_> = names.iter().map(column).collect();
        let mut sink = CsvSink::new(&columns, Vec::new());
        if !rows.is_empty() {
            sink.write_all(rows.as_bytes()).unwrap();
        }
        sink.flush().unwrap();
        sink.flush().unwrap();
        String::from_utf8(sink.out).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        for (value, expected) in [
            ("1.50", "1.50"),
            ("true", "true"),
            ("null", ""),
            ("\"\"", "\"\""),
            ("\"a b\"", "a b"),
            ("\" a\"", "\" a\""),
            ("\"a,b\"", "\"a,b\""),
            (r#""say \"hi\"""#, r#""say ""hi""""#),
            (r#""a\nb""#, "\"a\nb\""),
            (r#""\u00e9""#, "é"),
            (r#"["x","y, z"]"#, r#""[""x"",""y, z""]""#),
        ] {
            let row = format!("{{\"a\":{value},\"b\":7}}\n");
            assert_eq!(csv(&["a", "b", "c"], &row), format!("a,b,c\n{expected},7,\n"), "{value}");
        }
    }

    #[test]
    fn the_header_comes_once_and_always() {
        assert_eq!(csv(&["a", "b"], ""), "a,b\n");
        assert_eq!(csv(&["a", "b"], "{\"a\":1}\n{\"b\":2}\n"), "a,b\n1,\n,2\n");
    }

    #[test]
    fn an_only_field_that_is_empty_makes_no_empty_line() {
        assert_eq!(csv(&["a"], "{\"a\":null}\n{\"a\":\"\"}\n{\"a\":1}\n"), "a\n\"\"\n\"\"\n1\n");
    }
}
