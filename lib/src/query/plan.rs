//! What a query asks for, checked and resolved: ready to run.

use std::cell::Cell;

use bumpalo::Bump;

use super::expr::Expr;
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
    /// FILTER (WHERE …) over a record: only records for which it is true count.
    pub filter: Option<Expr>,
}

/// The aggregate functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `count(*)`, or `count(x)`: values that are not null.
    Count,
    /// `count(DISTINCT x)`, exact.
    CountDistinct,
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
    /// `collect_set(x)`: the same, each once.
    CollectSet,
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
