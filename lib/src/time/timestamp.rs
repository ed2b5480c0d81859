//! Instants: read from the spellings that logs use, printed as RFC 3339 in UTC.

use std::fmt;

use super::civil::{CivilDate, days_from_civil};

/// An instant in UTC, to the nanosecond.
///
/// Windows are placed by [`micros`](Self::micros) alone; what is finer is kept
/// for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Microseconds since 1970-01-01T00:00:00Z, rounded down.
    pub micros: i64,
    /// The nanoseconds beyond, 0 to 999.
    pub nanos: u16,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 86_400 * SECOND;
/// The years 0000 to 9999, the only ones that RFC 3339 can spell.
const RANGE: std::ops::Range<i64> = -62_167_219_200 * SECOND..253_402_300_800 * SECOND;

impl Timestamp {
    /// 1970-01-01T00:00:00Z
    pub const EPOCH: Self = Self { micros: 0, nanos: 0 };

    /// The instant a number of microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros, nanos: 0 }
    }

    /// The instant that an epoch number means, its unit told by its size:
    /// below 10¹¹ seconds, below 10¹⁴ milliseconds, below 10¹⁷ microseconds,
    /// else nanoseconds.
    ///
    /// `None` if it is outside of the years 0000 to 9999.
    pub fn from_epoch_integer(number: i64) -> Option<Self> {
        Self::from_epoch_nanos(i128::from(number) * i128::from(epoch_unit(number)))
    }

    /// As [`from_epoch_integer`](Self::from_epoch_integer), for the text of a
    /// JSON number, whose fraction is kept to the nanosecond. Text with an
    /// exponent goes through a double.
    pub fn from_epoch_text(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) || fraction.is_empty() {
            return None;
        }
        match whole.parse::<i64>() {
            Ok(number) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
                let mut unit = epoch_unit(number);
                let mut nanos = i128::from(number) * i128::from(unit);
                for digit in fraction.bytes() {
                    unit /= 10;
                    let part = i128::from(unit * i64::from(digit - b'0'));
                    nanos += if whole.starts_with('-') { -part } else { part };
                }
                Self::from_epoch_nanos(nanos)
            }
            _ => {
                let number: f64 = text.parse().ok()?;
                // A cast saturates, so what is too large stays out of range.
                let nanos = number * epoch_unit(number as i64) as f64;
                Self::from_epoch_nanos(nanos.round() as i128)
            }
        }
    }

    fn from_epoch_nanos(nanos: i128) -> Option<Self> {
        let micros = i64::try_from(nanos.div_euclid(1_000)).ok()?;
        let nanos = nanos.rem_euclid(1_000) as u16;
        Self::in_range(micros, nanos)
    }

    /// The instant, if it is within the years 0000 to 9999.
    pub(super) fn in_range(micros: i64, nanos: u16) -> Option<Self> {
        RANGE.contains(&micros).then_some(Self { micros, nanos })
    }

    /// Reads an RFC 3339 time, or `YYYY-MM-DD hh:mm:ss` with or without a
    /// fraction and a zone; without a zone it is UTC. A zone may lack its
    /// colon (`+0000`). The fraction is cut after nine digits.
    ///
    /// For many times of one stream use [`TimeReader`], which is faster.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let minute = minute_start(text.first_chunk()?)?;
        finish(minute, text)?.in_utc()
    }

    /// Seconds from here to `later`; less than zero if that is earlier.
    pub fn seconds_until(self, later: Self) -> f64 {
        (i128::from(later.micros) - i128::from(self.micros)) as f64 / 1e6
    }

    /// Appends the time as RFC 3339 in UTC, with milliseconds, or with more
    /// digits where it has more.
    ///
    /// The readers accept only the years 0000 to 9999, since RFC 3339 can spell
    /// no others. An instant beyond them, such as the end of their last window,
    /// prints as the first or last one within (`9999-12-31T23:59:59.999999999Z`)
    /// and is thus not read back as what it was. Nothing but the print is cut:
    /// windows are told apart and ordered by the instants themselves.
    pub fn write(self, out: &mut Vec<u8>) {
        if !RANGE.contains(&self.micros) {
            let micros = self.micros.clamp(RANGE.start, RANGE.end - 1);
            return Self { micros, nanos: if micros < self.micros { 999 } else { 0 } }.write(out);
        }
        let (day, in_day) = (self.micros.div_euclid(DAY), self.micros.rem_euclid(DAY));
        let date = CivilDate::from_days(day);
        let (seconds, fraction) = ((in_day / SECOND) as u32, (in_day % SECOND) as u32);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |at: usize, number: u32| {
            (text[at], text[at + 1]) = (b'0' + (number / 10) as u8, b'0' + (number % 10) as u8);
        };
        let year = date.year as u32;
        put(0, year / 100);
        put(2, year % 100);
        put(5, date.month.into());
        put(8, date.day.into());
        put(11, seconds / 3_600);
        put(14, seconds / 60 % 60);
        put(17, seconds % 60);
        let nanos = fraction * 1_000 + u32::from(self.nanos);
        put(21, nanos / 1_000_000 % 100);
        put(23, nanos / 10_000 % 100);
        put(25, nanos / 100 % 100);
        put(27, nanos % 100);
        text[20] = b'0' + (nanos / 100_000_000) as u8;
        let mut end = 29;
        while end > 23 && text[end - 1] == b'0' {
            end -= 1;
        }
        text[end] = b'Z';
        out.extend_from_slice(&text[..=end]);
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(30);
        self.write(&mut text);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Nanoseconds that an epoch number of this size counts in.
const fn epoch_unit(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    }
}

