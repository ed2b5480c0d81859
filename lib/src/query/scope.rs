//! What names mean in a record and in a row.

use sqlparser::ast;

use super::call::{arguments, function_name};
use super::error::{QueryError, nearest};
use super::expr::{Expr, Type};
use super::grouping::is_called;
use super::lower::{Place, Scope, lower};
use super::plan::{Aggregate, Column, Key, WindowSpec};
use super::syntax::path;
use super::{aggregate, functions};
use crate::line::Projection;
use crate::time::TimeDelta;

/// The names in front of GROUP BY: all are fields of the record.
#[derive(Debug)]
pub(super) struct RecordScope<'p> {
    pub(super) projection: &'p mut Projection,
    /// The event time's field, whose value is a time.
    pub(super) time_field: &'p str,
    /// The name that may stand before a field's.
    pub(super) table: Option<&'p str>,
}

impl RecordScope<'_> {
    /// The field's name in an expression that is one.
    pub(super) fn field(&self, expr: &ast::Expr) -> Option<String> {
        field(expr, self.table)
    }
}

/// The field's name in an expression that is one, without its table's.
pub(super) fn field(expr: &ast::Expr, table: Option<&str>) -> Option<String> {
    match (expr, table) {
        (ast::Expr::CompoundIdentifier(idents), Some(table)) if idents[0].value == table => {
            path(&ast::Expr::CompoundIdentifier(idents[1..].to_vec()))
        }
        _ => path(expr),
    }
}

impl Scope for RecordScope<'_> {
    fn resolve(&mut self, expr: &ast::Expr, place: &Place<'_>) -> Result<Option<Expr>, QueryError> {
        if let Some(name) = self.field(expr) {
            let slot = self.projection.add(&name);
            let is_time = name == self.time_field;
            return Ok(Some(if is_time { Expr::Time(slot) } else { Expr::Slot(slot) }));
        }
        match expr {
            ast::Expr::Function(call) if functions::aggregate(function_name(call)).is_some() => {
                Err(place.error(
                    format!("the aggregate {} does not belong here", call.name),
                    "this is computed for each record; aggregates go into SELECT and HAVING",
                ))
            }
            _ => Ok(None),
        }
    }
}

/// Places in a row: see [`Plan`](super::Plan).
pub(super) const WINDOW_START: usize = 0;
/// The place of the window's end.
pub(super) const WINDOW_END: usize = 1;
/// The place of the first key.
pub(super) const FIRST_KEY: usize = 2;

/// What a name of the window means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OfWindow {
    Whole,
    /// The start or end: its place in the row.
    Edge(usize),
}

/// The names in SELECT and HAVING: keys, aggregates, earlier columns.
#[derive(Debug)]
pub(super) struct RowScope<'s, 'p> {
    pub(super) record: RecordScope<'p>,
    pub(super) keys: &'s [Key],
    pub(super) window: Option<WindowSpec>,
    /// All aggregates met so far, each once.
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) columns: Vec<Column>,
    /// The names of the columns so far, with their places in the row.
    names: Vec<(String, usize)>,
    /// The places of the first and the next computed column.
    first_computed: usize,
    next_computed: usize,
}

/// Where computed columns are until all aggregates are known: at no other
/// value's place, which would lend them its type.
const BEHIND_ALL: usize = usize::MAX / 2;

impl<'s, 'p> RowScope<'s, 'p> {
    pub(super) fn new(
        record: RecordScope<'p>,
        keys: &'s [Key],
        window: Option<WindowSpec>,
    ) -> Self {
        Self {
            record,
            keys,
            window,
            aggregates: Vec::new(),
            columns: Vec::new(),
            names: Vec::new(),
            first_computed: BEHIND_ALL,
            next_computed: BEHIND_ALL,
        }
    }

    /// Forgets the columns but keeps the aggregates, behind which computed
    /// columns have their places.
    pub(super) fn restart(&mut self) {
        self.columns.clear();
        self.names.clear();
        self.first_computed = FIRST_KEY + self.keys.len() + self.aggregates.len();
        self.next_computed = self.first_computed;
    }

    /// Appends a column.
    pub(super) fn push(&mut self, name: String, expr: Expr) {
        let place = if let Expr::Slot(place) = expr {
            place
        } else {
            self.next_computed += 1;
            self.next_computed - 1
        };
        self.names.push((name.clone(), place));
        self.columns.push(Column::Value { name, expr });
    }

