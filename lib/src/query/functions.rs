//! The names of functions.

use super::expr::{Type, Unit};
use super::plan::{Function, Percentages};
use super::scalar::Scalar;
use crate::time::TimeDelta;

/// Functions of values: name, function, fewest and most arguments.
const SCALARS: [(&str, Scalar, usize, usize); 52] = [
    ("abs", Scalar::Abs, 1, 1),
    ("ceil", Scalar::Ceil, 1, 1),
    ("ceiling", Scalar::Ceil, 1, 1),
    ("char_length", Scalar::Length, 1, 1),
    ("coalesce", Scalar::Coalesce, 1, usize::MAX),
    ("concat", Scalar::Concat, 1, usize::MAX),
    ("concat_ws", Scalar::ConcatWith, 1, usize::MAX),
    ("contains", Scalar::Contains, 2, 2),
    ("day", Scalar::Day, 1, 1),
    ("dayofmonth", Scalar::Day, 1, 1),
    ("dayofweek", Scalar::DayOfWeek, 1, 1),
    ("endswith", Scalar::EndsWith, 2, 2),
    ("exp", Scalar::Exp, 1, 1),
    ("floor", Scalar::Floor, 1, 1),
    ("greatest", Scalar::Greatest, 2, usize::MAX),
    ("hour", Scalar::Hour, 1, 1),
    ("ifnull", Scalar::Coalesce, 2, 2),
    ("lcase", Scalar::Lower, 1, 1),
    ("least", Scalar::Least, 2, usize::MAX),
    ("left", Scalar::Left, 2, 2),
    ("length", Scalar::Length, 1, 1),
    ("ln", Scalar::Ln, 1, 1),
    ("log", Scalar::Ln, 1, 1),
    ("log10", Scalar::Log10, 1, 1),
    ("log2", Scalar::Log2, 1, 1),
    ("lower", Scalar::Lower, 1, 1),
    ("ltrim", Scalar::TrimLeft, 1, 1),
    ("minute", Scalar::Minute, 1, 1),
    ("month", Scalar::Month, 1, 1),
    ("nullif", Scalar::NullIf, 2, 2),
    ("nvl", Scalar::Coalesce, 2, 2),
    ("pow", Scalar::Power, 2, 2),
    ("power", Scalar::Power, 2, 2),
    ("replace", Scalar::Replace, 2, 3),
    ("right", Scalar::Right, 2, 2),
    ("round", Scalar::Round, 1, 2),
    ("rtrim", Scalar::TrimRight, 1, 1),
    ("second", Scalar::Second, 1, 1),
    ("sign", Scalar::Sign, 1, 1),
    ("signum", Scalar::Sign, 1, 1),
    ("size", Scalar::Size, 1, 1),
    ("split_part", Scalar::SplitPart, 3, 3),
    ("sqrt", Scalar::Sqrt, 1, 1),
    ("startswith", Scalar::StartsWith, 2, 2),
    ("substring", Scalar::Substring, 2, 3),
    ("to_unix_timestamp", Scalar::UnixTimestamp, 1, 1),
    ("trim", Scalar::Trim, 1, 1),
    ("ucase", Scalar::Upper, 1, 1),
    ("unix_millis", Scalar::UnixMillis, 1, 1),
    ("unix_timestamp", Scalar::UnixTimestamp, 1, 1),
    ("upper", Scalar::Upper, 1, 1),
    ("year", Scalar::Year, 1, 1),
];

/// Aggregates of one argument.
const AGGREGATES: [(&str, Function); 18] = [
    ("array_agg", Function::CollectList),
    ("avg", Function::Avg),
    ("collect_list", Function::CollectList),
    ("collect_set", Function::CollectSet),
    ("count", Function::Count),
    ("max", Function::Max),
    ("mean", Function::Avg),
    ("median", Function::Percentile(Percentages::One(0.5))),
    ("min", Function::Min),
    ("mode", Function::Mode),
    ("std", Function::StddevSamp),
    ("stddev", Function::StddevSamp),
    ("stddev_pop", Function::StddevPop),
    ("stddev_samp", Function::StddevSamp),
    ("sum", Function::Sum),
    ("var_pop", Function::VarPop),
    ("var_samp", Function::VarSamp),
    ("variance", Function::VarSamp),
];

/// Aggregates with arguments of their own kind.
const SPECIAL_AGGREGATES: [(&str, Special); 11] = [
    ("any_value", Special::First),
    ("approx_count_distinct", Special::ApproxCountDistinct),
    ("approx_percentile", Special::PercentileApprox),
    ("first", Special::First),
    ("first_value", Special::First),
    ("last", Special::Last),
    ("last_value", Special::Last),
    ("max_by", Special::MaxBy),
    ("min_by", Special::MinBy),
    ("percentile", Special::Percentile),
    ("percentile_approx", Special::PercentileApprox),
];

/// Aggregates that are another one in disguise.
const DERIVED: [(&str, Derived); 6] = [
    ("any", Derived::AnyTrue),
    ("bool_and", Derived::AllTrue),
    ("bool_or", Derived::AnyTrue),
    ("count_if", Derived::CountIf),
    ("every", Derived::AllTrue),
    ("some", Derived::AnyTrue),
];

