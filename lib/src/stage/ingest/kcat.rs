//! Records out of what `kcat -J` prints.

use std::str;

use super::payload::{Payload, is_torn};
use super::reserved_key;
use crate::line::{Field, Kind, Line, Projection, Reason, Scanner, json};
use crate::stream::{Output, StageError};
use crate::time::Timestamp;

/// Takes the message out of each envelope and puts where it came from in front
/// of it.
///
/// `kcat -J` prints
/// `{"topic":"logs","partition":0,"offset":42,"tstype":"create","ts":1757635200123,"broker":0,"key":"user_001","payload":"{\"a\":1}"}`,
/// which becomes
/// `{"@source":{"topic":"logs","partition":0,"offset":42,"timestamp":"2025-09-12T00:00:00.123Z","key":"user_001"},"a":1}`.
/// A payload that is no object becomes `@raw`; one that is null (a tombstone)
/// leaves a record of nothing but `@source`. A payload that is already JSON,
/// as with `kcat -s avro`, is taken as it is. Headers are dropped.
#[derive(Debug)]
pub(super) struct KcatJson {
    scanner: Scanner,
    has_metadata: bool,
    /// The payload, its escapes resolved.
    payload: Vec<u8>,
}

const FIELDS: [&str; 6] = ["topic", "partition", "offset", "payload", "key", "ts"];
const TOPIC: usize = 0;
const PARTITION: usize = 1;
const OFFSET: usize = 2;
const PAYLOAD: usize = 3;
const KEY: usize = 4;
const TS: usize = 5;

/// The last millisecond of the year 9999, since 1970.
const LAST_MILLISECOND: i128 = 253_402_300_799_999;

impl KcatJson {
    /// Without metadata records have no `@source`.
    pub(super) fn new(has_metadata: bool) -> Self {
        let scanner = Scanner::new(Projection::from_iter(FIELDS));
        Self { scanner, has_metadata, payload: Vec::new() }
    }

    /// Takes in one envelope; `reserved` finds the reserved keys of a record.
    pub(super) fn take(
        &mut self,
        reserved: &mut Scanner,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            return self.repair(reserved, line, out);
        }
        self.unwrap(reserved, line, false, out)
    }

    /// Takes in an envelope with bytes that are not UTF-8, which kcat passes
    /// through. If they are the payload's, that is text and no record.
    #[cold]
    fn repair(
        &mut self,
        reserved: &mut Scanner,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        out.stats.replaced_utf8 += 1;
        let is_text = self.scanner.scan(line.bytes).is_ok()
            && str::from_utf8(self.scanner.field(PAYLOAD).text(line.bytes)).is_err();
        let repaired = String::from_utf8_lossy(line.bytes);
        let line = Line { bytes: repaired.as_bytes(), fault: None };
        self.unwrap(reserved, line, is_text, out)
    }

    fn unwrap(
        &mut self,
        reserved: &mut Scanner,
        line: Line<'_>,
        is_text: bool,
        out: &mut Output,
    ) -> Result<(), StageError> {
        if let Err(error) = self.scanner.scan(line.bytes) {
            return out.reject(error.reason, error, line);
        }
        if let Some(name) = self.first_missing() {
            let detail = format!("no {name} as kcat -J prints it");
            return out.reject(Reason::NoMatch, detail, line);
        }
        let field = self.scanner.field(PAYLOAD);
        if field.kind == Kind::EscapedStr {
            self.payload.clear();
            json::unescape(field.inner(line.bytes), &mut self.payload);
        }
        let payload = match payload_of(field, line.bytes, &self.payload) {
            Payload::Record(text) if is_text || is_torn(reserved, text) => Payload::Text(text),
            payload => payload,
        };
        if let Payload::Record(text) = payload
            && let Some(error) = reserved_key(reserved, text)
        {
            return out.reject(Reason::ReservedKey, format_args!("payload: {error}"), line);
        }
        let row = out.row();
        row.push(b'{');
        if self.has_metadata {
            write_source(&self.scanner, line.bytes, row);
            row.push(b',');
        }
        payload.write(row);
        out.finish_row()
    }

    /// What an envelope has to have and this one has not.
    fn first_missing(&self) -> Option<&'static str> {
        let kind = |slot| self.scanner.field(slot).kind;
        let has = |slot| match slot {
            TOPIC => matches!(kind(slot), Kind::Str | Kind::EscapedStr),
            PAYLOAD => kind(slot) != Kind::Missing,
            _ => kind(slot) == Kind::Int,
        };
        [TOPIC, PARTITION, OFFSET, PAYLOAD].into_iter().find(|slot| !has(*slot)).map(|s| FIELDS[s])
    }
}

