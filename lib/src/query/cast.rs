//! Casts: what a value is as another type.

use bumpalo::Bump;

use super::expr::Type;
use super::plan::Context;
use crate::line::{Value, json};
use crate::time::{TimeDelta, Timestamp};

/// `CAST(value AS to)`: null stays null; what cannot be cast is null and
/// counted.
pub(super) fn cast<'a>(value: Value<'a>, to: Type, context: &Context<'a>) -> Value<'a> {
    if value.is_null() {
        return Value::Null;
    }
    let cast = match to {
        Type::Boolean => truth(value).map(Value::Bool),
        Type::Int => integer(value, i32::MIN.into()..=i32::MAX.into()).map(Value::Int),
        Type::BigInt => integer(value, i64::MIN.into()..=i64::MAX.into()).map(Value::Int),
        Type::Double => double(value).map(Value::Double),
        Type::String => text(value, context.arena).map(Value::Str),
        Type::Timestamp => time(value).map(Value::Time),
        Type::Number => number(value),
    };
    cast.unwrap_or_else(|| failed(context))
}

/// Null, for a value that could not be cast.
#[cold]
pub(super) fn failed<'a>(context: &Context<'a>) -> Value<'a> {
    context.casts_failed.set(context.casts_failed.get() + 1);
    Value::Null
}

/// A double that an operation gave; null if it is infinite or no number.
#[inline]
pub(super) fn finite<'a>(number: f64) -> Value<'a> {
    if number.is_finite() { Value::Double(number) } else { Value::Null }
}

/// The value as an integer or double. Text is the one that it spells, a truth
/// value 1 or 0.
#[inline]
pub(super) fn number(value: Value<'_>) -> Option<Value<'_>> {
    match value {
        Value::Int(_) | Value::Double(_) => Some(value),
        Value::Bool(truth) => Some(Value::Int(truth.into())),
        Value::Str(text) => spelled_number(text),
        _ => None,
    }
}

fn spelled_number<'a>(text: &[u8]) -> Option<Value<'a>> {
    let text = text.trim_ascii();
    if let Some(number) = json::parse_int(text.strip_prefix(b"+").unwrap_or(text)) {
        return Some(Value::Int(number));
    }
    // Rust's own grammar also has names, such as `inf`, that are no numbers here.
    if !text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(Value::Double(number))
}

/// The value as a double; an instant is its seconds since 1970.
pub(super) fn double(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Time(time) => Some(time.micros as f64 / 1e6),
        value => number(value)?.as_f64(),
    }
}

/// The value as an integer in `range`: a fraction is cut off, an instant is
/// its whole seconds since 1970.
fn integer(value: Value<'_>, range: std::ops::RangeInclusive<i128>) -> Option<i128> {
    let integer = match value {
        Value::Time(time) => time.micros.div_euclid(1_000_000).into(),
        // As in Spark, text with an exponent is no integer, whatever it says.
        Value::Str(text) if text.iter().any(|byte| matches!(byte, b'e' | b'E')) => return None,
        value => match number(value)? {
            Value::Int(number) => number,
            // A double past the range saturates, and so stays outside of it.
            Value::Double(number) => number as i128,
            _ => return None,
        },
    };
    range.contains(&integer).then_some(integer)
}

/// The value as a truth value: numbers are true unless zero, text is one of
/// the words that Spark takes.
#[inline]
pub(super) fn truth(value: Value<'_>) -> Option<bool> {
    const TRUE: [&[u8]; 5] = [b"true", b"t", b"yes", b"y", b"1"];
    const FALSE: [&[u8]; 5] = [b"false", b"f", b"no", b"n", b"0"];
    match value {
        Value::Bool(truth) => Some(truth),
        Value::Int(number) => Some(number != 0),
        Value::Double(number) => Some(number != 0.0),
        Value::Str(text) => {
            let text = text.trim_ascii();
            let is = |words: [&[u8]; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            if is(TRUE) { Some(true) } else { is(FALSE).then_some(false) }
        }
        _ => None,
    }
}

/// The value as an instant. Text may also be a date alone, which is its
/// midnight; the unit of a number is told by its size.
pub(super) fn time(value: Value<'_>) -> Option<Timestamp> {
    match value {
        Value::Time(time) => Some(time),
        Value::Int(number) => Timestamp::from_epoch_integer(number.try_into().ok()?),
        Value::Double(number) => {
            Timestamp::from_epoch_text(zmij::Buffer::new().format_finite(number).as_bytes())
        }
        Value::Str(text) => spelled_time(text.trim_ascii()),
        _ => None,
    }
}

/// The instant that text spells.
pub(super) fn spelled_time(text: &[u8]) -> Option<Timestamp> {
    if let Ok(date) = <&[u8; 10]>::try_from(text)
        && date.contains(&b'-')
    {
        let mut midnight = *b"0000-00-00T00:00:00Z";
        midnight[..10].copy_from_slice(date);
        return Timestamp::parse(&midnight);
    }
    Timestamp::parse(text).or_else(|| {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        digits.first()?.is_ascii_digit().then(|| Timestamp::from_epoch_text(text))?
    })
}

/// The instant `delta` later, if it is in the years that can be spelled.
pub(super) fn shifted(time: Timestamp, delta: TimeDelta) -> Option<Timestamp> {
    /// The years 0000 to 9999.
    const RANGE: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;
    let micros = time.micros.checked_add(delta.micros)?;
    RANGE.contains(&micros).then_some(Timestamp { micros, nanos: time.nanos })
}

/// The value as text.
pub(super) fn text<'a>(value: Value<'a>, arena: &'a Bump) -> Option<&'a [u8]> {
    Some(match value {
        Value::Bool(true) => b"true",
        Value::Bool(false) => b"false",
        Value::Int(number) => arena.alloc_slice_copy(itoa::Buffer::new().format(number).as_bytes()),
        Value::Double(number) if number.is_finite() => {
            arena.alloc_slice_copy(zmij::Buffer::new().format_finite(number).as_bytes())
        }
        Value::Null | Value::Double(_) => return None,
        Value::Str(text) | Value::Json(text) | Value::List(_, text) => text,
        Value::Time(time) => {
            let mut text = Vec::with_capacity(30);
            time.write(&mut text);
            arena.alloc_slice_copy(&text)
        }
    })
}
