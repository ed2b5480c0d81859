//! Rows: a window's groups in order, each as one line of JSON.
//!
//! An edge of a window outside of the years 0000 to 9999 is printed as the
//! nearest instant within them. Rows of different windows can only look alike
//! where both edges are outside, which takes windows of 10,000 years.

use std::cell::Cell;

use bumpalo::Bump;

use super::lookup::{Lookups, Spelling};
use super::table::{Inputs, OVERFLOW};
use crate::aggregate::Accumulator;
use crate::line::{Value, json};
use crate::query::{Column, Context, Expr, Plan, Type};
use crate::stream::{Output, StageError};
use crate::time::{TimeReader, Timestamp};

/// Places of a row's values: the window's start and end, the keys, the
/// aggregates, then what is computed from them.
const KEYS: usize = 2;

/// What closed a window, as `--row-meta` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClosedBy {
    /// The watermark, moved by a record.
    Watermark,
    /// The watermark, moved by the clock while the input was silent.
    Idle,
    /// The end of the input.
    End,
}

impl ClosedBy {
    fn name(self) -> &'static str {
        match self {
            Self::Watermark => "watermark",
            Self::Idle => "idle",
            Self::End => "end",
        }
    }
}

/// What rows are made with, the same for all of a query's at one time.
pub(super) struct RowWriter<'a> {
    pub(super) plan: &'a Plan,
    pub(super) inputs: &'a Inputs,
    pub(super) lookups: &'a Lookups,
    pub(super) casts_failed: &'a Cell<u64>,
    pub(super) now: Timestamp,
    /// `"window":{"start":"…","end":"…"}`, the same in all rows of a window.
    head: Vec<u8>,
    window: [Value<'static>; 2],
    /// What closed the window, if rows are to say so.
    pub(super) closed_by: Option<ClosedBy>,
    arena: Bump,
}

