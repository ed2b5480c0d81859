//! Times as lines spell them: often without a zone, sometimes without a year.

use super::civil::days_from_civil;
use super::time_format::TimeFormat;
use super::timestamp::{TimeReader, Timestamp};
use super::years::{Dated, Years};
use super::zone::Zone;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// A date and time of day as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// `None` where the spelling has none, as in syslog.
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60: a leap second is the first moment of the next minute.
    pub second: u8,
    /// 0 to 999,999,999.
    pub nanos: u32,
    /// Seconds that the clock was ahead of UTC; `None` where it was not written.
    pub offset: Option<i32>,
}

/// Says what times without a zone or a year mean, and which spellings are
/// times at all.
///
/// A time without a zone is one of [`Zone`]'s, UTC by default. A time without
/// a year is of the year that was given or, if none was, of the latest one
/// that does not put it more than a day ahead of when its file was changed
/// last ([`begin_source`](Self::begin_source)) or else of the wall clock
/// ([`set_now`](Self::set_now)); those behind it follow across New Year, each
/// being of the year that brings it nearest to the time before.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    zone: Zone,
    years: Years,
    format: Option<TimeFormat>,
    reader: TimeReader,
}

const SECOND: i64 = 1_000_000;

impl Calendar {
    /// Reads times that are written without a zone as this zone's.
    #[must_use]
    pub fn with_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Reads times that are written without a year as this year's.
    #[must_use]
    pub fn with_year(mut self, year: Option<i32>) -> Self {
        self.years.given = year;
        self
    }

    /// Takes a text for a time only if it is in this format.
    #[must_use]
    pub fn with_format(mut self, format: Option<TimeFormat>) -> Self {
        self.format = format;
        self
    }

    /// Whether only texts in a format of the user's are times.
    #[inline]
    pub fn has_format(&self) -> bool {
        self.format.is_some()
    }

    /// The instant that a text in this format means, whatever was given to
    /// [`with_format`](Self::with_format).
    pub fn read_in(&mut self, format: &TimeFormat, text: &[u8]) -> Option<Timestamp> {
        format.read(text.trim_ascii())?.instant(self)
    }

    /// Goes on to a source that was changed last at this time, if it is a file.
    pub fn begin_source(&mut self, modified: Option<Timestamp>) {
        self.years.begin_source(modified);
    }

    /// The last time that was written without a year.
    pub(crate) fn dated(&self) -> Option<Dated> {
        self.years.last
    }

    /// Goes on behind such a time.
    pub(crate) fn follow_on(&mut self, dated: Option<Dated>) {
        self.years.last = dated;
    }

    /// Takes note of what the wall clock shows.
    pub fn set_now(&mut self, now: Timestamp) {
        self.years.set_now(now);
    }

    /// What the wall clock showed last; the epoch if nobody ever looked.
    pub fn now(&self) -> Timestamp {
        self.years.now()
    }

    /// What to tell the user, once, when a year had to be found.
    #[inline]
    pub fn take_notice(&mut self) -> Option<String> {
        if self.years.has_notice() { self.years.take_notice() } else { None }
    }

    /// The instant of a time, or `None` if there is no such time, such as
    /// 30 February.
    #[inline]
    pub fn instant(&mut self, time: CivilTime) -> Option<Timestamp> {
        if time.hour > 23 || time.minute > 59 || time.second > 60 {
            return None;
        }
        let year = if let Some(year) = time.year {
            year
        } else {
            let zone = &mut self.zone;
            let instant = |year| seconds(&time, year, zone);
            self.years.choose((time.month, time.day), instant)?
        };
        let micros = seconds(&time, year, &mut self.zone)?.checked_mul(SECOND)?;
        let nanos = (time.nanos % 1_000) as u16;
        Timestamp::in_range(micros + i64::from(time.nanos / 1_000), nanos)
    }

    /// The instant that a text means: in the format that was given or, if none
    /// was, in any of these spellings (blanks around it do not matter, a
    /// fraction may follow the seconds, behind a point or a comma).
    ///
    /// | spelling | such as |
    /// | --- | --- |
    /// | RFC 3339 and its kin | `2025-09-12T09:00:00.5+09:00`, `2025-09-12 00:00:00` |
    /// | with slashes (nginx errors) | `2025/09/12 00:00:00` |
    /// | common log format | `12/Sep/2025:00:00:00 +0000` |
    /// | syslog, with or without a year | `Sep 12 00:00:00`, `Sep 12 2025 00:00:00` |
    /// | `asctime` (Apache errors) | `Fri Sep 12 00:00:00.123456 2025` |
    /// | RFC 2822 and HTTP dates | `Fri, 12 Sep 2025 00:00:00 GMT` |
    /// | numbers since 1970 | see [`Timestamp::from_epoch_text`] |
    ///
    /// A weekday has to be one, but not the right one.
    #[inline]
    pub fn read(&mut self, text: &[u8]) -> Option<Timestamp> {
        if self.format.is_none()
            && let Some(time) = self.reader.read(text)
        {
            return time.at(match time.ahead {
                Some(ahead) => ahead,
                None => i64::from(self.zone.offset_at(time.shown.div_euclid(SECOND))) * SECOND,
            });
        }
        self.read_unusual(text.trim_ascii())
    }

    fn read_unusual(&mut self, text: &[u8]) -> Option<Timestamp> {
        if let Some(format) = &self.format {
            return format.read(text)?.instant(self);
        }
        match CivilTime::read(text) {
            Some(time) => self.instant(time),
            None => Timestamp::from_epoch_text(text),
        }
    }

    /// Writes what is remembered from one time to the next.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        self.years.snapshot(state);
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote.
    ///
    /// # Errors
    ///
    /// Fails if it wrote something else.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.years.restore(state)
    }
}

/// Seconds since 1970 of a time in a year; `None` if that has no such day.
#[inline]
fn seconds(time: &CivilTime, year: i32, zone: &mut Zone) -> Option<i64> {
    let days = days_from_civil(year, time.month, time.day)?;
    let in_day = i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60;
    let shown = days * 86_400 + in_day + i64::from(time.second);
    Some(shown - i64::from(time.offset.unwrap_or_else(|| zone.offset_at(shown))))
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
