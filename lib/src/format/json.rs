//! JSON records with anybody's field names, brought into normal form.
//!
//! A record in normal form begins with those of [`NAMES`] that it has, in that
//! order, each with its type; its other fields follow. A record that already
//! is passes through byte for byte.

use std::ops::Range;

use super::FieldSource;
use super::time_options::{TimeOptions, Untimed, time_like};
use crate::line::{Field, Kind, Member, Projection, Reason, ScanError, Scanner, json};
use crate::time::{Calendar, TimeReader, Timestamp, is_normal_form};

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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is no JSON object.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// It has no time, or null.
    #[error("{}", no_timestamp(.wanted, .found.as_deref()))]
    NoTimestamp {
        /// The names of the fields that could have held it.
        wanted: String,
        /// Another field that looks like a time.
        found: Option<String>,
    },
    /// Its time cannot be read.
    #[error("no time that can be read in {field}")]
    BadTimestamp {
        /// The field that should hold it.
        field: String,
    },
    /// `@raw` is no string, or wraps a record with a reserved key.
    #[error("@raw is no string, or holds a key that belongs to the stream")]
    BadRaw,
}

fn no_timestamp(wanted: &str, found: Option<&str>) -> String {
    match found {
        Some(found) => format!("found {found}: add --time-field {found}"),
        None => format!("no {wanted}; --keep-untimed or --stamp lets the record pass"),
    }
}

impl JsonError {
    /// The word for it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Scan(error) => error.reason,
            Self::NoTimestamp { .. } => Reason::NoTimestamp,
            Self::BadTimestamp { .. } => Reason::BadTimestamp,
            Self::BadRaw => Reason::ReservedKey,
        }
    }
}

/// Brings JSON records into normal form.
#[derive(Debug)]
pub struct JsonRecords {
    scanner: Scanner,
    /// Of times in normal form.
    time: TimeReader,
    untimed: Untimed,
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
        Self::new(&TimeOptions::default())
    }
}

