//! Syntax to expressions: operators and functions become what evaluates them.
//!
//! What a name means depends on where it stands: in a record it is a field, in
//! a row a key, an aggregate or an earlier column. That is the [`Scope`]'s to
//! say; the rest is the same everywhere.

use std::ops::Range;

use sqlparser::ast::{self, Spanned};

use super::error::{QueryError, Source};
use super::expr::{Arithmetic, Case, Comparison, Expr, Literal, Type};
use super::pattern::{Pattern, PatternKind};
use super::scalar::Scalar;
use super::syntax::Fragment;
use super::{call, cast, common_type, functions, literal};
use crate::line::Value;

/// What the names in an expression mean.
pub(super) trait Scope {
    /// What an expression stands for as a whole: a name, a call of an
    /// aggregate, a key. `None` if it is to be taken apart.
    ///
    /// # Errors
    ///
    /// Fails if the expression has no meaning here.
    fn resolve(&mut self, expr: &ast::Expr, place: &Place<'_>) -> Result<Option<Expr>, QueryError>;

    /// The type of all values that a compiled expression gives here, as far as
    /// it can be told.
    fn type_of(&self, expr: &Expr) -> Option<Type> {
        expr.static_type()
    }
}

/// Where an expression stands, for errors.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) span: Range<usize>,
}

impl Place<'_> {
    /// The place of a part, as far as the parser knows it.
    pub(super) fn of(&self, part: &impl Spanned) -> Self {
        let span = self.source.bytes(part.span());
        let span = span.filter(|span| span.start >= self.span.start && span.end <= self.span.end);
        Self { source: self.source, span: span.unwrap_or(self.span.clone()) }
    }

    /// The place of an expression; of a call or cast, whose parentheses the
    /// parser leaves out, with them.
    pub(super) fn of_expr(&self, expr: &ast::Expr) -> Self {
        let mut place = self.of(expr);
        let text = self.source.text;
        match expr {
            ast::Expr::Function(_) => place.span.end = call_end(text, &place.span),
            ast::Expr::Cast { .. } => {
                if let Some(start) = cast_start(text, place.span.start) {
                    place.span = start..call_end(text, &(start..place.span.end));
                }
            }
            _ => {}
        }
        place
    }

    /// The place from one part to another.
    fn spanning(&self, [first, last]: [&ast::Expr; 2]) -> Self {
        let span = self.of_expr(first).span.start..self.of_expr(last).span.end;
        Self { source: self.source, span }
    }

    pub(super) fn error(
        &self,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> QueryError {
        self.source.error(self.span.clone(), message, expected)
    }
}

impl<'a> Fragment<'a> {
    pub(super) fn place(&self) -> Place<'a> {
        Place { source: self.source, span: self.span.clone() }
    }

    /// Compiles the expression.
    pub(super) fn lower(&self, scope: &mut dyn Scope) -> Result<Expr, QueryError> {
        lower(&self.expr, &self.place(), scope)
    }
}

type Result<T, E = QueryError> = std::result::Result<T, E>;

