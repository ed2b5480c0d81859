//! The event times by which records are merged.

use std::fmt;

use crate::format::TimeOptions;
use crate::line::{Kind, Line, Projection, Reason, Scanner};
use crate::source::now;
use crate::stage::{Format, Parse};
use crate::stream::{Operator as _, Output};
use crate::time::{Calendar, TimeReader, Timestamp};

/// Tells the event times of records.
pub trait EventTimes: fmt::Debug {
    /// The event time of a record, which comes without its line end and may
    /// have several lines; `None` if it has none that can be read. `calendar` is
    /// that of its input.
    fn of(&mut self, record: &[u8], calendar: &mut Calendar) -> Option<Timestamp>;

    /// A calendar for an input of its own.
    fn calendar(&self) -> Calendar {
        Calendar::default()
    }
}

/// The event times that [`Parse`] gives to records. Of text, the time is in the
/// first line.
#[derive(Debug)]
pub struct FormatTimes {
    parse: Parse,
    calendar: Calendar,
    /// Holds the record at hand.
    out: Output,
    scanner: Scanner,
    reader: TimeReader,
}

impl FormatTimes {
    /// Of records in this format, read by this calendar, where `times` says.
    pub fn new(format: Format, mut calendar: Calendar, times: &TimeOptions) -> Self {
        // Times without a year are of the last one that puts none ahead of it.
        calendar.set_now(now());
        Self {
            parse: Parse::new(format).with_times(Calendar::default(), times),
            calendar,
            out: Output::in_memory(),
            scanner: Scanner::new(Projection::from_iter(["timestamp"])),
            reader: TimeReader::default(),
        }
    }
}

impl EventTimes for FormatTimes {
    fn calendar(&self) -> Calendar {
        self.calendar.clone()
    }

    fn of(&mut self, record: &[u8], calendar: &mut Calendar) -> Option<Timestamp> {
        let is_json = record.trim_ascii_start().starts_with(b"{");
        let first = || record.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let text = if is_json { record } else { first() };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let fault = std::str::from_utf8(text).is_err().then_some(Reason::InvalidUtf8);
        self.out.row().clear();
        // A record that is rejected here is rejected again by `parse`, who says
        // so.
        self.parse.swap_calendar(calendar);
        let parsed = self.parse.on_record(Line { bytes: text, fault }, &mut self.out);
        self.parse.swap_calendar(calendar);
        parsed.ok()?;
        // A part of a line counts when it was written: its rest may be in a
        // later turn.
        if let Some(time) = self.parse.take_part() {
            return Some(time);
        }
        let row = self.out.rows().strip_suffix(b"\n")?;
        self.scanner.scan(row).ok()?;
        let time = self.scanner.field(0);
        (time.kind == Kind::Str).then(|| self.reader.parse(time.inner(row)))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_records() {
        const JSON: &[u8] = br#"{"ts":1757671200,"at":"2025-09-12T10:00:01Z"}"#;
        const NGINX: &[u8] =
            b"192.0.2.1 - - [12/Sep/2025:12:00:02 +0200] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"";
        let at = |seconds: i64| Some(Timestamp::from_micros((1_757_671_200 + seconds) * 1_000_000));
        for (name, field, record, time) in [
            ("auto", None, JSON, at(0)),
            ("json", Some("at"), JSON, at(1)),
            ("json", Some("ta"), JSON, None),
            ("nginx", None, JSON, None),
            ("auto", None, b"{\n \"time\": \"2025-09-12 10:00:05\"\n}", at(5)),
            ("auto", None, b"{\"time\":", None),
            ("auto", None, NGINX, at(2)),
            ("apache", None, NGINX, at(2)),
            ("json", None, NGINX, None),
            ("auto", None, &[NGINX, b"\r\nmore"].concat(), at(2)),
            ("auto", None, b"\tat main", None),
            ("auto", None, b"", None),
        ] {
            let shown = String::from_utf8_lossy(record);
            let format = match name {
                "auto" => Format::Auto,
                "json" => Format::Json,
                "nginx" => Format::Nginx,
                _ => Format::Apache,
            };
            let options = TimeOptions { field: field.map(str::to_owned), ..TimeOptions::default() };
            let mut times = FormatTimes::new(format, Calendar::default(), &options);
            let mut calendar = times.calendar();
            assert_eq!(times.of(record, &mut calendar), time, "{name} {shown}");
        }
    }
}
