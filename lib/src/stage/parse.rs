//! `parse`: text and JSON become normalised records.

use crate::format::{
    AccessParser, ApacheErrorParser, Containers, CsvParser, JsonRecords, LogfmtParser,
    NginxErrorParser, Normalized, Parsed, PatternParser, SyslogParser, TextParser, TimeOptions,
    Untimed, Unwrapped,
};
use crate::line::{Line, Reason, json};
use crate::reshape::Reshape;
use crate::stream::{
    Operator, Output, Place, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::{Calendar, Timestamp};

/// The formats of the lines that come in.
#[derive(Debug, Default)]
pub enum Format {
    /// Decided line by line: what begins with `{` is JSON, the rest an access
    /// log, an error log, syslog or logfmt.
    #[default]
    Auto,
    /// JSON records.
    Json,
    /// Apache's common, combined and `vhost_combined`.
    Apache,
    /// Apache's error log.
    ApacheError,
    /// nginx's combined, and what is often added behind it.
    Nginx,
    /// nginx's error log.
    NginxError,
    /// `key=value` pairs.
    Logfmt,
    /// Syslog.
    Syslog,
    /// Comma-separated values.
    Csv(CsvParser),
    /// Lines of any shape, by a regular expression.
    Regex(PatternParser),
    /// Any text: a record for each word, without a time.
    Words,
}

/// Which lines are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Json {
    /// All.
    Always,
    /// Those that begin with a brace.
    Sometimes,
    /// None: those that begin with a brace are not in the format.
    Never,
    /// None: a brace is text like any other.
    IsText,
}

/// Brings lines into normal form, plain ones, those that `ingest` has wrapped
/// in `@raw`, and those that a container runtime has wrapped; see
/// [`JsonRecords`], [`TextParser`] and [`Containers`].
#[derive(Debug)]
pub struct Parse {
    are_json: Json,
    untimed: Untimed,
    json: JsonRecords,
    /// `None` for words.
    parser: Option<TextParser>,
    calendar: Calendar,
    containers: Containers,
    /// What is done to the records before they are written.
    reshape: Option<Reshape>,
    /// A text line taken out of its `@raw`, and the value of its `@source`.
    text: Vec<u8>,
    source: Option<Vec<u8>>,
}

/// Where a text came from, apart from its line.
#[derive(Clone, Copy, Default)]
struct Origin<'a> {
    /// The value of `@source`.
    source: Option<&'a [u8]>,
    /// When a container runtime wrote it: the time of what has none itself.
    time: Option<Timestamp>,
}

impl Parse {
    /// A parser for lines of this format.
    pub fn new(format: Format) -> Self {
        let (are_json, parser) = match format {
            Format::Auto => (Json::Sometimes, Some(TextParser::auto())),
            Format::Json => (Json::Always, None),
            Format::Apache => (Json::Never, Some(TextParser::Access(AccessParser::apache()))),
            Format::Nginx => (Json::Never, Some(TextParser::Access(AccessParser::nginx()))),
            Format::ApacheError => {
                (Json::Never, Some(TextParser::ApacheError(ApacheErrorParser::default())))
            }
            Format::NginxError => {
                (Json::Never, Some(TextParser::NginxError(NginxErrorParser::default())))
            }
            Format::Logfmt => (Json::Never, Some(TextParser::Logfmt(LogfmtParser::default()))),
            Format::Syslog => (Json::Never, Some(TextParser::Syslog(SyslogParser::default()))),
            Format::Csv(parser) => (Json::IsText, Some(TextParser::Csv(Box::new(parser)))),
            Format::Regex(parser) => (Json::IsText, Some(TextParser::Pattern(Box::new(parser)))),
            Format::Words => (Json::IsText, None),
        };
        Self {
            are_json,
            untimed: Untimed::Reject,
            json: JsonRecords::default(),
            parser,
            calendar: Calendar::default(),
            containers: Containers::default(),
            reshape: None,
            text: Vec::new(),
            source: None,
        }
    }

    /// Reads times by this calendar, where `times` says.
    #[must_use]
    pub fn with_times(mut self, calendar: Calendar, times: &TimeOptions) -> Self {
        self.calendar = calendar;
        self.json = JsonRecords::new(times);
        self.untimed = times.untimed;
        self
    }

    /// Reshapes the records before they are written.
    #[must_use]
    pub fn with_reshape(mut self, reshape: Option<Reshape>) -> Self {
        self.reshape = reshape;
        self
    }

