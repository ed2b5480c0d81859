//! The grammar of JSON: what a value is and where it ends.
//!
//! Source: RFC 8259.

use super::json::{self, StringEnd};
use super::reject::Reason;

/// What a value is, as far as its text shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The record has no such field.
    #[default]
    Missing,
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number without point and exponent.
    Int,
    /// A number with a point or an exponent.
    Float,
    /// A string without escapes.
    Str,
    /// A string with at least one backslash escape.
    EscapedStr,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// A field's value: what it is and where it stands in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// What the value is.
    pub kind: Kind,
    /// Offset of the value's first byte (of a string: its opening quote).
    pub start: u32,
    /// Offset behind the value's last byte.
    pub end: u32,
}

impl Field {
    /// The value as it stands in the line; empty if the field is missing.
    #[inline]
    pub fn text(self, line: &[u8]) -> &[u8] {
        &line[self.start as usize..self.end as usize]
    }

    /// The text between the quotes of a string, escapes and all.
    ///
    /// Only for [`Kind::Str`] and [`Kind::EscapedStr`].
    #[inline]
    pub fn inner(self, line: &[u8]) -> &[u8] {
        &line[self.start as usize + 1..self.end as usize - 1]
    }

    /// Whether the record has the field, be it null.
    #[inline]
    pub fn is_present(self) -> bool {
        self.kind != Kind::Missing
    }
}

/// Why a line is no usable record, and where that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {}", .at + 1)]
pub struct ScanError {
    /// The word for it.
    pub reason: Reason,
    /// Byte offset in the line.
    pub at: usize,
    /// What was expected or found, such as `expected ':'`.
    pub what: &'static str,
}

/// Objects and arrays may nest this deep; the record itself is level 1.
const MAX_DEPTH: u32 = 128;

/// Behind a member: the offset of the next one's key, or `None` at the `}`.
pub(super) fn next_member(line: &[u8], at: usize) -> Result<Option<usize>, ScanError> {
    match line.get(at) {
        Some(b',') => Ok(Some(json::skip_blanks(line, at + 1))),
        Some(b'}') => Ok(None),
        Some(_) => Err(invalid(at, "expected ',' or '}' after a value")),
        None => Err(invalid(at, "the line ends within the record")),
    }
}

pub(super) fn expect_end(line: &[u8], at: usize) -> Result<(), ScanError> {
    let at = json::skip_blanks(line, at);
    if at == line.len() { Ok(()) } else { Err(invalid(at, "expected nothing after the record")) }
}

/// Tells JSON that is no object from what is no JSON.
pub(super) fn no_object(line: &[u8], at: usize) -> ScanError {
    match scan_value(line, at, 0).and_then(|value| expect_end(line, value.end as usize)) {
        Ok(()) => ScanError { reason: Reason::NotObject, at, what: "expected an object" },
        Err(error) if at < line.len() && matches!(line[at], b'[' | b'"') => error,
        Err(_) => invalid(at, "expected '{'"),
    }
}

pub(super) const fn invalid(at: usize, what: &'static str) -> ScanError {
    ScanError { reason: Reason::InvalidJson, at, what }
}

/// Reads the value at `start`, inside of `depth` objects and arrays.
#[inline]
pub(super) fn scan_value(line: &[u8], start: usize, depth: u32) -> Result<Field, ScanError> {
    let (kind, end) = match line.get(start) {
        Some(b'"') => {
            let StringEnd { end, escaped } = scan_string(line, start)?;
            (if escaped { Kind::EscapedStr } else { Kind::Str }, end)
        }
        Some(b'-' | b'0'..=b'9') => scan_number(line, start)?,
        Some(b't') => (Kind::True, scan_word(line, start, b"true")?),
        Some(b'f') => (Kind::False, scan_word(line, start, b"false")?),
        Some(b'n') => (Kind::Null, scan_word(line, start, b"null")?),
        Some(b'{') => (Kind::Object, scan_object(line, start, depth + 1)?),
        Some(b'[') => (Kind::Array, scan_array(line, start, depth + 1)?),
        Some(_) => return Err(invalid(start, "expected a value")),
        None => return Err(invalid(start, "the line ends where a value is expected")),
    };
    Ok(Field { kind, start: start as u32, end: end as u32 })
}

#[inline]
pub(super) fn scan_string(line: &[u8], at: usize) -> Result<StringEnd, ScanError> {
    json::string_end(line, at + 1).map_err(|(at, what)| invalid(at, what))
}

#[inline]
fn scan_word(line: &[u8], at: usize, word: &'static [u8]) -> Result<usize, ScanError> {
    if line[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(invalid(at, "expected true, false or null"))
    }
}

#[inline]
fn scan_number(line: &[u8], start: usize) -> Result<(Kind, usize), ScanError> {
    let digits = |mut at: usize| {
        while line.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let whole = start + usize::from(line[start] == b'-');
    let mut at = digits(whole);
    if at == whole {
        return Err(invalid(at, "expected a digit"));
    }
    if line[whole] == b'0' && at > whole + 1 {
        return Err(invalid(whole, "a number may not begin with 0"));
    }
    let mut kind = Kind::Int;
    if line.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(invalid(at, "expected a digit after '.'"));
        }
        kind = Kind::Float;
    }
    if matches!(line.get(at), Some(b'e' | b'E')) {
        let sign = at + 1;
        let exponent = sign + usize::from(matches!(line.get(sign), Some(b'+' | b'-')));
        at = digits(exponent);
        if at == exponent {
            return Err(invalid(at, "expected a digit in the exponent"));
        }
        kind = Kind::Float;
    }
    Ok((kind, at))
}

fn scan_object(line: &[u8], start: usize, depth: u32) -> Result<usize, ScanError> {
    too_deep(start, depth)?;
    let mut at = json::skip_blanks(line, start + 1);
    if line.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        if line.get(at) != Some(&b'"') {
            return Err(invalid(at, "expected a key in double quotes"));
        }
        at = json::skip_blanks(line, scan_string(line, at)?.end);
        if line.get(at) != Some(&b':') {
            return Err(invalid(at, "expected ':' after a key"));
        }
        let value = scan_value(line, json::skip_blanks(line, at + 1), depth)?;
        at = json::skip_blanks(line, value.end as usize);
        match next_member(line, at)? {
            Some(next) => at = next,
            None => return Ok(at + 1),
        }
    }
}

fn scan_array(line: &[u8], start: usize, depth: u32) -> Result<usize, ScanError> {
    too_deep(start, depth)?;
    let mut at = json::skip_blanks(line, start + 1);
    if line.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    loop {
        let value = scan_value(line, at, depth)?;
        at = json::skip_blanks(line, value.end as usize);
        match line.get(at) {
            Some(b',') => at = json::skip_blanks(line, at + 1),
            Some(b']') => return Ok(at + 1),
            Some(_) => return Err(invalid(at, "expected ',' or ']' after a value")),
            None => return Err(invalid(at, "the line ends within an array")),
        }
    }
}

fn too_deep(at: usize, depth: u32) -> Result<(), ScanError> {
    if depth > MAX_DEPTH {
        return Err(ScanError {
            reason: Reason::TooDeep,
            at,
            what: "nested deeper than 128 levels",
        });
    }
    Ok(())
}
