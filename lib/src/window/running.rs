//! A query at work: its open panes and what became of its records.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::VecDeque;

use super::assigner::Windows;
use super::pane::Pane;
use super::row::write_rows;
use super::watermark::Watermark;
use crate::line::{Kind, Scanner, Value};
use crate::query::{Context, Expr, Plan, WindowSpec};
use crate::stream::{Output, QueryStats, RestoreError, SnapshotReader, SnapshotWriter, StageError};

/// A record as a query sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Its values, by the plan's slots.
    pub(super) context: Context<'a>,
    /// Where those stand in its line, by the same slots.
    pub(super) scanner: &'a Scanner,
    pub(super) line: &'a [u8],
    /// Event time in microseconds; of no matter where there are no windows.
    pub(super) time: i64,
    /// Its number, counted over the whole input.
    pub(super) sequence: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Filtered,
    /// Refused by all of its windows, at this watermark.
    Late {
        watermark: i64,
    },
    Aggregated,
}

/// A window that is due, in the order in which rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) end: i64,
    pub(super) start: i64,
}

#[derive(Debug)]
pub(super) struct RunningQuery {
    pub(super) plan: Plan,
    windows: Option<Windows>,
    /// By start. Without windows there is one.
    panes: VecDeque<Pane>,
    /// The pane that took the last record.
    recent: usize,
    /// The event time that closes the next window.
    pub(super) close_at: i64,
    pub(super) stats: QueryStats,
    key: Vec<u8>,
}

impl RunningQuery {
    pub(super) fn new(plan: Plan) -> Self {
        let stats =
            QueryStats { name: plan.name.clone().unwrap_or_default(), ..QueryStats::default() };
        let windows = match plan.window {
            Some(WindowSpec::Fixed { size, slide, start }) => {
                Some(Windows::new(size, slide, start))
            }
            Some(WindowSpec::Session { .. }) | None => None,
        };
        Self {
            plan,
            windows,
            panes: VecDeque::new(),
            recent: 0,
            close_at: i64::MAX,
            stats,
            key: Vec::new(),
        }
    }

    /// The query's watermark; `None` before the first record, or if its windows
    /// only close at the end.
    #[inline]
    pub(super) fn watermark(&self, clock: &Watermark) -> Option<i64> {
        clock.behind(self.plan.delay?)
    }

    /// Takes in a record.
    #[inline]
    pub(super) fn take(&mut self, record: &Record<'_>, clock: &Watermark) -> Fate {
        if self.plan.filter.as_ref().is_some_and(|filter| !filter.is_true(&record.context)) {
            self.stats.filtered += 1;
            return Fate::Filtered;
        }
        let mut start = 0;
        if let Some(windows) = &self.windows {
            let in_recent = self.panes.get(self.recent).is_some_and(|pane| {
                (pane.start..pane.start + windows.pane_length()).contains(&record.time)
            });
            start = if in_recent {
                self.panes[self.recent].start
            } else {
                windows.pane_of(record.time)
            };
            if let Some(watermark) = self.watermark(clock) {
                // Only times before the watermark have windows that end there.
                if record.time < watermark {
                    self.stats.late_placements += windows.closed(start, watermark);
                    if windows.last_end(start) <= watermark {
                        self.stats.late += 1;
                        return Fate::Late { watermark };
                    }
                }
            }
        }
        self.place(start, record, clock);
        self.stats.aggregated += 1;
        Fate::Aggregated
    }

    #[inline]
    fn place(&mut self, start: i64, record: &Record<'_>, clock: &Watermark) {
        if self.panes.get(self.recent).is_none_or(|pane| pane.start != start) {
            self.recent = match self.panes.binary_search_by_key(&start, |pane| pane.start) {
                Ok(index) => index,
                Err(index) => {
                    self.panes.insert(index, Pane::new(start, &self.plan));
                    self.schedule(clock);
                    index
                }
            };
        }
        let pane = &mut self.panes[self.recent];
        self.key.clear();
        for key in &self.plan.keys {
            key.expr.eval(&record.context).write_key(&mut self.key);
        }
        let keys = &self.plan.keys;
        let (group, new) = pane.groups.find_or_add(&self.key, record.sequence, |column, text| {
            write_key_text(&keys[column].expr, record, text);
        });
        if new {
            pane.add_group();
        }
        for (accumulator, aggregate) in pane.accumulators.iter_mut().zip(&self.plan.aggregates) {
            if aggregate.filter.as_ref().is_some_and(|filter| !filter.is_true(&record.context)) {
                continue;
            }
            let value = match &aggregate.argument {
                Some(argument) => argument.eval(&record.context),
                None => Value::Bool(true),
            };
            let taken = match &aggregate.by {
                None => accumulator.update(group, &value, record.sequence),
                Some(by) => {
                    let by = by.eval(&record.context);
                    accumulator.update_by(group, &value, &by, record.sequence)
                }
            };
            if !taken {
                let failed = record.context.casts_failed;
                failed.set(failed.get() + 1);
            }
        }
    }

