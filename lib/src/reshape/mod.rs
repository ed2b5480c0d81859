//! Reshapes records: what `parse` does to them once they are in normal form.
//!
//! | step | flag | a record becomes |
//! | --- | --- | --- |
//! | explode | `--explode FIELD[:SEP]` | one record for each element of a list |
//! | lookup | `--lookup FILE --on KEY` | one record for each row of a table with its key |
//! | rename | `--rename old=new` | itself, with other names |
//! | set | `--set name=value` | itself, with other values |
//! | filter | `--where EXPR` | itself or nothing |
//! | project | `--fields`, `--schema` | itself, with these fields only |
//!
//! They run in this order. Each step reads a record as bytes, writes what
//! becomes of it into a buffer of its own, and hands that on before it makes
//! the next one, so that memory does not grow with the number of elements.
//!
//! # Laws
//!
//! - What a step does not change, it hands on byte for byte: the whole record,
//!   or the members that stay.
//! - A field that a step writes replaces all copies of that key, at the place
//!   of the first; a new one comes last. (A renamed one keeps its own place.)
//! - A name is looked up as a literal key first, then as a path; of several
//!   equal keys the last wins. A name that is written is always a literal key,
//!   so that the next step finds it.
//! - The keys of the stream itself (`@`, `@raw`, `@source`) are never written,
//!   and `@source` is never dropped.

mod cast;
mod error;
mod evaluator;
mod explode;
mod filter;
mod lookup;
mod project;
mod rename;
mod rewriter;
mod set;
mod step;
mod table;

pub use error::ReshapeError;
pub use table::{TableError, TableFile};

use crate::line::Line;
use crate::query::SchemaColumn;
use crate::stream::{Figure, Output, StageError, Stats};
use crate::time::Timestamp;
use explode::Explode;
use filter::Filter;
use lookup::Lookup;
use project::Project;
use rename::Rename;
use set::Set;
use step::{Rest, Step, StepError, Tally};

/// The field that is a time in expressions.
const TIME: &str = "timestamp";

/// What the flags say, as typed.
#[derive(Debug, Default)]
pub struct ReshapeOptions<'a> {
    /// `--explode`: `FIELD` or `FIELD:SEPARATOR`.
    pub explode: &'a [String],
    /// `--lookup` and `--on`: the tables.
    pub lookups: &'a [TableFile<'a>],
    /// `--inner`: records without a row in the table are dropped.
    pub inner: bool,
    /// `--rename`: `old=new`.
    pub rename: &'a [String],
    /// `--set`: `name=text` or `name:=expression`.
    pub set: &'a [String],
    /// `--where`
    pub filter: Option<&'a str>,
    /// `--fields`: names, each text one or several.
    pub fields: &'a [String],
    /// `--schema`; not with `--fields`.
    pub schema: Option<&'a [SchemaColumn]>,
}

/// The steps that the flags ask for, ready to run.
#[derive(Debug)]
pub struct Reshape {
    steps: Vec<Box<dyn Step>>,
    tally: Tally,
    /// Records to be reshaped, each ended by a newline.
    records: Vec<u8>,
}

impl Reshape {
    /// Compiles the flags; `None` if there are none.
    ///
    /// # Errors
    ///
    /// Fails at the first flag that cannot be understood.
    pub fn new(options: &ReshapeOptions<'_>) -> Result<Option<Self>, ReshapeError> {
        let mut steps: Vec<Box<dyn Step>> = Vec::new();
        for text in options.explode {
            steps.push(Box::new(Explode::new(text)?));
        }
        for file in options.lookups {
            steps.push(Box::new(Lookup::new(file, options.inner)?));
        }
        if !options.rename.is_empty() {
            steps.push(Box::new(Rename::new(options.rename)?));
        }
        for text in options.set {
            steps.push(Box::new(Set::new(text)?));
        }
        if let Some(text) = options.filter {
            steps.push(Box::new(Filter::new(text)?));
        }
        if let Some(columns) = options.schema {
            steps.push(Box::new(Project::schema(columns)?));
        } else if !options.fields.is_empty() {
            steps.push(Box::new(Project::fields(options.fields)?));
        }
        let reshape = Self { steps, tally: Tally::default(), records: Vec::new() };
        Ok((!reshape.steps.is_empty()).then_some(reshape))
    }

    /// Processing time, which `now()` gives, has come to `now`.
    pub fn set_now(&mut self, now: Timestamp) {
        self.tally.now = now;
    }

    /// Writes to `out` what becomes of the records that `parse` writes.
    ///
    /// # Errors
    ///
    /// Fails when `parse` or `out` does.
    pub fn reshape(
        &mut self,
        out: &mut Output,
        parse: impl FnOnce(&mut Output) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        self.records.clear();
        out.divert(&mut self.records, parse)?;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &self.records) {
            let record = &self.records[start..end];
            start = end + 1;
            let mut rest = Rest::new(&mut self.steps, &mut self.tally, out);
            match rest.pass(record) {
                Ok(()) => {}
                Err(StepError::Stage(error)) => return Err(error),
                Err(StepError::Record(error)) => {
                    out.reject(error.reason, error, Line { bytes: record, fault: None })?;
                }
            }
        }
        Ok(())
    }

    /// Adds what has been counted.
    pub fn stats(&self, stats: &mut Stats) {
        stats.casts_failed += self.tally.casts_failed.get();
        stats.own.push(Figure::fate("filtered", self.tally.filtered));
    }
}