/// The group that a row is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    /// Its key's number.
    pub(super) number: u32,
    /// Its key's spelling where it is not the dictionary's.
    pub(super) spelling: Option<&'a Spelling>,
    pub(super) accumulators: &'a [Accumulator],
    /// Its place in them.
    pub(super) group: usize,
    /// Whether records of the key may be in the overflow.
    pub(super) partial: bool,
    /// How many rows have been printed for it, if it is a correction.
    pub(super) revision: u64,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        inputs: &'a Inputs,
        lookups: &'a Lookups,
        casts_failed: &'a Cell<u64>,
        now: Timestamp,
    ) -> Self {
        Self {
            plan,
            inputs,
            lookups,
            casts_failed,
            now,
            head: Vec::new(),
            window: [Value::Null; 2],
            closed_by: None,
            arena: Bump::new(),
        }
    }

    /// Turns to a window, by its start and end; without windows to none.
    pub(super) fn turn_to(&mut self, window: Option<(i64, i64)>) {
        self.head.clear();
        self.window = [Value::Null; 2];
        let Some((start, end)) = window else { return };
        let (start, end) = (Timestamp::from_micros(start), Timestamp::from_micros(end));
        self.head.extend_from_slice(b"\"window\":{\"start\":\"");
        start.write(&mut self.head);
        self.head.extend_from_slice(b"\",\"end\":\"");
        end.write(&mut self.head);
        self.head.extend_from_slice(b"\"}");
        self.window = [Value::Time(start), Value::Time(end)];
    }

    /// Prints a group's row if HAVING lets it; tells whether it did.
    pub(super) fn write(
        &mut self,
        subject: &Subject<'_>,
        out: &mut Output,
    ) -> Result<bool, StageError> {
        let mut arena = std::mem::take(&mut self.arena);
        let printed = self.write_in(subject, &arena, out);
        arena.reset();
        self.arena = arena;
        printed
    }

    fn write_in(
        &self,
        subject: &Subject<'_>,
        arena: &Bump,
        out: &mut Output,
    ) -> Result<bool, StageError> {
        let values = self.values(subject, arena);
        if self
            .plan
            .having
            .as_ref()
            .is_some_and(|having| !having.is_true(&self.context(values, arena)))
        {
            return Ok(false);
        }
        let row = out.row();
        row.push(b'{');
        if let Some(name) = &self.plan.name {
            row.extend_from_slice(b"\"query\":");
            json::write_string(name.as_bytes(), row);
            row.push(b',');
        }
        let mut computed = KEYS + self.plan.keys.len() + self.plan.aggregates.len();
        for column in &self.plan.columns {
            match column {
                Column::Window => row.extend_from_slice(&self.head),
                Column::Value { name, expr } => {
                    json::write_string(name.as_bytes(), row);
                    row.push(b':');
                    if let Expr::Slot(slot) = expr {
                        self.write_slot(*slot, subject, values, row);
                    } else {
                        values[computed].write(row);
                        computed += 1;
                    }
                }
            }
            row.push(b',');
        }
        self.write_meta(subject, row);
        // The last comma; a row without columns has none.
        if row.last() == Some(&b',') {
            row.pop();
        }
        row.push(b'}');
        out.finish_row()?;
        Ok(true)
    }

    /// What is said about the row itself.
    fn write_meta(&self, subject: &Subject<'_>, row: &mut Vec<u8>) {
        if subject.partial {
            row.extend_from_slice(b"\"partial\":true,");
        }
        if subject.number == OVERFLOW {
            row.extend_from_slice(b"\"overflow\":true,");
        }
        if subject.revision > 0 {
            row.extend_from_slice(b"\"revision\":");
            json::write_int(subject.revision.into(), row);
            row.push(b',');
        }
        if let Some(closed_by) = self.closed_by {
            row.extend_from_slice(b"\"closed_by\":\"");
            row.extend_from_slice(closed_by.name().as_bytes());
            row.extend_from_slice(b"\",");
        }
    }

    /// Keys are printed as they were first seen.
    fn write_slot(
        &self,
        slot: usize,
        subject: &Subject<'_>,
        values: &[Value<'_>],
        row: &mut Vec<u8>,
    ) {
        match slot.checked_sub(KEYS).filter(|&column| column < self.plan.keys.len()) {
            Some(column) => row.extend_from_slice(self.key_text(subject, column)),
            None => values[slot].write(row),
        }
    }

    fn key_text<'s>(&'s self, subject: &Subject<'s>, column: usize) -> &'s [u8] {
        match subject.spelling {
            _ if subject.number == OVERFLOW => b"null",
            Some(spelling) => &spelling[column],
            None => self.lookups.dictionary(self.inputs.keys).text(subject.number, column),
        }
    }

    fn key_value<'v>(&'v self, subject: &Subject<'v>, column: usize, arena: &'v Bump) -> Value<'v> {
        let value = Value::from_json(self.key_text(subject, column), arena);
        let is_time = self.plan.keys[column].expr.static_type() == Some(Type::Timestamp);
        match value {
            Value::Str(text) if is_time => {
                TimeReader::default().parse(text).map_or(Value::Null, Value::Time)
            }
            _ => value,
        }
    }

    fn context<'v>(&'v self, slots: &'v [Value<'v>], arena: &'v Bump) -> Context<'v> {
        Context { slots, arena, casts_failed: self.casts_failed, now: self.now }
    }

    /// All values of a group's row.
    fn values<'v>(&'v self, subject: &Subject<'v>, arena: &'v Bump) -> &'v [Value<'v>] {
        let plan = self.plan;
        let more = plan.columns.iter().filter(|column| computed(column).is_some()).count();
        let length = KEYS + plan.keys.len() + plan.aggregates.len() + more;
        let mut values = bumpalo::collections::Vec::with_capacity_in(length, arena);
        values.extend_from_slice(&self.window);
        for column in 0..plan.keys.len() {
            values.push(self.key_value(subject, column, arena));
        }
        for (index, accumulator) in subject.accumulators.iter().enumerate() {
            let dictionary = self.inputs.dictionary(index);
            let dictionary = dictionary.map(|place| self.lookups.dictionary(place));
            values.push(accumulator.evaluate(subject.group, dictionary, arena));
        }
        for expr in plan.columns.iter().filter_map(computed) {
            // It may read the computed columns before it.
            let known = arena.alloc_slice_copy(&values);
            values.push(expr.eval(&self.context(known, arena)));
        }
        values.into_bump_slice()
    }
}

/// The expression of a column that is more than a place in the row.
fn computed(column: &Column) -> Option<&Expr> {
    match column {
        Column::Value { expr, .. } if !matches!(expr, Expr::Slot(_)) => Some(expr),
        _ => None,
    }
}
