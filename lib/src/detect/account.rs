//! Why a condition is true, in numbers and words. Only alerts are written here,
//! which are few.

use std::cell::Cell;
use std::fmt::Write as _;

use super::alert::{Finding, Short};
use super::condition::Condition;
use crate::line::{Value, json};
use crate::query::unparse::{Dialect, Text, Writer};
use crate::query::{Comparison, Context, Expr};

/// No more of a value is shown in words, in characters.
const SHOWN: usize = 80;

/// Writes down why `condition` is true.
///
/// The numbers are those of the first comparison with a constant that holds,
/// among those joined by AND and OR; without one they are null. Returns the
/// field that it compares, if it is a field as it stands in the row.
pub(super) fn write<'a>(
    condition: &'a Condition,
    context: &Context<'a>,
    finding: &mut Finding,
) -> Option<usize> {
    // What fails to be cast was counted when the condition was judged.
    let uncounted = Cell::new(0);
    let account = Account { condition, context: &Context { casts_failed: &uncounted, ..*context } };
    finding.clear();
    account.reason(&mut finding.reason);
    let headline = account.first_true(condition.expr())?;
    account.numbers(headline, finding);
    match headline.measure {
        Expr::Slot(slot) => Some(*slot),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Account<'a, 'c> {
    condition: &'a Condition,
    context: &'c Context<'a>,
}

/// A comparison of something in the row with a constant.
#[derive(Clone, Copy)]
struct Compared<'a> {
    measure: &'a Expr,
    comparison: Comparison,
    bound: &'a Expr,
}

impl<'a> Compared<'a> {
    fn of(expr: &'a Expr) -> Option<Self> {
        let Expr::Compare(comparison, operands) = expr else { return None };
        let [left, right] = &**operands;
        match (left.is_constant(), right.is_constant()) {
            (false, true) => Some(Self { measure: left, comparison: *comparison, bound: right }),
            (true, false) => {
                Some(Self { measure: right, comparison: mirrored(*comparison), bound: left })
            }
            _ => None,
        }
    }
}

/// The comparison with its sides changed.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        Comparison::Equal | Comparison::NotEqual => comparison,
    }
}

impl<'a> Account<'a, '_> {
    fn first_true(self, expr: &'a Expr) -> Option<Compared<'a>> {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => {
                self.first_true(&parts[0]).or_else(|| self.first_true(&parts[1]))
            }
            _ => Compared::of(expr).filter(|_| expr.is_true(self.context)),
        }
    }

    fn numbers(self, compared: Compared<'a>, finding: &mut Finding) {
        let (value, bound) =
            (compared.measure.eval(self.context), compared.bound.eval(self.context));
        finding.field = self.sql(compared.measure);
        let (Some(number), Some(limit)) = (number(value), bound.as_f64()) else {
            value.write(&mut finding.value);
            bound.write(&mut finding.expected);
            return;
        };
        match value {
            Value::Int(_) | Value::Double(_) => value.write(&mut finding.value),
            _ => json::write_number(number, &mut finding.value),
        }
        json::write_double(limit, &mut finding.expected);
        finding.score = Some(number / limit).filter(|score| score.is_finite());
    }

    /// Every comparison in words, if there is nothing but comparisons joined by
    /// AND; else the condition as it is, and what its fields are.
    fn reason(self, reason: &mut String) {
        let mut compared = Vec::new();
        if collect(self.condition.expr(), &mut compared).is_some() {
            for (index, compared) in compared.into_iter().enumerate() {
                reason.push_str(if index == 0 { "" } else { " and " });
                self.words(compared, reason);
            }
            return;
        }
        reason.push_str(self.condition.text());
        for (index, field) in self.condition.fields().enumerate() {
            let with = if index == 0 { ", with" } else { "," };
            let _ = write!(reason, "{with} {field} {}", shown(self.context.slots[index]));
        }
    }

    fn words(self, Compared { measure, comparison, bound }: Compared<'a>, reason: &mut String) {
        let (value, limit) = (measure.eval(self.context), bound.eval(self.context));
        let (value, limit) = match (number(value), limit.as_f64()) {
            (Some(value), Some(limit)) => (Short(value).to_string(), Short(limit).to_string()),
            _ => (shown(value), shown(limit)),
        };
        let measure = self.sql(measure);
        let _ = match comparison {
            Comparison::Equal => write!(reason, "{measure} is {limit}"),
            _ => write!(reason, "{measure} {value} {} {limit}", word(comparison)),
        };
    }

    fn sql(self, expr: &Expr) -> String {
        let name = |slot| Text::atom(self.condition.fields().nth(slot).unwrap_or_default());
        Writer { dialect: Dialect::Own, slot: &name }.sql(expr)
    }
}

/// Collects the comparisons joined by AND; `None` if anything else is there.
fn collect<'a>(expr: &'a Expr, compared: &mut Vec<Compared<'a>>) -> Option<()> {
    if let Expr::And(parts) = expr {
        return parts.iter().try_for_each(|part| collect(part, compared));
    }
    compared.push(Compared::of(expr)?);
    Some(())
}

fn word(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "is",
        Comparison::NotEqual => "is not",
        Comparison::Less => "is under",
        Comparison::LessOrEqual => "is at most",
        Comparison::Greater => "is over",
        Comparison::GreaterOrEqual => "is at least",
    }
}

/// The number that a value is or spells.
fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Str(text) => json::parse_double(text.trim_ascii()),
        value => value.as_f64(),
    }
}

/// A value as JSON, cut where it gets long.
fn shown(value: Value<'_>) -> String {
    let mut text = Vec::new();
    value.write(&mut text);
    let text = String::from_utf8_lossy(&text);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
