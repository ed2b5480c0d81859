//! Times in a format of the user's: `--time-format '%d.%m.%Y %H:%M:%S'`.

use std::fmt::Write as _;
use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, Datelike as _, NaiveDate};

use super::calendar::{Calendar, CivilTime};
use super::spelling::{fraction, named_zone};
use super::timestamp::{Timestamp, offset_seconds};

/// A `strftime` format, compiled.
///
/// The directives are those of chrono; three differ from it:
///
/// | directive | reads |
/// | --- | --- |
/// | `%f`, `%N` | digits of a fraction of the second, any number of them (`.5` is half a second) |
/// | `%Z` | `UTC`, `GMT`, an offset, or an American zone of RFC 2822; any other name is passed over, so that `--tz` decides |
///
/// What the format leaves out is midnight, `--tz`, and the year that a
/// [`Calendar`] finds.
#[derive(Clone, Debug)]
pub struct TimeFormat {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Items(Vec<Item<'static>>),
    Fraction,
    ZoneName,
}

/// Why a format cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTimeFormatError {
    /// It has a directive that there is not.
    #[error("{0:?} is no time format; write it like '%Y-%m-%d %H:%M:%S.%f %z'")]
    Unknown(String),
    /// What it reads is no date.
    #[error("{0:?} has no date: it needs %m and %d, %F, %j or %s")]
    NoDate(String),
}

/// What a text in a format says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    Instant(Timestamp),
    Civil(CivilTime),
}

impl Reading {
    pub(super) fn instant(self, calendar: &mut Calendar) -> Option<Timestamp> {
        match self {
            Self::Instant(time) => Some(time),
            Self::Civil(time) => calendar.instant(time),
        }
    }
}

impl TimeFormat {
    /// What `text` says; `None` if it is not in the format.
    pub(super) fn read(&self, text: &[u8]) -> Option<Reading> {
        let mut rest = std::str::from_utf8(text).ok()?;
        let mut parsed = Parsed::new();
        let mut nanos = None;
        let mut offset = None;
        for piece in &self.pieces {
            match piece {
                Piece::Items(items) => {
                    rest = parse_and_remainder(&mut parsed, rest, items.iter()).ok()?;
                }
                Piece::Fraction => {
                    let (number, length) = fraction(rest.as_bytes())?;
                    nanos = Some(number);
                    rest = &rest[length..];
                }
                Piece::ZoneName => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let (zone, behind) = rest.split_at(end);
                    offset = offset_seconds(zone.as_bytes()).or(named_zone(zone.as_bytes()));
                    rest = behind;
                }
            }
        }
        if !rest.trim_ascii().is_empty() {
            return None;
        }
        reading(&parsed, nanos, parsed.offset().or(offset))
    }
}

/// Puts together what was read.
fn reading(parsed: &Parsed, nanos: Option<u32>, offset: Option<i32>) -> Option<Reading> {
    let nanos = nanos.or(parsed.nanosecond()).unwrap_or(0);
    if let Some(seconds) = parsed.timestamp() {
        let micros = seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1_000))?;
        return Timestamp::in_range(micros, (nanos % 1_000) as u16).map(Reading::Instant);
    }
    let (year, month, day) = date(parsed)?;
    Some(Reading::Civil(CivilTime {
        year,
        month: month as u8,
        day: day as u8,
        hour: hour(parsed)? as u8,
        minute: parsed.minute().unwrap_or(0) as u8,
        second: parsed.second().unwrap_or(0) as u8,
        nanos,
        offset,
    }))
}

/// Year, month and day. A weekday counts only where the format counts weeks:
/// elsewhere a wrong one is tolerated.
fn date(parsed: &Parsed) -> Option<(Option<i32>, u32, u32)> {
    if let (Some(month), Some(day)) = (parsed.month(), parsed.day()) {
        return Some((year(parsed), month, day));
    }
    let date: NaiveDate = parsed.to_naive_date().ok()?;
    Some((Some(date.year()), date.month(), date.day()))
}

/// A year of two digits is of 1969 to 2068, as POSIX has it.
fn year(parsed: &Parsed) -> Option<i32> {
    let in_century = parsed.year_mod_100();
    let century = parsed.year_div_100().or(in_century.map(|year| if year < 69 { 20 } else { 19 }));
    parsed.year().or_else(|| Some(century? * 100 + in_century?))
}

fn hour(parsed: &Parsed) -> Option<u32> {
    match (parsed.hour_div_12(), parsed.hour_mod_12()) {
        (Some(half), Some(hour)) => Some(half * 12 + hour),
        (None, None) => Some(0),
        // Twelve hours that do not say which half of the day.
        _ => None,
    }
}

impl FromStr for TimeFormat {
    type Err = ParseTimeFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || ParseTimeFormatError::Unknown(text.to_owned());
        let format = Self { pieces: pieces(text).ok_or_else(unknown)? };
        // A format that cannot read back a time that it printed never matches.
        let sample = DateTime::from_timestamp(1_709_210_096, 123_456_789).ok_or_else(unknown)?;
        let mut printed = String::new();
        write!(printed, "{}", sample.format(&text.replace("%N", "%f"))).map_err(|_| unknown())?;
        match format.read(printed.as_bytes()) {
            Some(_) => Ok(format),
            None => Err(ParseTimeFormatError::NoDate(text.to_owned())),
        }
    }
}

/// The format cut at the directives that are read here.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let own = match rest.as_bytes().get(at + 1) {
            Some(b'f' | b'N') => Some(Piece::Fraction),
            Some(b'Z') => Some(Piece::ZoneName),
            _ => None,
        };
        // Behind `%` one whole character, so that `%%f` stays what it is.
        let end = at + 1 + rest[at + 1..].chars().next()?.len_utf8();
        if let Some(piece) = own {
            plain.push_str(&rest[..at]);
            pieces.push(Piece::Items(items(&plain)?));
            pieces.push(piece);
            plain.clear();
        } else {
            plain.push_str(&rest[..end]);
        }
        rest = &rest[end..];
    }
    plain.push_str(rest);
    pieces.push(Piece::Items(items(&plain)?));
    Some(pieces)
}

fn items(format: &str) -> Option<Vec<Item<'static>>> {
    StrftimeItems::new(format).parse_to_owned().ok()
}