/// What the payload is; `unescaped` is its text if it is a string with escapes.
fn payload_of<'a>(field: Field, line: &'a [u8], unescaped: &'a [u8]) -> Payload<'a> {
    match field.kind {
        Kind::Null => Payload::Tombstone,
        Kind::EscapedStr => Payload::of(unescaped),
        Kind::Str => Payload::of(field.inner(line)),
        _ => Payload::of(field.text(line)),
    }
}

/// Appends the `@source` member.
fn write_source(envelope: &Scanner, line: &[u8], row: &mut Vec<u8>) {
    let text = |slot| envelope.field(slot).text(line);
    row.extend_from_slice(b"\"@source\":{\"topic\":");
    row.extend_from_slice(text(TOPIC));
    row.extend_from_slice(b",\"partition\":");
    row.extend_from_slice(text(PARTITION));
    row.extend_from_slice(b",\"offset\":");
    row.extend_from_slice(text(OFFSET));
    row.extend_from_slice(b",\"timestamp\":");
    match timestamp(text(TS)) {
        Some(time) => {
            row.push(b'"');
            time.write(row);
            row.push(b'"');
        }
        None => row.extend_from_slice(b"null"),
    }
    row.extend_from_slice(b",\"key\":");
    row.extend_from_slice(if envelope.field(KEY).is_present() { text(KEY) } else { b"null" });
    row.push(b'}');
}

/// The time that Kafka keeps for a message, in milliseconds since 1970
/// whatever its size. It says -1 where it has none.
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    let millis = json::parse_int(text).filter(|millis| (0..=LAST_MILLISECOND).contains(millis))?;
    Some(Timestamp::from_micros(millis as i64 * 1_000))
}

#[cfg(test)]
mod tests {
    use super::super::Ingest;
    use super::*;
    use crate::stream::Operator as _;

    const SOURCE: &str = r#""@source":{"topic":"logs","partition":0,"offset":42,"timestamp":"2025-09-12T00:00:00.123Z","key":"user_001"}"#;

    /// An envelope around a payload, which is JSON text.
    fn envelope(payload: &str) -> String {
        format!(
            r#"{{"topic":"logs","partition":0,"offset":42,"tstype":"create","ts":1757635200123,"broker":0,"key":"user_001","payload":{payload}}}"#
        )
    }

    fn ingest(has_metadata: bool, line: &[u8]) -> (String, Output) {
        let mut out = Output::in_memory();
        let fault = str::from_utf8(line).is_err().then_some(Reason::InvalidUtf8);
        let mut ingest = Ingest::default().with_kcat_json(has_metadata);
        ingest.on_record(Line { bytes: line, fault }, &mut out).unwrap();
        (String::from_utf8(out.rows().to_vec()).unwrap(), out)
    }

