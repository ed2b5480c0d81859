//! Panes: the pieces that overlapping windows share.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use roaring::RoaringBitmap;

use super::assigner::Windows;
use super::table::{OVERFLOW, Table, new_number};
use crate::query::Plan;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// The groups of the records between two neighbouring window edges.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    /// In microseconds of event time.
    pub(super) start: i64,
    pub(super) table: Table,
    /// Numbers of the groups that have changed since they were last shown;
    /// only kept in update mode.
    pub(super) changed: RoaringBitmap,
}

impl Pane {
    fn new(start: i64, plan: &Plan) -> Self {
        Self { start, table: Table::new(plan), changed: RoaringBitmap::new() }
    }
}

/// The panes of a query, by start, and sums of neighbouring ones.
#[derive(Debug)]
pub(super) struct Panes {
    pub(super) windows: Windows,
    list: VecDeque<Pane>,
    /// The pane that took the last record.
    recent: usize,
    /// Sums of 2^level panes, by level and place; made when a window needs
    /// them, and thrown away when one of their panes changes. They are no state:
    /// they can be made again, and are the same then.
    sums: BTreeMap<(u32, i64), Table>,
    /// No sum reaches beyond this place.
    summed: i64,
}

/// A window of so few panes is added up one by one.
const FEW: usize = 8;

impl Panes {
    pub(super) fn new(windows: Windows) -> Self {
        Self { windows, list: VecDeque::new(), recent: 0, sums: BTreeMap::new(), summed: i64::MIN }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Pane> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pane> {
        self.list.iter_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Start of the pane that a time falls into.
    #[inline]
    pub(super) fn start_of(&self, time: i64) -> i64 {
        match self.list.get(self.recent) {
            Some(pane) if (pane.start..pane.start + self.windows.pane_length()).contains(&time) => {
                pane.start
            }
            _ => self.windows.pane_of(time),
        }
    }

    /// The pane with this start, which is about to change, and whether it is
    /// new.
    #[inline]
    pub(super) fn at(&mut self, start: i64, plan: &Plan) -> (&mut Pane, bool) {
        let mut new = false;
        if self.list.get(self.recent).is_none_or(|pane| pane.start != start) {
            self.recent = match self.list.binary_search_by_key(&start, |pane| pane.start) {
                Ok(index) => index,
                Err(index) => {
                    self.list.insert(index, Pane::new(start, plan));
                    new = true;
                    index
                }
            };
        }
        if !self.sums.is_empty() {
            self.forget_sums_of(start);
        }
        (&mut self.list[self.recent], new)
    }

    /// Drops the panes in front that have no window ending after `until`.
    /// `forget` is told of each.
    pub(super) fn drop_until(&mut self, until: i64, mut forget: impl FnMut(&Pane)) {
        let windows = self.windows;
        // Later panes have later windows, so those done with are in front.
        let before = self.list.len();
        while let Some(pane) = self.list.front()
            && windows.last_end(pane.start) <= until
        {
            forget(pane);
            self.list.pop_front();
            self.recent = 0;
        }
        if self.list.len() < before && !self.sums.is_empty() {
            let first = self.list.front().map_or(i64::MAX, |pane| windows.place(pane.start));
            self.sums.retain(|&(level, place), _| place << level >= first);
        }
    }

    /// Ends of the windows with records that end after `after`: the first one.
    pub(super) fn next_end(&self, after: i64) -> Option<i64> {
        // Panes are in order, and so are their windows.
        let done = self.list.partition_point(|pane| self.windows.last_end(pane.start) <= after);
        self.windows.next_end(self.list.get(done)?.start, after)
    }

    /// The panes of the window with this end.
    pub(super) fn of_window(&self, end: i64) -> impl Iterator<Item = &Pane> {
        let start = end.saturating_sub(self.windows.size());
        let first = self.list.partition_point(|pane| pane.start < start);
        self.list.range(first..).take_while(move |pane| pane.start < end)
    }

    /// Whether keys were kept out of the window with this end.
    pub(super) fn has_overflowed(&self, end: i64) -> bool {
        self.of_window(end).any(|pane| pane.table.find(OVERFLOW).is_some())
    }

    /// All groups of the window with this end.
    pub(super) fn merged(&mut self, end: i64) -> Option<Cow<'_, Table>> {
        if self.of_window(end).nth(FEW).is_some() {
            return self.summed(end).map(Cow::Owned);
        }
        let mut panes = self.of_window(end);
        let mut merged = Cow::Borrowed(&panes.next()?.table);
        for pane in panes {
            merged.to_mut().merge(&pane.table);
        }
        Some(merged)
    }

    /// One group of the window with this end.
    pub(super) fn merged_group(&self, end: i64, number: u32, plan: &Plan) -> Table {
        let mut merged = Table::new(plan);
        for pane in self.of_window(end) {
            if let Some(group) = pane.table.find(number) {
                merged.merge_group(&pane.table, group);
            }
        }
        merged
    }

    /// The window's panes, added up from the largest aligned sums there are:
    /// about 2·log₂ of their number instead of each.
    fn summed(&mut self, end: i64) -> Option<Table> {
        let first = self.windows.place(self.of_window(end).next()?.start);
        let behind = self.list.partition_point(|pane| pane.start < end);
        let last = self.windows.place(self.list.get(behind.checked_sub(1)?)?.start);
        let mut merged: Option<Table> = None;
        let mut place = first;
        while place <= last {
            let mut level = 0;
            while place & ((1 << (level + 1)) - 1) == 0 && place + (1 << (level + 1)) - 1 <= last {
                level += 1;
            }
            if let Some(part) = self.sum(level, place >> level) {
                match &mut merged {
                    Some(merged) => merged.merge(part),
                    None => merged = Some(part.clone()),
                }
            }
            place += 1 << level;
        }
        merged
    }

    /// The sum of the panes from `place << level` on, 2^level of them; `None`
    /// if none of them has records.
    fn sum(&mut self, level: u32, place: i64) -> Option<&Table> {
        let from = self.windows.start_of_place(place << level);
        let to = self.windows.start_of_place((place + 1) << level);
        let first = self.list.partition_point(|pane| pane.start < from);
        let mut panes = self.list.range(first..).take_while(|pane| pane.start < to);
        panes.next()?;
        if panes.next().is_none() {
            return Some(&self.list[first].table);
        }
        if !self.sums.contains_key(&(level, place)) {
            let mut sum = self.sum(level - 1, place * 2).cloned();
            if let Some(right) = self.sum(level - 1, place * 2 + 1) {
                match &mut sum {
                    Some(sum) => sum.merge(right),
                    None => sum = Some(right.clone()),
                }
            }
            self.summed = self.summed.max((place + 1) << level);
            self.sums.insert((level, place), sum?);
        }
        self.sums.get(&(level, place))
    }

    /// The pane with this start changes: the sums that it is in are wrong.
    #[cold]
    fn forget_sums_of(&mut self, start: i64) {
        let place = self.windows.place(start);
        if place >= self.summed {
            return;
        }
        let top = self.sums.last_key_value().map_or(0, |(&(level, _), _)| level);
        for level in 1..=top {
            self.sums.remove(&(level, place >> level));
        }
    }

    /// Adds the numbers that the panes hold: of the keys, or of an aggregate's
    /// values.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.list.iter().map(|pane| &pane.table)
    }

