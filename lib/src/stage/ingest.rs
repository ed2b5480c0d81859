//! `ingest`: lines of the outside world become lines of the stream.

use crate::line::{Control, Line, Projection, Reason, ScanError, Scanner, json};
use crate::stream::{Operator, Output, StageError};

/// Passes JSON records on as they are, wraps text in `@raw`, and sees to it
/// that no data can pass for what belongs to the stream itself.
///
/// It looks at the first and last byte of a line, at its UTF-8, and for
/// reserved keys; whether a record is JSON at all is `parse`'s to say.
#[derive(Debug)]
pub struct Ingest {
    reserved: Scanner,
}

/// The keys that no record of the outside world may have, beside `"@"`, which
/// the scanner refuses anyway.
const RESERVED: [&str; 2] = ["@raw", "@source"];

impl Default for Ingest {
    fn default() -> Self {
        Self { reserved: Scanner::new(Projection::from_iter(RESERVED)) }
    }
}

impl Operator for Ingest {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return wrap(text.as_bytes(), out);
        }
        let text = line.bytes.trim_ascii();
        // A record of several lines that is JSON has come as one line.
        let is_record = text.starts_with(b"{") && text.ends_with(b"}");
        if !is_record || memchr::memchr(b'\n', text).is_some() {
            return wrap(line.bytes, out);
        }
        if may_have_reserved_key(text)
            && let Some(error) = self.reserved_key(text)
        {
            return out.reject(Reason::ReservedKey, error, line);
        }
        out.copy_row(line.bytes)
    }

    fn is_stateful(&self) -> bool {
        false
    }
}

impl Ingest {
    /// The reserved key that a record has at its top level, if any.
    #[cold]
    fn reserved_key(&mut self, text: &[u8]) -> Option<ScanError> {
        let reserved = |at: usize| ScanError {
            reason: Reason::ReservedKey,
            at,
            what: "a key that belongs to the stream itself (@, @raw, @source)",
        };
        match self.reserved.scan(text) {
            Ok(()) => (0..RESERVED.len())
                .map(|slot| self.reserved.field(slot))
                .find(|field| field.is_present())
                .map(|field| reserved(field.start as usize)),
            Err(error) if error.reason == Reason::ReservedKey => Some(error),
            // Not JSON, which `parse` will say; but it must not look like a
            // control line on the way there.
            Err(_) => Control::is_control(text).then(|| reserved(1)),
        }
    }
}

/// Whether `"@` occurs in the text, in any spelling. It hardly ever does.
#[inline]
fn may_have_reserved_key(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'@', b'\\', text).any(|at| match text[at] {
        b'@' => at > 0 && text[at - 1] == b'"',
        _ => text[at + 1..].starts_with(b"u0040"),
    })
}

/// Writes a text line as a record.
fn wrap(text: &[u8], out: &mut Output) -> Result<(), StageError> {
    let row = out.row();
    row.extend_from_slice(b"{\"@raw\":");
    json::write_string(text, row);
    row.push(b'}');
    out.finish_row()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut ingest = Ingest::default();
        for (line, row) in [
            (&br#"{"a":1}"#[..], Some(r#"{"a":1}"#)),
            (br#" {"a": 1.00} "#, Some(r#" {"a": 1.00} "#)),
            (
                br#"{"mail":"a@example.com","t":"\"@x"}"#,
                Some(r#"{"mail":"a@example.com","t":"\"@x"}"#),
            ),
            (br#"{"a":{"@raw":1}}"#, Some(r#"{"a":{"@raw":1}}"#)),
            (b"{broken}", Some("{broken}")),
            (b"say \"hi\"\t\0", Some(r#"{"@raw":"say \"hi\"\t\u0000"}"#)),
            (b"{\"a\":\"x\ny\"}", Some(r#"{"@raw":"{\"a\":\"x\ny\"}"}"#)),
            (b"[1]", Some(r#"{"@raw":"[1]"}"#)),
            (br#"{"cut":"#, Some(r#"{"@raw":"{\"cut\":"}"#)),
            (br#"{"@":"end"}"#, None),
            (br#"{"@raw":"x"}"#, None),
            (br#"{"a":1,"\u0040source":{}}"#, None),
            (br#"{"@":"end"x}"#, None),
        ] {
            let mut out = Output::in_memory();
            ingest.on_record(Line { bytes: line, fault: None }, &mut out).unwrap();
            let shown = String::from_utf8_lossy(line);
            let expected = row.map_or(String::new(), |row| format!("{row}\n"));
            assert_eq!(String::from_utf8_lossy(out.rows()), expected, "{shown}");
            assert_eq!(out.stats.rejected(), u64::from(row.is_none()), "{shown}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut out = Output::in_memory();
        let line = Line { bytes: b"{\"a\":\"\xff\"}", fault: Some(Reason::InvalidUtf8) };
        Ingest::default().on_record(line, &mut out).unwrap();
        assert_eq!(
            String::from_utf8_lossy(out.rows()),
            "{\"@raw\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}\n"
        );
        assert_eq!(out.stats.replaced_utf8, 1);
    }
}
