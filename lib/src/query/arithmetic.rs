//! Arithmetic on values.

use super::cast::{self, finite};
use super::expr::Arithmetic;
use super::plan::Context;
use crate::line::Value;

/// `left operator right`.
#[inline]
pub(super) fn apply<'a>(
    operator: Arithmetic,
    left: Value<'a>,
    right: Value<'a>,
    context: &Context<'a>,
) -> Value<'a> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => integers(operator, left, right, context),
        (Value::Double(left), Value::Double(right)) => doubles(operator, left, right),
        (Value::Int(left), Value::Double(right)) => doubles(operator, left as f64, right),
        (Value::Double(left), Value::Int(right)) => doubles(operator, left, right as f64),
        (Value::Null, _) | (_, Value::Null) => Value::Null,
        // Both are numbers after this, so it does not come here twice.
        (left, right) => match (cast::number(left), cast::number(right)) {
            (Some(left), Some(right)) => apply(operator, left, right, context),
            _ => cast::failed(context),
        },
    }
}

#[inline]
fn integers<'a>(operator: Arithmetic, left: i128, right: i128, context: &Context<'a>) -> Value<'a> {
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => multiply(left, right),
        Arithmetic::Divide => return doubles(operator, left as f64, right as f64),
        Arithmetic::Remainder | Arithmetic::IntegerDivide if right == 0 => return Value::Null,
        Arithmetic::IntegerDivide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    result.map_or_else(|| cast::failed(context), Value::Int)
}

/// The product. Checking one of 128 bits is slow, and few need it.
#[inline]
fn multiply(left: i128, right: i128) -> Option<i128> {
    match (i64::try_from(left), i64::try_from(right)) {
        (Ok(left), Ok(right)) => Some(i128::from(left) * i128::from(right)),
        _ => left.checked_mul(right),
    }
}

#[inline]
fn doubles<'a>(operator: Arithmetic, left: f64, right: f64) -> Value<'a> {
    finite(match operator {
        Arithmetic::IntegerDivide => return whole_quotient(left / right),
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        // By zero these give no finite number, and so null.
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => left % right,
    })
}

/// A quotient without its fraction; null where it is no number of 38 digits.
fn whole_quotient<'a>(quotient: f64) -> Value<'a> {
    if quotient.abs() < 1e38 { Value::Int(quotient as i128) } else { Value::Null }
}

/// `-value`.
pub(super) fn negate<'a>(value: Value<'a>, context: &Context<'a>) -> Value<'a> {
    match value {
        Value::Null => Value::Null,
        value => match cast::number(value) {
            Some(Value::Int(number)) => {
                number.checked_neg().map_or_else(|| cast::failed(context), Value::Int)
            }
            Some(Value::Double(number)) => Value::Double(-number),
            _ => cast::failed(context),
        },
    }
}

/// `abs(value)`.
pub(super) fn abs<'a>(value: Value<'a>, context: &Context<'a>) -> Value<'a> {
    match cast::number(value) {
        Some(Value::Int(number)) => {
            number.checked_abs().map_or_else(|| cast::failed(context), Value::Int)
        }
        Some(Value::Double(number)) => Value::Double(number.abs()),
        _ => cast::failed(context),
    }
}

/// `round(value, places)`: halves away from zero, judged by the decimal digits
/// that the number is printed with, so that 2.675 to two places is 2.68.
pub(super) fn round<'a>(value: Value<'a>, places: i128, context: &Context<'a>) -> Value<'a> {
    match cast::number(value) {
        Some(Value::Int(number)) if places >= 0 => Value::Int(number),
        Some(Value::Int(number)) => Value::Int(round_integer(number, -places)),
        Some(Value::Double(number)) => finite(round_double(number, places)),
        _ => cast::failed(context),
    }
}

fn round_integer(number: i128, zeros: i128) -> i128 {
    let unit = u32::try_from(zeros).ok().and_then(|zeros| 10_i128.checked_pow(zeros));
    let Some(unit) = unit else { return 0 };
    let rest = number % unit;
    let down = number - rest;
    if rest.abs() < unit - rest.abs() { down } else { down.saturating_add(unit * rest.signum()) }
}

fn round_double(number: f64, places: i128) -> f64 {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number.abs());
    // The number is `digits` · 10^`exponent`, exactly as printed.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0_i128, |digits, digit| digits * 10 + i128::from(digit - b'0'));
    let exponent = exponent.parse::<i128>().unwrap_or(0) - fraction as i128;
    let cut = -places - exponent;
    if cut <= 0 {
        return number;
    }
    // Reading the decimal text back gives the double nearest to it.
    let mut rounded = itoa::Buffer::new();
    let rounded = rounded.format(round_integer(digits, cut));
    let mut text = [b'0'; 64];
    text[..rounded.len()].copy_from_slice(rounded.as_bytes());
    text[rounded.len()] = b'e';
    let mut power = itoa::Buffer::new();
    let power = power.format(exponent);
    let end = rounded.len() + 1 + power.len();
    text[rounded.len() + 1..end].copy_from_slice(power.as_bytes());
    let result: f64 =
        std::str::from_utf8(&text[..end]).ok().and_then(|text| text.parse().ok()).unwrap_or(number);
    result.copysign(number)
}

/// `floor(value)` or `ceil(value)`, by `whole`: an integer.
pub(super) fn to_integer<'a>(
    value: Value<'a>,
    whole: fn(f64) -> f64,
    context: &Context<'a>,
) -> Value<'a> {
    match cast::number(value) {
        Some(Value::Int(number)) => Value::Int(number),
        // Past 38 digits the cast would saturate.
        Some(Value::Double(number)) if number.abs() < 1e38 => Value::Int(whole(number) as i128),
        _ => cast::failed(context),
    }
}