/// Reads the times of one stream, remembering the last minute seen.
///
/// Neighbouring log lines share their date, hour and minute, so most times
/// need only their seconds read.
#[derive(Clone, Debug, Default)]
pub struct TimeReader {
    prefix: [u8; PREFIX],
    /// Start of the minute `prefix` names, if it names one.
    minute: Option<i64>,
}

/// Length of `YYYY-MM-DDThh:mm`.
const PREFIX: usize = 16;

impl TimeReader {
    /// As [`Timestamp::parse`].
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Option<Timestamp> {
        self.read(text)?.in_utc()
    }

    /// As [`Timestamp::parse`], but says whether there was a zone.
    #[inline]
    pub(super) fn read(&mut self, text: &[u8]) -> Option<Spelled> {
        let prefix: &[u8; PREFIX] = text.first_chunk()?;
        if *prefix != self.prefix || self.minute.is_none() {
            self.minute = minute_start(prefix);
            self.prefix = *prefix;
        }
        finish(self.minute?, text)
    }
}

/// A time as it was spelled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelled {
    /// What the clock showed, in microseconds after it showed the beginning of
    /// 1970.
    pub(super) shown: i64,
    /// The nanoseconds beyond.
    nanos: u16,
    /// Microseconds that the clock was ahead of UTC, if that was written.
    pub(super) ahead: Option<i64>,
}

impl Spelled {
    /// The instant, if a clock without a zone was this far ahead of UTC.
    #[inline]
    pub(super) fn at(self, ahead: i64) -> Option<Timestamp> {
        let micros = self.shown - self.ahead.unwrap_or(ahead);
        RANGE.contains(&micros).then_some(Timestamp { micros, nanos: self.nanos })
    }

    #[inline]
    fn in_utc(self) -> Option<Timestamp> {
        self.at(0)
    }
}

/// Start of the minute `YYYY-MM-DD?hh:mm`, as if in UTC.
fn minute_start(text: &[u8; PREFIX]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' || text[13] != b':' {
        return None;
    }
    if !matches!(text[10], b'T' | b't' | b' ') {
        return None;
    }
    let year = i32::from(two(text[0], text[1])?) * 100 + i32::from(two(text[2], text[3])?);
    let days = days_from_civil(year, two(text[5], text[6])?, two(text[8], text[9])?)?;
    let (hour, minute) = (two(text[11], text[12])?, two(text[14], text[15])?);
    if hour > 23 || minute > 59 {
        return None;
    }
    Some(days * DAY + (i64::from(hour) * 60 + i64::from(minute)) * MINUTE)
}

/// Reads `:ss[.f][zone]` behind the minute.
#[inline]
fn finish(minute: i64, text: &[u8]) -> Option<Spelled> {
    let [b':', tens, ones, rest @ ..] = &text[PREFIX..] else { return None };
    let second = two(*tens, *ones)?;
    // A leap second is the first moment of the next minute, as POSIX has it.
    if second > 60 {
        return None;
    }
    let mut micros = minute + i64::from(second) * SECOND;
    let mut nanos = 0;
    let zone = match rest {
        [b'.' | b',', digits @ ..] => {
            let mut value: u32 = 0;
            let mut count = 0;
            while count < digits.len() && digits[count].is_ascii_digit() {
                if count < 9 {
                    value = value * 10 + u32::from(digits[count] - b'0');
                }
                count += 1;
            }
            if count == 0 {
                return None;
            }
            let value = value * 10_u32.pow(9_u32.saturating_sub(count as u32));
            micros += i64::from(value / 1_000);
            nanos = (value % 1_000) as u16;
            &digits[count..]
        }
        rest => rest,
    };
    // Some write a blank in front of the zone.
    let zone = zone.strip_prefix(b" ").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let ahead = match zone {
        [] => None,
        zone => Some(i64::from(offset_seconds(zone)?) * SECOND),
    };
    Some(Spelled { shown: micros, nanos, ahead })
}

/// Seconds that a zone such as `Z`, `+09:00`, `-0330` or `+09` is ahead of UTC.
#[inline]
pub(super) fn offset_seconds(zone: &[u8]) -> Option<i32> {
    let (sign, h, m) = match *zone {
        [b'Z' | b'z'] => return Some(0),
        [sign @ (b'+' | b'-'), a, b, b':', c, d] | [sign @ (b'+' | b'-'), a, b, c, d] => {
            (sign, two(a, b)?, two(c, d)?)
        }
        [sign @ (b'+' | b'-'), a, b] => (sign, two(a, b)?, 0),
        _ => return None,
    };
    if h > 23 || m > 59 {
        return None;
    }
    let ahead = (i32::from(h) * 60 + i32::from(m)) * 60;
    Some(if sign == b'-' { -ahead } else { ahead })
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| tens * 10 + ones)
}

