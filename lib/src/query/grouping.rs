//! GROUP BY: the window and the keys.

use sqlparser::ast;

use super::call::{arguments, function_name};
use super::error::QueryError;
use super::literal;
use super::lower::Place;
use super::plan::WindowSpec;
use super::scope::{RecordScope, field};
use super::syntax::{Fragment, Item};
use crate::line::Projection;
use crate::time::TimeDelta;

/// `window(field, size[, slide[, start]])`
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    /// The event time's field.
    pub(super) field: String,
    pub(super) spec: WindowSpec,
}

/// Why lengths make no window: the number of the wrong one among size, slide
/// and start, what is wrong with it, and what would be right.
pub(super) type WrongLength = (usize, &'static str, String);

/// The windows of these lengths; a slide left out is the size.
pub(super) fn window_spec(
    size: TimeDelta,
    slide: Option<TimeDelta>,
    start: Option<TimeDelta>,
) -> Result<WindowSpec, WrongLength> {
    let slide_by = slide.unwrap_or(size);
    let start = start.unwrap_or_default();
    if size <= TimeDelta::ZERO {
        return Err((0, "a window has a length", "expected more than 0s".to_owned()));
    }
    if slide_by <= TimeDelta::ZERO {
        return Err((1, "windows slide forwards", "expected more than 0s".to_owned()));
    }
    if slide_by > size {
        let expected = format!("expected at most the size, {size}");
        return Err((1, "between such windows records would be lost", expected));
    }
    if start.micros.unsigned_abs() >= slide_by.micros.unsigned_abs() {
        let expected = format!("expected less than the slide, {slide_by}");
        return Err((2, "the start is an offset within a slide", expected));
    }
    let start = TimeDelta::from_micros(start.micros.rem_euclid(slide_by.micros));
    Ok(WindowSpec::Fixed { size, slide: slide_by, start })
}

/// The window that an expression is, if it is a call of `window`.
pub(super) fn window(
    expr: &ast::Expr,
    place: &Place<'_>,
    table: Option<&str>,
) -> Result<Option<Window>, QueryError> {
    let ast::Expr::Function(call) = expr else { return Ok(None) };
    let name = function_name(call);
    if name.eq_ignore_ascii_case("session_window") {
        return Err(place.error("session windows are not supported yet", "expected window(…)"));
    }
    if !name.eq_ignore_ascii_case("window") {
        return Ok(None);
    }
    let sources = arguments(call, place)?;
    let [time, lengths @ ..] = sources.as_slice() else {
        return Err(place.error("the window has no size", EXPECTED));
    };
    let Some(field) = field(time, table) else {
        return Err(place.of(*time).error("the window's time is no field", EXPECTED));
    };
    let deltas =
        lengths.iter().map(|length| duration(length, place)).collect::<Result<Vec<_>, _>>()?;
    let (size, slide, start) = match *deltas {
        [size] => (size, None, None),
        [size, slide] => (size, Some(slide), None),
        [size, slide, start] => (size, Some(slide), Some(start)),
        _ => return Err(place.error("window takes a time and one to three lengths", EXPECTED)),
    };
    match window_spec(size, slide, start) {
        Ok(spec) => Ok(Some(Window { field, spec })),
        Err((index, message, expected)) => Err(place.of(lengths[index]).error(message, expected)),
    }
}

const EXPECTED: &str = "expected window(time, size), as in window(timestamp, '5 minutes')";

fn duration(expr: &ast::Expr, place: &Place<'_>) -> Result<TimeDelta, QueryError> {
    if let ast::Expr::Interval(interval) = expr {
        return literal::interval(interval, place);
    }
    let place = place.of(expr);
    let Some(text) = literal::text(expr) else {
        return Err(place.error("this is no length of time", "expected one such as '5 minutes'"));
    };
    text.parse().map_err(|error: crate::time::ParseTimeDeltaError| {
        place.error("this is no length of time", error.to_string())
    })
}

/// What a GROUP BY item means, and its name in the row: the item itself, the
/// SELECT item that it is the alias of, or the one at its number.
pub(super) fn key_of<'f, 'a>(
    key: &'f Fragment<'a>,
    select: &'f [Item<'a>],
    table: Option<&str>,
) -> Result<(&'f Fragment<'a>, String), QueryError> {
    if let ast::Expr::Value(value) = &key.expr
        && let ast::Value::Number(number, _) = &value.value
    {
        let item = number.parse::<usize>().ok().and_then(|at| select.get(at.checked_sub(1)?));
        let item = item.ok_or_else(|| {
            key.error("there is no such item in SELECT", format!("expected 1 to {}", select.len()))
        })?;
        let name = item.alias.clone().unwrap_or_else(|| name_of(&item.value, table));
        return Ok((&item.value, name));
    }
    let name = name_of(key, table);
    if let ast::Expr::Identifier(ident) = &key.expr {
        let item = select.iter().find(|item| item.alias.as_deref() == Some(&ident.value));
        if let Some(item) = item.filter(|item| !reads(&item.value, &ident.value, table)) {
            return Ok((&item.value, name));
        }
    }
    Ok((key, name))
}

/// The name of what has no alias: its field, else its text.
pub(super) fn name_of(fragment: &Fragment<'_>, table: Option<&str>) -> String {
    field(&fragment.expr, table).unwrap_or_else(|| fragment.name())
}

/// Whether a SELECT item that is an alias for `name` reads a field `name`, or
/// is an aggregate. Then, as in Spark, `GROUP BY name` means the field.
fn reads(item: &Fragment<'_>, name: &str, table: Option<&str>) -> bool {
    let mut projection = Projection::default();
    let mut record = RecordScope { projection: &mut projection, time_field: "", table };
    item.lower(&mut record).is_err()
        || (0..projection.len()).any(|slot| projection.name(slot) == name.as_bytes())
}
