//! Time zones: how far the clocks of a place are ahead of UTC.

use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone as _};
use chrono_tz::Tz;

use super::timestamp::offset_seconds;

/// The zone of times that are written without one.
///
/// Clocks that are put forward skip an hour (a *gap*), and clocks that are put
/// back show an hour twice (a *fold*). A time in a gap is read with the offset
/// from before it, as if nobody had touched the clock, and so comes to lie
/// after the gap; a time in a fold is the earlier of the two instants. This is
/// what RFC 5545 lays down (section 3.3.5).
#[derive(Clone, Debug)]
pub struct Zone {
    place: Place,
    /// The local hour asked for last, and its offset.
    hour: Option<(i64, i32)>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Seconds ahead of UTC.
    Fixed(i32),
    /// A name of the IANA time zone database.
    Named(Tz),
}

/// Why a zone such as `Asia/Seoul` was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone {0:?}; write a name such as Asia/Seoul, UTC, or an offset such as +09:00")]
pub struct ParseZoneError(String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self { place: Place::Fixed(0), hour: None };

    /// Seconds that the zone's clocks are ahead of UTC when they show
    /// `local`, in seconds after they showed the beginning of 1970.
    ///
    /// Neighbouring times share their hour, so most answers are remembered.
    #[inline]
    pub fn offset_at(&mut self, local: i64) -> i32 {
        let place = match self.place {
            Place::Fixed(offset) => return offset,
            Place::Named(place) => place,
        };
        let hour = local.div_euclid(HOUR);
        if let Some((_, offset)) = self.hour.filter(|(known, _)| *known == hour) {
            return offset;
        }
        self.hour = hour_offset(place, hour).map(|offset| (hour, offset));
        self.hour.map_or_else(|| offset_of(place, local), |(_, offset)| offset)
    }
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The offset of a whole local hour, if the clocks were not put forward or
/// back within it.
#[cold]
fn hour_offset(place: Tz, hour: i64) -> Option<i32> {
    let offset_at = |local| match map(place, local)? {
        MappedLocalTime::Single(offset) => Some(offset),
        _ => None,
    };
    let first = offset_at(hour * HOUR)?;
    (offset_at(hour * HOUR + HOUR - 1)? == first).then_some(first)
}

#[cold]
fn offset_of(place: Tz, local: i64) -> i32 {
    match map(place, local) {
        Some(MappedLocalTime::Single(offset)) => offset,
        // Further ahead of UTC is earlier.
        Some(MappedLocalTime::Ambiguous(one, other)) => one.max(other),
        // No zone is ahead of UTC by a day, and none has changed its clocks
        // twice within one, so this instant lies before the gap.
        Some(MappedLocalTime::None) => naive(local - DAY)
            .map_or(0, |before| place.offset_from_utc_datetime(&before).fix().local_minus_utc()),
        None => 0,
    }
}

/// The offsets that are possible; `None` outside of chrono's calendar.
fn map(place: Tz, local: i64) -> Option<MappedLocalTime<i32>> {
    let local = naive(local)?;
    Some(place.offset_from_local_datetime(&local).map(|offset| offset.fix().local_minus_utc()))
}

fn naive(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|time| time.naive_utc())
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Zone {
    type Err = ParseZoneError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place = match offset_seconds(text.as_bytes()) {
            Some(offset) if !text.is_empty() => Place::Fixed(offset),
            _ => match Tz::from_str_insensitive(text) {
                Ok(Tz::UTC) => Place::Fixed(0),
                Ok(place) => Place::Named(place),
                Err(_) => return Err(ParseZoneError(text.to_owned())),
            },
        };
        Ok(Self { place, hour: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    /// The instant at which the zone's clocks show `local`.
    fn instant(zone: &str, local: &str) -> String {
        let shown = Timestamp::parse(local.as_bytes()).unwrap().micros;
        let mut zone: Zone = zone.parse().unwrap();
        let ahead = zone.offset_at(shown.div_euclid(1_000_000));
        let second = zone.offset_at(shown.div_euclid(1_000_000));
        assert_eq!(ahead, second, "asked again");
        Timestamp::from_micros(shown - i64::from(ahead) * 1_000_000).to_string()
    }

    #[test]
    fn gaps_and_folds() {
        for (zone, local, utc) in [
            ("Asia/Seoul", "2025-09-12T09:00:00", "2025-09-12T00:00:00.000Z"),
            ("asia/seoul", "2025-09-12T09:00:00", "2025-09-12T00:00:00.000Z"),
            ("+09:00", "2025-09-12T09:00:00", "2025-09-12T00:00:00.000Z"),
            ("-0330", "2025-09-12T09:00:00", "2025-09-12T12:30:00.000Z"),
            ("UTC", "2025-09-12T09:00:00", "2025-09-12T09:00:00.000Z"),
            ("Z", "2025-09-12T09:00:00", "2025-09-12T09:00:00.000Z"),
            // 01:59:59 is followed by 03:00:00.
            ("Europe/Berlin", "2025-03-30T01:59:59", "2025-03-30T00:59:59.000Z"),
            ("Europe/Berlin", "2025-03-30T02:30:00", "2025-03-30T01:30:00.000Z"),
            ("Europe/Berlin", "2025-03-30T03:00:00", "2025-03-30T01:00:00.000Z"),
            // 02:59:59 is followed by 02:00:00.
            ("Europe/Berlin", "2025-10-26T01:59:59", "2025-10-25T23:59:59.000Z"),
            ("Europe/Berlin", "2025-10-26T02:30:00", "2025-10-26T00:30:00.000Z"),
            ("Europe/Berlin", "2025-10-26T03:00:00", "2025-10-26T02:00:00.000Z"),
            // Half an hour only.
            ("Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-04T15:45:00.000Z"),
            ("Australia/Lord_Howe", "2025-10-05T02:30:00", "2025-10-04T15:30:00.000Z"),
            ("Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T14:45:00.000Z"),
            // A whole day was left out.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00.000Z"),
        ] {
            assert_eq!(instant(zone, local), utc, "{zone} {local}");
        }
    }

    #[test]
    fn what_is_no_zone() {
        for text in ["", "Mars/Olympus", "+25:00", "9", "KST+9"] {
            assert_eq!(text.parse::<Zone>().unwrap_err(), ParseZoneError(text.to_owned()));
        }
    }

    proptest! {
        /// Whatever was asked before, the answer is one of chrono's; the
        /// earlier one in a fold, and that of the hour before in a gap.
        #[test]
        fn agrees_with_chrono(
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            start in -2_000_000_000_i64..4_000_000_000,
            steps in prop::collection::vec(-4_000_i64..4_000, 1..40),
        ) {
            let mut ours: Zone = zone.name().parse().unwrap();
            let mut local = start;
            for step in steps {
                local += step;
                let naive = DateTime::from_timestamp(local, 0).unwrap().naive_utc();
                let instant = local - i64::from(ours.offset_at(local));
                match zone.from_local_datetime(&naive) {
                    MappedLocalTime::Single(time) => prop_assert_eq!(instant, time.timestamp()),
                    MappedLocalTime::Ambiguous(one, other) => {
                        prop_assert_eq!(instant, one.timestamp().min(other.timestamp()));
                    }
                    MappedLocalTime::None => {
                        let before = DateTime::from_timestamp(instant - DAY, 0).unwrap();
                        let after = DateTime::from_timestamp(instant, 0).unwrap();
                        let shown = after.with_timezone(&zone).naive_local();
                        prop_assert!(shown > naive, "{shown} is not behind {naive}");
                        let ahead = before.with_timezone(&zone).offset().fix().local_minus_utc();
                        prop_assert_eq!(local - instant, i64::from(ahead));
                    }
                }
            }
        }
    }
}
