//! Calls of aggregates.

use sqlparser::ast;

use super::call::arguments;
use super::error::QueryError;
use super::expr::{Expr, Literal, Type};
use super::functions::{AggregateName, Derived, Special};
use super::literal;
use super::lower::{self, Place};
use super::plan::{Aggregate, Function, Percentages, RelativeError};
use super::scalar::Scalar;
use super::scope::RecordScope;

type Result<T, E = QueryError> = std::result::Result<T, E>;

/// Compiles `count(DISTINCT x) FILTER (WHERE y)` and its like.
pub(super) fn lower(
    name: AggregateName,
    call: &ast::Function,
    place: &Place<'_>,
    record: &mut RecordScope<'_>,
) -> Result<Aggregate> {
    if let AggregateName::Missing(instead) = name {
        let at = place.of(&call.name);
        return Err(at.error(format!("{} is not supported", call.name), instead));
    }
    let call = Call::new(call, place)?;
    let filter = call.function.filter.as_deref();
    let filter = filter.map(|filter| lower::lower(filter, place, record)).transpose()?;
    let mut aggregate = match name {
        AggregateName::Special(special) => call.special(special, record)?,
        AggregateName::Plain(function) => call.plain(function, record)?,
        AggregateName::Derived(derived) => call.derived(derived, record)?,
        AggregateName::Missing(_) => return Err(place.error("not supported", "")),
    };
    aggregate.filter = match (filter, aggregate.filter) {
        (Some(filter), Some(condition)) => Some(Expr::And([filter, condition].into())),
        (filter, condition) => filter.or(condition),
    };
    Ok(aggregate)
}

/// A call that has been looked over.
struct Call<'c> {
    function: &'c ast::Function,
    place: &'c Place<'c>,
    list: &'c ast::FunctionArgumentList,
    /// `DISTINCT` before the arguments.
    distinct: bool,
    /// `IGNORE NULLS` behind the arguments, or within their parentheses.
    ignore_nulls: Option<bool>,
}

impl<'c> Call<'c> {
    /// Refuses what aggregates cannot have here.
    fn new(call: &'c ast::Function, place: &'c Place<'c>) -> Result<Self> {
        let refused = if call.over.is_some() {
            Some(("OVER", "detect compares a row with those before it"))
        } else if !call.within_group.is_empty() {
            Some(("WITHIN GROUP", "expected percentile(x, 0.5)"))
        } else {
            None
        };
        if let Some((refused, instead)) = refused {
            let message = format!("{refused} of an aggregate is not supported");
            return Err(place.error(message, instead));
        }
        let ast::FunctionArguments::List(list) = &call.args else {
            return Err(place.error(format!("{} has no argument", call.name), "expected (…)"));
        };
        let mut treatment = call.null_treatment;
        for clause in &list.clauses {
            let ast::FunctionArgumentClause::IgnoreOrRespectNulls(nulls) = clause else {
                let message = format!("`{clause}` in an aggregate is not supported");
                return Err(place.error(message, ""));
            };
            treatment = Some(*nulls);
        }
        let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        let ignore_nulls = treatment.map(|nulls| nulls == ast::NullTreatment::IgnoreNulls);
        Ok(Self { function: call, place, list, distinct, ignore_nulls })
    }

    fn error(&self, message: &str, expected: &str) -> QueryError {
        self.place.error(format!("{}{message}", self.function.name), expected)
    }

    /// Refuses DISTINCT and IGNORE NULLS where they say nothing.
    fn refuse_options(&self) -> Result<()> {
        if self.distinct {
            return Err(self.error("(DISTINCT …) is not supported", "DISTINCT goes with count"));
        }
        if self.ignore_nulls.is_some() {
            return Err(self.error(
                " has no IGNORE NULLS or RESPECT NULLS",
                "they go with first, last and any_value",
            ));
        }
        Ok(())
    }