    /// Runs `parse`, and reshapes the records that it writes.
    #[inline]
    fn reshaped(
        &mut self,
        out: &mut Output,
        parse: impl FnOnce(&mut Self, &mut Output) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let Some(mut reshape) = self.reshape.take() else { return parse(self, out) };
        let result = reshape.reshape(out, |out| parse(self, out));
        self.reshape = Some(reshape);
        result
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
            Ok(_) if matches!(self.are_json, Json::Never | Json::IsText) => {
                out.row().truncate(start);
                return out.reject(Reason::NoMatch, "a JSON record: --format auto takes it", line);
            }
            Ok(Normalized::AsIs) => return out.copy_row(line.bytes),
            Ok(Normalized::Rewritten) => return out.finish_row(),
            Err(error) => return out.reject(error.reason(), error, line),
        }
        let text = std::mem::take(&mut self.text);
        let source = self.source.take();
        let result = self.plain(&text, source.as_deref(), line, out);
        self.text = text;
        result
    }

    /// Parses `text`, which came as `line`, out of its container's wrapper if it
    /// is in one.
    #[inline]
    fn plain(
        &mut self,
        text: &[u8],
        source: Option<&[u8]>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let mut containers = std::mem::take(&mut self.containers);
        let result = self.unwrapped(containers.cri(text), source, line, out);
        self.containers = containers;
        result.unwrap_or_else(|| self.inner(text, Origin { source, time: None }, line, out))
    }

    /// Parses what was in a container's wrapper; `None` if nothing was.
    #[inline]
    fn unwrapped(
        &mut self,
        unwrapped: Unwrapped<'_>,
        source: Option<&[u8]>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Option<Result<(), StageError>> {
        const TOO_LONG: &str = "put together from its parts, the line is longer than 1 MiB";
        match unwrapped {
            Unwrapped::No => None,
            Unwrapped::Part => Some(Ok(())),
            Unwrapped::TooLong => Some(out.reject(Reason::TooLong, TOO_LONG, line)),
            Unwrapped::Line(text, _) if text.trim_ascii().is_empty() => Some(Ok(())),
            Unwrapped::Line(text, time) => {
                Some(self.inner(text, Origin { source, time: Some(time) }, line, out))
            }
        }
    }

    /// Parses `text`, which came as `line`, in whichever format it is.
    fn inner(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        match self.are_json {
            Json::Always => self.inner_json(text, origin, line, out),
            Json::Sometimes if begins_with_brace(text) => self.inner_json(text, origin, line, out),
            _ => self.text_line(text, origin, line, out),
        }
    }

    fn inner_json(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let (Origin { source, time }, calendar) = (origin, &mut self.calendar);
        match self.json.normalize_unwrapped(text, source, time, calendar, out.row()) {
            Ok(()) => out.finish_row(),
            Err(error) => out.reject(error.reason(), error, line),
        }
    }

    fn text_line(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let Some(parser) = &mut self.parser else {
            let stamp = (self.untimed == Untimed::Stamp).then(|| self.calendar.now());
            return words(text, Origin { time: origin.time.or(stamp), ..origin }, out);
        };
        let row = out.row();
        let start = row.len();
        open(origin.source, row);
        let members = row.len();
        match parser.parse(text, &mut self.calendar, row) {
            Ok(Parsed::Timed) => {}
            Ok(Parsed::Header) => {
                row.truncate(start);
                return Ok(());
            }
            Ok(Parsed::Untimed) => {
                let time = match (origin.time, self.untimed) {
                    (Some(time), _) => Some(time),
                    (None, Untimed::Stamp) => Some(self.calendar.now()),
                    (None, Untimed::Keep) => None,
                    (None, Untimed::Reject) => {
                        row.truncate(start);
                        return out.reject(Reason::NoTimestamp, UNTIMED, line);
                    }
                };
                insert_time(time, members, row);
            }
            Err(mismatch) => {
                row.truncate(start);
                return out.reject(mismatch.reason, mismatch, line);
            }
        }
        out.row().push(b'}');
        out.finish_row()
    }

    /// Parses a line of Docker's json-file, if it is one.
    #[inline]
    fn docker(&mut self, line: Line<'_>, out: &mut Output) -> Option<Result<(), StageError>> {
        let (source, members) = docker_members(line.bytes)?;
        let mut containers = std::mem::take(&mut self.containers);
        let result = self.unwrapped(containers.docker(members), source, line, out);
        self.containers = containers;
        result
    }
}

