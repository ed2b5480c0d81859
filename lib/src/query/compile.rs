//! Clauses to a plan.

use super::error::{QueryError, Source};
use super::expr::Expr;
use super::grouping::{self, Window, key_of, name_of};
use super::plan::{Column, Key, Plan};
use super::scope::{RecordScope, RowScope};
use super::syntax::{Clauses, Fragment, GroupBy, Item, Reader};
use crate::line::Projection;

impl Plan {
    /// Compiles a query's text.
    ///
    /// `name` is what rows carry as `"query"`. The time is the field that
    /// `window(…)` names, else WATERMARK, else `time_field`. The fields that
    /// the query reads are added to `projection`, which several queries of one
    /// pass share.
    ///
    /// # Errors
    ///
    /// Fails at the first mistake; the error shows its place in the text.
    pub fn compile(
        text: &str,
        name: Option<&str>,
        time_field: &str,
        projection: &mut Projection,
    ) -> Result<Self, QueryError> {
        let source = Source::new(name.unwrap_or("query"), text);
        let mut clauses = Reader::new(&source)?.query()?;
        let (window, keys) = take_window(&mut clauses)?;
        let mut plan = compile(&clauses, &keys, window, time_field, projection)?;
        plan.name = name.map(str::to_owned);
        Ok(plan)
    }
}

impl Expr {
    /// Compiles an expression over records, such as the condition of WHERE.
    ///
    /// `origin` names the text in errors, such as `--where`. The fields that it
    /// reads are added to `projection`; `time_field` is the one that is a time.
    ///
    /// # Errors
    ///
    /// Fails at the first mistake; the error shows its place in the text.
    pub fn compile(
        text: &str,
        origin: &str,
        time_field: &str,
        projection: &mut Projection,
    ) -> Result<Self, QueryError> {
        let source = Source::new(origin, text);
        let mut scope = RecordScope { projection, time_field, table: None };
        Reader::new(&source)?.only_fragment()?.lower(&mut scope)
    }
}

/// The window that GROUP BY makes, and its other keys.
fn take_window<'a>(
    clauses: &mut Clauses<'a>,
) -> Result<(Option<Window>, Vec<Fragment<'a>>), QueryError> {
    let table = clauses.table.as_deref();
    let items = match std::mem::replace(&mut clauses.group_by, GroupBy::Keys(Vec::new())) {
        GroupBy::Keys(keys) => keys,
        GroupBy::All => grouping::all_keys(&clauses.select, table),
    };
    let mut found = None;
    let mut keys = Vec::new();
    for item in items {
        match grouping::window(&item.expr, &item.place(), table)? {
            Some(_) if found.is_some() => {
                return Err(item.error("a query has one window", "give several queries instead"));
            }
            Some(window) => found = Some(window),
            None => keys.push(item),
        }
    }
    if let (Some(window), Some(watermark)) = (&found, &clauses.watermark)
        && window.field != watermark.field
    {
        let source = clauses.select[0].value.source;
        return Err(source.error(
            watermark.span.clone(),
            "the watermark is on another field than the window",
            format!("expected {}", window.field),
        ));
    }
    Ok((found, keys))
}

/// Compiles clauses whose window and other keys have been told apart.
pub(super) fn compile(
    clauses: &Clauses<'_>,
    group_by: &[Fragment<'_>],
    window: Option<Window>,
    time_field: &str,
    projection: &mut Projection,
) -> Result<Plan, QueryError> {
    let time_field = match (&window, &clauses.watermark) {
        (Some(window), _) => window.field.clone(),
        (None, Some(watermark)) => watermark.field.clone(),
        (None, None) => time_field.to_owned(),
    };
    let table = clauses.table.as_deref();
    let mut record = RecordScope { projection, time_field: &time_field, table };
    let filter = match &clauses.filter {
        Some(filter) => Some(filter.lower(&mut record)?),
        None => None,
    };
    let mut keys: Vec<Key> = Vec::new();
    for item in group_by {
        let (fragment, name) = key_of(item, &clauses.select, table)?;
        let expr = fragment.lower(&mut record)?;
        if keys.iter().all(|key| key.expr != expr) {
            keys.push(Key { name, expr });
        }
    }
    let mut row = RowScope::new(record, &keys, window.as_ref().map(|window| window.spec));
    // A computed column's place is behind all aggregates, and how many there
    // are shows only at the end: the first round finds them, the second knows.
    select(clauses, window.as_ref(), &mut row)?;
    row.restart();
    let having = select(clauses, window.as_ref(), &mut row)?;
    let (aggregates, columns) = (row.aggregates, row.columns);
    Ok(Plan {
        name: None,
        window: window.map(|window| window.spec),
        delay: clauses.watermark.as_ref().map(|watermark| watermark.delay),
        time_field,
        filter,
        keys,
        aggregates,
        columns,
        having,
    })
}

/// Compiles SELECT into the row's columns, and HAVING.
fn select(
    clauses: &Clauses<'_>,
    window: Option<&Window>,
    row: &mut RowScope<'_, '_>,
) -> Result<Option<Expr>, QueryError> {
    for item in &clauses.select {
        if window.is_some() && is_window(item, window, clauses.table.as_deref())? {
            row.columns.push(Column::Window);
            continue;
        }
        let name = column_name(item, window.is_some(), clauses.table.as_deref());
        if row.has_column(&name) || (window.is_some() && name == "window") {
            let message = format!("two columns are called {name}");
            return Err(item.value.error(message, "name it with AS"));
        }
        let expr = item.value.lower(row)?;
        row.push(name, expr);
    }
    match &clauses.having {
        Some(having) => having.lower(row).map(Some),
        None => Ok(None),
    }
}

/// Whether the item is the window itself, by its name or spelled out.
fn is_window(
    item: &Item<'_>,
    window: Option<&Window>,
    table: Option<&str>,
) -> Result<bool, QueryError> {
    let place = item.value.place();
    if let Some(spelled) = grouping::window(&item.value.expr, &place, table)? {
        if Some(&spelled) != window {
            return Err(place.error("this is not the window of GROUP BY", "expected window"));
        }
    } else if !window.is_some_and(|window| window.is_called(&name_of(&item.value, table))) {
        return Ok(false);
    }
    match item.alias.as_deref() {
        None | Some("window") => Ok(true),
        Some(alias) if window.is_some_and(|window| window.is_called(alias)) => Ok(true),
        Some(alias) => {
            let message = format!("the window cannot be called {alias}");
            Err(place.error(message, "rows carry it as \"window\""))
        }
    }
}

fn column_name(item: &Item<'_>, has_window: bool, table: Option<&str>) -> String {
    if let Some(alias) = &item.alias {
        return alias.clone();
    }
    match name_of(&item.value, table).as_str() {
        "window.start" | "session_window.start" if has_window => "start".to_owned(),
        "window.end" | "session_window.end" if has_window => "end".to_owned(),
        name => name.to_owned(),
    }
}
