//! Records as syslog.
//!
//! Source: RFC 5424; 32473 is the enterprise number that RFC 5612 sets aside
//! for examples.

use super::catalogue::{Catalogue, FAILURES};
use super::encode::{
    Level, hex, level_of, put, write_address, write_event_address, write_message, write_time,
    write_user,
};
use super::record::{EventRecord, LogRecord, Record};
use crate::line::json;

/// Where all of it comes from.
const HOST: &[u8] = b" app1.example.com ";

/// Appends a line of syslog, with facility local0. What it has no field for is
/// in structured data.
pub(super) fn write(record: &Record, catalogue: &Catalogue, out: &mut Vec<u8>) {
    match record {
        Record::Log(log) => write_log(log, catalogue, out),
        Record::Event(event) => write_event(event, out),
    }
}

fn write_log(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    let failure = log.failure.map(|failure| &FAILURES[usize::from(failure)].1);
    // 8 × 16 (local0) + the severity.
    let priority: &[u8] = match level_of(log) {
        Level::Error => b"<131>1 ",
        Level::Warn => b"<132>1 ",
        Level::Info => b"<134>1 ",
    };
    put(out, &[priority]);
    write_time(log.millis, out);
    put(out, &[HOST, catalogue.service(log.service).name.as_bytes()]);
    put(out, &[b" - - [request@32473 ip_address=\""]);
    write_address(log.address, out);
    put(out, &[b"\" user_id=\""]);
    write_user(log.user, out);
    put(out, &[b"\" request_id=\"req_", &hex(log.request), b"\" response_time=\""]);
    json::write_double(f64::from(log.response_millis) / 1e3, out);
    put(out, &[b"\" status_code=\""]);
    json::write_int(failure.map_or(200, |failure| failure.status).into(), out);
    if let Some(failure) = failure {
        put(out, &[b"\" error_code=\"", failure.code.as_bytes()]);
    }
    put(out, &[b"\"] "]);
    write_message(log, catalogue, out);
}

fn write_event(event: &EventRecord, out: &mut Vec<u8>) {
    let action = event.action.name().as_bytes();
    put(out, &[b"<134>1 "]);
    write_time(event.millis, out);
    put(out, &[HOST, b"events - - [event@32473 user_id=\""]);
    write_user(event.user, out);
    put(out, &[b"\" action=\"", action, b"\" value=\""]);
    json::write_double(f64::from(event.cents) / 1e2, out);
    put(out, &[b"\" session_id=\"session_"]);
    json::write_int(event.session.into(), out);
    put(out, &[b"\" ip_address=\""]);
    write_event_address(event, out);
    put(out, &[b"\"] ", action]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::encode::tests::{EVENT, LOG};

    #[test]
    fn lines() {
        for (record, line) in [
            (
                Record::Log(LogRecord { response_millis: 1_001, ..LOG }),
                r#"<132>1 2025-09-12T00:00:00.123Z app1.example.com auth - - [request@32473 ip_address="192.0.2.17" user_id="user_001" request_id="req_0123456789abcdef" response_time="1.001" status_code="200"] POST /v1/logout completed in 1001 ms"#,
            ),
            (
                Record::Log(LogRecord { failure: Some(2), ..LOG }),
                r#"<131>1 2025-09-12T00:00:00.123Z app1.example.com auth - - [request@32473 ip_address="192.0.2.17" user_id="user_001" request_id="req_0123456789abcdef" response_time="0.12" status_code="504" error_code="TIMEOUT"] POST /v1/logout failed: deadline exceeded after 120 ms"#,
            ),
            (
                Record::Event(EVENT),
                r#"<134>1 2025-09-12T00:00:00.123Z app1.example.com events - - [event@32473 user_id="user_003" action="purchase" value="100.0" session_id="session_17" ip_address="192.168.1.254"] purchase"#,
            ),
        ] {
            let mut out = Vec::new();
            write(&record, &Catalogue::new(8), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), line);
        }
    }
}
