//! Values as a table shows them.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::line::{Field, Kind, json};

/// A value in a table; the default is a field that the row lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// Fit for a terminal: no control characters.
    pub(super) text: String,
    pub(super) kind: CellKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Nothing, or null: says nothing about the column.
    #[default]
    Empty,
    Number,
    Text,
    Window,
}

impl Cell {
    pub(super) fn of_field(field: Field, line: &[u8]) -> Self {
        let mut unescaped = Vec::new();
        let (bytes, kind) = match field.kind {
            Kind::Missing | Kind::Null => (field.text(line), CellKind::Empty),
            Kind::Int | Kind::Float => (field.text(line), CellKind::Number),
            Kind::Str => (field.inner(line), CellKind::Text),
            Kind::EscapedStr => {
                json::unescape(field.inner(line), &mut unescaped);
                (&unescaped[..], CellKind::Text)
            }
            _ => (field.text(line), CellKind::Text),
        };
        Self { text: shown(&String::from_utf8_lossy(bytes)), kind }
    }

    /// A window, as compactly as it can be told exactly:
    /// `2025-09-12 00:00:00 – 00:01:00`.
    pub(super) fn of_window(start: &[u8], end: &[u8]) -> Self {
        let text = [start, end].map(|edge| String::from_utf8_lossy(edge).into_owned());
        let text = match [&text[0], &text[1]].map(|edge| moment(edge)) {
            [Some((day, from)), Some((last, to))] if day == last => format!("{day} {from} – {to}"),
            [Some((day, from)), Some((last, to))] => format!("{day} {from} – {last} {to}"),
            _ => text.join(" – "),
        };
        Self { text: shown(&text), kind: CellKind::Window }
    }
}

/// Day and time of an instant that is spelled as rows have it; a fraction of
/// zero is left out.
fn moment(text: &str) -> Option<(&str, &str)> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    Some((day, time.strip_suffix(".000").unwrap_or(time)))
}

/// The text with escapes for what a terminal would act on: control characters,
/// and those that change the direction of what follows.
pub(super) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            char if is_harmful(char) => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out
}

fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// How many columns of a terminal the text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text within so many columns of a terminal: whole, or its beginning with
/// an ellipsis.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = columns.saturating_sub(1);
    for char in text.chars() {
        let width = char.width().unwrap_or(0);
        if width > rest {
            break;
        }
        rest -= width;
        out.push(char);
    }
    out.push('…');
    out
}