/// The end of a call: of the parenthesis that closes the first one.
fn call_end(text: &str, call: &Range<usize>) -> usize {
    let mut depth = 0;
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(call.start) {
        match (quote, byte) {
            (Some(open), _) => quote = quote.filter(|_| byte != open),
            (None, b'\'' | b'"' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 1 => return at + 1,
            (None, b')') => depth -= 1,
            _ => {}
        }
    }
    call.end
}

/// Where the cast begins whose operand begins at `operand`; `None` if it is
/// written as `operand::type`.
fn cast_start(text: &str, operand: usize) -> Option<usize> {
    let before = text[..operand].trim_end().strip_suffix('(')?.trim_end();
    let start = before.len().checked_sub("cast".len())?;
    before.get(start..)?.eq_ignore_ascii_case("cast").then_some(start)
}

/// Compiles an expression.
pub(super) fn lower(expr: &ast::Expr, place: &Place<'_>, scope: &mut dyn Scope) -> Result<Expr> {
    let place = &place.of_expr(expr);
    if let Some(resolved) = scope.resolve(expr, place)? {
        return Ok(resolved);
    }
    if let Some(predicate) = predicate(expr, place, scope)? {
        return Ok(predicate);
    }
    let mut lower = |expr: &ast::Expr| lower(expr, place, scope);
    Ok(match expr {
        ast::Expr::Nested(inner) => lower(inner)?,
        ast::Expr::Value(value) => Expr::Literal(literal::value(&value.value, place)?),
        ast::Expr::TypedString(typed) => Expr::Literal(literal::typed(typed, place)?),
        ast::Expr::UnaryOp { op, expr } => {
            let operand = lower(expr)?;
            if *op == ast::UnaryOperator::Minus {
                refuse_time(&operand, "-", &place.of_expr(expr), scope)?;
            }
            unary(*op, operand, place)?
        }
        ast::Expr::BinaryOp { left, op, right } => binary(left, op, right, place, scope)?,
        ast::Expr::Case { operand, conditions, else_result, .. } => {
            let operand = operand.as_deref().map(&mut lower).transpose()?;
            let branches = conditions
                .iter()
                .map(|branch| Ok((lower(&branch.condition)?, lower(&branch.result)?)))
                .collect::<Result<Vec<_>>>()?;
            let otherwise = else_result.as_deref().map(&mut lower).transpose()?;
            case(operand, branches, otherwise, scope)
        }
        ast::Expr::Cast { expr, data_type, .. } => {
            let to = type_named(&data_type.to_string(), &place.of_expr(expr))?;
            Expr::Cast(to, lower(expr)?.into())
        }
        ast::Expr::Substring { expr, substring_from, substring_for, .. } => {
            let Some(from) = substring_from else {
                return Err(place.error("substring takes 2 or 3 arguments", ""));
            };
            let mut arguments = vec![lower(expr)?, lower(from)?];
            arguments.extend(substring_for.as_deref().map(&mut lower).transpose()?);
            Expr::Call(Scalar::Substring, arguments.into())
        }
        ast::Expr::Ceil { expr, field } if is_plain(field) => {
            Expr::Call(Scalar::Ceil, [lower(expr)?].into())
        }
        ast::Expr::Floor { expr, field } if is_plain(field) => {
            Expr::Call(Scalar::Floor, [lower(expr)?].into())
        }
        ast::Expr::Extract { field, expr, .. } => {
            let named = functions::scalar(&field.to_string());
            let Some((part, ..)) = named.filter(|(part, ..)| part.is_part_of_time()) else {
                let message = format!("there is no {} of a time", field.to_string().to_lowercase());
                return Err(
                    place.error(message, "expected hour, minute, second, day, month or year")
                );
            };
            Expr::Call(part, [lower(expr)?].into())
        }
        ast::Expr::Trim { trim_where: None, trim_what: None, expr, trim_characters: None } => {
            Expr::Call(Scalar::Trim, [lower(expr)?].into())
        }
        ast::Expr::Function(call) => call::lower(call, place, scope)?,
        ast::Expr::Interval(_) => {
            return Err(place.error(
                "an interval stands alone",
                "add it to a time or take it from one, as in timestamp - INTERVAL 5 MINUTES",
            ));
        }
        ast::Expr::Subquery(_) | ast::Expr::InSubquery { .. } | ast::Expr::Exists { .. } => {
            return Err(place.error("subqueries are not supported", ""));
        }
        other => return Err(place.error(format!("`{other}` is not supported"), "")),
    })
}

/// Compiles what tests a value: `IS NULL`, `IN`, `BETWEEN`, `LIKE` and others.
fn predicate(expr: &ast::Expr, place: &Place<'_>, scope: &mut dyn Scope) -> Result<Option<Expr>> {
    let mut lower = |expr: &ast::Expr| lower(expr, place, scope);
    Ok(Some(match expr {
        ast::Expr::IsNull(operand) => Expr::IsNull(lower(operand)?.into()),
        ast::Expr::IsNotNull(operand) => not(Expr::IsNull(lower(operand)?.into())),
        ast::Expr::IsTrue(operand) => Expr::Is(true, lower(operand)?.into()),
        ast::Expr::IsFalse(operand) => Expr::Is(false, lower(operand)?.into()),
        ast::Expr::IsNotTrue(operand) => not(Expr::Is(true, lower(operand)?.into())),
        ast::Expr::IsNotFalse(operand) => not(Expr::Is(false, lower(operand)?.into())),
        ast::Expr::IsUnknown(operand) => is_unknown(lower(operand)?),
        ast::Expr::IsNotUnknown(operand) => not(is_unknown(lower(operand)?)),
        ast::Expr::IsNotDistinctFrom(left, right) => {
            Expr::NullSafeEqual([lower(left)?, lower(right)?].into())
        }
        ast::Expr::IsDistinctFrom(left, right) => {
            not(Expr::NullSafeEqual([lower(left)?, lower(right)?].into()))
        }
        ast::Expr::InList { expr, list, negated } => {
            let operand = lower(expr)?;
            let list = list
                .iter()
                .map(|member| comparable(&operand, lower(member)?, &place.of(member)))
                .collect::<Result<_>>()?;
            negated_if(*negated, Expr::In(operand.into(), list))
        }
        ast::Expr::Between { expr, negated, low, high } => {
            let operand = lower(expr)?;
            let low = comparable(&operand, lower(low)?, &place.of(low.as_ref()))?;
            let high = comparable(&operand, lower(high)?, &place.of(high.as_ref()))?;
            negated_if(*negated, Expr::Between([operand, low, high].into()))
        }
        ast::Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            let pattern = self::pattern(PatternKind::Like, pattern, escape_char.as_deref(), place)?;
            negated_if(*negated, Expr::Matches(lower(expr)?.into(), pattern))
        }
        ast::Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
            let pattern =
                self::pattern(PatternKind::ILike, pattern, escape_char.as_deref(), place)?;
            negated_if(*negated, Expr::Matches(lower(expr)?.into(), pattern))
        }
        ast::Expr::RLike { negated, expr, pattern, .. } => {
            let pattern = self::pattern(PatternKind::RLike, pattern, None, place)?;
            negated_if(*negated, Expr::Matches(lower(expr)?.into(), pattern))
        }
        _ => return Ok(None),
    }))
}

