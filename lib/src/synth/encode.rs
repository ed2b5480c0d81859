//! Records as JSON lines in normal form.

use std::io::Write as _;
use std::net::IpAddr;

use super::catalogue::{Catalogue, FAILURES};
use super::record::{EventRecord, LogRecord, Record};
use crate::line::json;
use crate::time::Timestamp;

/// A request that took longer is worth a warning, in milliseconds.
const SLOW_MILLIS: u32 = 1_000;
/// Longest line that is to be expected, so that space is found once.
const LINE: usize = 384;

/// Appends a record as one line of JSON, without a newline.
///
/// A log has the ten fields of the log schema, an event the six of the event
/// schema, in the schema's order and in normal form, so that `parse` copies
/// the line as it stands. All texts are plain ASCII that needs no escapes.
#[inline]
pub(super) fn write_line(record: &Record, catalogue: &Catalogue, out: &mut Vec<u8>) {
    out.push(b'{');
    write_members(record, catalogue, out);
}

/// Appends a record from its first member on: what
/// [`write_line`] does, without the opening brace.
#[inline]
pub(super) fn write_members(record: &Record, catalogue: &Catalogue, out: &mut Vec<u8>) {
    out.reserve(LINE);
    match record {
        Record::Log(log) => write_log(log, catalogue, out),
        Record::Event(event) => write_event(event, out),
    }
}

#[inline]
fn write_log(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    let service = catalogue.service(log.service);
    let failure = log.failure.map(|failure| &FAILURES[usize::from(failure)].1);
    put(out, &[b"\"timestamp\":\""]);
    write_time(log.millis, out);
    put(out, &[b"\",\"level\":\""]);
    write_level(log, out);
    put(out, &[b"\",\"service\":\"", service.name.as_bytes(), b"\",\"message\":\""]);
    write_message(log, catalogue, out);
    put(out, &[b"\",\"ip_address\":\""]);
    write_address(log.address, out);
    put(out, &[b"\",\"user_id\":\""]);
    write_user(log.user, out);
    put(out, &[b"\",\"request_id\":\"req_", &hex(log.request), b"\",\"response_time\":"]);
    json::write_double(f64::from(log.response_millis) / 1e3, out);
    put(out, &[b",\"status_code\":"]);
    json::write_int(failure.map_or(200, |failure| failure.status).into(), out);
    match failure {
        Some(failure) => put(out, &[b",\"error_code\":\"", failure.code.as_bytes(), b"\"}"]),
        None => put(out, &[b",\"error_code\":null}"]),
    }
}

#[inline]
fn write_event(event: &EventRecord, out: &mut Vec<u8>) {
    put(out, &[b"\"timestamp\":"]);
    json::write_int(event.millis.into(), out);
    put(out, &[b",\"user_id\":\""]);
    write_user(event.user, out);
    put(out, &[b"\",\"action\":\"", event.action.name().as_bytes(), b"\",\"value\":"]);
    json::write_double(f64::from(event.cents) / 1e2, out);
    put(out, &[b",\"session_id\":\"session_"]);
    json::write_int(event.session.into(), out);
    put(out, &[b"\",\"ip_address\":\""]);
    write_event_address(event, out);
    put(out, &[b"\"}"]);
}

/// How bad it is that a request took its course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warn,
    Info,
}

#[inline]
pub(super) fn level_of(log: &LogRecord) -> Level {
    match log.failure {
        Some(_) => Level::Error,
        None if log.response_millis > SLOW_MILLIS => Level::Warn,
        None => Level::Info,
    }
}

#[inline]
pub(super) fn write_level(log: &LogRecord, out: &mut Vec<u8>) {
    put(
        out,
        &[match level_of(log) {
            Level::Error => b"ERROR",
            Level::Warn => b"WARN",
            Level::Info => b"INFO",
        }],
    );
}

/// Appends what was asked for and how it went.
#[inline]
pub(super) fn write_message(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    let operation = catalogue.service(log.service).operations[usize::from(log.operation)];
    put(out, &[operation.as_bytes()]);
    match log.failure.map(|failure| &FAILURES[usize::from(failure)].1) {
        Some(failure) => put(out, &[b" failed: ", failure.message.as_bytes(), b" after "]),
        None => put(out, &[b" completed in "]),
    }
    json::write_int(log.response_millis.into(), out);
    put(out, &[b" ms"]);
}

