//! Functions of values: their names, and which part computes them.

mod list;
mod text;
mod time;

pub(crate) use list::members;

use super::expr::{Expr, Type};
use super::plan::Context;
use super::{arithmetic, cast, eval};
use crate::line::Value;

pub(super) use time::truncate;

/// The functions of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `abs(x)`
    Abs,
    /// `ceil(x)`: an integer.
    Ceil,
    /// `coalesce(x, …)`: the first that is not null.
    Coalesce,
    /// `concat(x, …)`: as text; null if one is.
    Concat,
    /// `concat_ws(separator, x, …)`: as text, without those that are null; of
    /// a list its members.
    ConcatWith,
    /// `contains(x, y)`: whether the text x has y in it.
    Contains,
    /// `day(x)`, `dayofmonth(x)`: from 1 on.
    Day,
    /// `dayofweek(x)`: from 1, a Sunday, to 7.
    DayOfWeek,
    /// `endswith(x, y)`
    EndsWith,
    /// `exp(x)`: a double.
    Exp,
    /// `floor(x)`: an integer.
    Floor,
    /// `greatest(x, …)`: of those that are not null.
    Greatest,
    /// `hour(x)`: of the day in UTC.
    Hour,
    /// `least(x, …)`: of those that are not null.
    Least,
    /// `left(x, length)`: in characters.
    Left,
    /// `length(x)`: in characters.
    Length,
    /// `ln(x)`, `log(x)`: a double; null unless above zero, as all logarithms.
    Ln,
    /// `log10(x)`
    Log10,
    /// `log2(x)`
    Log2,
    /// `lower(x)`
    Lower,
    /// `minute(x)`: of the hour.
    Minute,
    /// `month(x)`: from 1 on.
    Month,
    /// `nullif(x, y)`: null if they are equal, else x.
    NullIf,
    /// `power(x, y)`: a double.
    Power,
    /// `replace(x, part)`, `replace(x, part, other)`: each part by the other,
    /// or by nothing.
    Replace,
    /// `right(x, length)`: in characters.
    Right,
    /// `round(x)`, `round(x, places)`: halves away from zero.
    Round,
    /// `second(x)`: of the minute.
    Second,
    /// `sign(x)`: -1.0, 0.0 or 1.0.
    Sign,
    /// `size(x)`: the number of members of a list or object.
    Size,
    /// `split_part(x, separator, number)`: the first part is 1, the last -1;
    /// empty past the ends.
    SplitPart,
    /// `sqrt(x)`: a double; null below zero.
    Sqrt,
    /// `startswith(x, y)`
    StartsWith,
    /// `substring(x, from)`, `substring(x, from, length)`: in characters, the
    /// first of them 1; from the end if negative.
    Substring,
    /// `trim(x)`: without the blanks at both ends.
    Trim,
    /// `ltrim(x)`: without the blanks in front.
    TrimLeft,
    /// `rtrim(x)`: without the blanks at the end.
    TrimRight,
    /// Several values as one text that is equal exactly if all of them are,
    /// and null if one is: what `count(DISTINCT x, y)` counts.
    Tuple,
    /// `unix_millis(x)`: milliseconds since 1970, rounded down.
    UnixMillis,
    /// `unix_timestamp(x)`: seconds since 1970, rounded down.
    UnixTimestamp,
    /// `upper(x)`
    Upper,
    /// `year(x)`
    Year,
}

impl Scalar {
    /// Whether it is a number in the spelling of a time.
    pub(super) fn is_part_of_time(self) -> bool {
        self.static_type() == Some(Type::Int)
    }

    /// The type of every value that the function gives, null apart.
    pub(super) fn static_type(self) -> Option<Type> {
        match self {
            Self::Abs | Self::Round => Some(Type::Number),
            Self::Ceil
            | Self::Floor
            | Self::Length
            | Self::Size
            | Self::UnixMillis
            | Self::UnixTimestamp => Some(Type::BigInt),
            Self::Day
            | Self::DayOfWeek
            | Self::Hour
            | Self::Minute
            | Self::Month
            | Self::Second
            | Self::Year => Some(Type::Int),
            Self::Exp
            | Self::Ln
            | Self::Log10
            | Self::Log2
            | Self::Power
            | Self::Sign
            | Self::Sqrt => Some(Type::Double),
            Self::Concat
            | Self::ConcatWith
            | Self::Left
            | Self::Lower
            | Self::Replace
            | Self::Right
            | Self::SplitPart
            | Self::Substring
            | Self::Trim
            | Self::TrimLeft
            | Self::TrimRight
            | Self::Tuple
            | Self::Upper => Some(Type::String),
            Self::Contains | Self::EndsWith | Self::StartsWith => Some(Type::Boolean),
            Self::Coalesce | Self::Greatest | Self::Least | Self::NullIf => None,
        }
    }
}

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
        Scalar::Concat => text::concat(arguments, context),
        Scalar::ConcatWith => text::concat_with(arguments, context),
        Scalar::Tuple => tuple(arguments, context),
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
        Scalar::Sqrt => of_double(f64::sqrt, first, context),
        Scalar::Exp => of_double(f64::exp, first, context),
        Scalar::Ln => of_double(f64::ln, first, context),
        Scalar::Log10 => of_double(f64::log10, first, context),
        Scalar::Log2 => of_double(f64::log2, first, context),
        Scalar::Sign => of_double(|x| if x == 0.0 { 0.0 } else { x.signum() }, first, context),
        Scalar::Size => list::size(first).map_or_else(|| cast::failed(context), Value::Int),
        Scalar::Day
        | Scalar::DayOfWeek
        | Scalar::Hour
        | Scalar::Minute
        | Scalar::Month
        | Scalar::Second
        | Scalar::UnixMillis
        | Scalar::UnixTimestamp
        | Scalar::Year => match cast::time(first) {
            Some(time) => time::part(function, time),
            None => cast::failed(context),
        },
        function => match cast::text(first, context.arena) {
            Some(text) => text::call(function, text, rest, context),
            None => Value::Null,
        },
    }
}

/// A function of a double; null where it has no value.
fn of_double<'a>(function: fn(f64) -> f64, value: Value<'a>, context: &Context<'a>) -> Value<'a> {
    match cast::double(value) {
        Some(number) => cast::finite(function(number)),
        None => cast::failed(context),
    }
}

/// The keys of the values, which are equal for equal values only.
fn tuple<'a>(arguments: &'a [Expr], context: &Context<'a>) -> Value<'a> {
    let mut key = Vec::new();
    for argument in arguments {
        let value = argument.operand(context);
        if value.is_null() {
            return Value::Null;
        }
        value.write_key(&mut key);
    }
    Value::Str(context.arena.alloc_slice_copy(&key))
}

fn integer(value: Value<'_>) -> Option<i128> {
    match cast::number(value)? {
        Value::Int(number) => Some(number),
        Value::Double(number) => Some(number as i128),
        _ => None,
    }
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
