//! The lines of the truth file. The page of [`synth`](super) has their shapes.

use std::net::IpAddr;
use std::ops::Range;

use super::anomaly::Anomaly;
use super::config::Interval;
use super::encode::{write_address, write_time, write_time_value, write_user};
use super::record::Record;
use crate::line::json;

/// A line of the truth file, in the making.
#[must_use]
pub(super) struct TruthLine<'a>(&'a mut Vec<u8>);

impl<'a> TruthLine<'a> {
    /// The beginning of a line about an anomaly.
    pub(super) fn anomaly(out: &'a mut Vec<u8>, anomaly: &Anomaly, during: Interval) -> Self {
        let line = Self::of_kind(out, "anomaly");
        let line = line.text("type", anomaly.name()).text("rule", anomaly.rule());
        line.time("start", during.start).time("end", during.end)
    }

    /// The beginning of a line about a line of the stream, counted from 1.
    pub(super) fn about(out: &'a mut Vec<u8>, kind: &str, line: u64) -> Self {
        Self::of_kind(out, kind).count("line", line)
    }

    /// The beginning of a line about the whole stream.
    pub(super) fn of_kind(out: &'a mut Vec<u8>, kind: &str) -> Self {
        out.extend_from_slice(br#"{"kind":""#);
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        Self(out)
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

    /// The event time of a record, spelled as in its line.
    pub(super) fn timestamp(mut self, record: &Record) -> Self {
        self.key("timestamp");
        write_time_value(record, self.0);
        self
    }

    /// A span of time in seconds, from one in milliseconds.
    pub(super) fn seconds(self, key: &str, millis: i64) -> Self {
        self.double(key, millis as f64 / 1e3)
    }

    pub(super) fn time(self, key: &str, millis: i64) -> Self {
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
