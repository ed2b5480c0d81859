//! The lines of the truth file. The page of [`synth`](super) has their shapes.

use std::net::IpAddr;
use std::ops::Range;

use super::anomaly::Anomaly;
use super::config::Interval;
use super::encode::{write_address, write_time, write_time_value, write_user};
use super::record::Record;
use crate::line::json;

/// A line about an anomaly, in the making.
#[must_use]
pub(super) struct AnomalyLine<'a>(&'a mut Vec<u8>);

impl<'a> AnomalyLine<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, anomaly: &Anomaly, during: Interval) -> Self {
        out.extend_from_slice(br#"{"kind":"anomaly""#);
        let line = Self(out).text("type", anomaly.name()).text("rule", anomaly.rule());
        line.time("start", during.start).time("end", during.end)
    }

    pub(super) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        json::write_string(value.as_bytes(), self.0);
        self
    }

    pub(super) fn double(mut self, key: &str, value: f64) -> Self {
        self.key(key);
        json::write_double(value, self.0);
        self
    }

    pub(super) fn count(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        json::write_int(value.into(), self.0);
        self
    }

    pub(super) fn address(self, address: IpAddr) -> Self {
        self.quoted("ip_address", |out| write_address(address, out))
    }

    pub(super) fn user(self, user: u32) -> Self {
        self.quoted("user_id", |out| write_user(user, out))
    }

    pub(super) fn users(mut self, users: Range<u32>) -> Self {
        self.key("users");
        for (at, user) in users.enumerate() {
            self.0.extend_from_slice(if at == 0 { b"[\"" } else { b",\"" });
            write_user(user, self.0);
            self.0.push(b'"');
        }
        self.0.push(b']');
        self
    }

    pub(super) fn end(self) {
        self.0.extend_from_slice(b"}\n");
    }

    fn time(self, key: &str, millis: i64) -> Self {
        self.quoted(key, |out| write_time(millis, out))
    }

    fn quoted(mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.key(key);
        self.0.push(b'"');
        write(self.0);
        self.0.push(b'"');
        self
    }

    fn key(&mut self, key: &str) {
        self.0.push(b',');
        json::write_string(key.as_bytes(), self.0);
        self.0.push(b':');
    }
}

/// Appends the line about a late record.
pub(super) fn write_late(line: u64, record: &Record, late_by_millis: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"kind":"late","line":"#);
    json::write_int(line.into(), out);
    out.extend_from_slice(br#","timestamp":"#);
    write_time_value(record, out);
    out.extend_from_slice(br#","late_by":"#);
    json::write_double(late_by_millis as f64 / 1e3, out);
    out.extend_from_slice(b"}\n");
}
