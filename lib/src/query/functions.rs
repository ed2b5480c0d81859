//! The names of functions.

use super::expr::{Scalar, Type, Unit};
use super::plan::Function;
use crate::time::TimeDelta;

/// Functions of values: name, function, fewest and most arguments.
const SCALARS: [(&str, Scalar, usize, usize); 27] = [
    ("abs", Scalar::Abs, 1, 1),
    ("ceil", Scalar::Ceil, 1, 1),
    ("ceiling", Scalar::Ceil, 1, 1),
    ("char_length", Scalar::Length, 1, 1),
    ("coalesce", Scalar::Coalesce, 1, usize::MAX),
    ("concat", Scalar::Concat, 1, usize::MAX),
    ("contains", Scalar::Contains, 2, 2),
    ("endswith", Scalar::EndsWith, 2, 2),
    ("floor", Scalar::Floor, 1, 1),
    ("greatest", Scalar::Greatest, 2, usize::MAX),
    ("ifnull", Scalar::Coalesce, 2, 2),
    ("lcase", Scalar::Lower, 1, 1),
    ("least", Scalar::Least, 2, usize::MAX),
    ("length", Scalar::Length, 1, 1),
    ("lower", Scalar::Lower, 1, 1),
    ("nullif", Scalar::NullIf, 2, 2),
    ("nvl", Scalar::Coalesce, 2, 2),
    ("pow", Scalar::Power, 2, 2),
    ("power", Scalar::Power, 2, 2),
    ("round", Scalar::Round, 1, 2),
    ("size", Scalar::Size, 1, 1),
    ("sqrt", Scalar::Sqrt, 1, 1),
    ("startswith", Scalar::StartsWith, 2, 2),
    ("substring", Scalar::Substring, 2, 3),
    ("trim", Scalar::Trim, 1, 1),
    ("ucase", Scalar::Upper, 1, 1),
    ("upper", Scalar::Upper, 1, 1),
];

/// Aggregates of one argument.
const AGGREGATES: [(&str, Function); 14] = [
    ("avg", Function::Avg),
    ("collect_list", Function::CollectList),
    ("collect_set", Function::CollectSet),
    ("count", Function::Count),
    ("max", Function::Max),
    ("mean", Function::Avg),
    ("min", Function::Min),
    ("stddev", Function::StddevSamp),
    ("stddev_pop", Function::StddevPop),
    ("stddev_samp", Function::StddevSamp),
    ("sum", Function::Sum),
    ("var_pop", Function::VarPop),
    ("var_samp", Function::VarSamp),
    ("variance", Function::VarSamp),
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

/// Aggregates of Spark that are not here yet.
const MISSING: [&str; 14] = [
    "any_value",
    "approx_count_distinct",
    "approx_percentile",
    "first",
    "first_value",
    "last",
    "last_value",
    "max_by",
    "median",
    "min_by",
    "mode",
    "percentile",
    "percentile_approx",
    "session_window",
];

/// Names that the compiler knows by itself.
const SPECIAL: [&str; 8] =
    ["cast", "date_trunc", "if", "isnotnull", "isnull", "substr", "to_timestamp", "window"];

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

/// What a name means where an aggregate may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AggregateName {
    Plain(Function),
    Derived(Derived),
    Missing,
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// The aggregate of this name, in any case.
pub(super) fn aggregate(name: &str) -> Option<AggregateName> {
    find(&AGGREGATES, name)
        .map(AggregateName::Plain)
        .or_else(|| find(&DERIVED, name).map(AggregateName::Derived))
        .or_else(|| {
            let missing = MISSING.iter().any(|known| known.eq_ignore_ascii_case(name));
            missing.then_some(AggregateName::Missing)
        })
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
    scalars.chain(aggregates).chain(derived).chain(SPECIAL)
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
