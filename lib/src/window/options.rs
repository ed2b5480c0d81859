//! What a run of `window` may ask for beside its queries.

use crate::query::Expr;
use crate::time::TimeDelta;

/// How a run treats time, late data and its output. The default is what a bare
/// `window` does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WindowOptions {
    /// How long a closed window still takes corrections; `None` if not at all.
    pub allowed_lateness: Option<TimeDelta>,
    /// A delay that is measured, in place of the queries' own.
    pub adaptive: Option<AdaptiveDelay>,
    /// A greatest event time for each value of a field.
    pub watermark_per: Option<WatermarkPer>,
    /// How long a value (or, without [`watermark_per`](Self::watermark_per),
    /// the input) may be silent before event time goes on without it.
    pub idle_timeout: Option<TimeDelta>,
    /// What is too far ahead of time.
    pub ahead: AheadLimits,
    /// Records that come more than once.
    pub dedupe: Option<Dedupe>,
    /// The most distinct keys with an open window, for each query.
    pub max_groups: Option<usize>,
    /// When rows are printed.
    pub mode: Mode,
    /// When rows of open windows are printed, in the modes that do.
    pub trigger: Trigger,
    /// Whether rows say what closed their window.
    pub row_meta: bool,
    /// Whether windows stay open at the end of the input.
    pub keep_at_end: bool,
}

/// When rows are printed; Spark's output modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Each window's rows once, when it closes.
    #[default]
    Append,
    /// Groups that have changed, at each trigger, at closing and at the end.
    Update,
    /// All rows of open windows and of those closed since the last trigger, at
    /// each trigger and at the end.
    Complete,
}

/// When update and complete mode print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// So often by the clock; more than zero.
    Every(TimeDelta),
    /// After so many records that were not rejected; at least one.
    Count(u64),
}

impl Default for Trigger {
    fn default() -> Self {
        Self::Every(TimeDelta::from_micros(10_000_000))
    }
}

/// A watermark delay that follows the lateness of the records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveDelay {
    /// Which part of the records is to be in time; between 0 and 1.
    pub quantile: f64,
    /// The least delay.
    pub min: TimeDelta,
    /// The greatest delay, and the delay of the first records; without it the
    /// watermark waits for them.
    pub max: Option<TimeDelta>,
}

/// A greatest event time for each value of a field; the least of them counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatermarkPer {
    /// The field, such as `@source.partition`.
    pub field: String,
    /// How many values there are; the watermark waits for all of them.
    pub values: Option<usize>,
}

/// Limits to how far ahead a record's time may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AheadLimits {
    /// Against the clock.
    pub max_ahead: Option<TimeDelta>,
    /// Against the greatest event time so far.
    pub max_jump: Option<TimeDelta>,
    /// Whether such a record is aggregated (it never moves the watermark) or
    /// rejected.
    pub keep: bool,
}

/// Drops records whose key has been seen within a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedupe {
    /// The key, over a record.
    pub keys: Vec<Expr>,
    /// How far apart the event times of duplicates may be.
    pub within: TimeDelta,
}