pub(super) fn not(operand: Expr) -> Expr {
    Expr::Not(operand.into())
}

fn negated_if(negated: bool, operand: Expr) -> Expr {
    if negated { not(operand) } else { operand }
}

/// `x IS UNKNOWN`: x, as a truth value, is null.
fn is_unknown(operand: Expr) -> Expr {
    Expr::IsNull(Expr::Cast(Type::Boolean, operand.into()).into())
}

fn is_plain(field: &ast::CeilFloorKind) -> bool {
    matches!(field, ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime))
}

fn unary(operator: ast::UnaryOperator, operand: Expr, place: &Place<'_>) -> Result<Expr> {
    Ok(match (operator, operand) {
        (ast::UnaryOperator::Not | ast::UnaryOperator::BangNot, operand) => not(operand),
        (ast::UnaryOperator::Minus, Expr::Literal(Literal::Int(number))) => {
            Expr::Literal(Literal::Int(-number))
        }
        (ast::UnaryOperator::Minus, Expr::Literal(Literal::Double(number))) => {
            Expr::Literal(Literal::Double(-number))
        }
        (ast::UnaryOperator::Minus, operand) => Expr::Negate(operand.into()),
        (ast::UnaryOperator::Plus, operand) => operand,
        (other, _) => return Err(place.error(format!("`{other}` is not supported"), "")),
    })
}

