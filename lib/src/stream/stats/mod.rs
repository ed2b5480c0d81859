//! What a stage counted, and how it says so.

mod json;
mod prometheus;

use crate::line::Reason;
use crate::time::Timestamp;

/// Whose figures they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The name of the stage.
    pub stage: &'a str,
    /// The name of the pipeline that it is part of, if it has been given one.
    pub pipeline: Option<&'a str>,
}

/// When figures were taken, which they say beside what was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// What the wall clock shows.
    pub now: Timestamp,
    /// Seconds since the stage began.
    pub seconds: f64,
    /// Whether the run has ended, and well.
    pub is_done: bool,
}

/// The figures of one stage.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Lines taken in that are neither blank nor control lines, rejected ones
    /// included.
    pub records_in: u64,
    /// Lines given out on stdout.
    pub records_out: u64,
    /// Bytes read, after decompression.
    pub bytes_in: u64,
    /// Bytes given out on stdout.
    pub bytes_out: u64,
    /// Blank lines.
    pub blank: u64,
    /// Lines rejected, by [`Reason::index`].
    pub rejected: [u64; Reason::ALL.len()],
    /// Lines with bytes that are not UTF-8, passed on with U+FFFD in their
    /// place.
    pub replaced_utf8: u64,
    /// Values that could not be cast and became null.
    pub casts_failed: u64,
    /// What only this stage counts, in the order it is shown.
    pub own: Vec<Figure>,
    /// What only `window` counts.
    pub window: Option<WindowStats>,
}

/// A figure that only one stage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What is counted, such as `passed_over`.
    pub name: &'static str,
    /// The count.
    pub count: u64,
    /// What kind of figure it is.
    pub kind: FigureKind,
}

/// What a figure means to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    /// Records that a stage used which gives out others in their place.
    Used,
    /// Records that ended so: with those that were rejected, and those that were
    /// used or else given out, they are all records.
    Fate,
    /// What was lost: a person should hear of it if it is not zero.
    Loss,
    /// Anything else that is counted.
    Count,
    /// What there is now, which may become less.
    State,
}

impl Figure {
    /// Records that were used for what is given out in their place.
    pub const fn used(name: &'static str, count: u64) -> Self {
        Self { name, count, kind: FigureKind::Used }
    }

    /// Records that ended so.
    pub const fn fate(name: &'static str, count: u64) -> Self {
        Self { name, count, kind: FigureKind::Fate }
    }

    /// A count of what was lost.
    pub const fn loss(name: &'static str, count: u64) -> Self {
        Self { name, count, kind: FigureKind::Loss }
    }

    /// A count of what is as it should be.
    pub const fn count(name: &'static str, count: u64) -> Self {
        Self { name, count, kind: FigureKind::Count }
    }

    /// What there is now.
    pub const fn state(name: &'static str, count: u64) -> Self {
        Self { name, count, kind: FigureKind::State }
    }
}

/// The figures of event-time aggregation, summed over its queries.
#[derive(Clone, Debug, Default)]
pub struct WindowStats {
    /// Each query's fates of records, in the order of the command line.
    pub queries: Vec<QueryStats>,
    /// Their watermarks, in the same order.
    pub watermarks: Vec<Option<Timestamp>>,
    /// The greatest event time of a record that moves them.
    pub max_event_time: Option<Timestamp>,
    /// Groups in open windows.
    pub groups: u64,
    /// Bytes that the state takes, near enough.
    pub state_bytes: u64,
}

/// What became of the records, for one query: records in = rejected + the
/// sum of `filtered`, `duplicates`, `late` and `aggregated`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// The query's name; empty for one made of flags.
    pub name: String,
    /// Dropped by WHERE.
    pub filtered: u64,
    /// Dropped as duplicates.
    pub duplicates: u64,
    /// Refused by all of their windows.
    pub late: u64,
    /// Windows that refused a record, also of records that others took.
    pub late_placements: u64,
    /// Taken in by at least one window.
    pub aggregated: u64,
}

impl Stats {
    /// Lines rejected, for whatever reason.
    pub fn rejected(&self) -> u64 {
        self.rejected.iter().sum()
    }

    /// Whether a person should hear of it though nobody is looking.
    pub fn has_losses(&self) -> bool {
        let late =
            |window: &WindowStats| window.queries.iter().any(|query| query.late_placements > 0);
        let lost = |figure: &Figure| figure.kind == FigureKind::Loss && figure.count > 0;
        self.rejected() > 0 || self.own.iter().any(lost) || self.window.as_ref().is_some_and(late)
    }

    fn numbers(&self) -> [(&'static str, u64); 5] {
        [
            ("records_in", self.records_in),
            ("records_out", self.records_out),
            ("bytes_in", self.bytes_in),
            ("bytes_out", self.bytes_out),
            ("blank", self.blank),
        ]
    }
}

impl WindowStats {
    /// The least watermark of the queries.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.watermarks.iter().flatten().copied().min()
    }

    /// The fates summed over the queries.
    pub fn totals(&self) -> [(&'static str, u64); 5] {
        let mut totals = QueryStats::default().fates();
        for query in &self.queries {
            for (total, (_, number)) in totals.iter_mut().zip(query.fates()) {
                total.1 += number;
            }
        }
        totals
    }
}

impl QueryStats {
    /// They and their names, and how many windows refused a late one.
    pub fn fates(&self) -> [(&'static str, u64); 5] {
        [
            ("late", self.late),
            ("late_placements", self.late_placements),
            ("filtered", self.filtered),
            ("duplicates", self.duplicates),
            ("aggregated", self.aggregated),
        ]
    }
}

#[cfg(test)]
mod tests;
