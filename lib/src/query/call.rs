//! Calls of functions of values.

use sqlparser::ast;

use super::error::{QueryError, nearest};
use super::expr::{Expr, Type};
use super::lower::{self, Place, Scope, case, not};
use super::{functions, literal};

type Result<T, E = QueryError> = std::result::Result<T, E>;

/// The arguments of a call that are plain expressions.
pub(super) fn arguments<'c>(
    call: &'c ast::Function,
    place: &Place<'_>,
) -> Result<Vec<&'c ast::Expr>> {
    let ast::FunctionArguments::List(list) = &call.args else {
        return Err(place.error("the function has no argument list", "expected (…)"));
    };
    list.args
        .iter()
        .map(|argument| match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Ok(expr),
            other => Err(place.error(format!("`{other}` is no argument of {}", call.name), "")),
        })
        .collect()
}

/// A function's name, if it is a single word.
pub(super) fn function_name(call: &ast::Function) -> &str {
    match call.name.0.as_slice() {
        [part] => part.as_ident().map_or("", |ident| &ident.value),
        _ => "",
    }
}

/// Compiles a call of a function of values.
pub(super) fn lower(
    call: &ast::Function,
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Expr> {
    let name = function_name(call).to_ascii_lowercase();
    if call.over.is_some() {
        return Err(place.error(
            "functions OVER a window of rows are not supported",
            "detect compares a row with those before it",
        ));
    }
    let known = functions::scalar(&name);
    if known.is_none() && !functions::names().any(|known| known == name) {
        if let Some(to) = functions::type_named(&name) {
            let [operand] = *arguments(call, place)? else {
                return Err(place.error(format!("{name} takes one argument"), ""));
            };
            return Ok(Expr::Cast(to, lower::lower(operand, place, scope)?.into()));
        }
        return Err(unknown_function(call, place));
    }
    let sources = arguments(call, place)?;
    if name == "date_trunc" {
        return date_trunc(&sources, place, scope);
    }
    let mut arguments = sources
        .iter()
        .map(|argument| lower::lower(argument, place, scope))
        .collect::<Result<Vec<_>>>()?;
    let count = arguments.len();
    let takes = |number: &str| Err(place.error(format!("{name} takes {number}"), ""));
    match (name.as_str(), known) {
        (_, Some((_, fewest, most))) if count < fewest || count > most => {
            takes(&match (fewest, most) {
                (1, 1) => "one argument".to_owned(),
                (fewest, usize::MAX) => format!("{fewest} or more arguments"),
                (fewest, most) if fewest == most => format!("{fewest} arguments"),
                (fewest, most) => format!("{fewest} or {most} arguments"),
            })
        }
        (_, Some((function, ..))) => Ok(Expr::Call(function, arguments.into())),
        ("if", None) if count == 3 => {
            let otherwise = arguments.pop();
            let then = arguments.pop().unwrap_or(Expr::NULL);
            let when = arguments.pop().unwrap_or(Expr::NULL);
            Ok(case(None, vec![(when, then)], otherwise))
        }
        ("if", None) => takes("3 arguments"),
        ("isnull" | "isnotnull" | "to_timestamp", None) if count == 1 => {
            let operand = arguments.swap_remove(0).into();
            Ok(match name.as_str() {
                "isnull" => Expr::IsNull(operand),
                "isnotnull" => not(Expr::IsNull(operand)),
                _ => Expr::Cast(Type::Timestamp, operand),
            })
        }
        ("window", None) => Err(place.error(
            "window(…) does not belong here",
            "expected in GROUP BY; in SELECT it is called window",
        )),
        _ => takes("one argument"),
    }
}

fn date_trunc(sources: &[&ast::Expr], place: &Place<'_>, scope: &mut dyn Scope) -> Result<Expr> {
    let [unit, operand] = sources else {
        return Err(place.error("date_trunc takes a unit and a time", ""));
    };
    let named = literal::text(unit).and_then(|unit| functions::unit_named(&unit));
    let unit = named.ok_or_else(|| {
        place.of(*unit).error(
            "this is no unit of date_trunc",
            "expected 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter' or 'year'",
        )
    })?;
    Ok(Expr::Truncate(unit, lower::lower(operand, place, scope)?.into()))
}

fn unknown_function(call: &ast::Function, place: &Place<'_>) -> QueryError {
    let name = function_name(call);
    let place = place.of(&call.name);
    if ["now", "current_timestamp"].iter().any(|now| name.eq_ignore_ascii_case(now)) {
        return place.error(format!("{name}() is not supported yet"), "");
    }
    let expected = nearest(name, functions::names())
        .map_or(String::new(), |nearest| format!("did you mean `{nearest}`?"));
    place.error(format!("unknown function `{}`", call.name), expected)
}
