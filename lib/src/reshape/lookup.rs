//! `--lookup`: a join with a static table.

use bumpalo::Bump;

use super::error::{ReshapeError, is_reserved};
use super::rewriter::{NewField, Rewriter, key_of};
use super::step::{Rest, Step, StepError};
use super::table::{Table, TableFile};
use crate::line::{Projection, Scanner, Value};

/// Joins records with the rows of a table: a record for each row with its key,
/// with the other columns behind its own fields or in place of them.
///
/// A record without a row stays as it is, as in a left join whose nulls are
/// left out, or goes if the join is an inner one.
#[derive(Debug)]
pub(super) struct Lookup {
    scanner: Scanner,
    table: Table,
    /// Slot and name, as JSON with the colon, of each column of the table.
    columns: Vec<(u16, Box<[u8]>)>,
    is_inner: bool,
    key: Vec<u8>,
    arena: Bump,
    rewriter: Rewriter,
}

/// The slot of the record's key.
const KEY: usize = 0;

impl Lookup {
    /// Reads the table.
    pub(super) fn new(file: &TableFile<'_>, is_inner: bool) -> Result<Self, ReshapeError> {
        const FLAG: &str = "--on";
        let (stream_key, table_key) = file.on.split_once('=').unwrap_or((file.on, file.on));
        if stream_key.is_empty() || table_key.is_empty() {
            let example = "user_id, or user_id=id if the table calls it otherwise";
            return Err(ReshapeError::Malformed { flag: FLAG, text: file.on.to_owned(), example });
        }
        if is_reserved(stream_key) {
            let name = stream_key.to_owned();
            return Err(ReshapeError::Reserved { flag: FLAG, name });
        }
        let table = Table::read(file.name, file.bytes, table_key)?;
        let mut projection = Projection::from_iter([stream_key]);
        let column = |name: &String| (projection.add(name) as u16, key_of(name));
        let columns = table.columns.iter().map(column).collect();
        Ok(Self {
            scanner: Scanner::new(projection).with_members(),
            table,
            columns,
            is_inner,
            key: Vec::new(),
            arena: Bump::new(),
            rewriter: Rewriter::default(),
        })
    }
}

impl Step for Lookup {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        let Self { scanner, table, columns, is_inner, key, arena, rewriter } = self;
        scanner.scan(record)?;
        arena.reset();
        let value = Value::read_in(scanner.field(KEY), record, arena);
        let Some(rows) = table.rows(&value, key) else {
            if *is_inner {
                rest.drop_record();
                return Ok(());
            }
            return rest.pass(record);
        };
        for row in rows {
            let field = |index: usize| {
                let (column, value) = &row[index];
                let (slot, key) = &columns[*column];
                NewField { slot: *slot, key, value }
            };
            rest.pass(rewriter.put(record, scanner.members(), row.len(), field))?;
        }
        Ok(())
    }
}
