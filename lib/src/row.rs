//! Rows: the lines that `window` writes and the stages behind it read.
//!
//! ```json
//! {"query":"error_rate","window":{"start":"…Z","end":"…Z"},"service":"auth","error_rate":31.2}
//! ```
//!
//! `query` is there if the row comes of a named query, `window` unless the
//! query has none. The rest are keys and aggregates. A row that is an alert of
//! `detect` begins with `"alert"` and `"severity"`, both strings.

mod selection;

use crate::line::{
    Field, Kind, Line, Member, Projection, Reason, ScanError, Scanner, Value, read_instant,
};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::{TimeReader, Timestamp};

pub use selection::{MAX_LABEL, Selection};
pub(crate) use selection::{PERSONAL, is_label, read_key};

/// Where a row stands in event time: its window, half-open, or an instant.
///
/// Ordered by end, then by start: the order in which windows close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The window's end; of an instant, the instant.
    pub end: Timestamp,
    /// The window's start; of an instant, the instant.
    pub start: Timestamp,
}

impl Place {
    /// Writes the place into a state.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        snapshot_time(self.end, state);
        snapshot_time(self.start, state);
    }

    /// Reads back what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged.
    pub fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        Ok(Self { end: restore_time(state)?, start: restore_time(state)? })
    }
}

/// Writes an instant into a state.
pub(crate) fn snapshot_time(time: Timestamp, state: &mut SnapshotWriter) {
    state.i64(time.micros);
    state.u64(time.nanos.into());
}

/// Reads back what [`snapshot_time`] wrote.
pub(crate) fn restore_time(state: &mut SnapshotReader<'_>) -> Result<Timestamp, RestoreError> {
    let (micros, nanos) = (state.i64()?, state.u64()?);
    match u16::try_from(nanos) {
        Ok(nanos) => Ok(Timestamp { micros, nanos }),
        Err(_) => Err(RestoreError::Damaged("a time is out of range")),
    }
}

/// Why a line is no row, or not a usable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The line's bytes are not UTF-8.
    #[error("the line is not UTF-8")]
    InvalidUtf8,
    /// The line is no JSON object.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A text line under `"@raw"`.
    #[error("a text line that is not yet parsed; put parse and window before")]
    Unparsed,
    /// The row has neither a window nor the time field.
    #[error("neither a window nor a time; name the field with --time")]
    NoTime,
    /// The window or time is there but cannot be read.
    #[error("{0} cannot be read as a time")]
    BadTime(&'static str),
}

impl RowError {
    /// The word that the line is counted under.
    pub fn reason(self) -> Reason {
        match self {
            Self::InvalidUtf8 => Reason::InvalidUtf8,
            Self::Scan(error) => error.reason,
            Self::Unparsed => Reason::NoMatch,
            Self::NoTime => Reason::NoTimestamp,
            Self::BadTime(_) => Reason::BadTimestamp,
        }
    }
}

/// Reads rows: validates each line and finds what all stages want of it,
/// beside the fields of the stage's own projection.
#[derive(Clone, Debug)]
pub struct RowReader {
    scanner: Scanner,
    slots: Slots,
    start: TimeReader,
    end: TimeReader,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Slots {
    raw: usize,
    alert: usize,
    severity: usize,
    query: usize,
    window: usize,
    start: usize,
    end: usize,
    time: Option<usize>,
}

impl RowReader {
    /// Reads the fields of `projection`; a row without a window stands at the
    /// instant in the field `time`, if one is named.
    pub fn new(mut projection: Projection, time: Option<&str>) -> Self {
        let slots = Slots {
            raw: projection.add("@raw"),
            alert: projection.add("alert"),
            severity: projection.add("severity"),
            query: projection.add("query"),
            window: projection.add("window"),
            start: projection.add("window.start"),
            end: projection.add("window.end"),
            time: time.map(|time| projection.add(time)),
        };
        Self {
            scanner: Scanner::new(projection),
            slots,
            start: TimeReader::default(),
            end: TimeReader::default(),
            scratch: Vec::new(),
        }
    }

    /// Also keeps the place of every member; see [`members`](Self::members).
    #[must_use]
    pub fn with_members(self) -> Self {
        Self { scanner: self.scanner.with_members(), ..self }
    }

    /// Takes in a line; the other functions then tell of it, and must be given
    /// its bytes.
    ///
    /// # Errors
    ///
    /// Returns why the line is no row.
    pub fn read(&mut self, line: Line<'_>) -> Result<(), RowError> {
        if line.fault.is_some() {
            return Err(RowError::InvalidUtf8);
        }
        self.scanner.scan(line.bytes)?;
        if self.field(self.slots.raw).is_present() { Err(RowError::Unparsed) } else { Ok(()) }
    }

    /// The value of a slot of the stage's projection.
    #[inline]
    pub fn field(&self, slot: usize) -> Field {
        self.scanner.field(slot)
    }

    /// All members, in order, if [`with_members`](Self::with_members) was
    /// asked for.
    pub fn members(&self) -> &[Member] {
        self.scanner.members()
    }

    /// Whether the row is an alert of `detect`.
    pub fn is_alert(&self) -> bool {
        let is_text = |slot| matches!(self.field(slot).kind, Kind::Str | Kind::EscapedStr);
        is_text(self.slots.alert) && is_text(self.slots.severity)
    }

