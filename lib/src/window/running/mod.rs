//! A query at work: its open windows and what became of its records.

mod print;
mod state;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use crate::query::{Plan, WindowSpec};
use crate::stream::{Output, QueryStats, StageError};
use crate::time::Timestamp;
use crate::window::admission::Admission;
use crate::window::assigner::Windows;
use crate::window::dedupe::Deduper;
use crate::window::lookup::Lookups;
use crate::window::options::{Mode, WindowOptions};
use crate::window::pane::Panes;
use crate::window::record::Record;
use crate::window::session::Sessions;
use crate::window::table::{Inputs, OVERFLOW, Table};

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Filtered,
    Duplicate,
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

/// What a query shares with the others of its pass.
pub(super) struct Shared<'a> {
    pub(super) lookups: &'a mut Lookups,
    pub(super) casts_failed: &'a Cell<u64>,
    pub(super) now: Timestamp,
    pub(super) out: &'a mut Output,
}

/// The windows with records. Without windows there is one, which never ends.
#[derive(Debug)]
enum Store {
    Panes(Panes),
    Sessions(Sessions),
}

#[derive(Debug)]
pub(super) struct RunningQuery {
    pub(super) plan: Plan,
    pub(super) stats: QueryStats,
    inputs: Inputs,
    store: Store,
    /// How far the watermark stays behind event time; `None` if windows only
    /// close at the end.
    delay: Option<i64>,
    /// How long closed windows take corrections.
    lateness: Option<i64>,
    mode: Mode,
    row_meta: bool,
    dedupe: Option<Deduper>,
    admission: Option<Admission>,
    /// Under allowed lateness: how many rows have been printed, by the window's
    /// end and the key's number.
    printed: BTreeMap<(i64, u32), u64>,
    /// In complete mode: windows that end by then have been shown for good.
    settled: i64,
    /// In complete mode: windows that are closed but not shown yet, as they were
    /// when the first record came that they refuse and others of their pane
    /// take; `None` for one without records.
    frozen: BTreeMap<i64, Option<Table>>,
    /// Those of them that were closed by silence.
    idle: BTreeSet<Due>,
    /// End of the first window with records that is not closed; perhaps too
    /// early, never too late.
    next_end: i64,
    /// End of the last window that an end of the input has closed: should there
    /// be more after all, that is where the watermark is at least.
    ended: Option<i64>,
}

impl RunningQuery {
    pub(super) fn new(plan: Plan, options: &WindowOptions, lookups: &mut Lookups) -> Self {
        let name = plan.name.clone().unwrap_or_default();
        let store = match plan.window {
            Some(WindowSpec::Fixed { size, slide, start }) => {
                Store::Panes(Panes::new(Windows::new(size, slide, start)))
            }
            Some(WindowSpec::Session { gap }) => Store::Sessions(Sessions::new(gap.micros, &plan)),
            None => Store::Panes(Panes::new(Windows::EVERYTHING)),
        };
        let delay = match options.adaptive {
            // What is measured is taken off before it comes here.
            Some(_) => Some(0),
            None => plan.delay.map(|delay| delay.micros),
        };
        Self {
            stats: QueryStats { name, ..QueryStats::default() },
            inputs: Inputs::new(&plan, lookups),
            store,
            delay,
            lateness: options.allowed_lateness.map(|lateness| lateness.micros),
            mode: options.mode,
            row_meta: options.row_meta,
            dedupe: options.dedupe.as_ref().map(|dedupe| Deduper::new(dedupe.within)),
            admission: options.max_groups.map(Admission::new),
            printed: BTreeMap::new(),
            settled: i64::MIN,
            frozen: BTreeMap::new(),
            idle: BTreeSet::new(),
            next_end: i64::MAX,
            ended: None,
            plan,
        }
    }

    /// The query's watermark at an event time; `None` before the first record,
    /// or if its windows only close at the end.
    #[inline]
    pub(super) fn watermark(&self, reached: Option<i64>) -> Option<i64> {
        let by_delay =
            reached.zip(self.delay).map(|(reached, delay)| reached.saturating_sub(delay));
        by_delay.max(self.ended)
    }

    /// Whether windows close before the end of the input.
    pub(super) fn has_watermark(&self) -> bool {
        self.delay.is_some()
    }

    /// End of the first window with records that is not closed, or earlier.
    pub(super) fn next_end(&self) -> Option<i64> {
        (self.next_end != i64::MAX).then_some(self.next_end)
    }

    /// The event time at which a window may be due, or sealed.
    #[inline]
    pub(super) fn due_at(&self) -> i64 {
        let Some(delay) = self.delay else { return i64::MAX };
        let sealed = self.lateness.map_or(i64::MAX, |lateness| self.seals_at(lateness));
        self.next_end.min(sealed).saturating_add(delay)
    }

