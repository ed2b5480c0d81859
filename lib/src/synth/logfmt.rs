//! Records as pairs of key and value.

use super::catalogue::{Catalogue, FAILURES};
use super::encode::{
    hex, put, write_address, write_event_address, write_level, write_message, write_time,
    write_user,
};
use super::record::{EventRecord, LogRecord, Record};
use crate::line::json;

/// Appends a line of logfmt, with the names of Go's `slog` for time, level and
/// message.
pub(super) fn write(record: &Record, catalogue: &Catalogue, out: &mut Vec<u8>) {
    match record {
        Record::Log(log) => write_log(log, catalogue, out),
        Record::Event(event) => write_event(event, out),
    }
}

fn write_log(log: &LogRecord, catalogue: &Catalogue, out: &mut Vec<u8>) {
    let failure = log.failure.map(|failure| &FAILURES[usize::from(failure)].1);
    put(out, &[b"time="]);
    write_time(log.millis, out);
    put(out, &[b" level="]);
    write_level(log, out);
    put(out, &[b" service=", catalogue.service(log.service).name.as_bytes(), b" msg=\""]);
    write_message(log, catalogue, out);
    put(out, &[b"\" ip_address="]);
    write_address(log.address, out);
    put(out, &[b" user_id="]);
    write_user(log.user, out);
    put(out, &[b" request_id=req_", &hex(log.request), b" response_time="]);
    json::write_double(f64::from(log.response_millis) / 1e3, out);
    put(out, &[b" status_code="]);
    json::write_int(failure.map_or(200, |failure| failure.status).into(), out);
    if let Some(failure) = failure {
        put(out, &[b" error_code=", failure.code.as_bytes()]);
    }
}

fn write_event(event: &EventRecord, out: &mut Vec<u8>) {
    put(out, &[b"time="]);
    write_time(event.millis, out);
    put(out, &[b" user_id="]);
    write_user(event.user, out);
    put(out, &[b" action=", event.action.name().as_bytes(), b" value="]);
    json::write_double(f64::from(event.cents) / 1e2, out);
    put(out, &[b" session_id=session_"]);
    json::write_int(event.session.into(), out);
    put(out, &[b" ip_address="]);
    write_event_address(event, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::encode::tests::{EVENT, LOG};

    #[test]
    fn lines() {
        for (record, line) in [
            (
                Record::Log(LogRecord { failure: Some(2), ..LOG }),
                "time=2025-09-12T00:00:00.123Z level=ERROR service=auth msg=\"POST /v1/logout failed: \
                 deadline exceeded after 120 ms\" ip_address=192.0.2.17 user_id=user_001 \
                 request_id=req_0123456789abcdef response_time=0.12 status_code=504 \
                 error_code=TIMEOUT",
            ),
            (
                Record::Event(EVENT),
                "time=2025-09-12T00:00:00.123Z user_id=user_003 action=purchase value=100.0 \
                 session_id=session_17 ip_address=192.168.1.254",
            ),
        ] {
            let mut out = Vec::new();
            write(&record, &Catalogue::new(8), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), line);
        }
    }
}
