//! Records out of messages of Kafka.

use super::payload::{Payload, is_torn};
use super::{Metadata, reserved_key};
use crate::line::{Line, Reason, Scanner, json};
use crate::source;
use crate::stream::{Output, StageError};

/// Puts where a message came from in front of its payload:
/// `{"@source":{"topic":"logs","partition":0,"offset":42,"timestamp":"2025-09-12T00:00:00.123Z","key":"user_001"},"a":1}`.
///
/// A payload that is no object becomes `@raw`, also one that is no UTF-8, in
/// which what is none is replaced. A tombstone leaves a record of nothing but
/// `@source`.
#[derive(Debug)]
pub(super) struct Messages {
    /// `None` if records are to have no `@source`.
    metadata: Option<Metadata>,
    /// The payload, its escapes resolved.
    payload: Vec<u8>,
}

impl Messages {
    pub(super) fn new(has_metadata: bool) -> Self {
        Self { metadata: has_metadata.then(Metadata::default), payload: Vec::new() }
    }

    /// Takes in one message; `reserved` finds the reserved keys of a record.
    #[inline]
    pub(super) fn take(
        &mut self,
        reserved: &mut Scanner,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return self.write(reserved, text.as_bytes(), true, out);
        }
        self.write(reserved, line.bytes, false, out)
    }

    #[inline]
    fn write(
        &mut self,
        reserved: &mut Scanner,
        line: &[u8],
        is_text: bool,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let Some((kind, source, text)) = source::Payload::split(line) else {
            return Err(StageError::Failed("kafka: a message came without its head".to_owned()));
        };
        let text = match kind {
            source::Payload::Escaped => {
                self.payload.clear();
                json::unescape(text, &mut self.payload);
                &self.payload
            }
            source::Payload::Plain | source::Payload::Absent => text,
        };
        let payload = match Payload::of(text) {
            _ if kind == source::Payload::Absent => Payload::Tombstone,
            Payload::Record(text) if is_text || is_torn(reserved, text) => Payload::Text(text),
            payload => payload,
        };
        if let Payload::Record(record) = payload
            && let Some(error) = reserved_key(reserved, record)
        {
            return out.reject(Reason::ReservedKey, error, Line { bytes: text, fault: None });
        }
        let (place, offset) = (out.place().clone(), out.line_number() - 1);
        let row = out.row();
        row.push(b'{');
        if let Some(metadata) = &mut self.metadata {
            metadata.write(&place, offset, source, row);
        }
        payload.write(row);
        out.finish_row()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ingest;
    use super::*;
    use crate::stream::{Operator as _, Place, PlaceKind};

    fn ingest(has_metadata: bool, line: &[u8]) -> (String, Output) {
        let mut out = Output::in_memory();
        out.begin_source(Place { line: 42, ..Place::new("my.logs[3]", PlaceKind::Partition) });
        out.begin_line(crate::line::Position { offset: 0, line: 43 });
        let fault = str::from_utf8(line).is_err().then_some(Reason::InvalidUtf8);
        let mut ingest = Ingest::default().with_messages(has_metadata);
        ingest.on_record(Line { bytes: line, fault }, &mut out).unwrap();
        (String::from_utf8(out.rows().to_vec()).unwrap(), out)
    }

    #[test]
    fn payloads() {
        let source = r#""@source":{"topic":"my.logs","partition":3,"offset":42,"key":null}"#;
        for (line, rest) in [
            (&b"=,\"key\":null\0{\"a\":1}"[..], r#","a":1}"#),
            (b"=,\"key\":null\0 { \"a\" : 1.00 } ", r#", "a" : 1.00 }"#),
            (b"=,\"key\":null\0{}", "}"),
            (b"=,\"key\":null\0hi \"there\"\0", r#","@raw":"hi \"there\"\u0000"}"#),
            (b"=,\"key\":null\0", r#","@raw":""}"#),
            (b"-,\"key\":null\0", "}"),
            (b"\\,\"key\":null\0{\\n  \\\"a\\\": 1\\n}", r#",   "a": 1 }"#),
            (b"\\,\"key\":null\0a\\nb\\r", r#","@raw":"a\nb\r"}"#),
            (b"\\,\"key\":null\0{\\\"a\\\":\\\"x\\ny\\\"}", r#","@raw":"{\"a\":\"x\ny\"}"}"#),
            (b"=,\"key\":null\0{\"a\":\"\xff\"}", ",\"@raw\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}"),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(ingest(true, line).0, format!("{{{source}{rest}\n"), "{shown}");
            let bare = rest.strip_prefix(',').unwrap_or(rest);
            assert_eq!(ingest(false, line).0, format!("{{{bare}\n"), "{shown}");
        }
    }

    #[test]
    fn a_payload_cannot_pass_for_the_stream_itself() {
        for line in
            [&b"=\0{\"@\":\"end\"}"[..], b"=\0{\"a\":1,\"@source\":{}}", b"\\\0{\\n\\\"@raw\\\":1}"]
        {
            let (row, out) = ingest(true, line);
            let shown = String::from_utf8_lossy(line);
            assert_eq!((&*row, out.stats.rejected()), ("", 1), "{shown}");
        }
    }
}