fn binary(
    left: &ast::Expr,
    operator: &ast::BinaryOperator,
    right: &ast::Expr,
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Expr> {
    use ast::BinaryOperator as Binary;
    if let Some(moved) = shift(left, operator, right, place, scope)? {
        return Ok(moved);
    }
    let places = [place.of(left), place.of(right)];
    let operands = [lower(left, place, scope)?, lower(right, place, scope)?];
    if let Some(comparison) = comparison(operator) {
        return compare(comparison, operands, &places);
    }
    if let Some(operator) = arithmetic_operator(operator) {
        return arithmetic(operator, operands, [left, right], place, scope);
    }
    Ok(match operator {
        Binary::And => Expr::And(operands.into()),
        Binary::Or => Expr::Or(operands.into()),
        Binary::Spaceship => Expr::NullSafeEqual(operands.into()),
        Binary::StringConcat => Expr::Call(Scalar::Concat, operands.into()),
        other => return Err(place.error(format!("the operator `{other}` is not supported"), "")),
    })
}

fn arithmetic_operator(operator: &ast::BinaryOperator) -> Option<Arithmetic> {
    use ast::BinaryOperator as Binary;
    Some(match operator {
        Binary::Plus => Arithmetic::Add,
        Binary::Minus => Arithmetic::Subtract,
        Binary::Multiply => Arithmetic::Multiply,
        Binary::Divide => Arithmetic::Divide,
        Binary::MyIntegerDivide => Arithmetic::IntegerDivide,
        Binary::Modulo => Arithmetic::Remainder,
        _ => return None,
    })
}

/// `left operator right`, of which neither may be a time: that would be null
/// for every row.
pub(super) fn arithmetic(
    operator: Arithmetic,
    operands: [Expr; 2],
    sources: [&ast::Expr; 2],
    place: &Place<'_>,
    scope: &dyn Scope,
) -> Result<Expr> {
    let are_times = operands.iter().all(|operand| is_time(operand, scope));
    if operator == Arithmetic::Subtract && are_times {
        let place = place.spanning(sources);
        return Err(place.error("a time minus a time is no number", CAST_BOTH));
    }
    for (operand, source) in operands.iter().zip(sources) {
        refuse_time(operand, operator.symbol(), &place.of_expr(source), scope)?;
    }
    Ok(Expr::Arithmetic(operator, operands.into()))
}

const CAST_BOTH: &str = "cast both to bigint or double: seconds since 1970";

fn is_time(operand: &Expr, scope: &dyn Scope) -> bool {
    scope.type_of(operand) == Some(Type::Timestamp)
}

/// Refuses a time where an operator or function computes with numbers.
pub(super) fn refuse_time(
    operand: &Expr,
    who: &str,
    place: &Place<'_>,
    scope: &dyn Scope,
) -> Result<()> {
    if !is_time(operand, scope) {
        return Ok(());
    }
    Err(place.error(
        format!("{who} takes numbers, and this is a time"),
        "cast it to bigint or double: seconds since 1970",
    ))
}

fn comparison(operator: &ast::BinaryOperator) -> Option<Comparison> {
    use ast::BinaryOperator as Binary;
    Some(match operator {
        Binary::Eq => Comparison::Equal,
        Binary::NotEq => Comparison::NotEqual,
        Binary::Lt => Comparison::Less,
        Binary::LtEq => Comparison::LessOrEqual,
        Binary::Gt => Comparison::Greater,
        Binary::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn compare(comparison: Comparison, operands: [Expr; 2], places: &[Place<'_>; 2]) -> Result<Expr> {
    let [left, right] = operands;
    let right = comparable(&left, right, &places[1])?;
    let left = comparable(&right, left, &places[0])?;
    Ok(Expr::Compare(comparison, [left, right].into()))
}

/// `time + INTERVAL …`, `INTERVAL … + time`, `time - INTERVAL …`.
fn shift(
    left: &ast::Expr,
    operator: &ast::BinaryOperator,
    right: &ast::Expr,
    place: &Place<'_>,
    scope: &mut dyn Scope,
) -> Result<Option<Expr>> {
    let (time, interval, sign) = match (left, operator, right) {
        (time, ast::BinaryOperator::Plus, ast::Expr::Interval(interval))
        | (ast::Expr::Interval(interval), ast::BinaryOperator::Plus, time) => (time, interval, 1),
        (time, ast::BinaryOperator::Minus, ast::Expr::Interval(interval)) => (time, interval, -1),
        _ => return Ok(None),
    };
    let mut delta = literal::interval(interval, place)?;
    delta.micros *= sign;
    let time = lower(time, place, scope)?;
    Ok(Some(Expr::Shift(time.into(), delta)))
}

/// An operand that meets `other`: text that meets a time is read once, here.
fn comparable(other: &Expr, operand: Expr, place: &Place<'_>) -> Result<Expr> {
    match &operand {
        Expr::Literal(Literal::Str(text)) if other.static_type() == Some(Type::Timestamp) => {
            match cast::time(Value::Str(text)) {
                Some(time) => Ok(Expr::Literal(Literal::Time(time))),
                None => Err(place.error(
                    "this is compared with a time, but is none",
                    "expected a time such as '2025-09-12 00:00:00'",
                )),
            }
        }
        _ => Ok(operand),
    }
}

/// A CASE, whose results are of one type.
pub(super) fn case(
    operand: Option<Expr>,
    mut branches: Vec<(Expr, Expr)>,
    otherwise: Option<Expr>,
    scope: &dyn Scope,
) -> Expr {
    let mut otherwise = otherwise.unwrap_or(Expr::NULL);
    let thens = branches.iter_mut().map(|(_, then)| then);
    common_type::unify(&mut thens.chain([&mut otherwise]).collect::<Vec<_>>(), scope);
    Expr::Case(Case { operand, branches: branches.into(), otherwise }.into())
}

/// A constant pattern.
pub(super) fn pattern(
    kind: PatternKind,
    pattern: &ast::Expr,
    escape: Option<&ast::Expr>,
    place: &Place<'_>,
) -> Result<Pattern> {
    let at = place.of(pattern);
    let text = literal::text(pattern).ok_or_else(|| {
        at.error("the pattern is no constant", "expected a text in quotes, as in '%error%'")
    })?;
    let escape = match escape.map(|escape| (escape, literal::text(escape))) {
        None => '\\',
        Some((escape, text)) => match text.as_deref().map(|text| (text.chars().next(), text)) {
            Some((Some(char), text)) if text.len() == char.len_utf8() => char,
            _ => return Err(place.of(escape).error("ESCAPE takes one character", "")),
        },
    };
    Pattern::new(kind, &text, escape).map_err(|error| at.error("this is no valid pattern", error))
}

fn type_named(name: &str, place: &Place<'_>) -> Result<Type> {
    functions::type_named(name).ok_or_else(|| {
        place.error(
            format!("there is no cast to {}", name.to_lowercase()),
            "expected boolean, int, bigint, double, string or timestamp",
        )
    })
}
