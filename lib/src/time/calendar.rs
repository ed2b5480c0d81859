//! Times as lines spell them: often without a zone, sometimes without a year.

use super::civil::days_from_civil;
use super::timestamp::Timestamp;

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

/// Says what times without a zone or a year mean.
#[derive(Clone, Debug, Default)]
pub struct Calendar {}

impl Calendar {
    /// The instant of a time, or `None` if there is no such time, such as
    /// 30 February.
    pub fn instant(&mut self, time: CivilTime) -> Option<Timestamp> {
        if time.hour > 23 || time.minute > 59 || time.second > 60 {
            return None;
        }
        let days = days_from_civil(time.year.unwrap_or(1970), time.month, time.day)?;
        let in_day = i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60;
        let seconds =
            days * 86_400 + in_day + i64::from(time.second) - i64::from(time.offset.unwrap_or(0));
        let micros = seconds * 1_000_000 + i64::from(time.nanos / 1_000);
        Some(Timestamp { micros, nanos: (time.nanos % 1_000) as u16 })
    }
}
