//! `--rename`: fields under other names.

use super::error::{MAX_NAMES, ReshapeError, check_name};
use super::rewriter::{begin_member, key_of};
use super::step::{Rest, Step, StepError};
use crate::line::{Member, Projection, Scanner};

/// Gives fields other names, all at once, so that two may change places.
///
/// A literal key keeps its place; other copies of it, and the members that had
/// the new name, go. Of a path the value comes last, and the object that it is
/// in stays as it is.
#[derive(Debug)]
pub(super) struct Rename {
    scanner: Scanner,
    names: Vec<NewName>,
    /// Which of the names have been written.
    written: Vec<bool>,
    row: Vec<u8>,
}

#[derive(Debug)]
struct NewName {
    /// Slot of the old name.
    old: usize,
    /// Slot of the new name.
    new: usize,
    /// The new name as JSON, with the colon.
    key: Box<[u8]>,
}

impl Rename {
    /// Compiles texts of the form `old=new`.
    pub(super) fn new(texts: &[String]) -> Result<Self, ReshapeError> {
        const FLAG: &str = "--rename";
        if texts.len() > MAX_NAMES {
            return Err(ReshapeError::TooMany { flag: FLAG });
        }
        let mut projection = Projection::default();
        let mut names: Vec<NewName> = Vec::new();
        for text in texts {
            let (old, new) = text.split_once('=').unwrap_or_default();
            if old.is_empty() || new.is_empty() || old == new {
                let example = "old=new, such as status=status_code";
                return Err(ReshapeError::Malformed { flag: FLAG, text: text.clone(), example });
            }
            check_name(FLAG, old)?;
            check_name(FLAG, new)?;
            let name =
                NewName { old: projection.add(old), new: projection.add(new), key: key_of(new) };
            for (known, given, text) in names
                .iter()
                .flat_map(|known| [(known.old, name.old, old), (known.new, name.new, new)])
            {
                if known == given {
                    return Err(ReshapeError::Twice { flag: FLAG, name: text.to_owned() });
                }
            }
            names.push(name);
        }
        let scanner = Scanner::new(projection).with_members();
        Ok(Self { scanner, written: vec![false; names.len()], names, row: Vec::new() })
    }

    /// Writes a member, if it stays, under whichever name.
    fn write(&mut self, record: &[u8], member: &Member) {
        let Self { scanner, names, written, row } = self;
        let is = |slot: usize| member.slot.is_some_and(|own| usize::from(own) == slot);
        if let Some(index) = names.iter().position(|name| is(name.old)) {
            written[index] = true;
            // Of several copies the last one's value counts.
            if member.value.start == scanner.field(names[index].old).start {
                begin_member(row);
                row.extend_from_slice(&names[index].key);
                row.extend_from_slice(member.value.text(record));
            }
        } else if !names.iter().any(|name| is(name.new) && scanner.field(name.old).is_present()) {
            begin_member(row);
            row.extend_from_slice(&record[member.key as usize..member.value.end as usize]);
        }
    }
}

impl Step for Rename {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        self.scanner.scan(record)?;
        if !self.names.iter().any(|name| self.scanner.field(name.old).is_present()) {
            return rest.pass(record);
        }
        self.written.fill(false);
        self.row.clear();
        self.row.push(b'{');
        for index in 0..self.scanner.members().len() {
            let member = self.scanner.members()[index];
            self.write(record, &member);
        }
        for (name, written) in self.names.iter().zip(&self.written) {
            let field = self.scanner.field(name.old);
            if !written && field.is_present() {
                begin_member(&mut self.row);
                self.row.extend_from_slice(&name.key);
                self.row.extend_from_slice(field.text(record));
            }
        }
        self.row.push(b'}');
        rest.pass(&self.row)
    }
}
