//! Reading a line from left to right.

use std::ops::Range;

use super::Mismatch;
use crate::line::json;

/// A place in a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    /// At most the text's length.
    pub(super) at: usize,
    /// Whether the line has control characters, which JSON does not take.
    controls: bool,
}

impl<'a> Cursor<'a> {
    /// The start of a line.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, controls: has_controls(text) }
    }

    /// The same line at another place.
    pub(super) const fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// A part of the line, which has no quotes in it but escaped ones.
    #[inline]
    pub(super) fn part(&self, range: Range<usize>, escaped: bool) -> Text<'a> {
        Text { raw: &self.text[range], plain: !escaped && !self.controls }
    }

    /// What has not been read.
    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Reads `literal` if it comes next.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        let found = self.rest().first_chunk() == Some(literal);
        if found {
            self.at += N;
        }
        found
    }

    /// Passes over blanks.
    pub(super) fn blanks(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// Reads up to the next blank or the end. Words are short, so bytes are
    /// looked at one by one.
    #[inline]
    pub(super) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Reads the rest of a quoted text and its closing quote; the opening quote
    /// has been read.
    ///
    /// # Errors
    ///
    /// Fails if the line ends before the quote is closed.
    #[inline]
    pub(super) fn quoted(&mut self, token: &'static str) -> Result<Text<'a>, Mismatch> {
        let start = self.at;
        if self.take(b"-\"") {
            return Ok(Text::plain(b"-"));
        }
        let Some((end, escaped)) = find_quote(self.text, start) else {
            return Err(Mismatch::no_match(self.text.len(), token, "a closing quote"));
        };
        self.at = end + 1;
        Ok(self.part(start..end, escaped))
    }
}

/// Whether there is a control character, looking at every byte: without an
/// early end this takes 16 bytes at a time, and nearly all lines have none.
#[inline]
fn has_controls(text: &[u8]) -> bool {
    text.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' '
}

/// The first quote at or after `at` that is not escaped, and whether there is a
/// backslash before it.
///
/// A backslash takes the next byte with it, so `\"` is no end and `\\"` is one.
/// Where a server spells both characters as `\x22` and `\x5C`, this makes no
/// difference: the byte behind a backslash is an `x`.
#[inline]
pub(super) fn find_quote(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// The first quote at or after `at` that is not doubled, and whether there are
/// doubled ones before it.
#[inline]
pub(super) fn find_doubled_quote(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut doubled = false;
    loop {
        at += memchr::memchr(b'"', text.get(at..)?)?;
        if text.get(at + 1) != Some(&b'"') {
            return Some((at, doubled));
        }
        doubled = true;
        at += 2;
    }
}

/// Text as a server wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) raw: &'a [u8],
    /// Whether JSON takes it as it stands: no backslash, quote or control
    /// character.
    plain: bool,
}

impl<'a> Text<'a> {
    /// Text that JSON takes as it stands.
    pub(super) const fn plain(raw: &'a [u8]) -> Self {
        Self { raw, plain: true }
    }

    /// Text with any characters.
    pub(super) const fn any(raw: &'a [u8]) -> Self {
        Self { raw, plain: false }
    }

    /// A part of it, such as one of its words.
    #[inline]
    pub(super) const fn part(self, raw: &'a [u8]) -> Self {
        Self { raw, ..self }
    }

    /// Appends it as a JSON string, with `\"` and `\\` undone, or as `null` if
    /// it is `-`.
    #[inline]
    pub(super) fn write_or_null(self, out: &mut Vec<u8>) {
        if self.raw == b"-" {
            out.extend_from_slice(b"null");
        } else {
            self.write(out);
        }
    }

    /// Appends it as a JSON string, with `\"` and `\\` undone.
    #[inline]
    pub(super) fn write(self, out: &mut Vec<u8>) {
        if self.plain {
            out.reserve(self.raw.len() + 2);
            out.push(b'"');
            out.extend_from_slice(self.raw);
            out.push(b'"');
        } else {
            write_unescaped(self.raw, out);
        }
    }
}

fn write_unescaped(mut raw: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    while let Some(at) = memchr::memchr(b'\\', raw) {
        json::write_escaped(&raw[..at], out);
        let escape = &raw[at..];
        // JSON spells a quote and a backslash as Apache does.
        if let [b'\\', b'"' | b'\\', rest @ ..] = escape {
            out.extend_from_slice(&escape[..2]);
            raw = rest;
        } else {
            out.extend_from_slice(b"\\\\");
            raw = &escape[1..];
        }
    }
    json::write_escaped(raw, out);
    out.push(b'"');
}

/// The same number as JSON spells it, if it is one of up to 18 digits.
#[inline]
pub(super) fn integer(word: &[u8]) -> Option<&[u8]> {
    if !(1..=18).contains(&word.len()) || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let zeros = word[..word.len() - 1].iter().take_while(|digit| **digit == b'0').count();
    Some(&word[zeros..])
}

/// The text without blanks and a carriage return at its end.
#[inline]
pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    let mut end = text.len();
    while end > 0 && matches!(text[end - 1], b' ' | b'\t' | b'\r') {
        end -= 1;
    }
    &text[..end]
}

/// For each byte whether it is an ASCII letter, a digit or one of `marks`.
pub(super) const fn alphanumeric_and(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_behind_a_backslash_is_no_end() {
        for (text, found) in [
            (r#"ab"c"#, Some((2, false))),
            (r"", None),
            (r#"""#, Some((0, false))),
            (r#"a\"b"c"#, Some((4, true))),
            (r#"a\\"c"#, Some((3, true))),
            (r#"a\x22"c"#, Some((5, true))),
            (r#"a\""#, None),
            (r"a\", None),
        ] {
            assert_eq!(find_quote(text.as_bytes(), 0), found, "{text}");
        }
    }

    #[test]
    fn only_quotes_and_backslashes_are_unescaped() {
        for (raw, text) in [
            (r#"a\"b"#, r#"a"b"#),
            (r"a\\b", r"a\b"),
            (r#"[\\\"x\\\"]"#, r#"[\"x\"]"#),
            (r"\x16\x03\x01", r"\x16\x03\x01"),
            (r"\x22\x5C\n\t", r"\x22\x5C\n\t"),
            (r"\d\", r"\d\"),
            ("tab\tand\0nul", "tab\tand\0nul"),
        ] {
            let mut out = Vec::new();
            Text::any(raw.as_bytes()).write(&mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text, "{raw}");
        }
    }
}
