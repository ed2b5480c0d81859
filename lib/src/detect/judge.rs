//! What a rule remembers of the rows before, and its verdict on the next one.

use super::alert::Finding;
use super::compare;
use super::condition::Evaluator;
use super::detected::Detected;
use super::expected::Expected;
use super::history::History;
use super::row::Row;
use super::rule::{Rule, Test};
use super::series::{SeriesBounds, SeriesTable, Usage};
use crate::line::Projection;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// What a rule says of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// No alert; the score in [0, 1].
    Usual(f64),
    /// The row is older than the newest one of its series.
    TooOld,
    /// An alert, which the [`Finding`] tells of; the score in [0, 1].
    Alert(f64),
}

/// A [`Test`] at work: where the scanner puts what it reads, and its series.
#[derive(Debug)]
pub(super) enum Judge {
    History { slot: usize, series: SeriesTable<History> },
    When(Evaluator),
    Detector { slot: usize, series: SeriesTable<Detected> },
    Silence(Expected),
}

impl Judge {
    /// Adds the fields that the rule's test reads to `projection`.
    pub(super) fn new(rule: &Rule, bounds: SeriesBounds, projection: &mut Projection) -> Self {
        match &rule.test {
            Test::Deviation { field, .. } | Test::Rise { field, .. } => {
                Self::History { slot: projection.add(field), series: SeriesTable::new(bounds) }
            }
            Test::Detector { field, .. } => {
                Self::Detector { slot: projection.add(field), series: SeriesTable::new(bounds) }
            }
            Test::When(condition) => Self::When(Evaluator::new(condition.clone(), projection)),
            Test::Silence { windows } => {
                Self::Silence(Expected::new(rule, *windows, bounds, projection))
            }
        }
    }

    /// The slots of the fields that it reads, beside keys.
    pub(super) fn slots(&self) -> &[usize] {
        match self {
            Self::History { slot, .. } | Self::Detector { slot, .. } => std::slice::from_ref(slot),
            Self::When(evaluator) => evaluator.slots(),
            Self::Silence(_) => &[],
        }
    }

    /// Judges a row of the series `key` by `test`, which is that of the rule. Of
    /// an alert, `finding` says why.
    pub(super) fn judge(
        &mut self,
        test: &Test,
        row: &Row<'_>,
        key: &[u8],
        finding: &mut Finding,
        casts_failed: &mut u64,
    ) -> Verdict {
        match self {
            Self::When(evaluator) => {
                let Row { reader, line, now, .. } = *row;
                let is_alert = evaluator.judge(reader, line, now, casts_failed, finding);
                if is_alert { Verdict::Alert(1.0) } else { Verdict::Usual(0.0) }
            }
            Self::History { slot, series } => {
                by_history(test, *slot, series, row, key, finding, casts_failed)
            }
            Self::Detector { slot, series } => {
                by_detector(test, *slot, series, row, key, finding, casts_failed)
            }
            Self::Silence(_) => Verdict::Usual(0.0),
        }
    }

    /// What it remembers takes.
    pub(super) fn usage(&self) -> Usage {
        match self {
            Self::When(_) => Usage::default(),
            Self::History { series, .. } => series.usage(),
            Self::Detector { series, .. } => series.usage(),
            Self::Silence(expected) => expected.usage(),
        }
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        match self {
            Self::When(_) => {}
            Self::History { series, .. } => series.snapshot(state),
            Self::Detector { series, .. } => series.snapshot(state),
            Self::Silence(expected) => expected.snapshot(state),
        }
    }

    pub(super) fn restore(
        &mut self,
        test: &Test,
        state: &mut SnapshotReader<'_>,
    ) -> Result<(), RestoreError> {
        match (self, test) {
            (Self::History { series, .. }, _) => series.restore(state, History::restore),
            (Self::Detector { series, .. }, Test::Detector { kind, settings, .. }) => {
                series.restore(state, |state| Detected::restore(*kind, settings, state))
            }
            (Self::Silence(expected), _) => expected.restore(state),
            _ => Ok(()),
        }
    }
}

fn by_history(
    test: &Test,
    slot: usize,
    series: &mut SeriesTable<History>,
    row: &Row<'_>,
    key: &[u8],
    finding: &mut Finding,
    casts_failed: &mut u64,
) -> Verdict {
    let Some(history) = series.entry(key, row.at(), History::default) else {
        return Verdict::Usual(0.0);
    };
    if !history.advance(row.window(), history_of(test)) {
        return Verdict::TooOld;
    }
    let value = row.number(slot, casts_failed);
    history.set(value);
    let Some(value) = value else { return Verdict::Usual(0.0) };
    let is_alert = match test {
        Test::Deviation { field, threshold, .. } => {
            compare::deviation(field, value, history, *threshold, finding)
        }
        Test::Rise { field, change } => compare::rise(field, value, history, *change, finding),
        _ => false,
    };
    if !is_alert {
        return Verdict::Usual(0.0);
    }
    row.write_number(slot, value, &mut finding.value);
    Verdict::Alert(1.0)
}

/// How many rows before the one at hand a test looks at, at most.
fn history_of(test: &Test) -> usize {
    match test {
        Test::Deviation { history, .. } => *history,
        _ => 1,
    }
}

fn by_detector(
    test: &Test,
    slot: usize,
    series: &mut SeriesTable<Detected>,
    row: &Row<'_>,
    key: &[u8],
    finding: &mut Finding,
    casts_failed: &mut u64,
) -> Verdict {
    let Test::Detector { field, kind, settings, threshold } = test else {
        return Verdict::Usual(0.0);
    };
    // A row of another kind than those of the series does not begin one.
    let series = if row.reader.field(slot).is_present() {
        series.entry(key, row.at(), || Detected::new(*kind, settings))
    } else {
        series.known(key, row.at())
    };
    let Some(series) = series else { return Verdict::Usual(0.0) };
    let window = row.window();
    // Nor does it take back what another row of the window has said.
    if !row.reader.field(slot).is_present() && series.is_at(window) {
        return Verdict::Usual(0.0);
    }
    let value = row.number(slot, casts_failed);
    let Some(score) = series.step(window, value) else { return Verdict::TooOld };
    let value = value.filter(|_| kind.is_alert(score.level, *threshold));
    let Some(value) = value else { return Verdict::Usual(score.score) };
    compare::detector(field, value, &score, *threshold, finding);
    row.write_number(slot, value, &mut finding.value);
    Verdict::Alert(score.score)
}
