//! Fields that a line has by name, on their way to a normalised record.
//!
//! What [`JsonRecords`](super::JsonRecords) does for JSON this does for formats
//! whose values are text: names, their aliases, order and types are the same.

use std::ops::Range;

use super::cursor::integer;
use super::members::Members;
use super::{FieldSource, Mismatch, NAMES, Parsed, spelling};
use crate::line::{Reason, json};
use crate::time::{Calendar, Timestamp};

/// What a field's name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The field of that place in [`NAMES`]; the one of the lowest rank is
    /// taken where a line has several. Rank 0 is the name itself.
    Normal { slot: u8, rank: u8 },
    /// Gives way to the time that another field holds.
    Replaced,
    /// An integer that is no field of every record.
    Integer,
    /// Text.
    Other,
}

const TIMESTAMP: usize = 0;
const RESPONSE_TIME: usize = 7;
const STATUS_CODE: usize = 8;

impl Role {
    /// What a name means; `None` if it belongs to the stream itself.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let (slot, rank) = match name {
            b"timestamp" => (0, 0),
            b"@timestamp" => (0, 1),
            b"time" => (0, 2),
            b"ts" => (0, 3),
            b"t" => (0, 4),
            b"date" => (0, 5),
            b"level" => (1, 0),
            b"lvl" => (1, 1),
            b"log.level" => (1, 2),
            b"severity" => (1, 3),
            b"service" => (2, 0),
            b"message" => (3, 0),
            b"msg" => (3, 1),
            b"ip_address" => (4, 0),
            b"user_id" => (5, 0),
            b"request_id" => (6, 0),
            b"response_time" => (7, 0),
            b"status_code" => (8, 0),
            b"error_code" => (9, 0),
            b"bytes" | b"pid" | b"tid" | b"client_port" | b"connection_id" | b"priority"
            | b"facility_code" | b"severity_code" => return Some(Self::Integer),
            b"@" | b"@raw" | b"@source" => return None,
            _ => return Some(Self::Other),
        };
        Some(Self::Normal { slot, rank })
    }
}

/// How a value is written in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As it is.
    Plain,
    /// With escapes such as `\"` and `\n`.
    Escaped,
    /// With quotes doubled.
    DoubledQuotes,
    /// Not at all: a name without a value.
    Absent,
}

/// A value in a line.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) range: Range<usize>,
    pub(super) spelling: Spelling,
}

/// A name, by its place in some text, and what it means.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) range: Range<usize>,
    pub(super) role: Role,
}

/// The fields of one line.
#[derive(Debug, Default)]
pub(super) struct Fields {
    all: Vec<(Name, Value)>,
    /// For each of [`NAMES`] the index of its field, one higher; 0 is none.
    found: [usize; NAMES.len()],
    /// The only name under which the time is looked for, if there is one.
    time_field: Option<Box<[u8]>>,
    /// Values that could not be cast, over all lines.
    pub(super) casts_failed: u64,
}

impl Fields {
    /// The name at a place in `names`.
    ///
    /// # Errors
    ///
    /// Fails for one that belongs to the stream itself.
    #[inline]
    pub(super) fn name(&self, names: &[u8], range: Range<usize>) -> Result<Name, Mismatch> {
        const RESERVED: &str =
            "another name than @, @raw and @source, which the stream uses itself";
        let reserved = Mismatch {
            reason: Reason::ReservedKey,
            at: range.start,
            token: "name",
            expected: RESERVED,
        };
        let role = self.role(&names[range.clone()]).ok_or(reserved)?;
        Ok(Name { range, role })
    }

