//! Plans to SQL text.

use std::fmt::Write as _;

use super::Dialect;
use super::expr::{Text, Writer};
use super::names::quoted;
use crate::line::Projection;
use crate::query::expr::Expr;
use crate::query::plan::{Aggregate, Column, Key, Plan, WindowSpec};
use crate::query::scope::{FIRST_KEY, WINDOW_END, WINDOW_START};
use crate::time::TimeDelta;

/// The parts of a plan as SQL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanText<'a> {
    pub(crate) plan: &'a Plan,
    /// What the plan was compiled against.
    pub(crate) projection: &'a Projection,
}

impl Plan {
    /// The plan as a query's text, compiled against `projection`.
    ///
    /// Compiling the text gives the same plan, but for the names of the query
    /// and of keys that are expressions.
    pub fn to_sql(&self, projection: &Projection) -> String {
        PlanText { plan: self, projection }.query()
    }
}

/// What stands behind FROM, which no plan remembers.
const TABLE: &str = "records";

impl PlanText<'_> {
    /// The name of a record's slot.
    pub(crate) fn field(&self, slot: usize) -> String {
        String::from_utf8_lossy(self.projection.name(slot)).into_owned()
    }

    /// An expression over a record.
    pub(crate) fn record(&self, expr: &Expr) -> String {
        self.record_text(expr).sql
    }

    fn record_text(&self, expr: &Expr) -> Text {
        let slot = |slot| Text::atom(quoted(&self.field(slot)));
        Writer { dialect: Dialect::Own, slot: &slot }.text(expr)
    }

    /// An aggregate's call.
    pub(crate) fn aggregate(&self, aggregate: &Aggregate) -> String {
        let slot = |slot| Text::atom(quoted(&self.field(slot)));
        Writer { dialect: Dialect::Own, slot: &slot }.aggregate(aggregate)
    }

    /// The expression of the column with this number, which may name those
    /// before it.
    pub(crate) fn column(&self, index: usize) -> String {
        match &self.plan.columns[index] {
            Column::Window => "window".to_owned(),
            Column::Value { expr, .. } => self.row(expr, index),
        }
    }

    /// HAVING, which may name all columns.
    pub(crate) fn having(&self) -> Option<String> {
        self.plan.having.as_ref().map(|having| self.row(having, self.plan.columns.len()))
    }

    fn row(&self, expr: &Expr, columns: usize) -> String {
        let slot = |slot| self.row_slot(slot, columns);
        Writer { dialect: Dialect::Own, slot: &slot }.sql(expr)
    }

    /// A place of the row, by the name of one of the first columns or by what
    /// it holds.
    fn row_slot(&self, slot: usize, columns: usize) -> Text {
        if let Some(name) = self.column_name(slot, columns) {
            return Text::atom(quoted(name));
        }
        let keys = &self.plan.keys;
        match slot {
            WINDOW_START => Text::atom("window.start"),
            WINDOW_END => Text::atom("window.end"),
            slot if slot < FIRST_KEY + keys.len() => self.record_text(&keys[slot - FIRST_KEY].expr),
            slot => match self.plan.aggregates.get(slot - FIRST_KEY - keys.len()) {
                Some(aggregate) => Text::atom(self.aggregate(aggregate)),
                None => self.computed_text(slot),
            },
        }
    }

    /// A computed column whose name means something else, written out.
    fn computed_text(&self, slot: usize) -> Text {
        let mut places = self.plan.places().enumerate();
        match places.find(|(_, (place, _))| *place == Some(slot)) {
            Some((index, (_, Column::Value { expr, .. }))) => {
                let names = |slot| self.row_slot(slot, index);
                Writer { dialect: Dialect::Own, slot: &names }.text(expr)
            }
            _ => Text::atom("NULL"),
        }
    }

    /// The name of the first column that is this place of the row, unless a
    /// key's field is called so, which goes before.
    fn column_name(&self, slot: usize, columns: usize) -> Option<&str> {
        let is_taken = |name: &str| {
            self.plan.keys.iter().enumerate().any(|(index, key)| {
                FIRST_KEY + index != slot && self.key_field(key).is_some_and(|field| field == name)
            })
        };
        let is_window = |name: &str| name.starts_with("window.") && self.plan.window.is_some();
        self.plan.places().take(columns).find_map(|(place, column)| match column {
            Column::Value { name, .. }
                if place == Some(slot) && !is_taken(name) && !is_window(name) =>
            {
                Some(name.as_str())
            }
            _ => None,
        })
    }

    /// The field that a key is, if it is one.
    fn key_field(&self, key: &Key) -> Option<String> {
        match key.expr {
            Expr::Slot(slot) | Expr::Time(slot) => Some(self.field(slot)),
            _ => None,
        }
    }

    /// The call that makes the window.
    pub(crate) fn window(&self) -> Option<String> {
        let time = quoted(&self.plan.time_field);
        Some(match self.plan.window? {
            WindowSpec::Fixed { size, slide, start } => {
                let mut sql = format!("window({time}, '{}'", words(size));
                if slide != size || start != TimeDelta::ZERO {
                    let _ = write!(sql, ", '{}'", words(slide));
                }
                if start != TimeDelta::ZERO {
                    let _ = write!(sql, ", '{}'", words(start));
                }
                sql + ")"
            }
            WindowSpec::Session { gap } => format!("session_window({time}, '{}')", words(gap)),
        })
    }

    fn query(&self) -> String {
        let plan = self.plan;
        let items: Vec<_> = (0..plan.columns.len()).map(|index| self.item(index)).collect();
        let mut sql = format!("SELECT {}\nFROM {TABLE}", items.join(",\n       "));
        if let Some(delay) = plan.delay {
            let length = words(delay).to_uppercase();
            let time = quoted(&plan.time_field);
            let _ = write!(sql, " WATERMARK {time} DELAY OF INTERVAL {length}");
        }
        if let Some(filter) = &plan.filter {
            let _ = write!(sql, "\nWHERE {}", self.record(filter));
        }
        let keys = (0..plan.keys.len()).map(|index| self.group_key(index));
        let groups: Vec<_> = self.window().into_iter().chain(keys).collect();
        if !groups.is_empty() {
            let _ = write!(sql, "\nGROUP BY {}", groups.join(", "));
        }
        if let Some(having) = self.having() {
            let _ = write!(sql, "\nHAVING {having}");
        }
        sql + "\n"
    }

    fn item(&self, index: usize) -> String {
        let text = self.column(index);
        match &self.plan.columns[index] {
            Column::Value { name, .. } if text != quoted(name) => {
                format!("{text} AS {}", quoted(name))
            }
            _ => text,
        }
    }

    /// A key in GROUP BY: a field's name, the number of its column, so that it
    /// keeps the name, or what it is.
    fn group_key(&self, index: usize) -> String {
        let key = &self.plan.keys[index];
        if let Some(field) = self.key_field(key).filter(|field| *field == key.name) {
            return quoted(&field);
        }
        let mut places = self.plan.places();
        match places.position(|(place, _)| place == Some(FIRST_KEY + index)) {
            Some(column) => (column + 1).to_string(),
            None => self.record(&key.expr),
        }
    }
}

impl Plan {
    /// The columns with their places in the row; the window has two, and so
    /// none here.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Option<usize>, &Column)> {
        let mut computed = FIRST_KEY + self.keys.len() + self.aggregates.len();
        self.columns.iter().map(move |column| {
            let place = match column {
                Column::Window => None,
                Column::Value { expr: Expr::Slot(slot), .. } => Some(*slot),
                Column::Value { .. } => {
                    computed += 1;
                    Some(computed - 1)
                }
            };
            (place, column)
        })
    }
}

/// A length of time without its sign, in one unit: `5 minutes`.
pub(crate) fn words(delta: TimeDelta) -> String {
    const UNITS: [(&str, u64); 6] = [
        ("day", 86_400_000_000),
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
        ("millisecond", 1_000),
        ("microsecond", 1),
    ];
    let micros = delta.micros.unsigned_abs();
    let wanted = UNITS.iter().find(|(_, scale)| micros > 0 && micros.is_multiple_of(*scale));
    let (unit, scale) = wanted.copied().unwrap_or(("second", 1_000_000));
    match micros / scale {
        1 => format!("1 {unit}"),
        number => format!("{number} {unit}s"),
    }
}