/// Splits a line that may be of Docker's json-file into the value of its
/// `@source`, if it has one, and the other members.
#[inline]
fn docker_members(line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let members = line.trim_ascii_start().strip_prefix(b"{")?;
    if members.starts_with(br#""log":""#) {
        return Some((None, members));
    }
    let behind = members.strip_prefix(br#""@source":"#)?;
    let end = memchr::memmem::find(behind, br#"},"log":""#)? + 1;
    Some((Some(&behind[..end]), &behind[end + 1..]))
}

const UNTIMED: &str = "the line has no time; --keep-untimed or --stamp lets it pass";

/// Puts a time in front of the members that begin at `members`.
fn insert_time(time: Option<Timestamp>, members: usize, row: &mut Vec<u8>) {
    let Some(time) = time else { return };
    let mut first = Vec::new();
    write_time(time, &mut first);
    if row.len() > members {
        first.push(b',');
    }
    row.splice(members..members, first);
}

fn write_time(time: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"timestamp\":\"");
    time.write(out);
    out.push(b'"');
}

/// Begins a record.
#[inline]
fn open(source: Option<&[u8]>, row: &mut Vec<u8>) {
    row.push(b'{');
    if let Some(source) = source {
        row.extend_from_slice(b"\"@source\":");
        row.extend_from_slice(source);
        row.push(b',');
    }
}

/// Writes a record for each word.
fn words(text: &[u8], origin: Origin<'_>, out: &mut Output) -> Result<(), StageError> {
    let is_word = |word: &&[u8]| !word.is_empty();
    for word in text.split(u8::is_ascii_whitespace).filter(is_word) {
        let row = out.row();
        open(origin.source, row);
        if let Some(time) = origin.time {
            write_time(time, row);
            row.push(b',');
        }
        row.extend_from_slice(b"\"word\":");
        json::write_string(word, row);
        row.push(b'}');
        out.finish_row()?;
    }
    Ok(())
}

fn begins_with_brace(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

impl Operator for Parse {
    fn on_place(&mut self, place: &Place) {
        if place.line == 0 {
            self.calendar.begin_source(place.modified);
        }
    }

    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        self.reshaped(out, |parse, out| parse.parse(line, out))?;
        if let Some(notice) = self.calendar.take_notice() {
            out.message(&notice);
        }
        Ok(())
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.calendar.set_now(now);
        if let Some(reshape) = &mut self.reshape {
            reshape.set_now(now);
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        let mut containers = std::mem::take(&mut self.containers);
        self.reshaped(out, |parse, out| {
            while let Some((text, time)) = containers.unfinished() {
                let line = Line { bytes: text, fault: None };
                parse.inner(text, Origin { source: None, time: Some(time) }, line, out)?;
            }
            Ok(())
        })
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
        let text = self.parser.as_ref().map_or(0, TextParser::casts_failed);
        stats.casts_failed += self.json.casts_failed + text;
        if let Some(reshape) = &self.reshape {
            reshape.stats(stats);
        }
    }
}

impl Parse {
    fn parse(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        // Wrapped text looks like JSON too, whatever format it is in.
        if begins_with_brace(line.bytes) {
            if line.fault != Some(Reason::InvalidUtf8)
                && let Some(result) = self.docker(line, out)
            {
                return result;
            }
            if self.are_json != Json::IsText || line.bytes.starts_with(b"{\"@") {
                return self.json(line, out);
            }
        }
        if line.fault == Some(Reason::InvalidUtf8) {
            if self.are_json == Json::Always {
                return self.json(line, out);
            }
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return self.plain(text.as_bytes(), None, line, out);
        }
        self.plain(line.bytes, None, line, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: &str =
        r#"192.0.2.1 - - [12/Sep/2025:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#;
    const JSON: &str = r#"{"ts":1757671200,"msg":"hello"}"#;

    /// How many rows and rejects a line gives.
    fn parse(format: impl Fn() -> Format, line: &str) -> (usize, u64) {
        let mut out = Output::in_memory();
        let mut parse = Parse::new(format());
        parse.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
        let rows = std::str::from_utf8(out.rows()).unwrap();
        for row in rows.lines() {
            assert!(row.starts_with(r#"{"timestamp":"2025-09-12T10:00:00.000Z""#), "{row}");
        }
        (rows.lines().count(), out.stats.rejected())
    }

    #[test]
    fn a_record_without_a_time_has_that_of_its_wrapper() {
        for untimed in [Untimed::Reject, Untimed::Keep, Untimed::Stamp] {
            let times = TimeOptions { untimed, ..TimeOptions::default() };
            for line in [
                r#"2025-09-12T10:00:00Z stdout F {"msg":"hello"}"#,
                r#"2025-09-12T10:00:00Z stdout F {"time":null,"msg":"hello"}"#,
                "2025-09-12T10:00:00Z stdout F level=info msg=hello",
                r#"{"log":"{\"msg\":\"hello\"}\n","time":"2025-09-12T10:00:00Z"}"#,
            ] {
                let mut out = Output::in_memory();
                let mut parse = Parse::new(Format::Auto).with_times(Calendar::default(), &times);
                parse.on_record(Line { bytes: line.as_bytes(), fault: None }, &mut out).unwrap();
                let row = std::str::from_utf8(out.rows()).unwrap();
                let start = r#"{"timestamp":"2025-09-12T10:00:00.000Z","#;
                assert!(row.starts_with(start), "{untimed:?}: {line}: {row}");
            }
        }
    }

    #[test]
    fn a_named_format_takes_no_other() {
        let wrapped = |text: &str| format!("{{\"@raw\":{}}}", serde_json::to_string(text).unwrap());
        for (name, nginx, json) in [
            ("auto", (1, 0), (1, 0)),
            ("nginx", (1, 0), (0, 1)),
            ("apache", (1, 0), (0, 1)),
            ("json", (0, 1), (1, 0)),
        ] {
            let format = || match name {
                "auto" => Format::Auto,
                "nginx" => Format::Nginx,
                "apache" => Format::Apache,
                _ => Format::Json,
            };
            assert_eq!(parse(format, NGINX), nginx, "{name}");
            assert_eq!(parse(format, &wrapped(NGINX)), nginx, "{name}");
            assert_eq!(parse(format, JSON), json, "{name}");
            assert_eq!(parse(format, &wrapped(JSON)), json, "{name}");
        }
    }
}
