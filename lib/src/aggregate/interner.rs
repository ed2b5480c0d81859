//! Byte strings by number.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Gives each distinct byte string a number, counted from 0 in the order of
/// first appearance, and keeps the strings in one piece of memory.
///
/// The hash is seeded at random, so that nobody can send keys that collide on
/// purpose; numbers do not depend on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    hasher: RandomState,
    /// Numbers, by the hash of their strings.
    table: HashTable<u32>,
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the last one ends.
    ends: Vec<usize>,
}

impl Interner {
    /// The number of distinct strings.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The string of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        string(&self.bytes, &self.ends, number)
    }

    /// The number of a string that has one.
    pub(crate) fn find(&self, wanted: &[u8]) -> Option<u32> {
        let Self { hasher, table, bytes, ends } = self;
        let is_wanted = |&number: &u32| string(bytes, ends, number) == wanted;
        table.find(hasher.hash_one(wanted), is_wanted).copied()
    }

    /// The number of a string, and whether it is new.
    #[inline]
    pub(crate) fn intern(&mut self, wanted: &[u8]) -> (u32, bool) {
        let hash = self.hasher.hash_one(wanted);
        let Self { hasher, table, bytes, ends } = self;
        if let Some(&number) = table.find(hash, |&number| string(bytes, ends, number) == wanted) {
            return (number, false);
        }
        let number = ends.len() as u32;
        table.insert_unique(hash, number, |&number| hasher.hash_one(string(bytes, ends, number)));
        bytes.extend_from_slice(wanted);
        ends.push(bytes.len());
        (number, true)
    }

    /// Bytes of memory taken, near enough.
    pub(crate) fn size(&self) -> usize {
        self.table.capacity() * 5
            + self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
    }

    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(0..self.len() as u32, |state, number| state.bytes(self.get(number)));
    }

    pub(crate) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        let mut interner = Self::default();
        for string in state.list(SnapshotReader::bytes)? {
            if !interner.intern(string).1 {
                return Err(RestoreError::Damaged("a value stands twice where each stands once"));
            }
        }
        Ok(interner)
    }
}

#[inline]
fn string<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}
