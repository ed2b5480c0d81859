//! The groups of a pane: which there are, and how their keys are printed.

use crate::aggregate::Interner;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Groups by the bytes of their keys, numbered in order of first appearance.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    keys: Interner,
    /// How many columns a key has.
    columns: usize,
    /// JSON text of the keys as first seen: 1 and 1.0 are one key.
    text: Vec<u8>,
    /// Start and end in `text` of each group's columns.
    spans: Vec<(usize, usize)>,
    /// Number of the record that each group was first seen in.
    first: Vec<u64>,
}

impl Groups {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            keys: Interner::default(),
            columns,
            text: Vec::new(),
            spans: Vec::new(),
            first: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.first.len()
    }

    /// The number of the group with this key, and whether it is new. A new one
    /// is first seen in record `sequence`, and `write` prints its columns.
    #[inline]
    pub(super) fn find_or_add(
        &mut self,
        key: &[u8],
        sequence: u64,
        mut write: impl FnMut(usize, &mut Vec<u8>),
    ) -> (usize, bool) {
        let (group, new) = self.keys.intern(key);
        if new {
            for column in 0..self.columns {
                let start = self.text.len();
                write(column, &mut self.text);
                self.spans.push((start, self.text.len()));
            }
            self.first.push(sequence);
        }
        (group, new)
    }

    /// The group that `other`'s group `theirs` is here, and whether it is new.
    pub(super) fn merge(&mut self, other: &Self, theirs: usize) -> (usize, bool) {
        let sequence = other.first[theirs];
        let (group, new) = self.find_or_add(other.key(theirs), sequence, |column, text| {
            text.extend_from_slice(other.text(theirs, column));
        });
        if sequence < self.first[group] {
            self.first[group] = sequence;
            for column in 0..self.columns {
                if self.text(group, column) != other.text(theirs, column) {
                    let start = self.text.len();
                    self.text.extend_from_slice(other.text(theirs, column));
                    self.spans[group * self.columns + column] = (start, self.text.len());
                }
            }
        }
        (group, new)
    }

    /// A group's key: bytes that sort as the keys do.
    pub(super) fn key(&self, group: usize) -> &[u8] {
        self.keys.get(group)
    }

    /// A group's key in one column, as JSON text.
    pub(super) fn text(&self, group: usize, column: usize) -> &[u8] {
        let (start, end) = self.spans[group * self.columns + column];
        &self.text[start..end]
    }

    pub(super) fn size(&self) -> usize {
        self.keys.size()
            + self.text.capacity()
            + self.spans.capacity() * 16
            + self.first.capacity() * 8
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.keys.snapshot(state);
        state.list(self.first.iter(), |state, sequence| state.u64(*sequence));
        state.list(self.spans.iter(), |state, &(start, end)| state.bytes(&self.text[start..end]));
    }

    pub(super) fn restore(
        columns: usize,
        state: &mut SnapshotReader<'_>,
    ) -> Result<Self, RestoreError> {
        let mut groups = Self { keys: Interner::restore(state)?, ..Self::new(columns) };
        groups.first = state.list(SnapshotReader::u64)?;
        for text in state.list(SnapshotReader::bytes)? {
            let start = groups.text.len();
            groups.text.extend_from_slice(text);
            groups.spans.push((start, groups.text.len()));
        }
        let count = groups.keys.len();
        if groups.first.len() == count && groups.spans.len() == count * columns {
            Ok(groups)
        } else {
            Err(RestoreError::Damaged("groups and their keys differ in number"))
        }
    }
}
