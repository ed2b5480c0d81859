//! What a query asks for, checked and resolved: ready to run.

use std::cell::Cell;

use bumpalo::Bump;

use super::expr::{Expr, Type};
use crate::line::Value;
use crate::time::{TimeDelta, Timestamp};

/// A query, checked and resolved.
///
/// A record is an array of values, one for each field of the projection that
/// the plan was compiled against; `filter`, the keys' and the aggregates'
/// expressions read it. A row is an array too: the window's start and end (null
/// without windows), the keys, the aggregates, then the computed columns in
/// order, which are those that are more than an [`Expr::Slot`]; `columns` and
/// `having` read that.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What rows carry as `"query"`; `None` for a query made of flags.
    pub name: Option<String>,
    /// The event time's field.
    pub time_field: String,
    /// How records are put into windows; `None` for running totals.
    pub window: Option<WindowSpec>,
    /// How far the watermark stays behind; `None` if windows close at the end.
    pub delay: Option<TimeDelta>,
    /// WHERE: records for which this is not true are dropped.
    pub filter: Option<Expr>,
    /// GROUP BY, without the window.
    pub keys: Vec<Key>,
    /// The aggregates, each once, however often SELECT and HAVING name it.
    pub aggregates: Vec<Aggregate>,
    /// SELECT, in order.
    pub columns: Vec<Column>,
    /// HAVING: rows for which this is not true are not printed.
    pub having: Option<Expr>,
}

impl Plan {
    /// Whether rows depend on processing time: whether there is `now()` in the
    /// query.
    pub fn reads_clock(&self) -> bool {
        let aggregates = self.aggregates.iter();
        let of_aggregates =
            aggregates.flat_map(|a| [&a.argument, &a.by, &a.filter].into_iter().flatten());
        let of_columns = self.columns.iter().filter_map(|column| match column {
            Column::Window => None,
            Column::Value { expr, .. } => Some(expr),
        });
        (self.filter.iter().chain(&self.having))
            .chain(self.keys.iter().map(|key| &key.expr))
            .chain(of_aggregates)
            .chain(of_columns)
            .any(Expr::reads_clock)
    }
}

/// How records are put into windows by their event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowSpec {
    /// Windows `[start + k·slide, start + k·slide + size)`; tumbling if slide
    /// equals size.
    Fixed {
        /// Length of a window; more than zero.
        size: TimeDelta,
        /// Distance between the starts; more than zero, at most `size`.
        slide: TimeDelta,
        /// Offset from the epoch; at least zero, less than `slide`.
        start: TimeDelta,
    },
    /// Sessions: a record opens `[t, t + gap)`, and sessions of a key that
    /// overlap or touch are one.
    Session {
        /// The silence that ends a session; more than zero.
        gap: TimeDelta,
    },
}

impl WindowSpec {
    /// The longest that one record's window can be.
    pub fn length(&self) -> TimeDelta {
        match *self {
            Self::Fixed { size, .. } => size,
            Self::Session { gap } => gap,
        }
    }
}

/// A GROUP BY expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its name in the row.
    pub name: String,
    /// Over a record.
    pub expr: Expr,
}

/// An aggregate function and what it is applied to.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The function.
    pub function: Function,
    /// Over a record; `None` for `count(*)`. What sums, means, deviations and
    /// variances are computed of gives integers, doubles or null only.
    pub argument: Option<Expr>,
    /// The second argument, of [`Function::MinBy`] and [`Function::MaxBy`].
    pub by: Option<Expr>,
    /// FILTER (WHERE …) over a record: only records for which it is true count.
    pub filter: Option<Expr>,
}

impl Aggregate {
    /// The type of every result (null apart), as far as it can be told.
    pub fn static_type(&self) -> Option<Type> {
        match self.function {
            Function::Count | Function::CountDistinct | Function::ApproxCountDistinct(_) => {
                Some(Type::BigInt)
            }
            Function::Avg
            | Function::StddevSamp
            | Function::StddevPop
            | Function::VarSamp
            | Function::VarPop
            | Function::Percentile(Percentages::One(_)) => Some(Type::Double),
            Function::Sum
            | Function::Min
            | Function::Max
            | Function::First { .. }
            | Function::Last { .. }
            | Function::MinBy
            | Function::MaxBy => self.argument.as_ref().and_then(Expr::static_type),
            _ => None,
        }
    }
}