#[inline]
pub(super) fn write_event_address(event: &EventRecord, out: &mut Vec<u8>) {
    put(out, &[b"192.168.1."]);
    json::write_int(event.host.into(), out);
}

/// Appends the time of a record as its own field spells it.
pub(super) fn write_time_value(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Log(log) => {
            out.push(b'"');
            write_time(log.millis, out);
            out.push(b'"');
        }
        Record::Event(event) => json::write_int(event.millis.into(), out),
    }
}

/// Appends an instant in milliseconds since the epoch as RFC 3339.
pub(super) fn write_time(millis: i64, out: &mut Vec<u8>) {
    Timestamp::from_micros(millis * 1_000).write(out);
}

/// Appends the name of a user: `user_001` for number 0.
#[inline]
pub(super) fn write_user(user: u32, out: &mut Vec<u8>) {
    let number = u64::from(user) + 1;
    let padding: &[u8] = match number {
        0..=9 => b"user_00",
        10..=99 => b"user_0",
        _ => b"user_",
    };
    out.extend_from_slice(padding);
    json::write_int(number.into(), out);
}

#[inline]
pub(super) fn write_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            json::write_int(first.into(), out);
            for octet in rest {
                out.push(b'.');
                json::write_int(octet.into(), out);
            }
        }
        IpAddr::V6(address) => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{address}");
        }
    }
}

#[inline]
pub(super) fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends the last `width` digits of a number, with zeros in front.
pub(super) fn put_padded(number: u32, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        out.push(b'0' + (number / 10_u32.pow(place) % 10) as u8);
    }
}

#[inline]
pub(super) fn hex(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::synth::record::Action;

    fn line(record: Record) -> String {
        let mut out = Vec::new();
        write_line(&record, &Catalogue::new(8), &mut out);
        String::from_utf8(out).unwrap()
    }

    pub(in crate::synth) const LOG: LogRecord = LogRecord {
        millis: 1_757_635_200_123,
        address: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 17)),
        user: 0,
        service: 0,
        operation: 1,
        failure: None,
        response_millis: 120,
        request: 0x0123_4567_89ab_cdef,
    };

    pub(in crate::synth) const EVENT: EventRecord = EventRecord {
        millis: 1_757_635_200_123,
        user: 2,
        session: 17,
        action: Action::Purchase,
        cents: 10_000,
        host: 254,
    };

    #[test]
    fn a_log() {
        assert_eq!(
            line(Record::Log(LOG)),
            concat!(
                r#"{"timestamp":"2025-09-12T00:00:00.123Z","level":"INFO","service":"auth","#,
                r#""message":"POST /v1/logout completed in 120 ms","ip_address":"192.0.2.17","#,
                r#""user_id":"user_001","request_id":"req_0123456789abcdef","response_time":0.12,"#,
                r#""status_code":200,"error_code":null}"#
            )
        );
    }

    #[test]
    fn levels() {
        let slow = LogRecord { response_millis: 1_001, ..LOG };
        assert!(line(Record::Log(slow)).contains(r#""level":"WARN""#));
        let failed = line(Record::Log(LogRecord { failure: Some(2), ..slow }));
        for part in [
            r#""level":"ERROR""#,
            r#""message":"POST /v1/logout failed: deadline exceeded after 1001 ms""#,
            r#""response_time":1.001,"status_code":504,"error_code":"TIMEOUT"}"#,
        ] {
            assert!(failed.contains(part), "{failed}");
        }
    }

    #[test]
    fn an_event() {
        assert_eq!(
            line(Record::Event(EVENT)),
            concat!(
                r#"{"timestamp":1757635200123,"user_id":"user_003","action":"purchase","#,
                r#""value":100.0,"session_id":"session_17","ip_address":"192.168.1.254"}"#
            )
        );
    }

    #[test]
    fn users_and_addresses() {
        for (user, name) in
            [(0, "user_001"), (98, "user_099"), (99, "user_100"), (9_999, "user_10000")]
        {
            let mut out = Vec::new();
            write_user(user, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), name);
        }
        for text in ["198.51.100.254", "2001:db8::1:0"] {
            let mut out = Vec::new();
            write_address(text.parse().unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
