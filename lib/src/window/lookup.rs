//! The dictionaries of a pass, each asked at most once a record.

use roaring::RoaringBitmap;

use super::record::Record;
use crate::aggregate::Dictionary;
use crate::line::Kind;
use crate::query::Expr;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// What a query's aggregates and groups are made of: expressions over a record,
/// and the numbers of their values. Queries that use the same expressions
/// share them.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    list: Vec<Lookup>,
}

#[derive(Debug)]
struct Lookup {
    exprs: Box<[Expr]>,
    dictionary: Dictionary,
    /// The record that was looked up last.
    record: Option<u64>,
    found: Found,
    key: Vec<u8>,
}

/// What a record has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) number: u32,
    /// Whether one of the values is null.
    pub(super) has_null: bool,
}

impl Lookups {
    /// The place of these expressions' dictionary.
    pub(super) fn add(&mut self, exprs: Vec<Expr>) -> usize {
        if let Some(known) = self.list.iter().position(|lookup| *lookup.exprs == *exprs) {
            return known;
        }
        self.list.push(Lookup {
            dictionary: Dictionary::new(exprs.len()),
            exprs: exprs.into(),
            record: None,
            found: Found { number: 0, has_null: false },
            key: Vec::new(),
        });
        self.list.len() - 1
    }

    pub(super) fn dictionary(&self, place: usize) -> &Dictionary {
        &self.list[place].dictionary
    }

    pub(super) fn dictionary_mut(&mut self, place: usize) -> &mut Dictionary {
        &mut self.list[place].dictionary
    }

    /// Looks a record up.
    #[inline]
    pub(super) fn find(&mut self, place: usize, record: &Record<'_>) -> Found {
        let lookup = &mut self.list[place];
        if lookup.record != Some(record.sequence) {
            lookup.look_up(record);
        }
        lookup.found
    }

    /// The number of what a record has, if it has one already: what is kept out
    /// is not to fill the dictionary.
    pub(super) fn known(&mut self, place: usize, record: &Record<'_>) -> Option<u32> {
        let lookup = &mut self.list[place];
        if lookup.record == Some(record.sequence) {
            return Some(lookup.found.number);
        }
        lookup.read_key(record);
        lookup.dictionary.find(&lookup.key)
    }

    /// The spelling of a record's key where it is not that of the dictionary,
    /// as in 1.0 for 1.
    pub(super) fn spelling(
        &self,
        place: usize,
        number: u32,
        record: &Record<'_>,
    ) -> Option<Spelling> {
        let Lookup { exprs, dictionary, .. } = &self.list[place];
        let differs = exprs.iter().enumerate().any(|(column, expr)| {
            number_text(expr, record).is_some_and(|text| text != dictionary.text(number, column))
        });
        differs.then(|| {
            let texts = exprs.iter().map(|expr| {
                let mut text = Vec::new();
                write_text(expr, record, &mut text);
                text.into_boxed_slice()
            });
            texts.collect()
        })
    }

    /// The dictionaries that should be cleaned.
    pub(super) fn due(&self) -> Vec<usize> {
        let due = |(place, lookup): (usize, &Lookup)| lookup.dictionary.is_due().then_some(place);
        self.list.iter().enumerate().filter_map(due).collect()
    }

    /// Keeps the numbers that are used. Returns the new number of each.
    pub(super) fn retain(&mut self, place: usize, used: &RoaringBitmap) -> Vec<u32> {
        let lookup = &mut self.list[place];
        lookup.record = None;
        lookup.dictionary.retain(used)
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.list.iter().map(|lookup| lookup.dictionary.size()).sum()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        for lookup in &self.list {
            lookup.dictionary.snapshot(state);
        }
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        for lookup in &mut self.list {
            lookup.record = None;
            lookup.dictionary.restore(state)?;
        }
        Ok(())
    }
}

impl Lookup {
    #[inline]
    fn look_up(&mut self, record: &Record<'_>) {
        self.read_key(record);
        let Self { exprs, dictionary, key, found, .. } = self;
        found.number = dictionary.number(key, |column, text| {
            write_text(&exprs[column], record, text);
        });
        self.record = Some(record.sequence);
    }

    #[inline]
    fn read_key(&mut self, record: &Record<'_>) {
        self.key.clear();
        self.found.has_null = false;
        for expr in &self.exprs {
            let value = expr.operand(&record.context);
            self.found.has_null |= value.is_null();
            value.write_key(&mut self.key);
        }
    }
}

/// A key's columns as a record spells them.
pub(super) type Spelling = Box<[Box<[u8]>]>;

/// Prints a key. A number is printed as it is spelled in the record, so that
/// 1.0 stays 1.0.
#[cold]
fn write_text(expr: &Expr, record: &Record<'_>, text: &mut Vec<u8>) {
    match number_text(expr, record) {
        Some(number) => text.extend_from_slice(number),
        None => expr.eval(&record.context).write(text),
    }
}

/// The text of a field that is a number.
fn number_text<'a>(expr: &Expr, record: &Record<'a>) -> Option<&'a [u8]> {
    let Expr::Slot(slot) = expr else { return None };
    let field = record.scanner.field(*slot);
    let value = &record.context.slots[*slot];
    let is_number = matches!(field.kind, Kind::Int | Kind::Float) && !value.is_null();
    is_number.then(|| field.text(record.line))
}
