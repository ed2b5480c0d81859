//! Expressions to SQL text.

use super::names::{literal, string};
use super::{Dialect, words};
use crate::query::expr::{Arithmetic, Case, Expr, Literal, Type, Unit};
use crate::query::pattern::{Pattern, PatternKind};
use crate::query::scalar::Scalar;
use crate::time::TimeDelta;

/// How tightly the parts of a text hold together, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Or,
    And,
    Not,
    /// What tests a value: comparisons, IN, LIKE and others. They do not chain.
    Predicate,
    Sum,
    Product,
    /// A sign in front.
    Sign,
    /// What needs no parentheses anywhere.
    Atom,
}

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) sql: String,
    pub(crate) level: Level,
}

impl Text {
    /// A text that needs no parentheses.
    pub(crate) fn atom(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), level: Level::Atom }
    }

    fn new(level: Level, sql: String) -> Self {
        Self { sql, level }
    }

    /// The text where it must hold together at least so tightly.
    fn at(self, level: Level) -> String {
        if self.level >= level { self.sql } else { format!("({})", self.sql) }
    }
}

/// Writes expressions; `slot` gives the text of a place in the record or row.
pub(crate) struct Writer<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) slot: &'a dyn Fn(usize) -> Text,
}

impl Writer<'_> {
    /// The expression as SQL.
    pub(crate) fn sql(&self, expr: &Expr) -> String {
        self.text(expr).sql
    }

    pub(super) fn text(&self, expr: &Expr) -> Text {
        match expr {
            Expr::Slot(slot) | Expr::Time(slot) => (self.slot)(*slot),
            Expr::Literal(constant) => self.literal(constant),
            Expr::Not(operand) => self.negated(operand),
            Expr::And(operands) => self.binary(Level::And, Level::Not, "AND", operands),
            Expr::Or(operands) => self.binary(Level::Or, Level::And, "OR", operands),
            Expr::Arithmetic(operator, operands) => self.arithmetic(*operator, operands),
            Expr::Negate(operand) => {
                Text::new(Level::Sign, format!("-{}", self.at(operand, Level::Atom)))
            }
            Expr::Shift(time, delta) => self.shift(time, *delta),
            Expr::Case(case) => Text::atom(self.case(case)),
            Expr::Cast(to, operand) => {
                Text::atom(format!("CAST({} AS {})", self.sql(operand), type_name(*to)))
            }
            Expr::Truncate(unit, operand) => {
                Text::atom(format!("date_trunc('{}', {})", unit_name(*unit), self.sql(operand)))
            }
            Expr::Call(function, arguments) => {
                Text::atom(format!("{}({})", scalar_name(*function), self.list(arguments)))
            }
            Expr::Extract(operand, pattern, group) => {
                let regex = string(pattern.text(), self.dialect);
                Text::atom(format!("regexp_extract({}, {regex}, {group})", self.sql(operand)))
            }
            Expr::Replace(operand, pattern, by) => {
                let [regex, by] =
                    [pattern.text(), &replacement(by)].map(|text| string(text, self.dialect));
                Text::atom(format!("regexp_replace({}, {regex}, {by})", self.sql(operand)))
            }
            Expr::Now => Text::atom("now()"),
            predicate => self.predicate(predicate, ""),
        }
    }

    fn at(&self, expr: &Expr, level: Level) -> String {
        self.text(expr).at(level)
    }

    pub(super) fn list(&self, expressions: &[Expr]) -> String {
        expressions.iter().map(|expr| self.sql(expr)).collect::<Vec<_>>().join(", ")
    }

    fn literal(&self, constant: &Literal) -> Text {
        let sql = literal(constant, self.dialect);
        let level = if sql.starts_with('-') { Level::Sign } else { Level::Atom };
        Text::new(level, sql)
    }

    /// Operators of one level associate to the left.
    fn binary(&self, level: Level, right: Level, symbol: &str, operands: &[Expr; 2]) -> Text {
        let [a, b] = operands;
        Text::new(level, format!("{} {symbol} {}", self.at(a, level), self.at(b, right)))
    }

    fn arithmetic(&self, operator: Arithmetic, operands: &[Expr; 2]) -> Text {
        let (level, right) = match operator {
            Arithmetic::Add | Arithmetic::Subtract => (Level::Sum, Level::Product),
            _ => (Level::Product, Level::Sign),
        };
        self.binary(level, right, operator.symbol(), operands)
    }

    fn shift(&self, time: &Expr, delta: TimeDelta) -> Text {
        let sign = if delta < TimeDelta::ZERO { '-' } else { '+' };
        let length = words(delta).to_uppercase();
        let sql = format!("{} {sign} INTERVAL {length}", self.at(time, Level::Sum));
        Text::new(Level::Sum, sql)
    }

    /// `NOT x`, written into the predicate where that can take it.
    fn negated(&self, operand: &Expr) -> Text {
        match operand {
            Expr::IsNull(_)
            | Expr::Is(..)
            | Expr::In(..)
            | Expr::Between(_)
            | Expr::Matches(..) => self.predicate(operand, "NOT "),
            _ => Text::new(Level::Not, format!("NOT {}", self.at(operand, Level::Predicate))),
        }
    }

    /// What tests a value; `not` is `NOT ` or nothing.
    fn predicate(&self, expr: &Expr, not: &str) -> Text {
        let at = |expr: &Expr| self.at(expr, Level::Sum);
        let sql = match expr {
            Expr::Compare(comparison, operands) => {
                format!("{} {} {}", at(&operands[0]), comparison.symbol(), at(&operands[1]))
            }
            Expr::NullSafeEqual(operands) => {
                format!("{} <=> {}", at(&operands[0]), at(&operands[1]))
            }
            Expr::IsNull(operand) => format!("{} IS {not}NULL", at(operand)),
            Expr::Is(truth, operand) => {
                format!("{} IS {not}{}", at(operand), truth.to_string().to_uppercase())
            }
            Expr::Between(operands) => {
                let [value, low, high] = &**operands;
                format!("{} {not}BETWEEN {} AND {}", at(value), at(low), at(high))
            }
            Expr::In(operand, list) => format!("{} {not}IN ({})", at(operand), self.list(list)),
            Expr::Matches(operand, pattern) => {
                format!("{} {not}{}", at(operand), self.pattern(pattern))
            }
            // All others have texts of their own.
            other => return self.text(other),
        };
        Text::new(Level::Predicate, sql)
    }

    fn pattern(&self, pattern: &Pattern) -> String {
        let keyword = match pattern.kind() {
            PatternKind::Like => "LIKE",
            PatternKind::ILike => "ILIKE",
            PatternKind::RLike => "RLIKE",
        };
        let text = string(pattern.text(), self.dialect);
        match pattern.escape() {
            '\\' => format!("{keyword} {text}"),
            escape => {
                format!("{keyword} {text} ESCAPE {}", string(&escape.to_string(), self.dialect))
            }
        }
    }

    fn case(&self, case: &Case) -> String {
        let mut sql = "CASE".to_owned();
        let mut push = |keyword: &str, expr: &Expr| {
            sql.push_str(keyword);
            sql.push_str(&self.sql(expr));
        };
        if let Some(operand) = &case.operand {
            push(" ", operand);
        }
        for (when, then) in &case.branches {
            push(" WHEN ", when);
            push(" THEN ", then);
        }
        if case.otherwise != Expr::NULL {
            push(" ELSE ", &case.otherwise);
        }
        sql + " END"
    }
}