    fn arguments(&self) -> Result<Vec<&'c ast::Expr>> {
        arguments(self.function, self.place)
    }

    /// An aggregate of one argument; `count` may have more, or a star.
    fn plain(&self, function: Function, record: &mut RecordScope<'_>) -> Result<Aggregate> {
        let keeps_values = matches!(function, Function::Min | Function::Max | Function::CollectSet);
        let counts = function == Function::Count;
        let star = ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard);
        if counts && *self.list.args == [star] {
            return match self.list.duplicate_treatment {
                None => Ok(of(function, None)),
                Some(_) => Err(self.error("(DISTINCT *) is not supported", "name a field")),
            };
        }
        if !self.distinct || !(counts || keeps_values) {
            self.refuse_options()?;
        }
        let argument = match *self.arguments()? {
            [argument] => lower::lower(argument, self.place, record)?,
            [] => return Err(self.error(" takes one argument", "")),
            ref several if counts => {
                let lowered = several.iter().map(|a| lower::lower(a, self.place, record));
                Expr::Call(Scalar::Tuple, lowered.collect::<Result<_>>()?)
            }
            _ => return Err(self.error(" takes one argument", "")),
        };
        let function = if counts && self.distinct { Function::CountDistinct } else { function };
        let argument = self.prepared(&function, argument, record)?;
        Ok(of(function, argument))
    }

    /// An aggregate that is another one in disguise.
    fn derived(&self, derived: Derived, record: &mut RecordScope<'_>) -> Result<Aggregate> {
        self.refuse_options()?;
        let [argument] = *self.arguments()? else {
            return Err(self.error(" takes one argument", ""));
        };
        let argument = lower::lower(argument, self.place, record)?;
        let truth = |argument: Expr| Some(Expr::Cast(Type::Boolean, argument.into()));
        Ok(match derived {
            Derived::CountIf => Aggregate { filter: Some(argument), ..of(Function::Count, None) },
            Derived::AllTrue => of(Function::Min, truth(argument)),
            Derived::AnyTrue => of(Function::Max, truth(argument)),
        })
    }

    /// An aggregate with arguments of its own kind.
    fn special(&self, special: Special, record: &mut RecordScope<'_>) -> Result<Aggregate> {
        let has_nulls = matches!(special, Special::First | Special::Last);
        if self.distinct || !has_nulls {
            self.refuse_options()?;
        }
        let sources = self.arguments()?;
        let mut at = |index: usize| lower::lower(sources[index], self.place, record);
        let takes = |number: &str| Err(self.error(&format!(" takes {number}"), ""));
        Ok(match (special, &*sources) {
            (Special::ApproxCountDistinct, [_, rest @ ..]) if rest.len() < 2 => {
                let error = rest.first().map_or(Ok(RelativeError::DEFAULT), |rsd| self.rsd(rsd));
                of(Function::ApproxCountDistinct(error?), Some(at(0)?))
            }
            (Special::Percentile, [_, percentages]) => {
                let function = Function::Percentile(self.percentages(percentages)?);
                let argument = at(0)?;
                let argument = self.prepared(&function, argument, record)?;
                of(function, argument)
            }
            (Special::PercentileApprox, [_, percentages, rest @ ..]) if rest.len() < 2 => {
                if let [accuracy] = rest {
                    self.accuracy(accuracy)?;
                }
                let function = Function::PercentileApprox(self.percentages(percentages)?);
                let argument = at(0)?;
                let argument = self.prepared(&function, argument, record)?;
                of(function, argument)
            }
            (Special::First | Special::Last, [_, rest @ ..]) if rest.len() < 2 => {
                let second = rest.first().map(|flag| self.flag(flag)).transpose()?;
                let ignore_nulls = second.or(self.ignore_nulls).unwrap_or(false);
                let function = if special == Special::First {
                    Function::First { ignore_nulls }
                } else {
                    Function::Last { ignore_nulls }
                };
                of(function, Some(at(0)?))
            }
            (Special::MinBy | Special::MaxBy, [_, _]) => {
                let function =
                    if special == Special::MinBy { Function::MinBy } else { Function::MaxBy };
                let value = at(0)?;
                Aggregate { by: Some(at(1)?), ..of(function, Some(value)) }
            }
            (Special::Percentile | Special::MinBy | Special::MaxBy, _) => {
                return takes("2 arguments");
            }
            (Special::PercentileApprox, _) => return takes("2 or 3 arguments"),
            _ => return takes("1 or 2 arguments"),
        })
    }

    /// The argument as the function wants it: of a constant `count` counts all
    /// records, and what computes takes numbers only.
    fn prepared(
        &self,
        function: &Function,
        argument: Expr,
        record: &RecordScope<'_>,
    ) -> Result<Option<Expr>> {
        if *function == Function::Count
            && matches!(&argument, Expr::Literal(constant) if *constant != Literal::Null)
        {
            return Ok(None);
        }
        if !computes(function) || argument.is_numeric() {
            return Ok(Some(argument));
        }
        let source = self.arguments()?[0];
        let name = self.function.name.to_string();
        lower::refuse_time(&argument, &name, &self.place.of_expr(source), record)?;
        Ok(Some(Expr::Cast(Type::Number, argument.into())))
    }

    /// The relative error of `approx_count_distinct`.
    fn rsd(&self, expr: &ast::Expr) -> Result<RelativeError> {
        number(expr).and_then(RelativeError::new).ok_or_else(|| {
            self.place.of(expr).error(
                "this is no relative error that a sketch can have",
                "expected a constant from 0.001 to 0.39, as in approx_count_distinct(x, 0.05)",
            )
        })
    }

    /// Where percentiles are wanted: a constant or `array(…)` of some.
    fn percentages(&self, expr: &ast::Expr) -> Result<Percentages> {
        let share = |expr: &ast::Expr| {
            let share = number(expr).filter(|share| (0.0..=1.0).contains(share));
            share.ok_or_else(|| {
                self.place.of(expr).error(
                    "this is no share of the values",
                    "expected a constant from 0 to 1, as in 0.95, or array(0.5, 0.95)",
                )
            })
        };
        let ast::Expr::Function(array) = expr else { return share(expr).map(Percentages::One) };
        if !super::call::function_name(array).eq_ignore_ascii_case("array") {
            return share(expr).map(Percentages::One);
        }
        let shares = arguments(array, self.place)?;
        if shares.is_empty() {
            let at = self.place.of(expr);
            return Err(at.error("the array has no share", "expected array(0.5, 0.95)"));
        }
        shares.into_iter().map(share).collect::<Result<_>>().map(Percentages::List)
    }

    /// Spark's third argument, which trades memory for accuracy. Ours keeps to
    /// its bound without, so it only has to be one.
    fn accuracy(&self, expr: &ast::Expr) -> Result<()> {
        match number(expr) {
            Some(accuracy) if accuracy >= 1.0 => Ok(()),
            _ => Err(self
                .place
                .of(expr)
                .error("this is no accuracy", "expected a constant of at least 1, as in 10000")),
        }
    }

    fn flag(&self, expr: &ast::Expr) -> Result<bool> {
        if let ast::Expr::Value(value) = expr
            && let ast::Value::Boolean(flag) = value.value
        {
            return Ok(flag);
        }
        Err(self.place.of(expr).error(
            "this does not say whether to ignore nulls",
            format!("expected true or false, as in {}(x, true)", self.function.name),
        ))
    }
}

fn of(function: Function, argument: Option<Expr>) -> Aggregate {
    Aggregate { function, argument, by: None, filter: None }
}

/// A constant number.
fn number(expr: &ast::Expr) -> Option<f64> {
    match expr {
        ast::Expr::Nested(inner) => number(inner),
        ast::Expr::Value(value) => match literal::number_of(&value.value)? {
            Literal::Int(number) => Some(number as f64),
            Literal::Double(number) => Some(number),
            _ => None,
        },
        _ => None,
    }
}

/// Whether the function computes with numbers.
fn computes(function: &Function) -> bool {
    matches!(
        function,
        Function::Sum
            | Function::Avg
            | Function::StddevSamp
            | Function::StddevPop
            | Function::VarSamp
            | Function::VarPop
            | Function::Percentile(_)
            | Function::PercentileApprox(_)
    )
}
