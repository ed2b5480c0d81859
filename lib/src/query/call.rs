//! Calls of functions of values.

use sqlparser::ast;

use super::error::{QueryError, nearest};
use super::expr::{Arithmetic, Expr, Type};
use super::lower::{self, Place, Scope, case, not};
use super::pattern::PatternKind;
use super::scalar::Scalar;
use super::{common_type, functions, literal};

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
    if let Some(special) = special(&name, call, place, scope)? {
        return Ok(special);
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
    let mut arguments = lowered(&sources, place, scope)?;
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
        (_, Some((function, ..))) => {
            let mut choices: Vec<_> = arguments.iter_mut().collect();
            match function {
                Scalar::Coalesce => common_type::unify(&mut choices, scope),
                Scalar::Greatest | Scalar::Least => common_type::widen(&mut choices, scope),
                _ => {}
            }
            Ok(Expr::Call(function, arguments.into()))
        }
        ("if" | "nvl2", None) if count == 3 => {
            let otherwise = arguments.pop();
            let then = arguments.pop().unwrap_or(Expr::NULL);
            let first = arguments.pop().unwrap_or(Expr::NULL);
            let when = if name == "if" { first } else { not(Expr::IsNull(first.into())) };
            Ok(case(None, vec![(when, then)], otherwise, scope))
        }
        ("if" | "nvl2", None) => takes("3 arguments"),
        ("mod", None) => match (<[Expr; 2]>::try_from(arguments), &*sources) {
            (Ok(operands), &[left, right]) => {
                lower::arithmetic(Arithmetic::Remainder, operands, [left, right], place, scope)
            }
            _ => takes("2 arguments"),
        },
        ("isnull" | "isnotnull" | "to_timestamp", None) if count == 1 => {
            let operand = arguments.swap_remove(0).into();
            Ok(match name.as_str() {
                "isnull" => Expr::IsNull(operand),
                "isnotnull" => not(Expr::IsNull(operand)),
                _ => Expr::Cast(Type::Timestamp, operand),
            })
        }
        _ => takes("one argument"),
    }
}

/// The calls whose arguments are not all plain values.
fn special(
    name: &str,
    call: &ast::Function,
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Option<Expr>> {
    Ok(Some(match name {
        "now" | "current_timestamp" => now(name, call, place)?,
        "date_trunc" => date_trunc(&arguments(call, place)?, place, scope)?,
        "regexp_extract" => regexp_extract(&arguments(call, place)?, place, scope)?,
        "regexp_replace" => regexp_replace(&arguments(call, place)?, place, scope)?,
        "window" | "session_window" => {
            return Err(place.error(
                format!("{name}(…) does not belong here"),
                format!("expected in GROUP BY; in SELECT it is called {name}"),
            ));
        }
        "window_time" => {
            return Err(place.error(
                "there is no window here whose time this could be",
                "expected window_time(window) in SELECT or HAVING of a query with windows",
            ));
        }
        _ => return Ok(None),
    }))
}

fn lowered(sources: &[&ast::Expr], place: &Place<'_>, scope: &mut dyn Scope) -> Result<Vec<Expr>> {
    sources.iter().map(|argument| lower::lower(argument, place, scope)).collect()
}

/// `now()`, and `current_timestamp`, which needs no parentheses.
fn now(name: &str, call: &ast::Function, place: &Place<'_>) -> Result<Expr> {
    match call.args {
        ast::FunctionArguments::None => Ok(Expr::Now),
        _ if arguments(call, place)?.is_empty() => Ok(Expr::Now),
        _ => Err(place.error(format!("{name} takes no arguments"), "")),
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

/// `regexp_extract(text, 'regex')`, which gives the first group, or the group
/// whose number stands behind.
fn regexp_extract(
    sources: &[&ast::Expr],
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Expr> {
    let [text, regex, numbers @ ..] = sources else {
        return Err(place.error("regexp_extract takes 2 or 3 arguments", ""));
    };
    let pattern = lower::pattern(PatternKind::RLike, regex, None, place)?;
    let group = match numbers {
        [] => Some(1),
        [number] => literal::index(number),
        _ => return Err(place.error("regexp_extract takes 2 or 3 arguments", "")),
    };
    let groups = pattern.groups();
    let Some(group) = group.filter(|group| *group <= groups) else {
        let at = place.of(*numbers.first().unwrap_or(regex));
        let message = format!("the pattern has {groups} groups");
        return Err(at.error(message, "expected one in parentheses, or 0 for the whole match"));
    };
    Ok(Expr::Extract(lower::lower(text, place, scope)?.into(), pattern, group))
}

/// `regexp_replace(text, 'regex', 'other')`: all matches.
fn regexp_replace(
    sources: &[&ast::Expr],
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Expr> {
    let [text, regex, other] = sources else {
        return Err(place.error("regexp_replace takes 3 arguments", ""));
    };
    let pattern = lower::pattern(PatternKind::RLike, regex, None, place)?;
    let Some(other) = literal::text(other) else {
        return Err(place.of(*other).error("this is no constant", "expected a text in quotes"));
    };
    let text = lower::lower(text, place, scope)?;
    Ok(Expr::Replace(text.into(), pattern, braced(&other).into()))
}

/// A replacement's groups in braces: Spark's `$12` is group 12, and `$1a` group
/// 1 before an a, which the regex library would take for a name.
fn braced(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len() + 8);
    let mut chars = replacement.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => out.push(char),
            },
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str("${");
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    out.push(digit);
                }
                out.push('}');
            }
            '$' => out.push_str("$$"),
            other => out.push(other),
        }
    }
    out
}

fn unknown_function(call: &ast::Function, place: &Place<'_>) -> QueryError {
    let name = function_name(call);
    let place = place.of(&call.name);
    let expected = nearest(name, functions::names())
        .map_or(String::new(), |nearest| format!("did you mean `{nearest}`?"));
    place.error(format!("unknown function `{}`", call.name), expected)
}
