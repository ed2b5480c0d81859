//! What a query prints: at closing, at triggers, and when a record corrects a
//! closed window.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::{Due, RunningQuery, Shared, Store};
use crate::stream::StageError;
use crate::window::lookup::Lookups;
use crate::window::options::Mode;
use crate::window::row::{ClosedBy, RowWriter, Subject};
use crate::window::session::Session;
use crate::window::table::{OVERFLOW, Table};

impl RunningQuery {
    /// Prints a group's rows in the windows of a pane that are closed, but not
    /// yet sealed.
    #[cold]
    pub(super) fn correct(
        &mut self,
        start: i64,
        number: u32,
        watermark: i64,
        lateness: i64,
        shared: &mut Shared<'_>,
    ) -> Result<(), StageError> {
        let Store::Panes(panes) = &self.store else { return Ok(()) };
        let mut writer = RowWriter::new(
            &self.plan,
            &self.inputs,
            shared.lookups,
            shared.casts_failed,
            shared.now,
        );
        writer.closed_by = self.row_meta.then_some(ClosedBy::Watermark);
        let mut sealed = watermark.saturating_sub(lateness);
        while let Some(end) = panes.windows.next_end(start, sealed)
            && end <= watermark
        {
            sealed = end;
            let table = panes.merged_group(end, number, &self.plan);
            let printed = self.printed.entry((end, number)).or_default();
            writer.turn_to(Some((end - panes.windows.size(), end)));
            let subject = Subject {
                number,
                spelling: table.spelling(0),
                accumulators: &table.accumulators,
                group: 0,
                partial: self.admission.is_some()
                    && panes.windows.overlap()
                    && panes.has_overflowed(end),
                revision: *printed,
            };
            *printed += u64::from(writer.write(&subject, shared.out)?);
        }
        Ok(())
    }

    /// Closes a window: prints its rows as the mode has it.
    pub(in crate::window) fn close(
        &mut self,
        due: Due,
        by: ClosedBy,
        shared: &mut Shared<'_>,
    ) -> Result<(), StageError> {
        let closed = match &mut self.store {
            Store::Panes(_) => Vec::new(),
            Store::Sessions(sessions) => sessions.close(due.end, due.start),
        };
        match &self.store {
            _ if self.mode == Mode::Complete => {
                if by == ClosedBy::Idle {
                    self.idle.insert(due);
                }
                return Ok(());
            }
            Store::Panes(_) => self.print_window(due, Some(by), shared)?,
            Store::Sessions(_) => self.print_sessions(due, closed.clone(), Some(by), shared)?,
        }
        if let Store::Sessions(sessions) = &mut self.store {
            for session in closed {
                sessions.release(session);
            }
        }
        Ok(())
    }

