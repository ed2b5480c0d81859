//! Calls of aggregates.

use sqlparser::ast;

use super::call::arguments;
use super::error::QueryError;
use super::expr::{Expr, Literal, Type};
use super::functions::{AggregateName, Derived};
use super::lower::{self, Place};
use super::plan::{Aggregate, Function};
use super::scope::RecordScope;

/// Compiles `count(DISTINCT x) FILTER (WHERE y)` and its like.
pub(super) fn lower(
    name: AggregateName,
    call: &ast::Function,
    place: &Place<'_>,
    record: &mut RecordScope<'_>,
) -> Result<Aggregate, QueryError> {
    if name == AggregateName::Missing {
        let at = place.of(&call.name);
        return Err(at.error(format!("{} is not supported yet", call.name), ""));
    }
    let distinct = check(call, place)?;
    let filter = call.filter.as_deref();
    let filter = filter.map(|filter| lower::lower(filter, place, record)).transpose()?;
    let argument = argument(name, call, place)?;
    let argument = argument.map(|argument| lower::lower(argument, place, record)).transpose()?;
    Ok(match (name, argument) {
        (AggregateName::Plain(function), argument) => {
            let function = if distinct { distinct_form(function, call, place)? } else { function };
            Aggregate { function, argument: prepared(function, argument), filter }
        }
        (AggregateName::Derived(Derived::CountIf), Some(condition)) => {
            let filter = match filter {
                Some(filter) => Expr::And([filter, condition].into()),
                None => condition,
            };
            Aggregate { function: Function::Count, argument: None, filter: Some(filter) }
        }
        (AggregateName::Derived(derived), argument) => {
            let function = if derived == Derived::AllTrue { Function::Min } else { Function::Max };
            let argument = argument.map(|argument| Expr::Cast(Type::Boolean, argument.into()));
            Aggregate { function, argument, filter }
        }
        (AggregateName::Missing, _) => return Err(place.error("not supported yet", "")),
    })
}

/// Refuses what aggregates cannot have here; returns whether there is DISTINCT.
fn check(call: &ast::Function, place: &Place<'_>) -> Result<bool, QueryError> {
    let refused = if call.over.is_some() {
        Some("OVER")
    } else if !call.within_group.is_empty() {
        Some("WITHIN GROUP")
    } else if call.null_treatment.is_some() {
        Some("IGNORE NULLS and RESPECT NULLS")
    } else {
        None
    };
    if let Some(refused) = refused {
        return Err(place.error(format!("{refused} of an aggregate is not supported"), ""));
    }
    let ast::FunctionArguments::List(list) = &call.args else {
        return Err(place.error(format!("{} has no argument", call.name), "expected (…)"));
    };
    if let Some(clause) = list.clauses.first() {
        return Err(place.error(format!("`{clause}` in an aggregate is not supported"), ""));
    }
    Ok(list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct))
}

/// The one argument; `None` for `count(*)`.
fn argument<'c>(
    name: AggregateName,
    call: &'c ast::Function,
    place: &Place<'_>,
) -> Result<Option<&'c ast::Expr>, QueryError> {
    if let ast::FunctionArguments::List(list) = &call.args {
        let star = ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard);
        if *list.args == [star] && name == AggregateName::Plain(Function::Count) {
            return match list.duplicate_treatment {
                None => Ok(None),
                Some(_) => Err(place.error("count(DISTINCT *) is not supported", "name a field")),
            };
        }
    }
    match *arguments(call, place)? {
        [argument] => Ok(Some(argument)),
        _ => Err(place.error(format!("{} takes one argument", call.name), "")),
    }
}

/// The aggregate of each value once.
fn distinct_form(
    function: Function,
    call: &ast::Function,
    place: &Place<'_>,
) -> Result<Function, QueryError> {
    match function {
        Function::Count => Ok(Function::CountDistinct),
        Function::Min | Function::Max | Function::CollectSet => Ok(function),
        _ => Err(place.error(
            format!("{}(DISTINCT …) is not supported", call.name),
            "DISTINCT goes with count",
        )),
    }
}

/// The argument as the function wants it: of a constant `count` counts all
/// records, and what computes takes numbers only.
fn prepared(function: Function, argument: Option<Expr>) -> Option<Expr> {
    match (function, argument?) {
        (Function::Count, Expr::Literal(literal)) if literal != Literal::Null => None,
        (
            Function::Sum
            | Function::Avg
            | Function::StddevSamp
            | Function::StddevPop
            | Function::VarSamp
            | Function::VarPop,
            argument,
        ) if !argument.is_numeric() => Some(Expr::Cast(Type::Number, argument.into())),
        (_, argument) => Some(argument),
    }
}