    /// Looks for the time under this name alone; names that were made before
    /// are changed.
    pub(super) fn set_time_field<'n>(
        &mut self,
        field: Option<&str>,
        names: &[u8],
        made: impl Iterator<Item = &'n mut Name>,
    ) {
        self.time_field = field.map(|field| field.as_bytes().into());
        for name in made {
            name.role = self.role(&names[name.range.clone()]).unwrap_or(Role::Other);
        }
    }

    /// What a name means where the time may have been given a field of its own.
    #[inline]
    fn role(&self, name: &[u8]) -> Option<Role> {
        const TIME: u8 = TIMESTAMP as u8;
        let role = Role::of(name)?;
        let Some(field) = &self.time_field else { return Some(role) };
        Some(match role {
            _ if **field == *name => Role::Normal { slot: TIME, rank: 0 },
            Role::Normal { slot: TIME, rank: 0 } => Role::Replaced,
            Role::Normal { slot: TIME, .. } => Role::Other,
            role => role,
        })
    }

    /// Forgets the line before.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.found = [0; NAMES.len()];
    }

    /// Adds a field. Of several with the same name the last one wins.
    #[inline]
    pub(super) fn push(&mut self, name: Name, value: Value) {
        if let Role::Normal { slot, rank } = name.role {
            let found = &mut self.found[usize::from(slot)];
            let best = found.checked_sub(1).map(|index| self.all[index].0.role);
            let is_better = match best {
                Some(Role::Normal { rank: best, .. }) => rank <= best,
                _ => true,
            };
            if is_better {
                *found = self.all.len() + 1;
            }
        }
        self.all.push((name, value));
    }

    /// Appends the record, whose names lie in `names` and values in `text`.
    ///
    /// # Errors
    ///
    /// Fails if there is a time that cannot be read; nothing is appended then.
    pub(super) fn write(
        &mut self,
        names: &[u8],
        text: &[u8],
        calendar: &mut Calendar,
        out: &mut Vec<u8>,
    ) -> Result<Parsed, Mismatch> {
        let time = self.time(text, calendar)?;
        let mut members = Members::new(out);
        members.timestamp(time);
        for (slot, name) in NAMES.into_iter().enumerate().skip(TIMESTAMP + 1) {
            if let Some((_, value)) = self.normal(slot) {
                let out = members.key(name);
                let failed = match slot {
                    RESPONSE_TIME => !write_double(value, text, out),
                    STATUS_CODE => !write_integer(value, text, out),
                    _ => {
                        write_text(value, text, b"null", out);
                        false
                    }
                };
                self.casts_failed += u64::from(failed);
            }
        }
        for (name, value) in &self.all {
            if !self.is_written(names, name) {
                let out = members.any_key(&names[name.range.clone()]);
                if name.role == Role::Integer {
                    self.casts_failed += u64::from(!write_integer(value, text, out));
                } else {
                    write_text(value, text, b"true", out);
                }
            }
        }
        Ok(if time.is_some() { Parsed::Timed } else { Parsed::Untimed })
    }

    /// Where the normalised fields come from; names lie in `names`, values in
    /// `text`.
    #[cold]
    pub(super) fn sources(&self, names: &[u8], text: &[u8]) -> Vec<FieldSource> {
        let source = |(slot, name): (usize, &'static str)| {
            let (called, value) = self.normal(slot)?;
            let called = String::from_utf8_lossy(&names[called.range.clone()]).into_owned();
            let is_null = matches!(text.get(value.range.clone()), Some(b"" | b"-") | None);
            Some(FieldSource { name, called, at: value.range.start, is_null })
        };
        NAMES.into_iter().enumerate().filter_map(source).collect()
    }

    fn normal(&self, slot: usize) -> Option<&(Name, Value)> {
        self.found[slot].checked_sub(1).map(|index| &self.all[index])
    }

    /// Whether the field, or one with the same name, is among the normalised
    /// ones.
    fn is_written(&self, names: &[u8], name: &Name) -> bool {
        let Role::Normal { slot, rank } = name.role else { return name.role == Role::Replaced };
        rank == 0
            || self
                .normal(usize::from(slot))
                .is_some_and(|(taken, _)| names[taken.range.clone()] == names[name.range.clone()])
    }

    fn time(&self, text: &[u8], calendar: &mut Calendar) -> Result<Option<Timestamp>, Mismatch> {
        match self.normal(TIMESTAMP) {
            Some((_, value)) if !text[value.range.clone()].trim_ascii().is_empty() => {
                let time = calendar.read(&text[value.range.clone()]);
                let expected = if calendar.has_format() { spelling::GIVEN } else { spelling::ANY };
                let error = Mismatch::bad_time(value.range.start, expected);
                time.map(Some).ok_or(error)
            }
            _ => Ok(None),
        }
    }
}

/// Writes a number of seconds; false if it had to become null.
fn write_double(value: &Value, text: &[u8], out: &mut Vec<u8>) -> bool {
    write_number(value, text, json::is_number, out)
}

/// Writes an integer; false if it had to become null.
fn write_integer(value: &Value, text: &[u8], out: &mut Vec<u8>) -> bool {
    let word = text[value.range.clone()].trim_ascii();
    if let Some(digits) = integer(word) {
        out.extend_from_slice(digits);
        return true;
    }
    match json::integral(word).filter(|_| json::is_number(word)) {
        Some(number) => {
            json::write_int(number, out);
            true
        }
        None => write_number(value, text, |_| false, out),
    }
}

/// Writes what `is_number` takes as it stands, else null. That of an empty
/// value is no failure.
fn write_number(
    value: &Value,
    text: &[u8],
    is_number: impl Fn(&[u8]) -> bool,
    out: &mut Vec<u8>,
) -> bool {
    let word = text[value.range.clone()].trim_ascii();
    let is_number = is_number(word);
    out.extend_from_slice(if is_number { word } else { b"null" });
    is_number || word.is_empty()
}

/// Writes a string, or `absent` for a name without a value.
#[inline]
fn write_text(value: &Value, text: &[u8], absent: &[u8], out: &mut Vec<u8>) {
    let text = &text[value.range.clone()];
    match value.spelling {
        Spelling::Plain => json::write_string(text, out),
        Spelling::Absent => out.extend_from_slice(absent),
        Spelling::Escaped => {
            out.push(b'"');
            write_unescaped(text, out);
            out.push(b'"');
        }
        Spelling::DoubledQuotes => {
            out.push(b'"');
            let mut rest = text;
            while let Some(at) = memchr::memchr(b'"', rest) {
                json::write_escaped(&rest[..=at], out);
                rest = rest.get(at + 2..).unwrap_or_default();
            }
            json::write_escaped(rest, out);
            out.push(b'"');
        }
    }
}

/// Writes text whose escapes are those of JSON, as nearly all writers of logfmt
/// have them; a backslash before anything else stands for itself.
fn write_unescaped(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        json::write_escaped(&text[..at], out);
        let escape = &text[at..];
        let length = match escape {
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [_, b'u', hex @ ..] if is_scalar(hex) => 6,
            _ => 0,
        };
        out.extend_from_slice(if length > 0 { &escape[..length] } else { b"\\\\" });
        text = &escape[length.max(1)..];
    }
    json::write_escaped(text, out);
}

/// Whether four hexadecimal digits come next that are no half of a pair.
fn is_scalar(hex: &[u8]) -> bool {
    let Some(hex) = hex.get(..4) else { return false };
    let is_surrogate = matches!(hex, [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
    hex.iter().all(u8::is_ascii_hexdigit) && !is_surrogate
}