    /// Prints a window's rows: all, or in update mode those that have changed.
    fn print_window(
        &mut self,
        due: Due,
        by: Option<ClosedBy>,
        shared: &mut Shared<'_>,
    ) -> Result<(), StageError> {
        let Store::Panes(panes) = &mut self.store else { return Ok(()) };
        let overlap = panes.windows.overlap();
        let wanted = (self.mode == Mode::Update).then(|| {
            let mut changed = RoaringBitmap::new();
            panes.of_window(due.end).for_each(|pane| changed |= &pane.changed);
            changed
        });
        let merged;
        let table: &Table = match self.frozen.get(&due.end) {
            Some(Some(frozen)) => frozen,
            Some(None) => return Ok(()),
            None => {
                merged = panes.merged(due.end);
                let Some(table) = &merged else { return Ok(()) };
                table
            }
        };
        let partial = overlap && table.find(OVERFLOW).is_some();
        let mut order: Vec<u32> = (0..table.len() as u32).collect();
        if let Some(wanted) = wanted {
            order.retain(|&group| wanted.contains(table.numbers[group as usize]));
        }
        let number = |group: &u32| table.numbers[*group as usize];
        sort(&mut order, number, self.inputs.keys, shared.lookups);
        let mut writer = RowWriter::new(
            &self.plan,
            &self.inputs,
            shared.lookups,
            shared.casts_failed,
            shared.now,
        );
        writer.closed_by = by.filter(|_| self.row_meta);
        writer.turn_to(self.plan.window.map(|_| (due.start, due.end)));
        for group in order {
            let subject = Subject {
                number: number(&group),
                spelling: table.spelling(group as usize),
                accumulators: &table.accumulators,
                group: group as usize,
                partial,
                revision: 0,
            };
            if writer.write(&subject, shared.out)? && self.lateness.is_some() {
                *self.printed.entry((due.end, subject.number)).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Prints the rows of sessions with the same end and start.
    fn print_sessions(
        &mut self,
        due: Due,
        mut order: Vec<u32>,
        by: Option<ClosedBy>,
        shared: &mut Shared<'_>,
    ) -> Result<(), StageError> {
        let Store::Sessions(sessions) = &mut self.store else { return Ok(()) };
        if self.mode == Mode::Update {
            order.retain(|&session| sessions.get(session).changed);
        }
        let number = |session: &u32| sessions.get(*session).number;
        sort(&mut order, number, self.inputs.keys, shared.lookups);
        let mut writer = RowWriter::new(
            &self.plan,
            &self.inputs,
            shared.lookups,
            shared.casts_failed,
            shared.now,
        );
        writer.closed_by = by.filter(|_| self.row_meta);
        writer.turn_to(Some((due.start, due.end)));
        for session in order {
            let Session { number, spelling, .. } = sessions.get(session);
            let subject = Subject {
                number: *number,
                spelling: spelling.as_ref(),
                accumulators: &sessions.accumulators,
                group: session as usize,
                partial: false,
                revision: 0,
            };
            writer.write(&subject, shared.out)?;
            sessions.set_shown(session);
        }
        Ok(())
    }

    /// The windows that a trigger shows, with their sessions if they are such:
    /// in update mode the open ones that have changed, in complete mode all that
    /// were not settled before.
    pub(in crate::window) fn to_show(&self, reached: Option<i64>) -> BTreeMap<Due, Vec<u32>> {
        let mut due: BTreeMap<Due, Vec<u32>> = BTreeMap::new();
        let all = self.mode == Mode::Complete;
        match &self.store {
            Store::Panes(panes) => {
                let windows = panes.windows;
                let closed = self.watermark(reached).unwrap_or(i64::MIN);
                let after = if all { self.settled } else { closed };
                for pane in panes.iter().filter(|pane| all || !pane.changed.is_empty()) {
                    let mut next = windows.next_end(pane.start, after);
                    while let Some(end) = next {
                        due.entry(Due { end, start: end - windows.size() }).or_default();
                        next = windows.next_end(pane.start, end);
                    }
                }
            }
            Store::Sessions(sessions) => {
                for place in sessions.all() {
                    let session = sessions.get(place);
                    if all || session.changed {
                        let (end, start) = (session.end, session.start);
                        due.entry(Due { end, start }).or_default().push(place);
                    }
                }
            }
        }
        due
    }

    /// Shows a window at a trigger, or at the end.
    pub(in crate::window) fn show(
        &mut self,
        due: Due,
        sessions: Vec<u32>,
        by: Option<ClosedBy>,
        shared: &mut Shared<'_>,
    ) -> Result<(), StageError> {
        match &self.store {
            Store::Panes(_) => self.print_window(due, by, shared),
            Store::Sessions(_) => self.print_sessions(due, sessions, by, shared),
        }
    }

    /// Notes that everything has been shown as it is.
    pub(in crate::window) fn set_shown(&mut self, reached: Option<i64>) {
        self.settled = self.watermark(reached).unwrap_or(i64::MIN).max(self.settled);
        self.frozen.clear();
        self.idle.clear();
        match &mut self.store {
            Store::Panes(panes) => panes.iter_mut().for_each(|pane| pane.changed.clear()),
            Store::Sessions(sessions) => {
                let closed: Vec<u32> =
                    sessions.all().filter(|&session| !sessions.is_open(session)).collect();
                for session in closed {
                    sessions.release(session);
                }
            }
        }
        self.drop_sealed(reached);
    }

    /// What closed a window that is shown for the last time.
    pub(in crate::window) fn closed_by(&self, due: Due) -> ClosedBy {
        if self.idle.contains(&due) { ClosedBy::Idle } else { ClosedBy::Watermark }
    }
}

/// Sorts groups by their keys; what was kept out comes first.
fn sort(groups: &mut [u32], number: impl Fn(&u32) -> u32, keys: usize, lookups: &mut Lookups) {
    let overflow = groups.iter().position(|group| number(group) == OVERFLOW);
    let mut rest = groups;
    if let Some(place) = overflow {
        rest.swap(0, place);
        rest = &mut rest[1..];
    }
    lookups.dictionary_mut(keys).sort_by_key(rest, number);
}
