//! Functions of time.

use super::Scalar;
use crate::line::Value;
use crate::query::cast;
use crate::query::expr::Unit;
use crate::query::plan::Context;
use crate::time::{CivilDate, Timestamp, days_from_civil};

/// `date_trunc(unit, value)`.
pub(in super::super) fn truncate<'a>(
    unit: Unit,
    value: Value<'a>,
    context: &Context<'a>,
) -> Value<'a> {
    if value.is_null() {
        return Value::Null;
    }
    let truncated = cast::time(value).and_then(|time| truncate_time(unit, time));
    truncated.map_or_else(|| cast::failed(context), Value::Time)
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A part of an instant, in UTC.
pub(super) fn part(function: Scalar, time: Timestamp) -> Value<'static> {
    let day = time.micros.div_euclid(DAY);
    let second = time.micros.rem_euclid(DAY) / SECOND;
    let date = CivilDate::from_days(day);
    let number = match function {
        Scalar::Year => date.year.into(),
        Scalar::Month => date.month.into(),
        Scalar::Day => date.day.into(),
        // Day 0 was a Thursday, the fifth day from Sunday on.
        Scalar::DayOfWeek => (day + 4).rem_euclid(7) + 1,
        Scalar::Hour => second / 3_600,
        Scalar::Minute => second / 60 % 60,
        Scalar::Second => second % 60,
        Scalar::UnixTimestamp => time.micros.div_euclid(SECOND),
        Scalar::UnixMillis => time.micros.div_euclid(1_000),
        _ => return Value::Null,
    };
    Value::Int(number.into())
}

fn truncate_time(unit: Unit, time: Timestamp) -> Option<Timestamp> {
    let day = time.micros.div_euclid(DAY);
    let date = CivilDate::from_days(day);
    let first = |month: u8| days_from_civil(date.year, month, 1).map(|day| day * DAY);
    let micros = match unit {
        Unit::Fixed(length) => time.micros - time.micros.rem_euclid(length.micros),
        // Day 0 was a Thursday.
        Unit::Week => (day - (day + 3).rem_euclid(7)) * DAY,
        Unit::Month => first(date.month)?,
        Unit::Quarter => first((date.month - 1) / 3 * 3 + 1)?,
        Unit::Year => first(1)?,
    };
    Some(Timestamp::from_micros(micros))
}