    #[test]
    fn payloads() {
        for (payload, rest) in [
            (r#""{\"a\":1}""#, r#","a":1}"#),
            (
                r#""{ \"a\" : 1.00, \"b\": \"\\\"\\u00e9\" }\r\n""#,
                r#", "a" : 1.00, "b": "\"\u00e9" }"#,
            ),
            (r#""{\n  \"a\": 1\n}""#, r#",   "a": 1 }"#),
            // No JSON across lines: the line's end must not become a blank.
            (r#""{\"a\":\"x\ny\"}""#, r#","@raw":"{\"a\":\"x\ny\"}"}"#),
            (r#""{broken}""#, ",broken}"),
            (r#""{}""#, "}"),
            (r#""{ }""#, " }"),
            (r#""GET / 200\t\"ok\"""#, r#","@raw":"GET / 200\t\"ok\""}"#),
            (r#""""#, r#","@raw":""}"#),
            (r#"{"avro":[1,2]}"#, r#","avro":[1,2]}"#),
            ("[1]", r#","@raw":"[1]"}"#),
            ("null", "}"),
        ] {
            let (row, _) = ingest(true, envelope(payload).as_bytes());
            assert_eq!(row, format!("{{{SOURCE}{rest}\n"), "{payload}");
            let (row, _) = ingest(false, envelope(payload).as_bytes());
            let bare = rest.strip_prefix(',').unwrap_or(rest);
            assert_eq!(row, format!("{{{bare}\n"), "{payload}");
        }
    }

    #[test]
    fn envelopes() {
        for (line, source) in [
            (
                r#"{"topic":"l","partition":1,"offset":0,"key":null,"payload":"{}"}"#,
                r#"{"topic":"l","partition":1,"offset":0,"timestamp":null,"key":null}"#,
            ),
            (
                r#"{"payload":"{}","ts":-1,"offset":9007199254740993,"partition":2,"topic":"l","key":"a\"b"}"#,
                r#"{"topic":"l","partition":2,"offset":9007199254740993,"timestamp":null,"key":"a\"b"}"#,
            ),
            (
                r#"{"topic":"l","partition":0,"offset":1,"tstype":"logappend","ts":1000,"broker":1,"headers":["trace","7","h",null],"key":"","payload":"{}"}"#,
                r#"{"topic":"l","partition":0,"offset":1,"timestamp":"1970-01-01T00:00:01.000Z","key":""}"#,
            ),
        ] {
            assert_eq!(ingest(true, line.as_bytes()).0, format!("{{\"@source\":{source}}}\n"));
        }
    }

    #[test]
    fn what_cannot_be_used() {
        for (line, reason) in [
            ("hello".to_owned(), Reason::InvalidJson),
            ("[1]".to_owned(), Reason::NotObject),
            (r#"{"a":1}"#.to_owned(), Reason::NoMatch),
            (envelope("1").replace("42", "\"42\""), Reason::NoMatch),
            (envelope("1").replace("payload", "value"), Reason::NoMatch),
            (envelope(r#""{\"@\":\"end\"}""#), Reason::ReservedKey),
            (envelope(r#""{\n\"\\u0040source\":{}}""#), Reason::ReservedKey),
            (envelope(r#""{\"\u0040raw\":1}""#), Reason::ReservedKey),
            (envelope(r#"{"a":1,"@source":{}}"#), Reason::ReservedKey),
        ] {
            let (row, out) = ingest(true, line.as_bytes());
            assert_eq!((&*row, out.stats.rejected[reason.index()]), ("", 1), "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_leave_the_other_parts_alone() {
        let replace = |text: &str| text.replace("user_001", "\u{1}").into_bytes();
        let broken = |bytes: Vec<u8>| -> Vec<u8> {
            bytes.iter().map(|&byte| if byte == 1 { 0xff } else { byte }).collect()
        };
        let (row, out) = ingest(true, &broken(replace(&envelope(r#""{\"a\":1}""#))));
        assert!(row.ends_with("\"key\":\"\u{fffd}\"},\"a\":1}\n"), "{row}");
        assert_eq!(out.stats.replaced_utf8, 1);
        let (row, _) = ingest(true, &broken(replace(&envelope(r#""{\"a\":\"user_001\"}""#))));
        assert!(row.ends_with("},\"@raw\":\"{\\\"a\\\":\\\"\u{fffd}\\\"}\"}\n"), "{row}");
    }
}
