//! JSON records with anybody's field names, brought into normal form.
//!
//! A record in normal form begins with those of [`NAMES`] that it has, in that
//! order, each with its type; its other fields follow. A record that already
//! is passes through byte for byte.

use crate::line::{
    Field, Kind, Member, Projection, Reason, ScanError, Scanner, json, read_instant,
};
use crate::time::{TimeReader, Timestamp, is_normal_form};

/// The fields of a normalised record, first of all others and in this order.
pub(crate) const NAMES: [&str; 10] = [
    "timestamp",
    "level",
    "service",
    "message",
    "ip_address",
    "user_id",
    "request_id",
    "response_time",
    "status_code",
    "error_code",
];

const TIMESTAMP: usize = 0;
const RESPONSE_TIME: usize = 7;
const STATUS_CODE: usize = 8;

/// Where a normalised field may be found: its own name, then other usual ones.
const ALIASES: [(usize, &[&str]); 3] = [
    (TIMESTAMP, &["@timestamp", "time", "ts", "t", "date"]),
    (1, &["lvl", "log.level", "severity"]),
    (3, &["msg"]),
];

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalized<'a> {
    /// In normal form as it is; nothing was written.
    AsIs,
    /// Written in normal form.
    Rewritten,
    /// A text line that some other format must read. Its `@source`, if any, is
    /// the value as it stands in the line.
    Text {
        /// The text.
        text: &'a [u8],
        /// Value of `@source`.
        source: Option<&'a [u8]>,
    },
}

/// Why a record has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON object.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It has no time, or null.
    #[error("none of timestamp, @timestamp, time, ts, t, date")]
    NoTimestamp,
    /// Its time cannot be read.
    #[error("no time that can be read in {}", ALIASES[0].1.get(.slot.wrapping_sub(1)).unwrap_or(&NAMES[0]))]
    BadTimestamp {
        /// Which of the names of the time it is in: 0 is `timestamp`.
        slot: usize,
    },
    /// `@raw` is no string, or wraps a record with a reserved key.
    #[error("@raw is no string, or holds a key that belongs to the stream")]
    BadRaw,
}

impl JsonError {
    /// The word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Scan(error) => error.reason,
            Self::NoTimestamp => Reason::NoTimestamp,
            Self::BadTimestamp { .. } => Reason::BadTimestamp,
            Self::BadRaw => Reason::ReservedKey,
        }
    }
}

/// Brings JSON records into normal form.
#[derive(Debug)]
pub struct JsonRecords {
    scanner: Scanner,
    time: TimeReader,
    /// Slots of the names under which each field of [`NAMES`] is looked for.
    sources: [Vec<usize>; NAMES.len()],
    raw: usize,
    source: usize,
    text: Vec<u8>,
    /// Values that could not be cast, over all records.
    pub casts_failed: u64,
}

impl Default for JsonRecords {
    fn default() -> Self {
        let mut projection = Projection::from_iter(NAMES);
        let mut sources = std::array::from_fn(|slot| vec![slot]);
        for (slot, names) in ALIASES {
            sources[slot].extend(names.iter().map(|name| projection.add(name)));
        }
        let (raw, source) = (projection.add("@raw"), projection.add("@source"));
        Self {
            scanner: Scanner::new(projection).with_members(),
            time: TimeReader::default(),
            sources,
            raw,
            source,
            text: Vec::new(),
            casts_failed: 0,
        }
    }
}