impl JsonRecords {
    /// For records whose time is where `times` says.
    pub fn new(times: &TimeOptions) -> Self {
        let mut projection = Projection::from_iter(NAMES);
        let mut sources = std::array::from_fn(|slot| vec![slot]);
        for (slot, names) in ALIASES {
            sources[slot].extend(names.iter().map(|name| projection.add(name)));
        }
        if let Some(field) = &times.field {
            sources[TIMESTAMP] = vec![projection.add(field)];
        }
        let (raw, source) = (projection.add("@raw"), projection.add("@source"));
        Self {
            scanner: Scanner::new(projection).with_members(),
            time: TimeReader::default(),
            untimed: times.untimed,
            sources,
            raw,
            source,
            text: Vec::new(),
            casts_failed: 0,
        }
    }

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
        calendar: &mut Calendar,
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
        let time = self.timestamp(line, None, calendar)?;
        self.rewrite(line, None, time, out);
        Ok(Normalized::Rewritten)
    }

    /// Brings JSON that came wrapped in `@raw` or by a container runtime into
    /// normal form, appending it to `out` behind the `source` that came with it.
    /// A record without a time gets that of its wrapper, if that has one.
    ///
    /// # Errors
    ///
    /// See [`normalize`](Self::normalize). A record that was wrapped with `@raw` or `@source` in it is refused.
    pub fn normalize_unwrapped(
        &mut self,
        text: &[u8],
        source: Option<&[u8]>,
        wrapped_at: Option<Timestamp>,
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        self.scanner.scan(text)?;
        let reserved = [self.raw, self.source];
        if reserved.into_iter().any(|slot| self.scanner.field(slot).is_present()) {
            return Err(JsonError::BadRaw);
        }
        let time = self.timestamp(text, wrapped_at, calendar)?;
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
        // Normalising has put the time where it belongs; a record that still
        // has the field that it was to come from has not been here yet.
        if let [slot] = self.sources[TIMESTAMP][..]
            && slot != TIMESTAMP
            && self.scanner.field(slot).is_present()
        {
            return false;
        }
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
        match time.kind {
            Kind::Missing => self.untimed == Untimed::Keep,
            Kind::Str => {
                is_normal_form(time.inner(line)) && self.time.parse(time.inner(line)).is_some()
            }
            _ => false,
        }
    }

    /// The field that holds a normalised field's value: the first of its names
    /// that the record has.
    fn find(&self, slot: usize) -> (usize, Field) {
        let sources = &self.sources[slot];
        let found = sources.iter().position(|&slot| self.scanner.field(slot).is_present());
        let index = found.unwrap_or(0);
        (index, self.scanner.field(sources[index]))
    }

    /// Where the normalised fields of `line`, which was read last, come from.
    #[cold]
    pub(crate) fn sources(&self, line: &[u8]) -> Vec<FieldSource> {
        let source = |(slot, name): (usize, &'static str)| {
            let (index, field) = self.find(slot);
            let called = self.scanner.projection().name(self.sources[slot][index]);
            let called = String::from_utf8_lossy(called).into_owned();
            let is_null = field.text(line) == b"null";
            let at = field.start as usize;
            field.is_present().then_some(FieldSource { name, called, at, is_null })
        };
        NAMES.into_iter().enumerate().filter_map(source).collect()
    }

    /// The record's time, or none for one that does without.
    fn timestamp(
        &mut self,
        line: &[u8],
        wrapped_at: Option<Timestamp>,
        calendar: &mut Calendar,
    ) -> Result<Option<Timestamp>, JsonError> {
        let (index, field) = self.find(TIMESTAMP);
        let time = match field.kind {
            Kind::Missing | Kind::Null if wrapped_at.is_some() => return Ok(wrapped_at),
            Kind::Missing | Kind::Null => return self.untimed(line, calendar),
            Kind::Str => calendar.read(field.inner(line)),
            Kind::Int | Kind::Float => calendar.read(field.text(line)),
            Kind::EscapedStr => {
                self.text.clear();
                json::unescape(field.inner(line), &mut self.text);
                calendar.read(&self.text)
            }
            _ => None,
        };
        match time {
            Some(time) => Ok(Some(time)),
            None => Err(JsonError::BadTimestamp { field: self.time_names(index..index + 1) }),
        }
    }

    fn untimed(&self, line: &[u8], calendar: &Calendar) -> Result<Option<Timestamp>, JsonError> {
        match self.untimed {
            Untimed::Keep => Ok(None),
            Untimed::Stamp => Ok(Some(calendar.now())),
            Untimed::Reject => Err(JsonError::NoTimestamp {
                wanted: self.time_names(0..self.sources[TIMESTAMP].len()),
                found: time_like(line),
            }),
        }
    }

    /// Some of the names of fields that may hold the time.
    #[cold]
    fn time_names(&self, range: Range<usize>) -> String {
        let name = |slot: &usize| String::from_utf8_lossy(self.scanner.projection().name(*slot));
        self.sources[TIMESTAMP][range].iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn rewrite(
        &mut self,
        line: &[u8],
        source: Option<&[u8]>,
        time: Option<Timestamp>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.push(b'{');
        let own = self.scanner.field(self.source);
        if let Some(source) = source.or_else(|| own.is_present().then(|| own.text(line))) {
            out.extend_from_slice(b"\"@source\":");
            out.extend_from_slice(source);
            out.push(b',');
        }
        if let Some(time) = time {
            out.extend_from_slice(b"\"timestamp\":\"");
            time.write(out);
            out.extend_from_slice(b"\",");
        }
        let mut taken = [0; NAMES.len()];
        taken[TIMESTAMP] = self.sources[TIMESTAMP][self.find(TIMESTAMP).0];
        let mut run = Run::of(line);
        for (slot, name) in NAMES.iter().enumerate().skip(1) {
            let (index, field) = self.find(slot);
            taken[slot] = self.sources[slot][index];
            if !field.is_present() {
                continue;
            }
            if has_normal_type(slot, field.kind)
                && let Some(key) = key_before(field, name, line)
            {
                run.copy(key..field.end as usize, out);
                continue;
            }
            run.finish(out);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            if !write_cast(slot, field, line, &mut self.text, out) {
                self.casts_failed += 1;
            }
            out.push(b',');
        }
        for member in self.scanner.members() {
            let slot = member.slot.map(usize::from);
            let written = slot.is_some_and(|slot| {
                slot < NAMES.len() || slot == self.source || taken.contains(&slot)
            });
            if !written {
                run.copy(member.key as usize..member.value.end as usize, out);
            }
        }
        run.finish(out);
        // The comma behind the last member, if there is one.
        if out.len() > start + 1 {
            out.pop();
        }
        out.push(b'}');
    }
}

/// Members of a line that stay as they are and side by side: copied at once.
struct Run<'a> {
    line: &'a [u8],
    range: Range<usize>,
}

impl<'a> Run<'a> {
    const fn of(line: &'a [u8]) -> Self {
        Self { line, range: 0..0 }
    }

    /// Adds the member, key and value, that stands there.
    #[inline]
    fn copy(&mut self, member: Range<usize>, out: &mut Vec<u8>) {
        if member.start == self.range.end + 1 && self.line[self.range.end] == b',' {
            self.range.end = member.end;
        } else {
            self.finish(out);
            self.range = member;
        }
    }

    /// Writes what has been added, and a comma.
    #[inline]
    fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.range.is_empty() {
            out.extend_from_slice(&self.line[self.range.clone()]);
            out.push(b',');
            self.range = 0..0;
        }
    }
}

/// Where the key of a field begins, if it is `name`, spelled so, with nothing
/// between it and the value but a colon.
#[inline]
fn key_before(field: Field, name: &str, line: &[u8]) -> Option<usize> {
    let before = line[..field.start as usize].strip_suffix(b"\":")?;
    Some(before.strip_suffix(name.as_bytes())?.strip_suffix(b"\"")?.len())
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
#[path = "json_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "json_oracle_tests.rs"]
mod oracle_tests;
