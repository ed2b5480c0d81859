//! Framing: where a record ends and the next one begins.

use std::time::Duration;

use regex::bytes::Regex;

/// How bytes are cut into records.
///
/// A record is one line, or several that stand behind one another, so it is
/// always a piece of the input as it came.
#[derive(Clone, Debug, Default)]
pub enum Framing {
    /// Every line is a record.
    #[default]
    Lines,
    /// A line that does not begin a record belongs to the one before.
    Multiline(Multiline),
}

/// What records of several lines look like.
///
/// A line that does not match `start` is joined to the record before, unless
/// that would then have more than `max_lines` lines, or more bytes than a line
/// may have: then it begins a record of its own, so that nothing is dropped.
/// The first line of an input begins a record whatever it looks like.
#[derive(Clone, Debug)]
pub struct Multiline {
    /// Matches the lines that begin a record, looked at without their end.
    pub start: Regex,
    /// How many lines a record may have.
    pub max_lines: u64,
    /// How long a live input may be silent before a record that more lines
    /// could belong to is given out.
    pub wait: Duration,
}

/// How far the record at the start of some bytes is known to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Its length in bytes, line ends counted.
    pub(crate) bytes: usize,
    /// Its lines.
    pub(crate) lines: u64,
    /// Up to here no newline lies behind `bytes`.
    searched: usize,
}

impl Extent {
    /// That of one line with its end.
    pub(crate) const fn line(bytes: usize) -> Self {
        Self { bytes, lines: 1, searched: bytes }
    }
}

impl Framing {
    /// How long to wait for the rest of a record; `None` if nothing can be
    /// missing from a whole line.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Lines => None,
            Self::Multiline(multiline) => Some(multiline.wait),
        }
    }

    /// Follows the record at the start of `bytes` as far as it goes; true if it
    /// is whole. Otherwise it is to be called again with more bytes, `extent`
    /// being where it left off. `ended` says that there are no more.
    pub(crate) fn extend(
        &self,
        bytes: &[u8],
        ended: bool,
        max_line: usize,
        extent: &mut Extent,
    ) -> bool {
        loop {
            // A record that is waited for no longer is without the line begun.
            let searched = extent.searched.min(bytes.len());
            let newline = memchr::memchr(b'\n', &bytes[searched..]);
            let (line_end, next) = match newline.map(|at| searched + at) {
                Some(newline) => (newline, newline + 1),
                None if ended && extent.bytes < bytes.len() => (bytes.len(), bytes.len()),
                None => {
                    extent.searched = bytes.len();
                    // The last byte may be the `\r` of the line's end.
                    let too_long = bytes.len() > max_line.saturating_add(1);
                    return extent.lines > 0 && (ended || too_long);
                }
            };
            let line = &bytes[extent.bytes..line_end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if extent.lines > 0 && !self.joins(line, max_line, *extent) {
                return true;
            }
            *extent = Extent { bytes: next, lines: extent.lines + 1, searched: next };
            if matches!(self, Self::Lines) {
                return true;
            }
        }
    }

    /// Whether a line belongs to the record before it.
    fn joins(&self, line: &[u8], max_line: usize, record: Extent) -> bool {
        match self {
            Self::Lines => false,
            Self::Multiline(Multiline { start, max_lines, .. }) => {
                record.lines < *max_lines
                    && record.bytes + line.len() <= max_line
                    && !start.is_match(line)
            }
        }
    }
}

/// Takes the end off a record of several lines and makes the ends within it
/// `\n`, or blanks if it is a JSON object by its first and last byte: there
/// they are white space. Returns its length.
///
/// An object with a line end inside of a string is no JSON and stays text.
pub(crate) fn join_lines(record: &mut [u8]) -> usize {
    let length = without_end(record).len();
    let record = &mut record[..length];
    let text = record.trim_ascii();
    if text.starts_with(b"{") && text.ends_with(b"}") && ends_are_blanks(record) {
        for byte in record.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        return length;
    }
    drop_carriage_returns(record)
}

fn without_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// Whether no line ends within a JSON string.
fn ends_are_blanks(record: &[u8]) -> bool {
    let mut in_string = false;
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', &record[at..]) {
        at += found;
        match record[at] {
            b'"' => in_string = !in_string,
            b'\\' => at += 1,
            _ if in_string => return false,
            _ => {}
        }
        at += 1;
        if at >= record.len() {
            break;
        }
    }
    true
}

/// Makes every `\r\n` a `\n`; returns how many bytes are left.
fn drop_carriage_returns(record: &mut [u8]) -> usize {
    if memchr::memchr(b'\r', record).is_none() {
        return record.len();
    }
    let mut kept = 0;
    for at in 0..record.len() {
        if record[at] == b'\r' && record.get(at + 1) == Some(&b'\n') {
            continue;
        }
        record[kept] = record[at];
        kept += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined() {
        for (record, joined) in [
            ("a\n b\n", "a\n b"),
            ("a\r\n\tb\r\n", "a\n\tb"),
            ("a\r\n\r\n", "a\n"),
            ("a\rb\n c", "a\rb\n c"),
            ("{\r\n \"a\": 1\n}\n", "{   \"a\": 1 }"),
            ("{\n \"a\\\"\": \"{\\n\"\n}\n\n", "{  \"a\\\"\": \"{\\n\" } "),
            // No JSON: a string does not go on over the end of a line.
            ("{\n \"a\": \"x\ny\"}\n", "{\n \"a\": \"x\ny\"}"),
            ("{\n\\}", "{ \\}"),
            ("{\n} x", "{\n} x"),
        ] {
            let mut bytes = record.as_bytes().to_vec();
            let length = join_lines(&mut bytes);
            assert_eq!(std::str::from_utf8(&bytes[..length]).unwrap(), joined, "{record:?}");
        }
    }
}