    /// The watermark at which the first pane has no window any more that takes
    /// records.
    fn seals_at(&self, lateness: i64) -> i64 {
        let Store::Panes(panes) = &self.store else { return i64::MAX };
        let last_end = panes.iter().next().map(|pane| panes.windows.last_end(pane.start));
        // In complete mode it is kept until it has been shown.
        let is_kept = |end: &i64| self.mode == Mode::Complete && *end > self.settled;
        let last_end = last_end.filter(|end| !is_kept(end));
        last_end.map_or(i64::MAX, |end| end.saturating_add(lateness))
    }

    /// Takes in a record, at the event time that the records before it have
    /// reached. Under allowed lateness prints the rows that it corrects.
    #[inline]
    pub(super) fn take(
        &mut self,
        record: &Record<'_>,
        dedupe_key: &[u8],
        reached: Option<i64>,
        shared: &mut Shared<'_>,
    ) -> Result<Fate, StageError> {
        if self.plan.filter.as_ref().is_some_and(|filter| !filter.is_true(&record.context)) {
            self.stats.filtered += 1;
            return Ok(Fate::Filtered);
        }
        if let Some(dedupe) = &mut self.dedupe {
            let until = reached.map(|reached| reached.saturating_sub(self.delay.unwrap_or(0)));
            if dedupe.is_duplicate(dedupe_key, record.time, until) {
                self.stats.duplicates += 1;
                return Ok(Fate::Duplicate);
            }
        }
        let watermark = self.watermark(reached);
        let is_late = match self.store {
            Store::Panes(_) => self.place(record, watermark, shared)?,
            Store::Sessions(_) => self.join_session(record, watermark, shared),
        };
        Ok(match watermark {
            Some(watermark) if is_late => {
                self.stats.late += 1;
                Fate::Late { watermark }
            }
            _ => {
                self.stats.aggregated += 1;
                Fate::Aggregated
            }
        })
    }

    /// Puts a record into its pane; tells whether all of its windows refuse it.
    #[inline]
    fn place(
        &mut self,
        record: &Record<'_>,
        watermark: Option<i64>,
        shared: &mut Shared<'_>,
    ) -> Result<bool, StageError> {
        let Store::Panes(panes) = &mut self.store else { return Ok(false) };
        let windows = panes.windows;
        let time = if self.plan.window.is_some() { record.time } else { 0 };
        let start = panes.start_of(time);
        // Only times before the watermark have windows that end there.
        let behind = watermark.filter(|watermark| time < *watermark);
        if let Some(watermark) = behind {
            let sealed = watermark.saturating_sub(self.lateness.unwrap_or(0));
            // What was closed at an end is gone, and cannot be corrected.
            let sealed = sealed.max(self.ended.unwrap_or(i64::MIN));
            self.stats.late_placements += windows.closed(start, sealed);
            if windows.last_end(start) <= sealed {
                return Ok(true);
            }
            if self.mode == Mode::Complete {
                freeze(&mut self.frozen, panes, start, self.settled, sealed);
            }
        }
        let (pane, is_new_pane) = panes.at(start, &self.plan);
        if is_new_pane {
            let open = windows.next_end(start, watermark.unwrap_or(i64::MIN));
            self.next_end = self.next_end.min(open.unwrap_or(i64::MAX));
        }
        let number = match &mut self.admission {
            Some(admission) => {
                let known = shared.lookups.known(self.inputs.keys, record);
                let is_here = known.is_some_and(|number| pane.table.find(number).is_some());
                if is_here || admission.admits(known, pane.table.find(OVERFLOW).is_some()) {
                    shared.lookups.find(self.inputs.keys, record).number
                } else {
                    admission.explain(&self.stats.name, shared.out);
                    OVERFLOW
                }
            }
            None => shared.lookups.find(self.inputs.keys, record).number,
        };
        let group = pane.table.find(number).unwrap_or_else(|| {
            let group = pane.table.add(number, record.sequence);
            if number != OVERFLOW {
                if let Some(spelling) = shared.lookups.spelling(self.inputs.keys, number, record) {
                    pane.table.spell(group, spelling);
                }
                if let Some(admission) = &mut self.admission {
                    admission.enter(number);
                }
            }
            group
        });
        let accumulators = &mut pane.table.accumulators;
        self.inputs.update(&self.plan, accumulators, group, record, shared.lookups);
        if self.mode == Mode::Update {
            pane.changed.insert(number);
        }
        if let (Some(watermark), Some(lateness)) = (behind, self.lateness) {
            self.correct(start, number, watermark, lateness, shared)?;
        }
        Ok(false)
    }

