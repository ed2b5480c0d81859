//! The year of times that are written without one, as syslog does.

use super::civil::days_from_civil;
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Finds the year of times that have none.
///
/// The first time gets the latest year that does not put it more than a day
/// ahead of when its file was changed last or, where that is not known, of the
/// wall clock. Each time after it gets the year that brings it nearest to the
/// time before: January follows on December into the next year, and a
/// straggler from December goes back to the last. A year that would put a time
/// more than a day ahead is never chosen if there is another; 29 February is
/// in a leap year.
#[derive(Clone, Debug, Default)]
pub(super) struct Years {
    /// The year of all times, if the user has said so.
    pub(super) given: Option<i32>,
    /// When the file that is being read was changed last.
    modified: Option<Timestamp>,
    now: Option<Timestamp>,
    pub(super) last: Option<Dated>,
    guess: Guess,
}

/// What is known of the last time without a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dated {
    year: i32,
    month: u8,
    /// Seconds since 1970.
    instant: i64,
}

/// Whether a year was chosen, and whether somebody has been told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Guess {
    #[default]
    None,
    Made(i32),
    Told,
}

const DAY: i64 = 86_400;
/// Where neither a file nor a clock gives a hint, as in a library user's test.
const UNKNOWN: Timestamp = Timestamp::EPOCH;
/// Between two 29 Februaries lie eight years at most (1896 to 1904).
const REACH: i32 = 8;

impl Years {
    /// A new file begins, if `modified` is known. Otherwise the times follow
    /// on those before.
    pub(super) fn begin_source(&mut self, modified: Option<Timestamp>) {
        if modified.is_some() {
            self.last = None;
        }
        self.modified = modified;
    }

    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or(UNKNOWN)
    }

    /// The year of a day and month whose instant, in seconds since 1970,
    /// `instant` tells for any year. `None` if no year near has that day.
    #[inline]
    pub(super) fn choose(
        &mut self,
        (month, day): (u8, u8),
        mut instant: impl FnMut(i32) -> Option<i64>,
    ) -> Option<i32> {
        if let Some(year) = self.given {
            return Some(year);
        }
        let limit = self.limit();
        if let Some(last) = self.last
            && last.month.abs_diff(month) <= 1
            && let Some(instant) = instant(last.year)
            && instant <= limit
        {
            // Within two months no other year comes as near.
            self.last = Some(Dated { year: last.year, month, instant });
            return Some(last.year);
        }
        let year = match self.last {
            Some(last) => nearest(last, limit, &mut instant),
            None => latest(limit, (month, day), &mut instant),
        }?;
        self.last = Some(Dated { year, month, instant: instant(year)? });
        if self.guess == Guess::None {
            self.guess = Guess::Made(year);
        }
        Some(year)
    }

    /// The latest second that a time may have.
    fn limit(&self) -> i64 {
        let anchor = self.modified.unwrap_or(self.now());
        anchor.micros.div_euclid(1_000_000) + DAY
    }

    /// What to tell the user when the first year has been chosen; once.
    pub(super) fn take_notice(&mut self) -> Option<String> {
        let Guess::Made(year) = self.guess else { return None };
        self.guess = Guess::Told;
        let by = if self.modified.is_some() { "when the file was changed" } else { "the clock" };
        Some(format!(
            "times have no year; the first is taken to be of {year}, by {by} (--year N says otherwise)"
        ))
    }

    #[inline]
    pub(super) fn has_notice(&self) -> bool {
        matches!(self.guess, Guess::Made(_))
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.option(self.last, |state, last| {
            state.i64(last.year.into());
            state.u8(last.month);
            state.i64(last.instant);
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.last = state.option(|state| {
            let year = i32::try_from(state.i64()?)
                .map_err(|_| RestoreError::Damaged("a year is out of range"))?;
            Ok(Dated { year, month: state.u8()?, instant: state.i64()? })
        })?;
        // The run before has told which year it found first.
        if self.last.is_some() {
            self.guess = Guess::Told;
        }
        Ok(())
    }
}

/// The latest year that keeps the time within the limit.
#[cold]
fn latest(
    limit: i64,
    (month, day): (u8, u8),
    instant: &mut impl FnMut(i32) -> Option<i64>,
) -> Option<i32> {
    let year = super::CivilDate::from_days(limit.div_euclid(DAY)).year;
    // A zone may put New Year's Eve a day later.
    (year - REACH..=year + 1)
        .rev()
        .filter(|year| days_from_civil(*year, month, day).is_some())
        .find(|year| instant(*year).is_some_and(|instant| instant <= limit))
}

/// The year that brings the time nearest to the last one, within the limit if
/// that can be.
#[cold]
fn nearest(last: Dated, limit: i64, instant: &mut impl FnMut(i32) -> Option<i64>) -> Option<i32> {
    (last.year - REACH..=last.year + REACH)
        .filter_map(|year| Some((year, instant(year)?)))
        .min_by_key(|(_, instant)| (*instant > limit, instant.abs_diff(last.instant)))
        .map(|(year, _)| year)
}