    pub(super) fn tables_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        self.sums.clear();
        self.list.iter_mut().map(|pane| &mut pane.table)
    }

    /// Gives the changed keys the numbers that they have now.
    pub(super) fn renumber_changed(&mut self, renumbered: &[u32]) {
        for pane in &mut self.list {
            let changed = pane.changed.iter().map(|number| new_number(renumbered, number));
            pane.changed = changed.collect();
        }
    }

    pub(super) fn groups(&self) -> u64 {
        self.list.iter().map(|pane| pane.table.len() as u64).sum()
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.tables().chain(self.sums.values()).map(Table::size).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.list.iter(), |state, pane| {
            state.i64(pane.start);
            pane.table.snapshot(state);
            state.list(pane.changed.iter(), |state, number| state.u64(number.into()));
        });
    }

    pub(super) fn restore(
        &mut self,
        plan: &Plan,
        state: &mut SnapshotReader<'_>,
    ) -> Result<(), RestoreError> {
        let panes = state.list(|state| {
            Ok(Pane {
                start: state.i64()?,
                table: Table::restore(plan, state)?,
                changed: state.list(|state| Ok(state.u64()? as u32))?.into_iter().collect(),
            })
        })?;
        self.list = panes.into();
        self.recent = 0;
        self.sums.clear();
        Ok(())
    }
}
