//! Functions of values: text, choice, numbers and times.

use bumpalo::collections::{String as ArenaString, Vec as ArenaVec};

use super::expr::{Expr, Scalar, Unit};
use super::plan::Context;
use super::{arithmetic, cast, eval};
use crate::line::{Value, json};
use crate::time::{CivilDate, Timestamp, days_from_civil};

/// Calls a function. The compiler has checked the number of arguments.
pub(super) fn call<'a>(
    function: Scalar,
    arguments: &'a [Expr],
    context: &Context<'a>,
) -> Value<'a> {
    match function {
        Scalar::Coalesce => {
            let mut values = arguments.iter().map(|argument| argument.operand(context));
            values.find(|value| !value.is_null()).unwrap_or(Value::Null)
        }
        Scalar::Concat => concat(arguments, context),
        Scalar::Greatest => extreme(arguments, std::cmp::Ordering::Greater, context),
        Scalar::Least => extreme(arguments, std::cmp::Ordering::Less, context),
        Scalar::NullIf => {
            let (left, right) = (arguments[0].operand(context), arguments[1].operand(context));
            let comparable = !left.is_null() && !right.is_null();
            let equal = comparable
                && eval::order(left, right, context).is_some_and(std::cmp::Ordering::is_eq);
            if equal { Value::Null } else { left }
        }
        function => {
            let first = arguments[0].operand(context);
            let rest = &arguments[1..];
            if first.is_null() { Value::Null } else { of_first(function, first, rest, context) }
        }
    }
}

/// The functions that are null if their first argument is.
fn of_first<'a>(
    function: Scalar,
    first: Value<'a>,
    rest: &'a [Expr],
    context: &Context<'a>,
) -> Value<'a> {
    match function {
        Scalar::Abs => arithmetic::abs(first, context),
        Scalar::Ceil => arithmetic::to_integer(first, f64::ceil, context),
        Scalar::Floor => arithmetic::to_integer(first, f64::floor, context),
        Scalar::Round => match rest.first().map(|places| integer(places.operand(context))) {
            None => arithmetic::round(first, 0, context),
            Some(Some(places)) => arithmetic::round(first, places, context),
            Some(None) => Value::Null,
        },
        Scalar::Power => match (cast::double(first), rest[0].operand(context)) {
            (_, Value::Null) => Value::Null,
            (Some(base), exponent) => match cast::double(exponent) {
                Some(exponent) => cast::finite(base.powf(exponent)),
                None => cast::failed(context),
            },
            (None, _) => cast::failed(context),
        },
        Scalar::Sqrt => match cast::double(first) {
            Some(number) => cast::finite(number.sqrt()),
            None => cast::failed(context),
        },
        Scalar::Size => size(first).map_or_else(|| cast::failed(context), Value::Int),
        function => match cast::text(first, context.arena) {
            Some(text) => of_text(function, text, rest, context),
            None => Value::Null,
        },
    }
}

/// The functions of text.
fn of_text<'a>(
    function: Scalar,
    text: &'a [u8],
    rest: &'a [Expr],
    context: &Context<'a>,
) -> Value<'a> {
    let other = |index: usize| -> Option<&'a [u8]> {
        cast::text(rest.get(index)?.operand(context), context.arena)
    };
    let with_other = |test: fn(&[u8], &[u8]) -> bool| {
        other(0).map_or(Value::Null, |other| Value::Bool(test(text, other)))
    };
    match function {
        Scalar::Length => Value::Int(count_chars(text)),
        Scalar::Lower if text.is_ascii() => ascii(text, u8::to_ascii_lowercase, context),
        Scalar::Upper if text.is_ascii() => ascii(text, u8::to_ascii_uppercase, context),
        Scalar::Lower => unicode(text, |char, out| out.extend(char.to_lowercase()), context),
        Scalar::Upper => unicode(text, |char, out| out.extend(char.to_uppercase()), context),
        Scalar::Trim => Value::Str(trim_blanks(text)),
        Scalar::StartsWith => with_other(<[u8]>::starts_with),
        Scalar::EndsWith => with_other(<[u8]>::ends_with),
        Scalar::Contains => with_other(|text, part| memchr::memmem::find(text, part).is_some()),
        Scalar::Substring => substring(text, rest, context),
        _ => Value::Null,
    }
}

