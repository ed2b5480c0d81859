//! Evaluation of expressions: logic, comparison and choice.
//!
//! Nothing here allocates but in the context's arena. What most queries do for
//! each record, comparing a field with a constant, matches on the values
//! themselves before anything is cast.

use std::cmp::Ordering;

use super::expr::{Case, Comparison, Expr, Literal, Type};
use super::plan::Context;
use super::{arithmetic, cast, scalar};
use crate::line::Value;

impl Expr {
    /// The value of the expression.
    pub fn eval<'a>(&'a self, context: &Context<'a>) -> Value<'a> {
        match self {
            Self::Slot(slot) => context.slots[*slot],
            Self::Literal(literal) => literal.value(),
            Self::Case(case) => case.choose(context).operand(context),
            Self::Arithmetic(operator, operands) => {
                let [left, right] = &**operands;
                arithmetic::apply(*operator, left.operand(context), right.operand(context), context)
            }
            Self::Compare(..) | Self::And(_) | Self::Or(_) | Self::Not(_) => {
                self.test(context).map_or(Value::Null, Value::Bool)
            }
            _ => self.compute(context),
        }
    }

    /// The less common kinds, apart so that [`eval`](Self::eval) stays small.
    fn compute<'a>(&'a self, context: &Context<'a>) -> Value<'a> {
        match self {
            Self::Time(slot) => match context.slots[*slot] {
                value @ (Value::Time(_) | Value::Null) => value,
                value => cast::cast(value, Type::Timestamp, context),
            },
            Self::Negate(operand) => arithmetic::negate(operand.operand(context), context),
            Self::Shift(operand, delta) => match operand.operand(context) {
                Value::Null => Value::Null,
                value => cast::time(value)
                    .and_then(|time| cast::shifted(time, *delta))
                    .map_or_else(|| cast::failed(context), Value::Time),
            },
            Self::Cast(to, operand) => match (to, operand.operand(context)) {
                (Type::Number, value @ (Value::Int(_) | Value::Double(_))) => value,
                (to, value) => cast::cast(value, *to, context),
            },
            Self::Truncate(unit, operand) => {
                scalar::truncate(*unit, operand.operand(context), context)
            }
            Self::Call(function, arguments) => scalar::call(*function, arguments, context),
            Self::Now => Value::Time(context.now),
            Self::Extract(operand, pattern, group) => {
                match cast::text(operand.operand(context), context.arena) {
                    Some(text) => Value::Str(pattern.group(text, *group)),
                    None => Value::Null,
                }
            }
            Self::Replace(operand, pattern, with) => {
                match cast::text(operand.operand(context), context.arena) {
                    Some(text) => Value::Str(pattern.replace(text, with, context.arena)),
                    None => Value::Null,
                }
            }
            _ => self.test(context).map_or(Value::Null, Value::Bool),
        }
    }

    /// Whether the expression is true: neither false nor null.
    #[inline]
    pub fn is_true<'a>(&'a self, context: &Context<'a>) -> bool {
        self.test(context) == Some(true)
    }

    /// The expression as a truth value; `None` if it is null.
    pub fn test<'a>(&'a self, context: &Context<'a>) -> Option<bool> {
        match self {
            Self::Compare(comparison, operands) => {
                let [left, right] = &**operands;
                if let (Self::Slot(slot), Self::Literal(literal)) = (left, right)
                    && let Some(truth) = holds(*comparison, &context.slots[*slot], literal)
                {
                    return Some(truth);
                }
                compare(*comparison, left.operand(context), right.operand(context), context)
            }
            Self::And(operands) => match operands[0].test(context) {
                Some(false) => Some(false),
                left => match operands[1].test(context) {
                    Some(true) => left,
                    Some(false) => Some(false),
                    None => None,
                },
            },
            Self::Or(operands) => match operands[0].test(context) {
                Some(true) => Some(true),
                left => match operands[1].test(context) {
                    Some(false) => left,
                    Some(true) => Some(true),
                    None => None,
                },
            },
            Self::Not(operand) => operand.test(context).map(|truth| !truth),
            _ => self.test_other(context),
        }
    }

    /// The less common kinds, apart so that [`test`](Self::test) stays small.
    fn test_other<'a>(&'a self, context: &Context<'a>) -> Option<bool> {
        match self {
            Self::IsNull(operand) => Some(operand.operand(context).is_null()),
            Self::Is(truth, operand) => Some(operand.test(context) == Some(*truth)),
            Self::NullSafeEqual(operands) => {
                let (left, right) = (operands[0].operand(context), operands[1].operand(context));
                Some(if left.is_null() || right.is_null() {
                    left.is_null() && right.is_null()
                } else {
                    compare(Comparison::Equal, left, right, context) == Some(true)
                })
            }
            Self::Between(operands) => between(operands, context),
            Self::In(operand, list) => contains(list, operand.operand(context), context),
            Self::Matches(operand, pattern) => match operand.operand(context) {
                Value::Str(text) => Some(pattern.matches(text)),
                value => cast::text(value, context.arena).map(|text| pattern.matches(text)),
            },
            _ => match self.eval(context) {
                Value::Bool(truth) => Some(truth),
                Value::Null => None,
                value => cast::truth(value).or_else(|| {
                    cast::failed(context);
                    None
                }),
            },
        }
    }

    /// As [`eval`](Self::eval), the commonest operands without a call.
    #[inline]
    pub(crate) fn operand<'a>(&'a self, context: &Context<'a>) -> Value<'a> {
        match self {
            Self::Slot(slot) => context.slots[*slot],
            Self::Literal(literal) => literal.value(),
            _ => self.eval(context),
        }
    }
}

