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
    table: HashTable<Entry>,
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the last one ends.
    ends: Vec<usize>,
}

/// A string's number, and enough of the string to know short ones, which most
/// keys are, without a look at the others' memory.
#[derive(Clone, Copy, Debug)]
struct Entry {
    brief: Brief,
    number: u32,
}

/// A string's length and 16 of its bytes: all of them if it has no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Brief {
    first: u64,
    second: u64,
    length: u32,
}

impl Brief {
    #[inline]
    fn new(string: &[u8]) -> Self {
        let length = string.len();
        let eight =
            |at: usize| string[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let (first, second) = match length {
            // The last eight may overlap the first; with the length known, that
            // tells the same.
            8.. => (eight(0), eight((length - 8).min(8))),
            _ => (string.iter().fold(0, |bytes, &byte| bytes << 8 | u64::from(byte)), 0),
        };
        Self { first, second, length: length as u32 }
    }

    /// Whether this is the whole string.
    #[inline]
    fn is_all(self) -> bool {
        self.length <= 16
    }
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
    #[inline]
    pub(crate) fn find(&self, wanted: &[u8]) -> Option<u32> {
        let brief = Brief::new(wanted);
        self.find_at(self.hash(brief, wanted), brief, wanted)
    }

    #[inline]
    fn find_at(&self, hash: u64, brief: Brief, wanted: &[u8]) -> Option<u32> {
        let is_wanted = |entry: &Entry| {
            entry.brief == brief && (brief.is_all() || self.get(entry.number) == wanted)
        };
        self.table.find(hash, is_wanted).map(|entry| entry.number)
    }

    #[inline]
    fn hash(&self, brief: Brief, string: &[u8]) -> u64 {
        if brief.is_all() { self.hasher.hash_one(brief) } else { self.hasher.hash_one(string) }
    }

    /// The number of a string, and whether it is new.
    #[inline]
    pub(crate) fn intern(&mut self, wanted: &[u8]) -> (u32, bool) {
        let brief = Brief::new(wanted);
        let hash = self.hash(brief, wanted);
        match self.find_at(hash, brief, wanted) {
            Some(number) => (number, false),
            None => (self.add(hash, brief, wanted), true),
        }
    }

    #[cold]
    fn add(&mut self, hash: u64, brief: Brief, wanted: &[u8]) -> u32 {
        let Self { hasher, table, bytes, ends } = self;
        let number = ends.len() as u32;
        table.insert_unique(hash, Entry { brief, number }, |entry| {
            if entry.brief.is_all() {
                hasher.hash_one(entry.brief)
            } else {
                hasher.hash_one(string(bytes, ends, entry.number))
            }
        });
        bytes.extend_from_slice(wanted);
        ends.push(bytes.len());
        number
    }

    /// Bytes of memory taken, near enough.
    pub(crate) fn size(&self) -> usize {
        self.table.capacity() * (size_of::<Entry>() + 1)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Lengths around eight and sixteen, where strings are told in other ways.
        #[test]
        fn equal_strings_have_one_number(strings in proptest::collection::vec(
            proptest::collection::vec(0_u8..2, 0..20), 0..60,
        )) {
            let mut interner = Interner::default();
            let mut known: Vec<Vec<u8>> = Vec::new();
            for string in strings {
                let place = known.iter().position(|other| *other == string);
                prop_assert_eq!(interner.find(&string), place.map(|place| place as u32));
                let (number, new) = interner.intern(&string);
                prop_assert_eq!((number as usize, new), (place.unwrap_or(known.len()), place.is_none()));
                if new {
                    known.push(string);
                }
            }
            for (number, string) in known.iter().enumerate() {
                prop_assert_eq!(interner.get(number as u32), &string[..]);
            }
        }
    }
}