    /// At the end of the input: totals without keys are a row even where there
    /// was nothing to add up, as in SQL.
    pub(super) fn total_nothing(&mut self) {
        if self.windows.is_none() && self.plan.keys.is_empty() && self.panes.is_empty() {
            let mut pane = Pane::new(0, &self.plan);
            pane.groups.find_or_add(b"", 0, |_, _| {});
            pane.add_group();
            self.panes.push_back(pane);
        }
    }

    /// The first window with records that ends after `after`. Without windows:
    /// the totals, which never end.
    pub(super) fn next_due(&self, after: i64) -> Option<Due> {
        let Some(windows) = &self.windows else {
            let totals = Due { end: i64::MAX, start: i64::MIN };
            return (!self.panes.is_empty() && after < totals.end).then_some(totals);
        };
        // Panes are in order, so the first one that has such a window has the
        // first such window.
        let end = self.panes.iter().find_map(|pane| windows.next_end(pane.start, after))?;
        Some(Due { end, start: end - windows.size() })
    }

    /// Finds out anew when the next window closes.
    pub(super) fn schedule(&mut self, clock: &Watermark) {
        self.close_at = i64::MAX;
        if let Some(delay) = self.plan.delay {
            let reached = self.watermark(clock).unwrap_or(i64::MIN);
            if let Some(due) = self.next_due(reached) {
                self.close_at = due.end.saturating_add(delay.micros);
            }
        }
    }

    /// Prints a window's rows and drops the panes that no later window needs.
    pub(super) fn close(
        &mut self,
        due: Due,
        casts_failed: &Cell<u64>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        if let Some(windows) = self.windows {
            let window = Some((due.start, due.end));
            if let Some(pane) = self.merged(due) {
                write_rows(&self.plan, window, &pane, casts_failed, out)?;
            }
            // Later panes have later windows, so those done with are in front.
            while self.panes.front().is_some_and(|pane| windows.last_end(pane.start) <= due.end) {
                self.panes.pop_front();
            }
        } else {
            for pane in self.panes.drain(..) {
                write_rows(&self.plan, None, &pane, casts_failed, out)?;
            }
        }
        self.recent = 0;
        Ok(())
    }

    /// The panes of a window as one.
    fn merged(&self, due: Due) -> Option<Cow<'_, Pane>> {
        let mut panes = self
            .panes
            .iter()
            .skip_while(|pane| pane.start < due.start)
            .take_while(|pane| pane.start < due.end);
        let mut merged = Cow::Borrowed(panes.next()?);
        for pane in panes {
            merged.to_mut().merge(pane);
        }
        Some(merged)
    }

    /// Whether windows are open.
    pub(super) fn is_open(&self) -> bool {
        !self.panes.is_empty()
    }

    pub(super) fn groups(&self) -> u64 {
        self.panes.iter().map(|pane| pane.groups.len() as u64).sum()
    }

    pub(super) fn size(&self) -> usize {
        self.panes.iter().map(Pane::size).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(self.fingerprint().as_bytes());
        for count in [
            self.stats.filtered,
            self.stats.duplicates,
            self.stats.late,
            self.stats.late_placements,
            self.stats.aggregated,
        ] {
            state.u64(count);
        }
        state.list(self.panes.iter(), |state, pane| pane.snapshot(state));
    }

    /// What the query computes: state belongs to this and nothing else.
    fn fingerprint(&self) -> String {
        format!("{:?}", self.plan)
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        if state.bytes()? != self.fingerprint().as_bytes() {
            let name = &self.stats.name;
            return Err(RestoreError::Mismatch(format!("query {name:?} has changed")));
        }
        for count in [
            &mut self.stats.filtered,
            &mut self.stats.duplicates,
            &mut self.stats.late,
            &mut self.stats.late_placements,
            &mut self.stats.aggregated,
        ] {
            *count = state.u64()?;
        }
        self.panes = state.list(|state| Pane::restore(&self.plan, state))?.into();
        self.recent = 0;
        Ok(())
    }
}

/// Prints a key. A number is printed as it is spelled in the record, so that
/// 1.0 stays 1.0.
#[cold]
fn write_key_text(expr: &Expr, record: &Record<'_>, text: &mut Vec<u8>) {
    if let Expr::Slot(slot) = expr {
        let field = record.scanner.field(*slot);
        let value = &record.context.slots[*slot];
        if matches!(field.kind, Kind::Int | Kind::Float) && !value.is_null() {
            return text.extend_from_slice(field.text(record.line));
        }
    }
    expr.eval(&record.context).write(text);
}