    /// Puts a record into its session; tells whether that has closed already.
    fn join_session(
        &mut self,
        record: &Record<'_>,
        watermark: Option<i64>,
        shared: &mut Shared<'_>,
    ) -> bool {
        let Store::Sessions(sessions) = &mut self.store else { return false };
        let keys = sessions.open_keys() - usize::from(sessions.has_key(OVERFLOW));
        let is_full = self.admission.as_ref().is_some_and(|admission| !admission.admits_to(keys));
        let is_known = |number| sessions.has_key(number);
        // What is late or kept out is not to fill the dictionary.
        let known = shared.lookups.known(self.inputs.keys, record);
        let is_out = is_full && !known.is_some_and(is_known);
        let known = if is_out { Some(OVERFLOW) } else { known };
        if watermark.is_some_and(|watermark| sessions.end_with(known, record.time) <= watermark) {
            self.stats.late_placements += 1;
            return true;
        }
        let number =
            if is_out { OVERFLOW } else { shared.lookups.find(self.inputs.keys, record).number };
        if number == OVERFLOW
            && let Some(admission) = &mut self.admission
        {
            admission.explain(&self.stats.name, shared.out);
        }
        let lookups = &*shared.lookups;
        let keys = self.inputs.keys;
        let session = sessions.join(number, record.time, record.sequence, || {
            if number == OVERFLOW { None } else { lookups.spelling(keys, number, record) }
        });
        self.next_end = self.next_end.min(sessions.get(session).end);
        let accumulators = &mut sessions.accumulators;
        self.inputs.update(&self.plan, accumulators, session as usize, record, shared.lookups);
        false
    }

    /// At the end of the input: totals without keys are a row even where there
    /// was nothing to add up, as in SQL. Tells whether that is so.
    pub(super) fn total_nothing(&mut self, lookups: &mut Lookups) -> bool {
        let Store::Panes(panes) = &mut self.store else { return false };
        let is_nothing =
            self.plan.window.is_none() && self.plan.keys.is_empty() && panes.is_empty();
        if is_nothing {
            let number = lookups.dictionary_mut(self.inputs.keys).number(b"", |_, _| {});
            let pane = panes.at(0, &self.plan).0;
            pane.table.add(number, 0);
            pane.changed.insert(number);
        }
        is_nothing
    }

    /// The first window with records that ends after `after`, and so the next
    /// to close. Without windows: the totals, which never end.
    pub(super) fn next_due(&mut self, after: i64) -> Option<Due> {
        match &mut self.store {
            Store::Panes(panes) => {
                let end = panes.next_end(after)?;
                Some(Due { end, start: end - panes.windows.size() })
            }
            Store::Sessions(sessions) => {
                sessions.first_due().map(|(end, start)| Due { end, start })
            }
        }
    }

    /// Finds out anew when the next window closes.
    pub(super) fn schedule(&mut self, reached: Option<i64>) {
        let after = self.watermark(reached).unwrap_or(i64::MIN);
        let due = self.next_due(after);
        self.next_end = due.map_or(i64::MAX, |due| due.end);
    }

    /// Forgets all windows: they are closed, and the input has ended.
    pub(super) fn drop_all(&mut self, last_end: i64) {
        if self.plan.window.is_some() && last_end > i64::MIN {
            self.ended = self.ended.max(Some(last_end));
        }
        if let Store::Panes(panes) = &mut self.store {
            panes.drop_until(i64::MAX, |_| {});
        }
    }

    /// Drops the panes that no window needs any more.
    pub(super) fn drop_sealed(&mut self, reached: Option<i64>) {
        let Some(watermark) = self.watermark(reached) else { return };
        let mut until = watermark.saturating_sub(self.lateness.unwrap_or(0));
        while let Some(entry) = self.printed.first_entry()
            && entry.key().0 <= until
        {
            entry.remove();
        }
        if self.mode == Mode::Complete {
            until = until.min(self.settled);
        }
        if let Store::Panes(panes) = &mut self.store {
            let admission = &mut self.admission;
            panes.drop_until(until, |pane| {
                if let Some(admission) = admission {
                    pane.table.numbers.iter().for_each(|&number| admission.leave(number));
                }
            });
        }
    }

    /// Whether windows are open.
    pub(super) fn is_open(&self) -> bool {
        match &self.store {
            Store::Panes(panes) => !panes.is_empty(),
            Store::Sessions(sessions) => sessions.len() > 0,
        }
    }
}

/// Keeps the windows of a pane that end in `(settled, sealed]` as they are
/// before the pane changes.
#[cold]
fn freeze(
    frozen: &mut BTreeMap<i64, Option<Table>>,
    panes: &mut Panes,
    start: i64,
    settled: i64,
    sealed: i64,
) {
    let mut after = settled;
    while let Some(end) = panes.windows.next_end(start, after)
        && end <= sealed
    {
        frozen.entry(end).or_insert_with(|| panes.merged(end).map(Cow::into_owned));
        after = end;
    }
}
