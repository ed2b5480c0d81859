//! What a query remembers: its size, its numbers, and how it is written down.

use roaring::RoaringBitmap;

use super::{Due, RunningQuery, Store};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::window::admission::Admission;
use crate::window::dedupe::Deduper;
use crate::window::table::{Table, new_number};

impl RunningQuery {
    pub(in crate::window) fn groups(&self) -> u64 {
        match &self.store {
            Store::Panes(panes) => panes.groups(),
            Store::Sessions(sessions) => sessions.len() as u64,
        }
    }

    pub(in crate::window) fn size(&self) -> usize {
        let store = match &self.store {
            Store::Panes(panes) => panes.size(),
            Store::Sessions(sessions) => sessions.size(),
        };
        store
            + self.frozen.values().flatten().map(Table::size).sum::<usize>()
            + self.printed.len() * 32
            + self.dedupe.as_ref().map_or(0, Deduper::size)
            + self.admission.as_ref().map_or(0, Admission::size)
    }

    /// Adds the numbers of a dictionary that the query holds.
    pub(in crate::window) fn mark(&self, dictionary: usize, used: &mut RoaringBitmap) {
        let aggregates = |index: &usize| self.inputs.dictionary(*index) == Some(dictionary);
        let aggregates: Vec<usize> = (0..self.plan.aggregates.len()).filter(aggregates).collect();
        match &self.store {
            Store::Panes(panes) => {
                for table in panes.tables().chain(self.frozen.values().flatten()) {
                    if self.inputs.keys == dictionary {
                        table.mark(used);
                    }
                    for &index in &aggregates {
                        table.accumulators[index].mark(used);
                    }
                }
            }
            Store::Sessions(sessions) => {
                if self.inputs.keys == dictionary {
                    sessions.mark(used);
                }
                for &index in &aggregates {
                    sessions.accumulators[index].mark(used);
                }
            }
        }
    }

    /// Gives what the query holds the numbers that it has in a dictionary now.
    pub(in crate::window) fn renumber(&mut self, dictionary: usize, renumbered: &[u32]) {
        let keys = self.inputs.keys == dictionary;
        let aggregates = |index: &usize| self.inputs.dictionary(*index) == Some(dictionary);
        let aggregates: Vec<usize> = (0..self.plan.aggregates.len()).filter(aggregates).collect();
        match &mut self.store {
            Store::Panes(panes) => {
                for table in panes.tables_mut().chain(self.frozen.values_mut().flatten()) {
                    if keys {
                        table.renumber(renumbered);
                    }
                    for &index in &aggregates {
                        table.accumulators[index].renumber(renumbered);
                    }
                }
                if keys {
                    panes.renumber_changed(renumbered);
                }
            }
            Store::Sessions(sessions) => {
                if keys {
                    sessions.renumber(renumbered);
                }
                for &index in &aggregates {
                    sessions.accumulators[index].renumber(renumbered);
                }
            }
        }
        if keys {
            let printed = std::mem::take(&mut self.printed).into_iter();
            self.printed = printed
                .map(|((end, number), rows)| ((end, new_number(renumbered, number)), rows))
                .collect();
            if let Some(admission) = &mut self.admission {
                admission.renumber(renumbered);
            }
        }
    }

    pub(in crate::window) fn snapshot(&self, state: &mut SnapshotWriter) {
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
        match &self.store {
            Store::Panes(panes) => panes.snapshot(state),
            Store::Sessions(sessions) => sessions.snapshot(state),
        }
        if let Some(dedupe) = &self.dedupe {
            dedupe.snapshot(state);
        }
        if let Some(admission) = &self.admission {
            admission.snapshot(state);
        }
        state.list(self.printed.iter(), |state, (&(end, number), &rows)| {
            state.i64(end);
            state.u64(number.into());
            state.u64(rows);
        });
        state.i64(self.settled);
        state.option(self.ended, SnapshotWriter::i64);
        state.list(self.frozen.iter(), |state, (&end, table)| {
            state.i64(end);
            state.option(table.as_ref(), |state, table| table.snapshot(state));
        });
        state.list(self.idle.iter(), |state, due| {
            state.i64(due.end);
            state.i64(due.start);
        });
    }

    /// What the query computes: state belongs to this and nothing else.
    fn fingerprint(&self) -> String {
        format!("{:?}", self.plan)
    }

    pub(in crate::window) fn restore(
        &mut self,
        state: &mut SnapshotReader<'_>,
    ) -> Result<(), RestoreError> {
        if state.bytes()? != self.fingerprint().as_bytes() {
            let name = &self.stats.name;
            return Err(RestoreError::Mismatch(format!("query {name:?} has changed")));
        }
        // Figures are of this run alone, as those of the records it takes in:
        // only then do they add up.
        for _ in self.stats.fates() {
            state.u64()?;
        }
        match &mut self.store {
            Store::Panes(panes) => panes.restore(&self.plan, state)?,
            Store::Sessions(sessions) => sessions.restore(state)?,
        }
        if let Some(dedupe) = &mut self.dedupe {
            dedupe.restore(state)?;
        }
        if let Some(admission) = &mut self.admission {
            admission.restore(state)?;
        }
        let printed =
            state.list(|state| Ok(((state.i64()?, state.u64()? as u32), state.u64()?)))?;
        self.printed = printed.into_iter().collect();
        self.settled = state.i64()?;
        self.ended = state.option(SnapshotReader::i64)?;
        let plan = &self.plan;
        let frozen = state
            .list(|state| Ok((state.i64()?, state.option(|state| Table::restore(plan, state))?)))?;
        self.frozen = frozen.into_iter().collect();
        let idle = state.list(|state| Ok(Due { end: state.i64()?, start: state.i64()? }))?;
        self.idle = idle.into_iter().collect();
        Ok(())
    }
}
