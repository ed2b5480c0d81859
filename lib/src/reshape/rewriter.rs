//! Writes records with other values.

use crate::line::{Member, json};

/// A field to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewField<'a> {
    /// The slot of its name.
    pub(super) slot: u16,
    /// Its name as JSON, with the colon.
    pub(super) key: &'a [u8],
    /// Its value as JSON.
    pub(super) value: &'a [u8],
}

/// A name as a key of JSON, with the colon behind it.
pub(super) fn key_of(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    json::write_string(name.as_bytes(), &mut key);
    key.push(b':');
    key.into()
}

/// Begins a member: a comma, unless it is the first of its object.
pub(super) fn begin_member(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

/// Writes records with some fields replaced.
#[derive(Debug, Default)]
pub(super) struct Rewriter {
    row: Vec<u8>,
    written: Vec<bool>,
}

impl Rewriter {
    /// The record with so many fields, which `field` tells: each in the place of the first member of
    /// its name, of which no other copy stays, or else last. The record itself
    /// if it has them all already.
    ///
    /// `members` are those of the record, with the slots of the fields' names.
    pub(super) fn put<'a, 'f>(
        &'a mut self,
        record: &'a [u8],
        members: &[Member],
        count: usize,
        field: impl Fn(usize) -> NewField<'f>,
    ) -> &'a [u8] {
        let mut changed = false;
        self.written.clear();
        self.written.resize(count, false);
        self.row.clear();
        self.row.push(b'{');
        for member in members {
            let found =
                member.slot.and_then(|slot| (0..count).find(|index| field(*index).slot == slot));
            let Some(index) = found else {
                begin_member(&mut self.row);
                let text = member.key as usize..member.value.end as usize;
                self.row.extend_from_slice(&record[text]);
                continue;
            };
            let is_copy = std::mem::replace(&mut self.written[index], true);
            changed |= is_copy || field(index).value != member.value.text(record);
            if !is_copy {
                write_field(&field(index), &mut self.row);
            }
        }
        for index in 0..count {
            if !self.written[index] {
                changed = true;
                write_field(&field(index), &mut self.row);
            }
        }
        self.row.push(b'}');
        if changed { &self.row } else { record }
    }
}

fn write_field(field: &NewField<'_>, out: &mut Vec<u8>) {
    begin_member(out);
    out.extend_from_slice(field.key);
    out.extend_from_slice(field.value);
}
