//! One query as a Python function from records to rows.

use std::fmt::Write as _;

use super::python;
use crate::line::Projection;
use crate::query::unparse::{Dialect, PlanText, Text, Writer, quoted, words};
use crate::query::{Column, Expr, Function, Plan, Type, WindowSpec};
use crate::time::TimeDelta;
use crate::window::{Mode, WindowOptions};

/// Places in a row: see [`Plan`].
const FIRST_KEY: usize = 2;

/// A query, and what it is called in the program.
pub(super) struct SparkQuery<'a> {
    pub(super) plan: &'a Plan,
    pub(super) projection: &'a Projection,
    pub(super) options: &'a WindowOptions,
    /// Its folder's name and its function's.
    pub(super) name: String,
}

impl SparkQuery<'_> {
    /// Spark's output mode, and why it is another one than asked for.
    pub(super) fn mode(&self) -> (&'static str, Option<&'static str>) {
        let plan = self.plan;
        let is_session = matches!(plan.window, Some(WindowSpec::Session { .. }));
        match self.options.mode {
            Mode::Append if plan.window.is_none() => {
                ("complete", Some("Totals, which Spark prints whole after each batch."))
            }
            Mode::Append if plan.delay.is_none() => (
                "complete",
                Some(
                    "Without a watermark Spark closes no window: all are printed after each batch.",
                ),
            ),
            Mode::Update if is_session => {
                ("append", Some("Spark prints sessions when they are closed, not before."))
            }
            Mode::Append => ("append", None),
            Mode::Update => ("update", None),
            Mode::Complete => ("complete", None),
        }
    }

    /// The function's text.
    pub(super) fn function(&self) -> String {
        let mut out = format!("def {}(records):\n", self.name);
        for note in self.notes() {
            let _ = writeln!(out, "    # {note}");
        }
        out += "    rows = (\n        records\n";
        self.watermark(&mut out);
        self.filter(&mut out);
        self.dedupe(&mut out);
        self.group(&mut out);
        self.computed(&mut out);
        if let Some(having) = &self.plan.having {
            let _ = writeln!(out, "        .where({})", python::text(&self.row(having)));
        }
        out += "    )\n";
        self.select(&mut out);
        out
    }

    fn notes(&self) -> Vec<&'static str> {
        let has = |is: fn(&Function) -> bool| {
            self.plan.aggregates.iter().any(|aggregate| is(&aggregate.function))
        };
        let mut notes = Vec::new();
        notes.extend(self.mode().1);
        if has(|function| *function == Function::CountDistinct) {
            notes.push(
                "Spark refuses count(DISTINCT …) on streams; the size of a set is exact too.",
            );
        }
        if has(|function| matches!(function, Function::CollectList | Function::CollectSet)) {
            notes.push("Spark does not promise an order within lists and sets.");
        }
        if has(|function| matches!(function, Function::First { .. } | Function::Last { .. })) {
            notes.push("Spark does not promise which record is the first or last.");
        }
        notes
    }

    fn watermark(&self, out: &mut String) {
        if let Some(delay) = self.plan.delay {
            let (time, delay) = (python::text(&self.plan.time_field), python::text(&words(delay)));
            let _ = writeln!(out, "        .withWatermark({time}, {delay})");
        }
    }

    fn filter(&self, out: &mut String) {
        let Some(filter) = &self.plan.filter else { return };
        let filter = self.record(filter);
        if self.plan.delay.is_none() {
            let _ = writeln!(out, "        .where({})", python::text(&filter));
            return;
        }
        let time = quoted(&self.plan.time_field);
        let filter = format!("CASE WHEN {time} IS NOT NULL THEN {filter} END");
        *out +=
            "        # A condition without the time would be moved before the watermark, which\n";
        *out += "        # records that are dropped here move too.\n";
        let _ = writeln!(out, "        .where({})", python::text(&filter));
    }

    fn dedupe(&self, out: &mut String) {
        let Some(dedupe) = &self.options.dedupe else { return };
        let keys: Vec<_> = (0..dedupe.keys.len()).map(|index| format!("_dedupe{index}")).collect();
        for (key, expr) in keys.iter().zip(&dedupe.keys) {
            let expr = python::text(&self.record(expr));
            let _ = writeln!(out, "        .withColumn({}, F.expr({expr}))", python::text(key));
        }
        if self.plan.delay.is_none() {
            let time = quoted(&self.plan.time_field);
            let _ = writeln!(
                out,
                "        .withWatermark({}, {})",
                python::text(&time),
                python::text(&words(dedupe.within))
            );
        }
        let _ = writeln!(
            out,
            "        # Spark remembers keys for as long as the watermark waits, not for {}.",
            dedupe.within
        );
        let _ = writeln!(out, "        .dropDuplicatesWithinWatermark({})", python::list(&keys));
    }

    fn group(&self, out: &mut String) {
        let plan = self.plan;
        *out += "        .groupBy(\n";
        if let Some(window) = self.window() {
            let _ = writeln!(out, "            {window}.alias(\"window\"),");
        }
        for (index, key) in plan.keys.iter().enumerate() {
            let name = self.slot_name(FIRST_KEY + index);
            named(&self.record(&key.expr), &name, out);
        }
        if plan.keys.is_empty() && matches!(plan.window, Some(WindowSpec::Session { .. })) {
            *out += "            # Spark wants a key beside a session; this one is always false.\n";
            named(&format!("{} IS NULL", quoted(&plan.time_field)), "_all", out);
        }
        *out += "        )\n        .agg(\n";
        for (index, aggregate) in plan.aggregates.iter().enumerate() {
            let slot = |slot| self.field(slot);
            let sql = Writer { dialect: Dialect::Spark, slot: &slot }.aggregate(aggregate);
            named(&sql, &self.slot_name(FIRST_KEY + plan.keys.len() + index), out);
        }
        if plan.aggregates.is_empty() {
            *out += "            # Spark does not group without an aggregate.\n";
            named("count(*)", "_count", out);
        }
        *out += "        )\n";
    }

    fn window(&self) -> Option<String> {
        let time = format!("F.col({})", python::text(&quoted(&self.plan.time_field)));
        Some(match self.plan.window? {
            WindowSpec::Fixed { size, slide, start } => {
                let lengths = [size, slide, start].map(|length| python::text(&words(length)));
                let used = if start != TimeDelta::ZERO {
                    3
                } else if slide != size {
                    2
                } else {
                    1
                };
                format!("F.window({time}, {})", lengths[..used].join(", "))
            }
            WindowSpec::Session { gap } => {
                format!("F.session_window({time}, {})", python::text(&words(gap)))
            }
        })
    }

    fn computed(&self, out: &mut String) {
        for (place, column) in self.plan.places() {
            let (Some(place), Column::Value { expr, .. }) = (place, column) else { continue };
            if matches!(expr, Expr::Slot(_)) {
                continue;
            }
            let (name, expr) =
                (python::text(&self.slot_name(place)), python::text(&self.row(expr)));
            let _ = writeln!(out, "        .withColumn({name}, F.expr({expr}))");
        }
    }

    fn select(&self, out: &mut String) {
        *out += "    return rows.select(\n";
        if let Some(name) = &self.plan.name {
            let _ = writeln!(out, "        F.lit({}).alias(\"query\"),", python::text(name));
        }
        for (place, column) in self.plan.places() {
            match (place, column) {
                (Some(place), Column::Value { name, expr }) => {
                    let value = format!("F.col({})", python::text(&self.row_slot(place).sql));
                    let value =
                        if self.is_time(expr) { format!("rfc3339({value})") } else { value };
                    let _ = writeln!(out, "        {value}.alias({}),", python::text(name));
                }
                _ => *out += "        span(F.col(\"window\")).alias(\"window\"),\n",
            }
        }
        *out += "    )\n";
    }

    /// Whether a column's values are times.
    fn is_time(&self, expr: &Expr) -> bool {
        let Expr::Slot(slot) = expr else { return expr.static_type() == Some(Type::Timestamp) };
        let Some(index) = slot.checked_sub(FIRST_KEY) else { return true };
        let argument = match self.plan.keys.get(index) {
            Some(key) => Some(&key.expr),
            None => self.plan.aggregates.get(index - self.plan.keys.len()).and_then(|aggregate| {
                let keeps_type = matches!(
                    aggregate.function,
                    Function::Min
                        | Function::Max
                        | Function::First { .. }
                        | Function::Last { .. }
                        | Function::MinBy
                        | Function::MaxBy
                        | Function::Mode
                );
                aggregate.argument.as_ref().filter(|_| keeps_type)
            }),
        };
        argument.is_some_and(|argument| argument.static_type() == Some(Type::Timestamp))
    }

    /// An expression over a record.
    fn record(&self, expr: &Expr) -> String {
        let slot = |slot| self.field(slot);
        Writer { dialect: Dialect::Spark, slot: &slot }.sql(expr)
    }

    fn field(&self, slot: usize) -> Text {
        let text = PlanText { plan: self.plan, projection: self.projection };
        Text::atom(quoted(&text.field(slot)))
    }

    /// An expression over a row.
    fn row(&self, expr: &Expr) -> String {
        let slot = |slot| self.row_slot(slot);
        Writer { dialect: Dialect::Spark, slot: &slot }.sql(expr)
    }

    fn row_slot(&self, slot: usize) -> Text {
        match slot {
            0 => Text::atom("window.start"),
            1 => Text::atom("window.end"),
            slot => Text::atom(quoted(&self.slot_name(slot))),
        }
    }

    /// What a place of the row is called while it is computed: as its column,
    /// if that is a plain word that only one place has.
    fn slot_name(&self, slot: usize) -> String {
        let mut columns = self.plan.places().filter(|(place, _)| *place == Some(slot));
        match columns.next() {
            Some((_, Column::Value { name, .. })) if is_word(name) => name.clone(),
            _ => format!("_slot{slot}"),
        }
    }
}

/// Whether a name is a plain word that no name of the program's own is like.
fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name != "window"
}

/// An expression with its name, as an argument on a line of its own.
fn named(sql: &str, name: &str, out: &mut String) {
    let (sql, name) = (python::text(sql), python::text(name));
    let _ = writeln!(out, "            F.expr({sql}).alias({name}),");
}