fn integer(value: Value<'_>) -> Option<i128> {
    match cast::number(value)? {
        Value::Int(number) => Some(number),
        Value::Double(number) => Some(number as i128),
        _ => None,
    }
}

fn concat<'a>(arguments: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let mut out = ArenaVec::new_in(context.arena);
    for argument in arguments {
        match cast::text(argument.operand(context), context.arena) {
            Some(text) => out.extend_from_slice(text),
            None => return Value::Null,
        }
    }
    Value::Str(out.into_bump_slice())
}

/// The argument that is `wanted` (greater or less) compared with the others.
fn extreme<'a>(
    arguments: &'a [Expr],
    wanted: std::cmp::Ordering,
    context: &Context<'a>,
) -> Value<'a> {
    let mut best = Value::Null;
    for argument in arguments {
        let value = argument.operand(context);
        if value.is_null() {
            continue;
        }
        if best.is_null() || eval::order(value, best, context) == Some(wanted) {
            best = value;
        }
    }
    best
}

fn ascii<'a>(text: &[u8], change: fn(&u8) -> u8, context: &Context<'a>) -> Value<'a> {
    Value::Str(context.arena.alloc_slice_fill_iter(text.iter().map(change)))
}

fn unicode<'a>(
    text: &'a [u8],
    change: fn(char, &mut ArenaString<'a>),
    context: &Context<'a>,
) -> Value<'a> {
    // Text of a record is UTF-8: the scanner has seen to that.
    let Ok(text) = std::str::from_utf8(text) else { return Value::Str(text) };
    let mut out = ArenaString::with_capacity_in(text.len(), context.arena);
    for char in text.chars() {
        change(char, &mut out);
    }
    Value::Str(out.into_bump_str().as_bytes())
}

/// Without the blanks, and only those, at both ends.
fn trim_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Whether the byte begins a character of UTF-8.
const fn begins_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

fn count_chars(text: &[u8]) -> i128 {
    text.iter().filter(|byte| begins_char(**byte)).count() as i128
}

/// Offset of the character with this number, from 0 on, or the text's end.
fn char_offset(text: &[u8], number: i128) -> usize {
    if number <= 0 {
        return 0;
    }
    let Ok(number) = usize::try_from(number) else { return text.len() };
    if number >= text.len() {
        return text.len();
    }
    if text.is_ascii() {
        return number;
    }
    let mut starts = text.iter().enumerate().filter(|(_, byte)| begins_char(**byte));
    starts.nth(number).map_or(text.len(), |(offset, _)| offset)
}

fn substring<'a>(text: &'a [u8], rest: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let argument = |index: usize| rest.get(index).map(|argument| argument.operand(context));
    let Some(Some(from)) = argument(0).map(integer) else { return Value::Null };
    let length = match argument(1).map(integer) {
        None => i128::from(u32::MAX),
        Some(Some(length)) => length,
        Some(None) => return Value::Null,
    };
    // Places may lie in front of the text; what they span is then cut there.
    let start = match from {
        1.. => from - 1,
        0 => 0,
        _ => count_chars(text).saturating_add(from),
    };
    let end = start.saturating_add(length);
    let (start, end) = (char_offset(text, start), char_offset(text, end));
    Value::Str(text.get(start..end).unwrap_or_default())
}

/// The number of members of a list or object.
fn size(value: Value<'_>) -> Option<i128> {
    match value {
        Value::List(length, _) => Some(length as i128),
        Value::Json(text) => Some(count_members(text)),
        _ => None,
    }
}

/// The number of members of an array or object that the scanner has checked.
fn count_members(text: &[u8]) -> i128 {
    let mut at = json::skip_blanks(text, 1);
    if matches!(text.get(at), None | Some(b']' | b'}')) {
        return 0;
    }
    let (mut depth, mut commas) = (0_u32, 0);
    while at < text.len() {
        match text[at] {
            b'"' => {
                let Ok(string) = json::string_end(text, at + 1) else { break };
                at = string.end;
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
        at += 1;
    }
    commas + 1
}

/// `date_trunc(unit, value)`.
pub(super) fn truncate<'a>(unit: Unit, value: Value<'a>, context: &Context<'a>) -> Value<'a> {
    if value.is_null() {
        return Value::Null;
    }
    let truncated = cast::time(value).and_then(|time| truncate_time(unit, time));
    truncated.map_or_else(|| cast::failed(context), Value::Time)
}

const DAY: i64 = 86_400_000_000;

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
