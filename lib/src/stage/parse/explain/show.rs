//! Lines and records for eyes.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::format::FieldSource;
use crate::line::{Projection, Scanner};

/// How much of a line is shown, in columns of a terminal.
const WIDTH: usize = 96;
/// Where the caret stands at most, so that something is seen of what follows.
const CARET: usize = 72;

/// Writes a line, indented, and a caret under the byte at `at`. Control
/// characters have their pictures; of a long line the part around the caret is
/// shown.
pub(super) fn line(text: &[u8], at: Option<usize>, out: &mut Vec<u8>) {
    if text.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(text);
    let mut caret = at.unwrap_or(0).min(text.len());
    while !text.is_char_boundary(caret) {
        caret -= 1;
    }
    let (before, behind) = text.split_at(caret);
    let too_long = fitting(text.char_indices(), WIDTH).is_some();
    let start = fitting(before.char_indices().rev(), if too_long { CARET } else { WIDTH });
    let start = start.map_or(0, |(at, c)| at + c.len_utf8());
    let before: String = before[start..].chars().map(visible).collect();
    let end = fitting(behind.char_indices(), WIDTH - before.width()).map(|(at, _)| at);
    let behind: String = behind[..end.unwrap_or(behind.len())].chars().map(visible).collect();
    let cut = |cut: bool| if cut { "…" } else { "" };
    let line = format!("  {}{before}{behind}{}", cut(start > 0), cut(end.is_some()));
    out.extend_from_slice(line.trim_end().as_bytes());
    out.push(b'\n');
    if at.is_some() {
        let column = 2 + usize::from(start > 0) + before.width();
        out.extend_from_slice(format!("{}^\n", " ".repeat(column)).as_bytes());
    }
}

/// The first character that does not fit into so many columns.
fn fitting(
    mut chars: impl Iterator<Item = (usize, char)>,
    mut left: usize,
) -> Option<(usize, char)> {
    chars.find(|(_, c)| match left.checked_sub(visible(*c).width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// A character that can be seen.
fn visible(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Writes the fields of records, one a line, with where they come from if that
/// is not plain.
pub(super) fn records(rows: &[u8], origins: &[FieldSource], out: &mut Vec<u8>) {
    let mut scanner = Scanner::new(Projection::default()).with_members();
    for row in rows.split(|byte| *byte == b'\n').filter(|row| !row.is_empty()) {
        if scanner.scan(row).is_err() {
            continue;
        }
        for member in scanner.members() {
            let (value, start) = (member.value.text(row), member.key as usize + 1);
            let key = &row[start..member.value.start as usize];
            let key = &key[..memchr::memrchr(b'"', key).unwrap_or(key.len())];
            let note = note(key, value == b"null", origins);
            let key = String::from_utf8_lossy(key);
            let value = cut(&String::from_utf8_lossy(value));
            out.extend_from_slice(format!("  {key:<14} {value}{note}\n").as_bytes());
        }
    }
}

/// Where a field comes from: another name, or a value that could not be cast.
fn note(key: &[u8], is_null: bool, origins: &[FieldSource]) -> String {
    let Some(origin) = origins.iter().find(|origin| origin.name.as_bytes() == key) else {
        return String::new();
    };
    let (called, column) = (&origin.called, origin.at + 1);
    match (is_null && !origin.is_null, *called == origin.name) {
        (true, _) => format!("   (no such number in {called} at column {column})"),
        (false, false) => format!("   (from {called} at column {column})"),
        (false, true) => String::new(),
    }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(WIDTH - 20) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
