//! The spellings of times that have names of months, slashes, or no year.

use super::calendar::CivilTime;
use super::timestamp::offset_seconds;

impl CivilTime {
    /// Reads a time as [`Calendar::read`](super::Calendar::read) lists them,
    /// but for numbers. `None` if the text is none; whether there is such a
    /// day is not asked.
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut rest = Rest(text);
        rest.weekday()?;
        let time = match rest.0.first()? {
            b'0'..=b'9' if rest.digits_ahead() == 4 => rest.year_first(),
            b'0'..=b'9' => rest.day_first(),
            _ => rest.month_first(),
        }?;
        rest.0.is_empty().then_some(time)
    }

    /// Reads a time as syslog writes it, `Oct  9 13:55:36` or with a year before
    /// the clock, from the start of the text, and says how long it is. Source:
    /// RFC 3164.
    #[inline]
    pub fn read_syslog(text: &[u8]) -> Option<(Self, usize)> {
        let mut rest = Rest(text);
        let (month, day, year) = rest.month_day_year()?;
        let clock = rest.clock()?;
        Some((clock.on(year, month, day, None), text.len() - rest.0.len()))
    }
}

/// Seconds that a named zone is ahead of UTC, where the name is not ambiguous
/// by standard. Source: RFC 2822, section 4.3.
pub(super) fn named_zone(name: &[u8]) -> Option<i32> {
    const NAMES: [(&[u8], i32); 12] = [
        (b"UTC", 0),
        (b"GMT", 0),
        (b"UT", 0),
        (b"Z", 0),
        (b"EST", -5),
        (b"EDT", -4),
        (b"CST", -6),
        (b"CDT", -5),
        (b"MST", -7),
        (b"MDT", -6),
        (b"PST", -8),
        (b"PDT", -7),
    ];
    let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(known.1 * 3_600)
}

/// What has not been read yet. A method that returns `None` leaves it anywhere.
struct Rest<'a>(&'a [u8]);

struct Clock {
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
}

impl Clock {
    fn on(self, year: Option<i32>, month: u8, day: u8, offset: Option<i32>) -> CivilTime {
        let Self { hour, minute, second, nanos } = self;
        CivilTime { year, month, day, hour, minute, second, nanos, offset }
    }
}