impl JsonRecords {
    /// Brings one line into normal form, appending it to `out` if it has to be
    /// written anew, or takes the text out of its `@raw`.
    ///
    /// # Errors
    ///
    /// Returns why the line is no usable record; nothing is appended then.
    #[inline]
    pub fn normalize<'a>(
        &'a mut self,
        line: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<Normalized<'a>, JsonError> {
        self.scanner.scan(line)?;
        let raw = self.scanner.field(self.raw);
        if raw.is_present() {
            return self.unwrap(line, raw);
        }
        if self.is_normal(line) {
            return Ok(Normalized::AsIs);
        }
        let time = self.timestamp(line)?;
        self.rewrite(line, None, time, out);
        Ok(Normalized::Rewritten)
    }

    /// Brings JSON that came wrapped in `@raw` into normal form, appending it
    /// to `out` behind the `source` that came with it.
    ///
    /// # Errors
    ///
    /// See [`normalize`](Self::normalize). A record that was wrapped with `@raw` or `@source` in it is refused.
    pub fn normalize_unwrapped(
        &mut self,
        text: &[u8],
        source: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        self.scanner.scan(text)?;
        let reserved = [self.raw, self.source];
        if reserved.into_iter().any(|slot| self.scanner.field(slot).is_present()) {
            return Err(JsonError::BadRaw);
        }
        let time = self.timestamp(text)?;
        self.rewrite(text, source, time, out);
        Ok(())
    }

    fn unwrap<'a>(&'a mut self, line: &'a [u8], raw: Field) -> Result<Normalized<'a>, JsonError> {
        if !matches!(raw.kind, Kind::Str | Kind::EscapedStr) {
            return Err(JsonError::BadRaw);
        }
        let source = self.scanner.field(self.source);
        self.text.clear();
        json::unescape(raw.inner(line), &mut self.text);
        let source = source.is_present().then(|| source.text(line));
        Ok(Normalized::Text { text: &self.text, source })
    }

    /// Whether the scanned record is in normal form already.
    #[inline]
    fn is_normal(&mut self, line: &[u8]) -> bool {
        let mut members = self.scanner.members();
        if let [Member { slot: Some(slot), .. }, rest @ ..] = members
            && usize::from(*slot) == self.source
        {
            members = rest;
        }
        // `@raw` apart, slots past the names are of fields that stay as they
        // are unless they stand in for a missing one.
        let mut next = 0;
        let mut others = false;
        for member in members {
            match member.slot.map(usize::from) {
                Some(slot) if slot < NAMES.len() => {
                    if others || slot < next || !has_normal_type(slot, member.value.kind) {
                        return false;
                    }
                    next = slot + 1;
                }
                Some(slot) if slot == self.source => return false,
                _ => others = true,
            }
        }
        let stands_in = |(slot, _): &(usize, &[&str])| {
            !self.scanner.field(*slot).is_present()
                && self.sources[*slot].iter().any(|&slot| self.scanner.field(slot).is_present())
        };
        if others && ALIASES.iter().any(stands_in) {
            return false;
        }
        let time = self.scanner.field(TIMESTAMP);
        time.kind == Kind::Str
            && is_normal_form(time.inner(line))
            && self.time.parse(time.inner(line)).is_some()
    }

    /// The field that holds a normalised field's value: the first of its names
    /// that the record has.
    fn find(&self, slot: usize) -> (usize, Field) {
        let sources = &self.sources[slot];
        let found = sources.iter().position(|&slot| self.scanner.field(slot).is_present());
        let index = found.unwrap_or(0);
        (index, self.scanner.field(sources[index]))
    }

    fn timestamp(&mut self, line: &[u8]) -> Result<Timestamp, JsonError> {
        let (slot, field) = self.find(TIMESTAMP);
        if matches!(field.kind, Kind::Missing | Kind::Null) {
            return Err(JsonError::NoTimestamp);
        }
        read_instant(field, line, &mut self.time).ok_or(JsonError::BadTimestamp { slot })
    }

    fn rewrite(&mut self, line: &[u8], source: Option<&[u8]>, time: Timestamp, out: &mut Vec<u8>) {
        out.push(b'{');
        let own = self.scanner.field(self.source);
        if let Some(source) = source.or_else(|| own.is_present().then(|| own.text(line))) {
            out.extend_from_slice(b"\"@source\":");
            out.extend_from_slice(source);
            out.push(b',');
        }
        out.extend_from_slice(b"\"timestamp\":\"");
        time.write(out);
        out.push(b'"');
        let mut taken = [0; NAMES.len()];
        taken[TIMESTAMP] = self.sources[TIMESTAMP][self.find(TIMESTAMP).0];
        for (slot, name) in NAMES.iter().enumerate().skip(1) {
            let (index, field) = self.find(slot);
            taken[slot] = self.sources[slot][index];
            if field.is_present() {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":");
                if !write_cast(slot, field, line, &mut self.text, out) {
                    self.casts_failed += 1;
                }
            }
        }
        for member in self.scanner.members() {
            let slot = member.slot.map(usize::from);
            let written = slot.is_some_and(|slot| {
                slot < NAMES.len() || slot == self.source || taken.contains(&slot)
            });
            if !written {
                out.push(b',');
                out.extend_from_slice(&line[member.key as usize..member.value.end as usize]);
            }
        }
        out.push(b'}');
    }
}