    /// Whether there is a column of this name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| known == name)
    }

    /// The expression of the computed column at a place.
    fn computed(&self, place: usize) -> Option<&Expr> {
        let mut exprs = self.columns.iter().filter_map(|column| match column {
            Column::Value { expr, .. } if !matches!(expr, Expr::Slot(_)) => Some(expr),
            _ => None,
        });
        exprs.nth(place.checked_sub(self.first_computed)?)
    }

    /// The key that the expression is.
    ///
    /// Keys are compared compiled, so spelling and case of keywords are free.
    fn key(&self, expr: &ast::Expr, place: &Place<'_>) -> Option<usize> {
        if self.keys.is_empty() || matches!(expr, ast::Expr::Value(_)) {
            return None;
        }
        // Fields that no key has are added to the copy only, and so equal none.
        let mut projection = self.record.projection.clone();
        let mut record = RecordScope { projection: &mut projection, ..self.record };
        let compiled = lower(expr, place, &mut record).ok()?;
        self.keys.iter().position(|key| key.expr == compiled)
    }

    /// The place of an aggregate in the row, the same for equal ones.
    fn aggregate_place(&mut self, aggregate: Aggregate) -> usize {
        let index = self.aggregates.iter().position(|known| *known == aggregate);
        let index = index.unwrap_or_else(|| {
            self.aggregates.push(aggregate);
            self.aggregates.len() - 1
        });
        FIRST_KEY + self.keys.len() + index
    }

    /// What of the window the name means, if it means the window.
    fn of_window(&self, name: &str) -> Option<OfWindow> {
        let (whole, part) = match name.rsplit_once('.') {
            Some((whole, "start")) => (whole, OfWindow::Edge(WINDOW_START)),
            Some((whole, "end")) => (whole, OfWindow::Edge(WINDOW_END)),
            _ => (name, OfWindow::Whole),
        };
        is_called(self.window?, whole).then_some(part)
    }

    /// `window_time(window)`: the last instant that the window has in it.
    fn window_time(
        &self,
        call: &ast::Function,
        place: &Place<'_>,
    ) -> Result<Option<Expr>, QueryError> {
        if !function_name(call).eq_ignore_ascii_case("window_time") {
            return Ok(None);
        }
        let [argument] = *arguments(call, place)? else {
            return Err(place.error("window_time takes one argument", "expected the window"));
        };
        let name = self.record.field(argument);
        let part = name.and_then(|name| self.of_window(&name));
        Ok((part == Some(OfWindow::Whole)).then(|| {
            let end = Expr::Slot(WINDOW_END);
            Expr::Shift(end.into(), TimeDelta::from_micros(-1))
        }))
    }

    fn named(&self, name: &str, place: &Place<'_>) -> Result<Expr, QueryError> {
        match self.of_window(name) {
            Some(OfWindow::Edge(edge)) => return Ok(Expr::Slot(edge)),
            Some(OfWindow::Whole) => {
                let expected = format!("expected {name}.start or {name}.end");
                return Err(place.error("the window is no value", expected));
            }
            None => {}
        }
        if let Some((_, place)) = self.names.iter().find(|(known, _)| known == name) {
            return Ok(Expr::Slot(*place));
        }
        let known = self.names.iter().map(|(name, _)| name.as_str());
        let known = known.chain(self.keys.iter().map(|key| key.name.as_str()));
        let expected = match nearest(name, known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("aggregate it, as in max({name}), or add it to GROUP BY"),
        };
        Err(place.error(format!("`{name}` is neither a key nor aggregated"), expected))
    }
}

impl Scope for RowScope<'_, '_> {
    fn type_of(&self, expr: &Expr) -> Option<Type> {
        let &Expr::Slot(place) = expr else { return expr.static_type() };
        if let Some(column) = self.computed(place) {
            return self.type_of(column);
        }
        let Some(place) = place.checked_sub(FIRST_KEY) else { return Some(Type::Timestamp) };
        match self.keys.get(place) {
            Some(key) => key.expr.static_type(),
            None => self.aggregates.get(place - self.keys.len()).and_then(Aggregate::static_type),
        }
    }

    fn resolve(&mut self, expr: &ast::Expr, place: &Place<'_>) -> Result<Option<Expr>, QueryError> {
        if let Some(index) = self.key(expr, place) {
            return Ok(Some(Expr::Slot(FIRST_KEY + index)));
        }
        if let ast::Expr::Function(call) = expr {
            if let Some(time) = self.window_time(call, place)? {
                return Ok(Some(time));
            }
            let Some(name) = functions::aggregate(function_name(call)) else { return Ok(None) };
            let aggregate = aggregate::lower(name, call, place, &mut self.record)?;
            return Ok(Some(Expr::Slot(self.aggregate_place(aggregate))));
        }
        self.record.field(expr).map(|name| self.named(&name, place)).transpose()
    }
}
