//! `parse`: text and JSON become normalised records.

use crate::format::{AccessParser, JsonRecords, Normalized, TimeOptions};
use crate::line::{Line, Reason};
use crate::stream::{
    Operator, Output, Place, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::{Calendar, Timestamp};

/// The formats of the lines that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Decided line by line: what begins with `{` is JSON, the rest an access
    /// log line of Apache or nginx.
    #[default]
    Auto,
    /// JSON records.
    Json,
    /// Apache's common, combined and `vhost_combined`.
    Apache,
    /// nginx's combined, and what is often added behind it.
    Nginx,
}

/// Brings lines into normal form, plain ones and those that `ingest` has
/// wrapped in `@raw`; see [`JsonRecords`] and [`AccessParser`].
#[derive(Debug)]
pub struct Parse {
    format: Format,
    calendar: Calendar,
    json: JsonRecords,
    access: AccessParser,
    /// A text line taken out of its `@raw`, and the value of its `@source`.
    text: Vec<u8>,
    source: Option<Vec<u8>>,
}

impl Parse {
    /// A parser for lines of this format.
    pub fn new(format: Format) -> Self {
        let access = match format {
            Format::Auto | Format::Json => AccessParser::auto(),
            Format::Apache => AccessParser::apache(),
            Format::Nginx => AccessParser::nginx(),
        };
        Self {
            format,
            calendar: Calendar::default(),
            json: JsonRecords::default(),
            access,
            text: Vec::new(),
            source: None,
        }
    }

    /// Reads times by this calendar, where `times` says.
    #[must_use]
    pub fn with_times(mut self, calendar: Calendar, times: &TimeOptions) -> Self {
        self.calendar = calendar;
        self.json = JsonRecords::new(times);
        self
    }

    /// Parses a line that looks like JSON: a record, or wrapped text.
    #[inline]
    fn json(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            return out.reject(Reason::InvalidUtf8, "not UTF-8", line);
        }
        let start = out.row().len();
        match self.json.normalize(line.bytes, &mut self.calendar, out.row()) {
            Ok(Normalized::Text { text, source }) => {
                self.text.clear();
                self.text.extend_from_slice(text);
                self.source = source.map(Into::into);
            }
            Ok(_) if matches!(self.format, Format::Apache | Format::Nginx) => {
                out.row().truncate(start);
                return out.reject(Reason::NoMatch, "a JSON record: --format auto takes it", line);
            }
            Ok(Normalized::AsIs) => return out.copy_row(line.bytes),
            Ok(Normalized::Rewritten) => return out.finish_row(),
            Err(error) => return out.reject(error.reason(), error, line),
        }
        let text = std::mem::take(&mut self.text);
        let source = self.source.take();
        let result = if self.is_json(&text) {
            let (calendar, row) = (&mut self.calendar, out.row());
            match self.json.normalize_unwrapped(&text, source.as_deref(), calendar, row) {
                Ok(()) => out.finish_row(),
                Err(error) => out.reject(error.reason(), error, line),
            }
        } else {
            self.text_line(&text, source.as_deref(), line, out)
        };
        self.text = text;
        result
    }

    /// Parses `text`, which came as `line`.
    fn text_line(
        &mut self,
        text: &[u8],
        source: Option<&[u8]>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let row = out.row();
        let start = row.len();
        row.push(b'{');
        if let Some(source) = source {
            row.extend_from_slice(b"\"@source\":");
            row.extend_from_slice(source);
            row.push(b',');
        }
        match self.access.parse(text, row) {
            Ok(()) => {
                row.push(b'}');
                out.finish_row()
            }
            Err(mismatch) => {
                row.truncate(start);
                out.reject(mismatch.reason, mismatch, line)
            }
        }
    }

    fn is_json(&self, text: &[u8]) -> bool {
        match self.format {
            Format::Json => true,
            Format::Auto => text.trim_ascii_start().starts_with(b"{"),
            Format::Apache | Format::Nginx => false,
        }
    }
}

impl Operator for Parse {
    fn on_place(&mut self, place: &Place) {
        if place.line == 0 {
            self.calendar.begin_source(place.modified);
        }
    }

    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        self.parse(line, out)?;
        if let Some(notice) = self.calendar.take_notice() {
            out.message(&notice);
        }
        Ok(())
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.calendar.set_now(now);
        Ok(())
    }

    /// Not as a rule, but where times have no year the one before counts.
    fn is_stateful(&self) -> bool {
        false
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.calendar.snapshot(state);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.calendar.restore(state)
    }

    fn stats(&self, stats: &mut Stats) {
        stats.casts_failed += self.json.casts_failed;
    }
}

impl Parse {
    fn parse(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        // Wrapped text looks like JSON too, whatever format it is in.
        if self.format == Format::Json || line.bytes.trim_ascii_start().starts_with(b"{") {
            return self.json(line, out);
        }
        if line.fault == Some(Reason::InvalidUtf8) {
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return self.text_line(text.as_bytes(), None, line, out);
        }
        self.text_line(line.bytes, None, line, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str =
        r#"192.0.2.1 - - [12/Sep/2025:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#;
    const JSON: &str = r#"{"ts":1757671200,"msg":"hello"}"#;

    /// How many rows and rejects a line gives.
    fn parse(format: Format, line: &str) -> (usize, u64) {
        let mut out = Output::in_memory();
        let mut parse = Parse::new(format);
        parse.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
        let rows = std::str::from_utf8(out.rows()).unwrap();
        for row in rows.lines() {
            assert!(row.starts_with(r#"{"timestamp":"2025-09-12T10:00:00.000Z""#), "{row}");
        }
        (rows.lines().count(), out.stats.rejected())
    }

    #[test]
    fn a_named_format_takes_no_other() {
        let wrapped = |text: &str| format!("{{\"@raw\":{}}}", serde_json::to_string(text).unwrap());
        for (format, nginx, json) in [
            (Format::Auto, (1, 0), (1, 0)),
            (Format::Nginx, (1, 0), (0, 1)),
            (Format::Apache, (1, 0), (0, 1)),
            (Format::Json, (0, 1), (1, 0)),
        ] {
            assert_eq!(parse(format, NGINX), nginx, "{format:?}");
            assert_eq!(parse(format, &wrapped(NGINX)), nginx, "{format:?}");
            assert_eq!(parse(format, JSON), json, "{format:?}");
            assert_eq!(parse(format, &wrapped(JSON)), json, "{format:?}");
        }
    }
}
