//! `--fields` and `--schema`: records with these fields and no others.

use super::cast::Caster;
use super::error::{MAX_NAMES, ReshapeError, check_name};
use super::rewriter::{begin_member, key_of};
use super::step::{Rest, Step, StepError};
use crate::line::{Projection, Scanner};
use crate::query::{SchemaColumn, Type};

/// Writes these fields in this order, behind `@source` if the record has it.
#[derive(Debug)]
pub(super) struct Project {
    scanner: Scanner,
    columns: Vec<Column>,
    caster: Caster,
    row: Vec<u8>,
}

#[derive(Debug)]
struct Column {
    slot: usize,
    /// The name as JSON, with the colon.
    key: Box<[u8]>,
    /// With a type values are cast, and a field that the record lacks is null;
    /// without, they are copied, and it is left out.
    kind: Option<Type>,
}

/// The slot of `@source`.
const SOURCE: usize = 0;

impl Project {
    /// Fields of these names, each text one or several with commas between.
    pub(super) fn fields(texts: &[String]) -> Result<Self, ReshapeError> {
        let names = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        // It is written whether or not it is asked for.
        let names = names.filter(|name| *name != "@source");
        Self::new("--fields", names.map(|name| (name, None)))
    }

    /// The columns of a schema.
    pub(super) fn schema(columns: &[SchemaColumn]) -> Result<Self, ReshapeError> {
        let columns = columns.iter().map(|column| (column.name.as_str(), Some(column.kind)));
        Self::new("--schema", columns)
    }

    fn new<'a>(
        flag: &'static str,
        fields: impl Iterator<Item = (&'a str, Option<Type>)>,
    ) -> Result<Self, ReshapeError> {
        let mut projection = Projection::from_iter(["@source"]);
        let mut columns = Vec::new();
        for (name, kind) in fields {
            if name.is_empty() {
                let (text, example) = (String::new(), "timestamp,service,geo.city");
                return Err(ReshapeError::Malformed { flag, text, example });
            }
            check_name(flag, name)?;
            let slot = projection.add(name);
            if slot <= columns.len() {
                return Err(ReshapeError::Twice { flag, name: name.to_owned() });
            }
            columns.push(Column { slot, key: key_of(name), kind });
            if columns.len() > MAX_NAMES {
                return Err(ReshapeError::TooMany { flag });
            }
        }
        let scanner = Scanner::new(projection).with_members();
        Ok(Self { scanner, columns, caster: Caster::default(), row: Vec::new() })
    }
}

impl Step for Project {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        let Self { scanner, columns, caster, row } = self;
        scanner.scan(record)?;
        let mut members = scanner.members().iter();
        let mut changed = false;
        row.clear();
        row.push(b'{');
        let source = scanner.field(SOURCE);
        if source.is_present() {
            row.extend_from_slice(b"\"@source\":");
            row.extend_from_slice(source.text(record));
            changed |= members.next().is_none_or(|member| member.value != source);
        }
        for Column { slot, key, kind } in columns {
            let field = scanner.field(*slot);
            if !field.is_present() && kind.is_none() {
                continue;
            }
            begin_member(row);
            row.extend_from_slice(key);
            let start = row.len();
            match kind {
                None => row.extend_from_slice(field.text(record)),
                Some(kind) => {
                    let is_cast = caster.write(*kind, field, record, row);
                    let failed = &rest.tally.casts_failed;
                    failed.set(failed.get() + u64::from(!is_cast));
                }
            }
            // The record is copied if it consists of these very members.
            changed |= members.next().is_none_or(|member| member.value != field)
                || row[start..] != *field.text(record);
        }
        row.push(b'}');
        changed |= members.next().is_some();
        rest.pass(if changed { row } else { record })
    }
}
