//! Values by number: what groups and sets are made of.

use roaring::RoaringBitmap;

use super::Interner;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// Keys by number: the bytes that they are equal and sort by, and how they are
/// printed.
///
/// Queries that group by the same expressions, or count the distinct values of
/// one, share a dictionary. So each record is looked up in it once, and groups
/// and sets are of small numbers. Numbers that no state holds any more are taken
/// back from time to time, when the dictionary has doubled: see
/// [`is_due`](Self::is_due).
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    keys: Interner,
    /// How many columns a key has.
    columns: usize,
    /// JSON text of each key's columns as first seen: 1 and 1.0 are one key.
    text: Vec<u8>,
    /// Where each column's text ends in `text`.
    ends: Vec<usize>,
    /// How many keys were in use when that was last found out.
    used: usize,
    order: Order,
}

/// The places of the first keys in the order of all of those, found out when
/// asked for.
#[derive(Clone, Debug, Default)]
struct Order {
    sorted: Vec<u32>,
    ranks: Vec<u32>,
}

/// A dictionary smaller than this is not worth cleaning.
const SMALL: usize = 65_536;

impl Dictionary {
    /// An empty dictionary for keys of so many columns.
    pub(crate) fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// How many keys there are; they have the numbers below.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The number of a key. `write` prints a column of one that is new.
    #[inline]
    pub(crate) fn number(&mut self, key: &[u8], write: impl FnMut(usize, &mut Vec<u8>)) -> u32 {
        let (number, new) = self.keys.intern(key);
        if new {
            self.print(write);
        }
        number
    }

    /// The number of a key that has one.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        self.keys.find(key)
    }

    #[cold]
    fn print(&mut self, mut write: impl FnMut(usize, &mut Vec<u8>)) {
        for column in 0..self.columns {
            write(column, &mut self.text);
            self.ends.push(self.text.len());
        }
    }

    /// A key: bytes that sort as the keys do.
    pub(crate) fn key(&self, number: u32) -> &[u8] {
        self.keys.get(number)
    }

    /// A key's column, as JSON text.
    pub(crate) fn text(&self, number: u32, column: usize) -> &[u8] {
        let place = number as usize * self.columns + column;
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[start..self.ends[place]]
    }

    /// Sorts things by their keys. `number` gives the number of a thing.
    pub(crate) fn sort_by_key<T>(&mut self, things: &mut [T], number: impl Fn(&T) -> u32) {
        // Where most keys are asked for, their order is worth remembering: it is
        // the same for the next window.
        if things.len() >= self.len() / 4 {
            self.order.update(&self.keys);
            let ranks = &self.order.ranks;
            things.sort_unstable_by_key(|thing| ranks[number(thing) as usize]);
        } else {
            let keys = &self.keys;
            things.sort_unstable_by(|a, b| keys.get(number(a)).cmp(keys.get(number(b))));
        }
    }

    /// Whether so much has come since the last [`retain`](Self::retain) that it
    /// is time to ask again what is in use. A function of the input alone.
    pub(crate) fn is_due(&self) -> bool {
        self.len() > SMALL.max(self.used * 2)
    }

    /// Keeps these numbers only. Returns the new number of each old one;
    /// meaningless for those that are gone.
    pub(crate) fn retain(&mut self, used: &RoaringBitmap) -> Vec<u32> {
        let mut kept = Self::new(self.columns);
        let mut renumbered = vec![u32::MAX; self.len()];
        for old in used {
            renumbered[old as usize] = kept.number(self.key(old), |column, text| {
                text.extend_from_slice(self.text(old, column));
            });
        }
        kept.used = kept.len();
        *self = kept;
        renumbered
    }

    /// Bytes of memory taken, near enough.
    pub(crate) fn size(&self) -> usize {
        let order = self.order.sorted.capacity() + self.order.ranks.capacity();
        self.keys.size() + self.text.capacity() + self.ends.capacity() * 8 + order * 4
    }

    pub(crate) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.keys.snapshot(state);
        state.list(0..self.ends.len(), |state, place| {
            let start = if place == 0 { 0 } else { self.ends[place - 1] };
            state.bytes(&self.text[start..self.ends[place]]);
        });
        state.u64(self.used as u64);
    }

    pub(crate) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.keys = Interner::restore(state)?;
        for text in state.list(SnapshotReader::bytes)? {
            self.text.extend_from_slice(text);
            self.ends.push(self.text.len());
        }
        self.used = state.u64()? as usize;
        if self.ends.len() == self.len() * self.columns {
            Ok(())
        } else {
            Err(RestoreError::Damaged("keys and their texts differ in number"))
        }
    }
}

impl Order {
    /// Takes in the keys that have come since.
    fn update(&mut self, keys: &Interner) {
        let known = self.sorted.len();
        if known == keys.len() {
            return;
        }
        self.sorted.extend(known as u32..keys.len() as u32);
        self.sorted[known..].sort_unstable_by(|&a, &b| keys.get(a).cmp(keys.get(b)));
        // Two sorted runs, which a stable sort merges.
        self.sorted.sort_by(|&a, &b| keys.get(a).cmp(keys.get(b)));
        self.ranks.resize(keys.len(), 0);
        for (rank, &number) in self.sorted.iter().enumerate() {
            self.ranks[number as usize] = rank as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dictionary(keys: &[&str]) -> Dictionary {
        let mut dictionary = Dictionary::new(1);
        for key in keys {
            dictionary.number(key.as_bytes(), |_, text| {
                text.extend_from_slice(key.to_uppercase().as_bytes());
            });
        }
        dictionary
    }

    #[test]
    fn numbers_count_from_zero_and_keep_the_first_spelling() {
        let mut dictionary = dictionary(&["b", "a", "c"]);
        assert_eq!(dictionary.number(b"a", |_, _| panic!("it is known")), 1);
        assert_eq!((dictionary.key(2), dictionary.text(2, 0)), (&b"c"[..], &b"C"[..]));
    }

    #[test]
    fn order_is_that_of_the_keys_however_many_are_sorted() {
        let mut dictionary = dictionary(&["d", "b", "a", "c"]);
        let mut some = [0, 1, 2];
        dictionary.sort_by_key(&mut some, |&number| number);
        assert_eq!(some, [2, 1, 0]);
        dictionary.number(b"aa", |_, _| {});
        let mut all = [0, 1, 2, 3, 4];
        dictionary.sort_by_key(&mut all, |&number| number);
        assert_eq!(all, [2, 4, 1, 3, 0]);
        let mut few = [0];
        dictionary.sort_by_key(&mut few, |&number| number);
        assert_eq!(few, [0]);
    }

    #[test]
    fn what_is_not_used_goes() {
        let mut full = dictionary(&["d", "b", "a", "c"]);
        let renumbered = full.retain(&[1, 3].into_iter().collect());
        assert_eq!((renumbered[1], renumbered[3], full.len()), (0, 1, 2));
        assert_eq!((full.key(1), full.text(1, 0)), (&b"c"[..], &b"C"[..]));
    }

    #[test]
    fn it_is_restored_as_it_was() {
        let dictionary = dictionary(&["b", "a"]);
        let mut state = SnapshotWriter::new();
        dictionary.snapshot(&mut state);
        let bytes = state.into_bytes();
        let mut restored = Dictionary::new(1);
        restored.restore(&mut SnapshotReader::new(&bytes)).unwrap();
        assert_eq!(
            (restored.key(1), restored.text(1, 0), restored.len()),
            (&b"a"[..], &b"A"[..], 2)
        );
    }
}