/// Whether a time is spelled as the stages print it: `T`, `Z`, and three to
/// nine digits of fraction. The date itself is not checked.
#[inline]
pub fn is_normal_form(text: &[u8]) -> bool {
    let (Some(b'T'), Some(b'.'), Some(b'Z')) = (text.get(10), text.get(19), text.last()) else {
        return false;
    };
    (24..=30).contains(&text.len())
        && &text[17..19] != b"60"
        && text[20..text.len() - 1].iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings() {
        for (text, printed) in [
            ("2025-09-12T00:00:00Z", "2025-09-12T00:00:00.000Z"),
            ("2025-09-12t00:00:00z", "2025-09-12T00:00:00.000Z"),
            ("2025-09-12 00:00:00", "2025-09-12T00:00:00.000Z"),
            ("2025-09-12 00:00:00.5", "2025-09-12T00:00:00.500Z"),
            ("2025-09-12 00:00:00,123", "2025-09-12T00:00:00.123Z"),
            ("2025-09-12T00:00:00.1234567891Z", "2025-09-12T00:00:00.123456789Z"),
            ("2025-09-12T09:00:00+09:00", "2025-09-12T00:00:00.000Z"),
            ("2025-09-11T20:00:00.25-0400", "2025-09-12T00:00:00.250Z"),
            ("2025-09-12 02:00:00 +0200", "2025-09-12T00:00:00.000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()).unwrap().to_string(), printed, "{text}");
        }
    }

    #[test]
    fn impossible_times_are_none() {
        for text in [
            "",
            "2025-09-12",
            "2025-02-30T00:00:00Z",
            "2025-09-12T24:00:00Z",
            "2025-09-12T00:60:00Z",
            "2025-09-12T00:00:61Z",
            "2025-09-12T00:00:00.Z",
            "2025-09-12T00:00:00 ",
            "2025-09-12T00:00:00Zx",
            "2025-09-12T00:00:00+99:00",
            "0000-01-01T00:00:00+01:00",
            "2025/09/12 00:00:00",
            "2025-09-1aT00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn epochs_by_magnitude() {
        for (text, printed) in [
            ("0", "1970-01-01T00:00:00.000Z"),
            ("-1", "1969-12-31T23:59:59.000Z"),
            ("1757635200", "2025-09-12T00:00:00.000Z"),
            ("1757635200123", "2025-09-12T00:00:00.123Z"),
            ("1757635200123456", "2025-09-12T00:00:00.123456Z"),
            ("1757635200123456789", "2025-09-12T00:00:00.123456789Z"),
            ("1757635200.5", "2025-09-12T00:00:00.500Z"),
            ("1757635200.123456789", "2025-09-12T00:00:00.123456789Z"),
            ("1757635200123.25", "2025-09-12T00:00:00.12325Z"),
            ("-0.5", "1969-12-31T23:59:59.500Z"),
            ("1.7576352e9", "2025-09-12T00:00:00.000Z"),
        ] {
            let time = Timestamp::from_epoch_text(text.as_bytes()).unwrap();
            assert_eq!(time.to_string(), printed, "{text}");
        }
        for text in ["", "1.", ".5", "1e99", "abc", "nan", "inf", "9999999999999999999999"] {
            assert_eq!(Timestamp::from_epoch_text(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn normal_form_is_what_write_prints() {
        for text in ["2025-09-12T00:00:00.000Z", "2025-09-12T00:00:00.123456789Z"] {
            assert!(is_normal_form(text.as_bytes()));
        }
        for text in [
            "2025-09-12T00:00:00Z",
            "2025-09-12T00:00:00.00Z",
            "2025-09-12 00:00:00.000Z",
            "2025-09-12T00:00:00.000+00:00",
            "2025-09-12T00:00:60.000Z",
            "2025-09-12T00:00:00.000 Z",
            "2025-09-12T00:00:00.0000000000Z",
        ] {
            assert!(!is_normal_form(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(seconds in -62_167_219_200_i64..253_402_300_800, nanos in 0_u32..1_000_000_000,
                              offset_minutes in -1_439_i32..1_440) {
            let zone = chrono::FixedOffset::east_opt(offset_minutes * 60).unwrap();
            let theirs = chrono::DateTime::from_timestamp(seconds, nanos).unwrap().with_timezone(&zone);
            let text = theirs.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
            prop_assume!(text.len() <= 35 && !text.starts_with(['-', '+']));
            let ours = TimeReader::default().parse(text.as_bytes()).unwrap();
            prop_assert_eq!(ours.micros, seconds * 1_000_000 + i64::from(nanos / 1_000));
            prop_assert_eq!(u32::from(ours.nanos), nanos % 1_000);
            prop_assert_eq!(Timestamp::parse(ours.to_string().as_bytes()), Some(ours));
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Timestamp::parse(&text);
            let _ = Timestamp::from_epoch_text(&text);
        }
    }
}
