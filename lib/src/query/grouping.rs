//! GROUP BY: the window and the keys.

use sqlparser::ast;

use super::call::{arguments, function_name};
use super::error::QueryError;
use super::expr::Expr;
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

impl Window {
    /// Whether SELECT and HAVING may call the window so.
    pub(super) fn is_called(&self, name: &str) -> bool {
        is_called(self.spec, name)
    }
}

/// Whether a window of this kind may be called so: sessions have two names.
pub(super) fn is_called(spec: WindowSpec, name: &str) -> bool {
    match name {
        "window" => true,
        "session_window" => matches!(spec, WindowSpec::Session { .. }),
        _ => false,
    }
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

/// The window that an expression is, if it is a call of `window` or
/// `session_window`.
pub(super) fn window(
    expr: &ast::Expr,
    place: &Place<'_>,
    table: Option<&str>,
) -> Result<Option<Window>, QueryError> {
    let ast::Expr::Function(call) = expr else { return Ok(None) };
    let name = function_name(call);
    if name.eq_ignore_ascii_case("session_window") {
        return session_window(&arguments(call, place)?, place, table).map(Some);
    }
    if !name.eq_ignore_ascii_case("window") {
        return Ok(None);
    }
    let sources = arguments(call, place)?;
    let [time, lengths @ ..] = sources.as_slice() else {
        return Err(place.error("the window has no size", EXPECTED));
    };
    let field = time_field(time, place, table, EXPECTED)?;
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
const EXPECTED_SESSION: &str =
    "expected session_window(time, gap), as in session_window(timestamp, '5 minutes')";

/// `session_window(field, gap)`; unlike in Spark the gap is the same for all
/// records.
fn session_window(
    sources: &[&ast::Expr],
    place: &Place<'_>,
    table: Option<&str>,
) -> Result<Window, QueryError> {
    let [time, gap] = *sources else {
        return Err(place.error("session_window takes a time and a gap", EXPECTED_SESSION));
    };
    let field = time_field(time, place, table, EXPECTED_SESSION)?;
    let length = duration(gap, place)?;
    let spec = session_spec(length);
    let spec = spec.map_err(|(message, expected)| place.of(gap).error(message, expected))?;
    Ok(Window { field, spec })
}

/// Sessions with this gap; why there are none, and what would be right.
pub(super) fn session_spec(gap: TimeDelta) -> Result<WindowSpec, (&'static str, &'static str)> {
    if gap > TimeDelta::ZERO {
        Ok(WindowSpec::Session { gap })
    } else {
        Err(("a session ends after some silence", "expected more than 0s"))
    }
}

fn time_field(
    time: &ast::Expr,
    place: &Place<'_>,
    table: Option<&str>,
    expected: &str,
) -> Result<String, QueryError> {
    field(time, table)
        .ok_or_else(|| place.of(time).error("the window's time is no field", expected))
}

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

/// The SELECT items that GROUP BY ALL means: those without aggregates, be it by
/// the alias of an earlier one, and the window if it is spelled out.
pub(super) fn all_keys<'a>(select: &[Item<'a>], table: Option<&str>) -> Vec<Fragment<'a>> {
    let mut aggregated: Vec<&str> = Vec::new();
    let mut keys = Vec::new();
    for item in select {
        let mut projection = Projection::default();
        let mut record = RecordScope { projection: &mut projection, time_field: "", table };
        let is_window = matches!(window(&item.value.expr, &item.value.place(), table), Ok(Some(_)));
        let is_plain = item.value.lower(&mut record).is_ok_and(|expr| {
            let fields = (0..projection.len()).map(|slot| projection.name(slot));
            let of_row = |name: &str| aggregated.contains(&name) || is_part_of_window(name);
            !matches!(expr, Expr::Literal(_))
                && !fields.filter_map(|name| std::str::from_utf8(name).ok()).any(of_row)
        });
        if is_window || is_plain {
            keys.push(item.value.clone());
        } else {
            aggregated.extend(item.alias.as_deref());
        }
    }
    keys
}

/// Whether a name stands for a window that GROUP BY makes, or an end of it.
fn is_part_of_window(name: &str) -> bool {
    let whole = name.strip_suffix(".start").or(name.strip_suffix(".end")).unwrap_or(name);
    matches!(whole, "window" | "session_window")
}

/// Whether a SELECT item that is an alias for `name` reads a field `name`, or
/// is an aggregate. Then, as in Spark, `GROUP BY name` means the field.
fn reads(item: &Fragment<'_>, name: &str, table: Option<&str>) -> bool {
    let mut projection = Projection::default();
    let mut record = RecordScope { projection: &mut projection, time_field: "", table };
    item.lower(&mut record).is_err()
        || (0..projection.len()).any(|slot| projection.name(slot) == name.as_bytes())
}