impl Case {
    /// The result that the record or row chooses.
    #[inline]
    fn choose<'a>(&'a self, context: &Context<'a>) -> &'a Expr {
        let Some(operand) = &self.operand else {
            let mut branches = self.branches.iter();
            let chosen = branches.find(|(when, _)| when.is_true(context));
            return chosen.map_or(&self.otherwise, |(_, then)| then);
        };
        let operand = operand.operand(context);
        let mut branches = self.branches.iter();
        let chosen = branches.find(|(when, _)| {
            compare(Comparison::Equal, operand, when.operand(context), context) == Some(true)
        });
        chosen.map_or(&self.otherwise, |(_, then)| then)
    }
}

/// Compares a field with a constant of its own type, in place: values are large
/// enough for their copies to show.
#[inline]
fn holds(comparison: Comparison, value: &Value<'_>, literal: &Literal) -> Option<bool> {
    match (value, literal) {
        (Value::Int(left), Literal::Int(right)) => Some(comparison.holds(left.cmp(right))),
        (Value::Double(left), Literal::Double(right)) => {
            left.partial_cmp(right).map(|order| comparison.holds(order))
        }
        (Value::Str(left), Literal::Str(right)) if comparison == Comparison::Equal => {
            Some(**left == **right)
        }
        _ => None,
    }
}

#[inline]
fn compare<'a>(
    comparison: Comparison,
    left: Value<'a>,
    right: Value<'a>,
    context: &Context<'a>,
) -> Option<bool> {
    let order = match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(&right),
        // Neither is NaN, so there is always an order.
        (Value::Double(left), Value::Double(right)) => {
            left.partial_cmp(&right).unwrap_or(Ordering::Equal)
        }
        (Value::Str(left), Value::Str(right)) => {
            // Equality needs no order, and texts of other lengths no look.
            match comparison {
                Comparison::Equal => return Some(left == right),
                Comparison::NotEqual => return Some(left != right),
                _ => left.cmp(right),
            }
        }
        (Value::Null, _) | (_, Value::Null) => return None,
        (left, right) => order(left, right, context)?,
    };
    Some(comparison.holds(order))
}

/// The order of two values that are not null, after casting one to what the
/// other is; `None`, counted, if that fails.
pub(super) fn order<'a>(
    left: Value<'a>,
    right: Value<'a>,
    context: &Context<'a>,
) -> Option<Ordering> {
    let order = match (left, right) {
        (Value::Time(time), other) => cast::time(other).map(|other| time.cmp(&other)),
        (other, Value::Time(time)) => cast::time(other).map(|other| other.cmp(&time)),
        (Value::Bool(truth), Value::Str(_)) => cast::truth(right).map(|other| truth.cmp(&other)),
        (Value::Str(_), Value::Bool(truth)) => cast::truth(left).map(|other| other.cmp(&truth)),
        (Value::Int(_) | Value::Double(_), _) | (_, Value::Int(_) | Value::Double(_)) => {
            cast::number(left).zip(cast::number(right)).map(|(left, right)| left.total_cmp(&right))
        }
        (Value::Json(_) | Value::List(..), Value::Json(_) | Value::List(..))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Str(_), Value::Str(_)) => Some(left.total_cmp(&right)),
        _ => None,
    };
    if order.is_none() {
        cast::failed(context);
    }
    order
}

/// `x >= low AND x <= high`, with x evaluated once.
fn between<'a>(operands: &'a [Expr; 3], context: &Context<'a>) -> Option<bool> {
    let [operand, low, high] = operands;
    let value = operand.operand(context);
    match compare(Comparison::GreaterOrEqual, value, low.operand(context), context) {
        Some(false) => Some(false),
        above => match compare(Comparison::LessOrEqual, value, high.operand(context), context) {
            Some(true) => above,
            below => below,
        },
    }
}

/// `value IN (list)`: true if one is equal, else null if one is null.
fn contains<'a>(list: &'a [Expr], value: Value<'a>, context: &Context<'a>) -> Option<bool> {
    let mut result = Some(false);
    for member in list {
        match compare(Comparison::Equal, value, member.operand(context), context) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}