/// What `regexp_replace` puts in, as it is written: plans have groups in
/// braces and dollar signs doubled, SQL has `$1` and `\$`.
fn replacement(by: &str) -> String {
    let mut out = String::with_capacity(by.len());
    let mut chars = by.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '$' if chars.next_if_eq(&'$').is_some() => out.push_str("\\$"),
            '$' => {
                out.push('$');
                out.extend(chars.by_ref().skip(1).take_while(|char| *char != '}'));
                if chars.peek().is_some_and(char::is_ascii_digit) {
                    out.push('\\');
                }
            }
            '\\' => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out
}

/// A type's name; that of numbers of either kind, which SQL lacks, is the one
/// that holds both.
fn type_name(to: Type) -> &'static str {
    if to == Type::Number { Type::Double.name() } else { to.name() }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Fixed(length) => match length.micros {
            1 => "microsecond",
            1_000 => "millisecond",
            1_000_000 => "second",
            60_000_000 => "minute",
            3_600_000_000 => "hour",
            _ => "day",
        },
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Quarter => "quarter",
        Unit::Year => "year",
    }
}

fn scalar_name(function: Scalar) -> &'static str {
    match function {
        Scalar::Abs => "abs",
        Scalar::Ceil => "ceil",
        Scalar::Coalesce => "coalesce",
        Scalar::Concat => "concat",
        Scalar::ConcatWith => "concat_ws",
        Scalar::Contains => "contains",
        Scalar::Day => "day",
        Scalar::DayOfWeek => "dayofweek",
        Scalar::EndsWith => "endswith",
        Scalar::Exp => "exp",
        Scalar::Floor => "floor",
        Scalar::Greatest => "greatest",
        Scalar::Hour => "hour",
        Scalar::Least => "least",
        Scalar::Left => "left",
        Scalar::Length => "length",
        Scalar::Ln => "ln",
        Scalar::Log10 => "log10",
        Scalar::Log2 => "log2",
        Scalar::Lower => "lower",
        Scalar::Minute => "minute",
        Scalar::Month => "month",
        Scalar::NullIf => "nullif",
        Scalar::Power => "power",
        Scalar::Replace => "replace",
        Scalar::Right => "right",
        Scalar::Round => "round",
        Scalar::Second => "second",
        Scalar::Sign => "sign",
        Scalar::Size => "size",
        Scalar::SplitPart => "split_part",
        Scalar::Sqrt => "sqrt",
        Scalar::StartsWith => "startswith",
        Scalar::Substring => "substring",
        Scalar::Trim => "trim",
        Scalar::TrimLeft => "ltrim",
        Scalar::TrimRight => "rtrim",
        Scalar::Tuple => "struct",
        Scalar::UnixMillis => "unix_millis",
        Scalar::UnixTimestamp => "unix_timestamp",
        Scalar::Upper => "upper",
        Scalar::Year => "year",
    }
}