impl Rest<'_> {
    /// `2025-09-12T00:00:00` or `2025/09/12 00:00:00`, with or without a zone.
    fn year_first(&mut self) -> Option<CivilTime> {
        let year = self.number(4, 4)? as i32;
        let separator = self.one_of(b"-/")?;
        let month = self.number(1, 2)? as u8;
        self.one_of(&[separator])?;
        let day = self.number(1, 2)? as u8;
        self.one_of(b"Tt ")?;
        let clock = self.clock()?;
        Some(clock.on(Some(year), month, day, self.zone()?))
    }

    /// `12/Sep/2025:00:00:00 +0000` or `12 Sep 2025 00:00:00 GMT`.
    fn day_first(&mut self) -> Option<CivilTime> {
        let day = self.number(1, 2)? as u8;
        let separator = self.one_of(b"/- ")?;
        let month = self.month()?;
        self.one_of(&[separator])?;
        let year = self.number(4, 4)? as i32;
        self.one_of(b": ")?;
        let clock = self.clock()?;
        Some(clock.on(Some(year), month, day, self.zone()?))
    }

    /// `Sep 12 00:00:00`, where a year may stand before or behind the clock.
    fn month_first(&mut self) -> Option<CivilTime> {
        let (month, day, mut year) = self.month_day_year()?;
        let clock = self.clock()?;
        let mut offset = self.zone_before_year()?;
        if year.is_none() && matches!(self.0, [b' ', b'0'..=b'9', ..]) {
            self.blanks()?;
            year = Some(self.year_ahead()?);
            offset = offset.or(self.zone()?);
        }
        Some(clock.on(year, month, day, offset))
    }

    /// `Sep 12 ` or `Sep 12 2025 `.
    fn month_day_year(&mut self) -> Option<(u8, u8, Option<i32>)> {
        let month = self.month()?;
        self.blanks()?;
        let day = self.number(1, 2)? as u8;
        self.blanks()?;
        let year = self.year_ahead();
        if year.is_some() {
            self.blanks()?;
        }
        Some((month, day, year))
    }

    /// A weekday and what sets it apart, if there is one.
    fn weekday(&mut self) -> Option<()> {
        const NAMES: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
        let Some((name, rest)) = self.0.split_first_chunk::<3>() else { return Some(()) };
        if NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.0 = rest.strip_prefix(b",").unwrap_or(rest);
            self.blanks()?;
        }
        Some(())
    }

    fn month(&mut self) -> Option<u8> {
        const NAMES: [&[u8; 3]; 12] = [
            b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
            b"Dec",
        ];
        let (name, rest) = self.0.split_first_chunk::<3>()?;
        self.0 = rest;
        let index = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Some(index as u8 + 1)
    }

    /// `hh:mm:ss` and a fraction, which is cut after nine digits.
    fn clock(&mut self) -> Option<Clock> {
        let hour = self.number(1, 2)? as u8;
        self.one_of(b":")?;
        let minute = self.number(2, 2)? as u8;
        self.one_of(b":")?;
        let second = self.number(2, 2)? as u8;
        let nanos = match self.0 {
            [b'.' | b',', rest @ ..] => {
                self.0 = rest;
                self.fraction()?
            }
            _ => 0,
        };
        Some(Clock { hour, minute, second, nanos })
    }

    fn fraction(&mut self) -> Option<u32> {
        let (nanos, length) = fraction(self.0)?;
        self.0 = &self.0[length..];
        Some(nanos)
    }

    /// A zone at the end, perhaps behind a blank: `+0900`, `GMT`.
    #[allow(clippy::option_option, reason = "the outer one is failure, as everywhere here")]
    fn zone(&mut self) -> Option<Option<i32>> {
        let zone = self.0.strip_prefix(b" ").unwrap_or(self.0);
        if self.0.is_empty() {
            return Some(None);
        }
        self.0 = &[];
        offset_seconds(zone).or_else(|| named_zone(zone)).map(Some)
    }

    /// A zone at the end or in front of a year, as `date` prints it.
    #[allow(clippy::option_option, reason = "the outer one is failure, as everywhere here")]
    fn zone_before_year(&mut self) -> Option<Option<i32>> {
        match self.0 {
            [] | [b' ', b'0'..=b'9', ..] => Some(None),
            [b' ', rest @ ..] => {
                let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
                let (zone, behind) = rest.split_at(end);
                self.0 = behind;
                offset_seconds(zone).or_else(|| named_zone(zone)).map(Some)
            }
            _ => self.zone(),
        }
    }

    /// A year, if four digits come and no clock.
    fn year_ahead(&mut self) -> Option<i32> {
        if self.digits_ahead() == 4 { self.number(4, 4).map(|year| year as i32) } else { None }
    }

    fn digits_ahead(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self.digits_ahead();
        if !(least..=most).contains(&length) {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        bytes.contains(first).then_some(*first)
    }

    fn blanks(&mut self) -> Option<()> {
        let rest = self.0.trim_ascii_start();
        let skipped = rest.len() < self.0.len();
        self.0 = rest;
        skipped.then_some(())
    }
}

/// Nanoseconds of the digits that a text begins with, and their number; those
/// behind the ninth do not count. `None` if there are none.
pub(super) fn fraction(text: &[u8]) -> Option<(u32, usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut nanos = 0;
    for place in 0..9 {
        let digit = text[..length].get(place).map_or(0, |digit| digit - b'0');
        nanos = nanos * 10 + u32::from(digit);
    }
    (length > 0).then_some((nanos, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_times_need_no_year() {
        for (text, found) in [
            ("Mar  5 07:08:09 host", Some((None, 3, 5, 15))),
            ("Mar 15 07:08:09 host", Some((None, 3, 15, 15))),
            ("Mar 5 07:08:09 host", Some((None, 3, 5, 14))),
            ("Mar 05 2023 07:08:09.5: x", Some((Some(2023), 3, 5, 22))),
            ("Mar 05 07:08", None),
            ("March 5 07:08:09", None),
        ] {
            let read = CivilTime::read_syslog(text.as_bytes());
            let read = read.map(|(time, length)| (time.year, time.month, time.day, length));
            assert_eq!(read, found, "{text}");
        }
    }
}
