//! Rows: a window's groups in order, each as one line of JSON.

use std::cell::Cell;

use bumpalo::Bump;

use super::pane::Pane;
use crate::line::{Value, json};
use crate::query::{Column, Context, Expr, Plan};
use crate::stream::{Output, StageError};
use crate::time::Timestamp;

/// Places of a row's values: the window's start and end, the keys, the
/// aggregates, then what is computed from them.
const KEYS: usize = 2;

/// Prints a window's rows, sorted by their keys. `window` is its start and
/// end; `None` where there are no windows.
pub(super) fn write_rows(
    plan: &Plan,
    window: Option<(i64, i64)>,
    pane: &Pane,
    casts_failed: &Cell<u64>,
    out: &mut Output,
) -> Result<(), StageError> {
    let mut order: Vec<u32> = (0..pane.groups.len() as u32).collect();
    order.sort_unstable_by_key(|&group| pane.groups.key(group as usize));
    let mut writer = RowWriter { plan, window, pane, casts_failed, head: Vec::new() };
    writer.prepare();
    let mut arena = Bump::new();
    for group in order {
        arena.reset();
        writer.write(group as usize, &arena, out)?;
    }
    Ok(())
}

struct RowWriter<'a> {
    plan: &'a Plan,
    window: Option<(i64, i64)>,
    pane: &'a Pane,
    casts_failed: &'a Cell<u64>,
    /// `"window":{"start":"…","end":"…"}`, the same in all rows.
    head: Vec<u8>,
}

impl RowWriter<'_> {
    fn prepare(&mut self) {
        let Some((start, end)) = self.window else { return };
        self.head.extend_from_slice(b"\"window\":{\"start\":\"");
        Timestamp::from_micros(start).write(&mut self.head);
        self.head.extend_from_slice(b"\",\"end\":\"");
        Timestamp::from_micros(end).write(&mut self.head);
        self.head.extend_from_slice(b"\"}");
    }

    /// Prints a group's row if HAVING lets it.
    fn write(&self, group: usize, arena: &Bump, out: &mut Output) -> Result<(), StageError> {
        let values = self.values(group, arena);
        let context = Context {
            slots: values,
            arena,
            casts_failed: self.casts_failed,
            now: Timestamp::EPOCH,
        };
        if self.plan.having.as_ref().is_some_and(|having| !having.is_true(&context)) {
            return Ok(());
        }
        let row = out.row();
        row.push(b'{');
        if let Some(name) = &self.plan.name {
            row.extend_from_slice(b"\"query\":");
            json::write_string(name.as_bytes(), row);
            row.push(b',');
        }
        let mut computed = self.first_computed();
        for column in &self.plan.columns {
            match column {
                Column::Window => row.extend_from_slice(&self.head),
                Column::Value { name, expr } => {
                    json::write_string(name.as_bytes(), row);
                    row.push(b':');
                    if let Expr::Slot(slot) = expr {
                        self.write_slot(*slot, group, values, row);
                    } else {
                        values[computed].write(row);
                        computed += 1;
                    }
                }
            }
            row.push(b',');
        }
        // The last comma, or the brace of a row without columns.
        if row.last() == Some(&b',') {
            row.pop();
        }
        row.push(b'}');
        out.finish_row()
    }

    fn first_computed(&self) -> usize {
        KEYS + self.plan.keys.len() + self.plan.aggregates.len()
    }

    /// Keys are printed as they were first seen.
    fn write_slot(&self, slot: usize, group: usize, values: &[Value<'_>], row: &mut Vec<u8>) {
        match slot.checked_sub(KEYS).filter(|&column| column < self.plan.keys.len()) {
            Some(column) => row.extend_from_slice(self.pane.groups.text(group, column)),
            None => values[slot].write(row),
        }
    }

    /// All values of a group's row.
    fn values<'a>(&'a self, group: usize, arena: &'a Bump) -> &'a [Value<'a>] {
        let instant = |micros| Value::Time(Timestamp::from_micros(micros));
        let (start, end) = match self.window {
            Some((start, end)) => (instant(start), instant(end)),
            None => (Value::Null, Value::Null),
        };
        let keys = 0..self.plan.keys.len();
        let keys = keys.map(|column| Value::from_json(self.pane.groups.text(group, column), arena));
        let aggregates =
            self.pane.accumulators.iter().map(|accumulator| accumulator.evaluate(group, arena));
        let known = [start, end].into_iter().chain(keys).chain(aggregates);
        let mut values: &[Value<'_>] =
            bumpalo::collections::Vec::from_iter_in(known, arena).into_bump_slice();
        for column in &self.plan.columns {
            // A computed column may read the computed ones before it.
            if let Column::Value { expr, .. } = column
                && !matches!(expr, Expr::Slot(_))
            {
                let context = Context {
                    slots: values,
                    arena,
                    casts_failed: self.casts_failed,
                    now: Timestamp::EPOCH,
                };
                let value = expr.eval(&context);
                let more = values.iter().copied().chain([value]);
                values = bumpalo::collections::Vec::from_iter_in(more, arena).into_bump_slice();
            }
        }
        values
    }
}
