//! Constants in the text of a query.

use sqlparser::ast;

use super::cast;
use super::error::QueryError;
use super::expr::Literal;
use super::lower::Place;
use crate::line::json;
use crate::time::TimeDelta;

/// A number, text, truth value or null.
pub(super) fn value(value: &ast::Value, place: &Place<'_>) -> Result<Literal, QueryError> {
    Ok(match value {
        ast::Value::Null => Literal::Null,
        ast::Value::Boolean(truth) => Literal::Bool(*truth),
        ast::Value::Number(text, _) => number_of(value)
            .ok_or_else(|| place.error(format!("{text} is no number that fits"), ""))?,
        other => match string(other) {
            Some(text) => Literal::Str(text.into_bytes().into()),
            None => return Err(place.error(format!("`{other}` is not supported"), "")),
        },
    })
}

/// The number that a constant is, if it is one and fits.
pub(super) fn number_of(value: &ast::Value) -> Option<Literal> {
    let ast::Value::Number(text, _) = value else { return None };
    if let Some(number) = json::parse_int(text.as_bytes()) {
        return Some(Literal::Int(number));
    }
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Literal::Double(number))
}

/// The number of a constant that can count something.
pub(super) fn index(expr: &ast::Expr) -> Option<usize> {
    match expr {
        ast::Expr::Value(value) => match number_of(&value.value)? {
            Literal::Int(number) => number.try_into().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a constant in quotes.
pub(super) fn text(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Value(value) => string(&value.value),
        _ => None,
    }
}

fn string(value: &ast::Value) -> Option<String> {
    match value {
        ast::Value::SingleQuotedString(text) => Some(unescape(text, '\'')),
        ast::Value::DoubleQuotedString(text) => Some(unescape(text, '"')),
        ast::Value::SingleQuotedRawStringLiteral(text)
        | ast::Value::DoubleQuotedRawStringLiteral(text) => Some(text.clone()),
        _ => None,
    }
}

/// What stands between the quotes of a string: a doubled quote is one, and
/// backslashes mean what they do in Spark. But where Spark would drop one that
/// means nothing to it, as in `'\d'`, it is kept: whoever writes that means a
/// regular expression.
fn unescape(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == quote {
            chars.next_if_eq(&quote);
        }
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('0') => out.push('\0'),
            Some(plain @ ('\\' | '\'' | '"')) => out.push(plain),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// `TIMESTAMP '2025-09-12 00:00:00'`.
pub(super) fn typed(typed: &ast::TypedString, place: &Place<'_>) -> Result<Literal, QueryError> {
    let text = string(&typed.value.value).unwrap_or_default();
    if !typed.data_type.to_string().eq_ignore_ascii_case("timestamp") {
        let message = format!("there are no constants of type {}", typed.data_type);
        return Err(place.error(message.to_lowercase(), "expected TIMESTAMP '…'"));
    }
    cast::spelled_time(text.trim().as_bytes()).map(Literal::Time).ok_or_else(|| {
        place.error("this is no time", "expected a time such as '2025-09-12 00:00:00'")
    })
}

/// `INTERVAL 5 MINUTES`.
pub(super) fn interval(
    interval: &ast::Interval,
    place: &Place<'_>,
) -> Result<TimeDelta, QueryError> {
    let place = place.of(interval.value.as_ref());
    let number = match interval.value.as_ref() {
        ast::Expr::UnaryOp { op: ast::UnaryOperator::Minus, expr } => format!("-{expr}"),
        value => text(value).unwrap_or_else(|| value.to_string()),
    };
    let unit = match (&interval.leading_field, &interval.last_field) {
        (Some(unit), None) => unit.to_string(),
        _ => return Err(place.error("this interval is not supported", EXPECTED)),
    };
    format!("{number} {unit}").parse().map_err(|_| {
        place.error(format!("an interval of `{number} {unit}` has no fixed length"), EXPECTED)
    })
}

const EXPECTED: &str = "expected microseconds to weeks, as in INTERVAL 5 MINUTES";