#[inline]
const fn has_normal_type(slot: usize, kind: Kind) -> bool {
    match slot {
        RESPONSE_TIME => matches!(kind, Kind::Int | Kind::Float | Kind::Null),
        STATUS_CODE => matches!(kind, Kind::Int | Kind::Null),
        _ => matches!(kind, Kind::Str | Kind::EscapedStr | Kind::Null),
    }
}

/// Writes a value with the type of its field; false if it had to become null.
///
/// What has the right type is copied, and a string that is a number of that
/// type lends its text; anything else is printed canonically.
fn write_cast(
    slot: usize,
    field: Field,
    line: &[u8],
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> bool {
    if has_normal_type(slot, field.kind) {
        out.extend_from_slice(field.text(line));
        return true;
    }
    if slot != RESPONSE_TIME && slot != STATUS_CODE {
        json::write_string(field.text(line), out);
        return true;
    }
    let text = match field.kind {
        Kind::Str | Kind::EscapedStr => {
            scratch.clear();
            json::unescape(field.inner(line), scratch);
            scratch.trim_ascii()
        }
        _ => field.text(line),
    };
    let is_json_number = json::is_number(text);
    if slot == RESPONSE_TIME && is_json_number {
        out.extend_from_slice(text);
    } else if let Some(number) = json::integral(text).filter(|_| is_json_number) {
        json::write_int(number, out);
    } else {
        out.extend_from_slice(b"null");
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalize(line: &str) -> Result<String, JsonError> {
        let mut out = Vec::new();
        let mut records = JsonRecords::default();
        Ok(match records.normalize(line.as_bytes(), &mut out)? {
            Normalized::AsIs => "as is".to_owned(),
            Normalized::Rewritten => String::from_utf8(out).unwrap(),
            Normalized::Text { text, source } => format!(
                "{} from {}",
                String::from_utf8_lossy(text),
                source.map_or("nowhere".into(), String::from_utf8_lossy)
            ),
        })
    }

    #[test]
    fn what_is_in_normal_form_stays() {
        for line in [
            r#"{"timestamp":"2025-09-12T00:00:00.000Z"}"#,
            r#"{"timestamp":"2025-09-12T00:00:00.123456Z","level":null,"x":[1, 2]}"#,
            r#" { "timestamp" : "2025-09-12T00:00:00.000Z" , "status_code":200, "time":5 } "#,
            r#"{"@source":{"path":"a","offset":0},"timestamp":"2025-09-12T00:00:00.000Z","response_time":1}"#,
            r#"{"timestamp":"2025-09-12T00:00:00.000Z","level":"INFO","severity":3}"#,
        ] {
            assert_eq!(normalize(line).unwrap(), "as is", "{line}");
        }
    }

    #[test]
    fn the_rest_is_brought_there() {
        const T: &str = r#""timestamp":"2025-09-12T00:00:00.000Z""#;
        for (line, expected) in [
            // Order, names and spellings of the time.
            (r#"{"a":1,"timestamp":"2025-09-12T00:00:00Z"}"#, r#"{<T>,"a":1}"#),
            (r#"{"@timestamp":"2025-09-12T02:00:00+02:00","a":1}"#, r#"{<T>,"a":1}"#),
            (r#"{"time":1757635200,"t":7}"#, r#"{<T>,"t":7}"#),
            (r#"{"ts":"1757635200000"}"#, r"{<T>}"),
            (r#"{"date":"2025-09-12 00:00:00"}"#, r"{<T>}"),
            // First of several names; the others stay.
            (
                r#"{"severity":3,"lvl":"WARN","ts":1757635200}"#,
                r#"{<T>,"level":"WARN","severity":3}"#,
            ),
            (
                r#"{"log":{"level":"info"},"ts":1757635200}"#,
                r#"{<T>,"level":"info","log":{"level":"info"}}"#,
            ),
            (
                r#"{"log.level":"info","log":{"level":"x"},"ts":1757635200}"#,
                r#"{<T>,"level":"info","log":{"level":"x"}}"#,
            ),
            (r#"{"msg":"hi","timestamp":1757635200}"#, r#"{<T>,"message":"hi"}"#),
            // Types.
            (
                r#"{"timestamp":1757635200,"status_code":"200","response_time":"0.50"}"#,
                r#"{<T>,"response_time":0.50,"status_code":200}"#,
            ),
            (r#"{"timestamp":1757635200,"status_code":200.0}"#, r#"{<T>,"status_code":200}"#),
            (
                r#"{"timestamp":1757635200,"status_code":"abc","response_time":true}"#,
                r#"{<T>,"response_time":null,"status_code":null}"#,
            ),
            (
                r#"{"timestamp":1757635200,"user_id":17,"message":{"a":"b"}}"#,
                r#"{<T>,"message":"{\"a\":\"b\"}","user_id":"17"}"#,
            ),
            // All copies of a key are replaced, the last one wins; others stay.
            (r#"{"timestamp":0,"x":1,"x":2,"timestamp":1757635200}"#, r#"{<T>,"x":1,"x":2}"#),
            (r#"{"level":"a","timestamp":1757635200,"level":"b"}"#, r#"{<T>,"level":"b"}"#),
            // Provenance comes first.
            (
                r#"{"a":1,"@source":{"path":"p"},"timestamp":1757635200}"#,
                r#"{"@source":{"path":"p"},<T>,"a":1}"#,
            ),
        ] {
            assert_eq!(normalize(line).unwrap(), expected.replace("<T>", T), "{line}");
        }
    }

    #[test]
    fn text_is_unwrapped() {
        assert_eq!(normalize(r#"{"@raw":"a \"b\"\u0000"}"#).unwrap(), "a \"b\"\0 from nowhere");
        assert_eq!(
            normalize(r#"{"@source":{"path":"p"},"@raw":"x"}"#).unwrap(),
            r#"x from {"path":"p"}"#
        );
    }

    #[test]
    fn what_cannot_be_used() {
        for (line, reason) in [
            (r#"{"a":1}"#, Reason::NoTimestamp),
            (r#"{"timestamp":null,"time":5}"#, Reason::NoTimestamp),
            (r#"{"timestamp":"soon"}"#, Reason::BadTimestamp),
            (r#"{"timestamp":"2025-02-30T00:00:00.000Z"}"#, Reason::BadTimestamp),
            (r#"{"timestamp":{}}"#, Reason::BadTimestamp),
            (r#"{"@raw":1}"#, Reason::ReservedKey),
            (r#"{"a":"#, Reason::InvalidJson),
        ] {
            assert_eq!(normalize(line).unwrap_err().reason(), reason, "{line}");
        }
        let error = normalize(r#"{"ts":"soon"}"#).unwrap_err();
        assert_eq!(error.to_string(), "no time that can be read in ts");
    }
}