/// The aggregate functions.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `count(*)`, or `count(x)`: values that are not null.
    Count,
    /// `count(DISTINCT x)`, exact.
    CountDistinct,
    /// `approx_count_distinct(x)`, `approx_count_distinct(x, rsd)`
    ApproxCountDistinct(RelativeError),
    /// `sum(x)`
    Sum,
    /// `avg(x)`, `mean(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `stddev(x)`, `stddev_samp(x)`
    StddevSamp,
    /// `stddev_pop(x)`
    StddevPop,
    /// `variance(x)`, `var_samp(x)`
    VarSamp,
    /// `var_pop(x)`
    VarPop,
    /// `collect_list(x)`: values that are not null, in order of arrival.
    CollectList,
    /// `collect_set(x)`: the same, each once. A set's members are values and not
    /// spellings: 1 and 1.0 are one, printed as the run has spelled it first, be
    /// it in an earlier window. (A run forgets spellings that no open window
    /// needs when it has very many; when, is a function of its input.)
    CollectSet,
    /// `percentile(x, p)`, and `median(x)`, which is its half: exact, between
    /// two values by interpolation; a double.
    Percentile(Percentages),
    /// `percentile_approx(x, p)`: the value at the nearest rank, exact for up
    /// to 4,096 values a group, then within 1/128 (0.79 %) of it.
    PercentileApprox(Percentages),
    /// `first(x)`, `any_value(x)`: of the record that arrived first.
    First {
        /// Whether it is the first that is not null.
        ignore_nulls: bool,
    },
    /// `last(x)`: of the record that arrived last.
    Last {
        /// Whether it is the last that is not null.
        ignore_nulls: bool,
    },
    /// `min_by(x, y)`: x where y is least, of several the first to arrive.
    MinBy,
    /// `max_by(x, y)`: x where y is greatest, of several the first to arrive.
    MaxBy,
    /// `mode(x)`: the most frequent value, of several the first to arrive.
    Mode,
}

/// Where percentiles are asked for, as shares from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Percentages {
    /// `0.5`: one, which gives a number.
    One(f64),
    /// `array(0.5, 0.95)`: several, which give a list.
    List(Box<[f64]>),
}

impl Percentages {
    /// The shares, in the order in which they were asked for.
    pub fn shares(&self) -> &[f64] {
        match self {
            Self::One(share) => std::slice::from_ref(share),
            Self::List(shares) => shares,
        }
    }
}

/// The greatest standard deviation of an estimate, relative to the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativeError(f64);

impl RelativeError {
    /// What is asked for where nothing else is: 5 %, as in Spark.
    pub const DEFAULT: Self = Self(0.05);

    /// `None` if it is outside of 0.001 to 0.39, past which sketches become
    /// larger than what they stand for, or estimates mere guesses.
    pub fn new(error: f64) -> Option<Self> {
        (0.001..=0.39).contains(&error).then_some(Self(error))
    }

    /// The number itself.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Binary logarithm of the least number of registers, 4 to 21, with which
    /// a sketch keeps to it: m registers give 1.04 / √m.
    pub fn lg_k(self) -> u8 {
        let registers = (1.04 / self.0).powi(2);
        (4..21).find(|lg_k| f64::from(1_u32 << lg_k) >= registers).unwrap_or(21)
    }
}

/// A column of the row, as printed.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// `"window":{"start":…,"end":…}`
    Window,
    /// A key, an aggregate or an expression over them.
    Value {
        /// The column's name.
        name: String,
        /// Over the row. A column that is an expression reads earlier columns
        /// by their place in the row.
        expr: Expr,
    },
}

/// What an expression is evaluated in.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The record or row.
    pub slots: &'a [Value<'a>],
    /// Where computed text lives.
    pub arena: &'a Bump,
    /// Counts casts that failed.
    pub casts_failed: &'a Cell<u64>,
    /// Processing time, which `now()` gives.
    pub now: Timestamp,
}