    /// The query's name, a string; missing or null in a row of no named query.
    pub fn query(&self) -> Field {
        self.field(self.slots.query)
    }

    /// Whether the row is of the named query.
    pub fn is_of_query(&mut self, line: &[u8], name: &str) -> bool {
        let value = Value::read(self.query(), line, &mut self.scratch);
        matches!(value, Value::Str(text) if text == name.as_bytes())
    }

    /// The window as it stands in the row, if that is an object with a start
    /// or an end; any other is a field like others.
    pub fn window(&self) -> Option<Field> {
        let is_window =
            [self.slots.start, self.slots.end].iter().any(|&slot| self.field(slot).is_present());
        Some(self.field(self.slots.window)).filter(|w| w.kind == Kind::Object && is_window)
    }

    /// The time field as it stands in the row, if it is there.
    pub fn time(&self) -> Option<Field> {
        let time = self.field(self.slots.time?);
        (!matches!(time.kind, Kind::Missing | Kind::Null)).then_some(time)
    }

    /// Where the row stands: its window, else the time field's instant.
    ///
    /// # Errors
    ///
    /// Returns that there is neither, or that it cannot be read.
    pub fn place(&mut self, line: &[u8]) -> Result<Place, RowError> {
        if self.window().is_some() {
            let (start, end) = (self.field(self.slots.start), self.field(self.slots.end));
            let start = read_instant(start, line, &mut self.start);
            let end = read_instant(end, line, &mut self.end);
            return match (start, end) {
                (Some(start), Some(end)) => Ok(Place { end, start }),
                (None, _) => Err(RowError::BadTime("window.start")),
                (_, None) => Err(RowError::BadTime("window.end")),
            };
        }
        let time = self.time().ok_or(RowError::NoTime)?;
        let at =
            read_instant(time, line, &mut self.start).ok_or(RowError::BadTime("the time field"))?;
        Ok(Place { end: at, start: at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, time: Option<&str>) -> Result<(Place, bool), RowError> {
        let mut reader = RowReader::new(Projection::default(), time);
        reader.read(Line { bytes: text.as_bytes(), fault: None })?;
        Ok((reader.place(text.as_bytes())?, reader.is_alert()))
    }

    fn seconds(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn rows_stand_at_their_window_or_time() {
        let window = r#""window":{"start":"1970-01-01T00:01:00.000Z","end":"1970-01-01 00:02:00"}"#;
        for (line, start, end) in [
            (format!("{{{window}}}"), 60, 120),
            (format!("{{{window},\"at\":7}}"), 60, 120),
            (r#"{"window":{"end":120,"start":"60"}}"#.into(), 60, 120),
            (r#"{"at":"1970-01-01T00:00:07Z"}"#.into(), 7, 7),
            (r#"{"at":"7","window":null}"#.into(), 7, 7),
            // A field that only happens to be called so.
            (r#"{"at":7.0,"window":"left"}"#.into(), 7, 7),
        ] {
            let place = Place { end: seconds(end), start: seconds(start) };
            assert_eq!(read(&line, Some("at")), Ok((place, false)), "{line}");
        }
    }

    #[test]
    fn unusable_rows_say_why() {
        for (line, reason) in [
            (r#"{"window":{"start":0}}"#, Reason::BadTimestamp),
            (r#"{"window":{"start":"x","end":1}}"#, Reason::BadTimestamp),
            (r#"{"at":"yesterday"}"#, Reason::BadTimestamp),
            (r#"{"at":true}"#, Reason::BadTimestamp),
            (r#"{"at":null}"#, Reason::NoTimestamp),
            ("{}", Reason::NoTimestamp),
            (r#"{"@raw":"GET /"}"#, Reason::NoMatch),
            (r#"{"@":"end"}"#, Reason::ReservedKey),
            ("GET /", Reason::InvalidJson),
            ("[]", Reason::NotObject),
        ] {
            assert_eq!(read(line, Some("at")).unwrap_err().reason(), reason, "{line}");
        }
        assert_eq!(read(r#"{"at":7}"#, None), Err(RowError::NoTime));
        let mut reader = RowReader::new(Projection::default(), None);
        let line = Line { bytes: b"{}", fault: Some(Reason::InvalidUtf8) };
        assert_eq!(reader.read(line), Err(RowError::InvalidUtf8));
    }

    #[test]
    fn alerts_have_two_marks() {
        let window = r#""window":{"start":0,"end":1}"#;
        for (marks, is_alert) in [
            (r#""alert":"ddos","severity":"critical""#, true),
            (r#""alert":"ddos""#, false),
            (r#""alert":true,"severity":"high""#, false),
        ] {
            let line = format!("{{{marks},{window}}}");
            assert_eq!(read(&line, None).unwrap().1, is_alert, "{line}");
        }
    }

    #[test]
    fn queries_are_compared_as_values() {
        let mut reader = RowReader::new(Projection::default(), None);
        for (line, is) in [
            (r#"{"query":"ddos"}"#, true),
            (r#"{"query":"\u0064dos"}"#, true),
            (r#"{"query":"ddo"}"#, false),
            (r#"{"query":null}"#, false),
            ("{}", false),
        ] {
            reader.read(Line { bytes: line.as_bytes(), fault: None }).unwrap();
            assert_eq!(reader.is_of_query(line.as_bytes(), "ddos"), is, "{line}");
        }
    }
}
