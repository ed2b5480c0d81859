//! The event times by which records are merged.

use std::fmt;

use crate::format::AccessParser;
use crate::line::{Projection, Scanner, read_instant};
use crate::stage::Format;
use crate::time::{TimeReader, Timestamp};

/// Tells the event times of records.
pub trait EventTimes: fmt::Debug {
    /// The event time of a record, which comes without its line end and may
    /// have several lines; `None` if it has none that can be read.
    fn of(&mut self, record: &[u8]) -> Option<Timestamp>;
}

/// The fields in which `parse` looks for the time, the first of them first.
const NAMES: [&str; 6] = ["timestamp", "@timestamp", "time", "ts", "t", "date"];

/// What `parse` writes before the time of an access log line.
const BEFORE_TIME: &[u8] = b"\"timestamp\":\"";

/// The event times of records in a format that [`Parse`](crate::stage::Parse)
/// reads. Of text, the time is in the first line.
#[derive(Debug)]
pub struct FormatTimes {
    format: Format,
    scanner: Scanner,
    reader: TimeReader,
    access: AccessParser,
    /// Members that the access log parser wrote.
    members: Vec<u8>,
}

impl FormatTimes {
    /// Of records in this format. JSON has the time in `field`, or in the first
    /// of the usual ones that a record has.
    pub fn new(format: Format, field: Option<&str>) -> Self {
        let names = field.map_or(NAMES.to_vec(), |field| vec![field]);
        let access = match format {
            Format::Auto | Format::Json => AccessParser::auto(),
            Format::Apache => AccessParser::apache(),
            Format::Nginx => AccessParser::nginx(),
        };
        Self {
            format,
            scanner: Scanner::new(Projection::from_iter(names)),
            reader: TimeReader::default(),
            access,
            members: Vec::new(),
        }
    }

    fn of_json(&mut self, record: &[u8]) -> Option<Timestamp> {
        self.scanner.scan(record).ok()?;
        let slots = 0..self.scanner.projection().len();
        let mut fields = slots.map(|slot| self.scanner.field(slot));
        read_instant(fields.find(|field| field.is_present())?, record, &mut self.reader)
    }

    fn of_text(&mut self, record: &[u8]) -> Option<Timestamp> {
        let line = record.split(|byte| *byte == b'\n').next()?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.members.clear();
        self.access.parse(line, &mut self.members).ok()?;
        let rest = self.members.strip_prefix(BEFORE_TIME)?;
        self.reader.parse(rest.split(|byte| *byte == b'"').next()?)
    }
}

impl EventTimes for FormatTimes {
    fn of(&mut self, record: &[u8]) -> Option<Timestamp> {
        let is_json = match self.format {
            Format::Json => true,
            Format::Auto => record.trim_ascii_start().starts_with(b"{"),
            Format::Apache | Format::Nginx => false,
        };
        if is_json { self.of_json(record) } else { self.of_text(record) }
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
        for (format, field, record, time) in [
            (Format::Auto, None, JSON, at(0)),
            (Format::Json, Some("at"), JSON, at(1)),
            (Format::Json, Some("ta"), JSON, None),
            (Format::Nginx, None, JSON, None),
            (Format::Auto, None, b"{\n \"time\": \"2025-09-12 10:00:05\"\n}", at(5)),
            (Format::Auto, None, b"{\"time\":", None),
            (Format::Auto, None, NGINX, at(2)),
            (Format::Apache, None, NGINX, at(2)),
            (Format::Json, None, NGINX, None),
            (Format::Auto, None, &[NGINX, b"\r\nmore"].concat(), at(2)),
            (Format::Auto, None, b"\tat main", None),
            (Format::Auto, None, b"", None),
        ] {
            let shown = String::from_utf8_lossy(record);
            assert_eq!(FormatTimes::new(format, field).of(record), time, "{format:?} {shown}");
        }
    }
}
