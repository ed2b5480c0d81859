//! logfmt: `key=value` pairs with blanks between them.

use super::cursor::trim_end;
use super::fields::{Fields, Spelling, Value};
use super::{FieldSource, Mismatch, Parsed};
use crate::time::Calendar;

/// Reads lines of logfmt, such as `time=2024-03-05T07:08:09Z level=info msg="a \"b\""`.
///
/// Names, their aliases and types are those of JSON records; all else is
/// text. An empty value is an empty string. A key without `=` is `true`, or
/// `null` if it is one of the normalised names. At least one key must have a
/// value, so that plain text is not taken for a row of keys.
///
/// In quotes, the escapes of JSON are undone; other backslashes stand for
/// themselves.
#[derive(Debug, Default)]
pub struct LogfmtParser {
    fields: Fields,
}

impl LogfmtParser {
    /// Looks for the time in this field alone.
    #[must_use]
    pub fn with_time_field(mut self, field: Option<&str>) -> Self {
        self.fields.set_time_field(field, b"", std::iter::empty());
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
        let text = trim_end(text);
        self.fields.clear();
        let mut at = 0;
        let mut pairs = 0;
        while let Some(blanks) = text[at..].iter().position(|byte| !is_blank(*byte)) {
            at = self.pair(text, at + blanks, &mut pairs)?;
        }
        if pairs == 0 {
            return Err(Mismatch::no_match(0, "pair", "at least one key=value"));
        }
        self.fields.write(text, text, calendar, out)
    }

    /// Values that could not be cast, over all lines.
    pub fn casts_failed(&self) -> u64 {
        self.fields.casts_failed
    }

    /// Where the fields of `line`, which was read last, come from.
    pub(super) fn sources(&self, line: &[u8]) -> Vec<FieldSource> {
        self.fields.sources(line, line)
    }

    /// Reads the pair at `at`, and says where it ends.
    #[inline]
    fn pair(&mut self, text: &[u8], at: usize, pairs: &mut usize) -> Result<usize, Mismatch> {
        let rest = &text[at..];
        let is_end = |byte: &u8| matches!(byte, b'=' | b'"' | ..=b' ');
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        let name = self.fields.name(text, at..at + length);
        match rest.get(length) {
            _ if length == 0 => Err(Mismatch::no_match(at, "key", "a name before the =")),
            Some(b'=') => {
                *pairs += 1;
                let (value, end) = value(text, at + length + 1)?;
                self.fields.push(name?, value);
                Ok(end)
            }
            Some(b'"') => Err(Mismatch::no_match(at + length, "key", "no quote in a name")),
            _ => {
                let end = at + length;
                self.fields.push(name?, Value { range: end..end, spelling: Spelling::Absent });
                Ok(end)
            }
        }
    }
}

const fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

/// Reads the value at `at`, and says where it ends.
#[inline]
fn value(text: &[u8], at: usize) -> Result<(Value, usize), Mismatch> {
    if text.get(at) != Some(&b'"') {
        let rest = &text[at..];
        let end = at + rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
        return Ok((Value { range: at..end, spelling: Spelling::Plain }, end));
    }
    let Some((end, escaped)) = super::cursor::find_quote(text, at + 1) else {
        return Err(Mismatch::no_match(text.len(), "value", "a closing quote"));
    };
    if text.get(end + 1).is_some_and(|byte| !is_blank(*byte)) {
        return Err(Mismatch::no_match(end + 1, "value", "a blank behind the closing quote"));
    }
    let spelling = if escaped { Spelling::Escaped } else { Spelling::Plain };
    Ok((Value { range: at + 1..end, spelling }, end + 1))
}