/// Aggregates of Spark that this subset lacks, and what there is instead.
const MISSING: [(&str, &str); 16] = [
    ("corr", ONE_FIELD),
    ("count_min_sketch", "expected approx_count_distinct(x) or mode(x)"),
    ("covar_pop", ONE_FIELD),
    ("covar_samp", ONE_FIELD),
    ("grouping", ""),
    ("grouping_id", ""),
    ("histogram_numeric", "expected percentile_approx(x, array(0.1, 0.5, 0.9))"),
    ("kurtosis", "expected stddev(x) or percentile_approx(x, 0.99)"),
    ("listagg", "expected collect_list(x)"),
    ("percentile_cont", "expected percentile(x, 0.5)"),
    ("percentile_disc", "expected percentile_approx(x, 0.5)"),
    ("regr_count", ONE_FIELD),
    ("regr_r2", ONE_FIELD),
    ("regr_slope", ONE_FIELD),
    ("skewness", "expected stddev(x) or percentile_approx(x, 0.99)"),
    ("string_agg", "expected collect_list(x)"),
];

const ONE_FIELD: &str = "aggregates here look at one field; collect_list both and go on from there";

/// Names that the compiler knows by itself.
const SPECIAL: [&str; 15] = [
    "cast",
    "current_timestamp",
    "date_trunc",
    "if",
    "isnotnull",
    "isnull",
    "mod",
    "now",
    "nvl2",
    "regexp_extract",
    "regexp_replace",
    "session_window",
    "to_timestamp",
    "window",
    "window_time",
];

/// An aggregate that is another one in disguise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Derived {
    /// `count(*) FILTER (WHERE x)`
    CountIf,
    /// `min(x)` of truth values: false comes first.
    AllTrue,
    /// `max(x)` of truth values.
    AnyTrue,
}

/// An aggregate that takes more than one plain argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// `(x)`, `(x, rsd)`
    ApproxCountDistinct,
    /// `(x, p)`
    Percentile,
    /// `(x, p)`, `(x, p, accuracy)`
    PercentileApprox,
    /// `(x)`, `(x, ignore_nulls)`
    First,
    /// `(x)`, `(x, ignore_nulls)`
    Last,
    /// `(x, y)`
    MinBy,
    /// `(x, y)`
    MaxBy,
}

/// What a name means where an aggregate may stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AggregateName {
    Plain(Function),
    Derived(Derived),
    Special(Special),
    /// There is none here; this may do instead.
    Missing(&'static str),
}

fn find<T: Clone>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

/// The aggregate of this name, in any case.
pub(super) fn aggregate(name: &str) -> Option<AggregateName> {
    find(&AGGREGATES, name)
        .map(AggregateName::Plain)
        .or_else(|| find(&DERIVED, name).map(AggregateName::Derived))
        .or_else(|| find(&SPECIAL_AGGREGATES, name).map(AggregateName::Special))
        .or_else(|| find(&MISSING, name).map(AggregateName::Missing))
}

/// The function of values of this name, with its fewest and most arguments.
pub(super) fn scalar(name: &str) -> Option<(Scalar, usize, usize)> {
    SCALARS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
        .map(|(_, function, fewest, most)| (*function, *fewest, *most))
}

/// The names of all functions that can be called.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let scalars = SCALARS.iter().map(|(name, ..)| *name);
    let aggregates = AGGREGATES.iter().map(|(name, _)| *name);
    let derived = DERIVED.iter().map(|(name, _)| *name);
    let special = SPECIAL_AGGREGATES.iter().map(|(name, _)| *name);
    scalars.chain(aggregates).chain(derived).chain(special).chain(SPECIAL)
}

/// The type of this name.
pub(super) fn type_named(name: &str) -> Option<Type> {
    Some(match name.to_ascii_lowercase().as_str() {
        "boolean" | "bool" => Type::Boolean,
        "int" | "integer" => Type::Int,
        "bigint" | "long" => Type::BigInt,
        "double" | "double precision" => Type::Double,
        "string" | "text" => Type::String,
        "timestamp" => Type::Timestamp,
        _ => return None,
    })
}

/// The unit of `date_trunc` of this name.
pub(super) fn unit_named(name: &str) -> Option<Unit> {
    let fixed = |micros| Unit::Fixed(TimeDelta::from_micros(micros));
    Some(match name.to_ascii_lowercase().as_str() {
        "microsecond" => fixed(1),
        "millisecond" => fixed(1_000),
        "second" => fixed(1_000_000),
        "minute" => fixed(60_000_000),
        "hour" => fixed(3_600_000_000),
        "day" | "dd" => fixed(86_400_000_000),
        "week" => Unit::Week,
        "month" | "mon" | "mm" => Unit::Month,
        "quarter" => Unit::Quarter,
        "year" | "yyyy" | "yy" => Unit::Year,
        _ => return None,
    })
}
