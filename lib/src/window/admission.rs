//! How many keys a query may have at a time.

use std::collections::BTreeMap;

use super::table::{OVERFLOW, new_number};
use crate::stream::{Output, RestoreError, SnapshotReader, SnapshotWriter};

/// Keeps the number of distinct keys with a window in memory within a limit.
///
/// A key that has a window already may have others. Once a pane has kept a key
/// out it admits none that is new to it, so that what its overflow row holds
/// does not depend on when other windows close.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    limit: usize,
    /// In how many panes each key's number is.
    panes: BTreeMap<u32, u32>,
    has_explained: bool,
}

impl Admission {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, panes: BTreeMap::new(), has_explained: false }
    }

    /// Whether a key that a pane does not have may come into it.
    pub(super) fn admits(&self, number: Option<u32>, has_overflowed: bool) -> bool {
        let is_known = number.is_some_and(|number| self.panes.contains_key(&number));
        !has_overflowed && (is_known || self.admits_to(self.panes.len()))
    }

    /// Whether one key more may come to so many.
    pub(super) fn admits_to(&self, keys: usize) -> bool {
        keys < self.limit
    }

    /// A key has come into a pane.
    pub(super) fn enter(&mut self, number: u32) {
        *self.panes.entry(number).or_default() += 1;
    }

    /// A pane with this key has gone.
    pub(super) fn leave(&mut self, number: u32) {
        if number == OVERFLOW {
            return;
        }
        if let Some(panes) = self.panes.get_mut(&number) {
            *panes -= 1;
            if *panes == 0 {
                self.panes.remove(&number);
            }
        }
    }

    /// Says once what becomes of the other keys.
    #[cold]
    pub(super) fn explain(&mut self, query: &str, out: &mut Output) {
        if !std::mem::replace(&mut self.has_explained, true) {
            let of = if query.is_empty() { String::new() } else { format!("query {query}: ") };
            let limit = self.limit;
            out.message(&format!(
                "{of}more than {limit} keys with an open window (--max-groups); \
                 further ones go into rows with \"overflow\":true"
            ));
        }
    }

    pub(super) fn renumber(&mut self, renumbered: &[u32]) {
        let panes = std::mem::take(&mut self.panes).into_iter();
        self.panes = panes.map(|(number, count)| (new_number(renumbered, number), count)).collect();
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.panes.len() * 12
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.panes.iter(), |state, (&number, &panes)| {
            state.u64(number.into());
            state.u64(panes.into());
        });
        state.bool(self.has_explained);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let panes = state.list(|state| Ok((state.u64()? as u32, state.u64()? as u32)))?;
        self.panes = panes.into_iter().collect();
        self.has_explained = state.bool()?;
        Ok(())
    }
}
