//! Expressions: what the compiler makes and the evaluator runs.

use crate::line::Value;
use crate::time::{TimeDelta, Timestamp};

use super::pattern::Pattern;
use super::scalar::Scalar;

/// An expression, its names resolved to places in a record or row.
///
/// Semantics are Spark SQL's with ANSI mode off: null is contagious unless an
/// operator says otherwise, logic has three values, `x / 0` is null. Where the
/// types of operands differ, text gives way: it is cast to what it meets. A
/// cast that fails is null and counted in
/// [`Context::casts_failed`](super::Context::casts_failed).
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// The value at this place.
    Slot(usize),
    /// The value at this place as an instant: the event time's field.
    Time(usize),
    /// A constant.
    Literal(Literal),
    /// `NOT x`
    Not(Box<Expr>),
    /// `x AND y`
    And(Box<[Expr; 2]>),
    /// `x OR y`
    Or(Box<[Expr; 2]>),
    /// `x < y` and its like
    Compare(Comparison, Box<[Expr; 2]>),
    /// `x <=> y`: as `=`, but null equals null and nothing else; never null.
    NullSafeEqual(Box<[Expr; 2]>),
    /// `x IS NULL`
    IsNull(Box<Expr>),
    /// `x IS TRUE`, `x IS FALSE`: never null.
    Is(bool, Box<Expr>),
    /// `x BETWEEN low AND high`
    Between(Box<[Expr; 3]>),
    /// `x IN (…)`
    In(Box<Expr>, Box<[Expr]>),
    /// `x LIKE 'pattern'`, `x ILIKE 'pattern'`, `x RLIKE 'regex'`
    Matches(Box<Expr>, Pattern),
    /// `x + y` and its like
    Arithmetic(Arithmetic, Box<[Expr; 2]>),
    /// `-x`
    Negate(Box<Expr>),
    /// `x + INTERVAL …`: an instant moved.
    Shift(Box<Expr>, TimeDelta),
    /// `CASE …` and `if(…)`
    Case(Box<Case>),
    /// `CAST(x AS type)`
    Cast(Type, Box<Expr>),
    /// `date_trunc('unit', x)`
    Truncate(Unit, Box<Expr>),
    /// A function of values.
    Call(Scalar, Box<[Expr]>),
    /// `regexp_extract(x, 'regex', group)`: empty if there is no match.
    Extract(Box<Expr>, Pattern, usize),
    /// `regexp_replace(x, 'regex', 'text')`: all matches, `$1` being a group.
    Replace(Box<Expr>, Pattern, Box<str>),
    /// `now()`: processing time, see [`Context::now`](super::Context::now).
    Now,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL`
    Null,
    /// `TRUE`, `FALSE`
    Bool(bool),
    /// A number without point and exponent.
    Int(i128),
    /// A number with a point or an exponent; finite.
    Double(f64),
    /// Text: UTF-8.
    Str(Box<[u8]>),
    /// `TIMESTAMP '…'`
    Time(Timestamp),
}

impl Literal {
    /// The constant as a value.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Str(text) => Value::Str(text),
            Self::Time(time) => Value::Time(*time),
        }
    }
}

/// The comparisons that are null if an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`, `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Whether operands in this order satisfy it.
    #[inline]
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// How SQL spells it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// The operators of arithmetic. Of two integers the result is an integer, exact
/// in 128 bits and beyond them null, counted as a failed cast; else it is a
/// double, null where that would be infinite or no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`: always a double; null for a zero divisor.
    Divide,
    /// `div`: the quotient without its fraction, an integer; null for a zero
    /// divisor.
    IntegerDivide,
    /// `%`: has the sign of its left operand; null for a zero divisor.
    Remainder,
}

impl Arithmetic {
    /// How SQL spells it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::IntegerDivide => "div",
            Self::Remainder => "%",
        }
    }
}

/// The branches of a CASE.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What each `when` is compared with; without it they are conditions.
    pub operand: Option<Expr>,
    /// Each WHEN with its THEN.
    pub branches: Box<[(Expr, Expr)]>,
    /// ELSE; a literal null if there is none.
    pub otherwise: Expr,
}

/// The types that a value can be cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `boolean`
    Boolean,
    /// `int`: 32 bits.
    Int,
    /// `bigint`: 64 bits.
    BigInt,
    /// `double`
    Double,
    /// `string`
    String,
    /// `timestamp`
    Timestamp,
    /// An integer or a double, whichever the value is. SQL has no word for it:
    /// the arguments of sums and means are cast to it.
    Number,
}

impl Type {
    /// Whether it is a type of numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::BigInt | Self::Double | Self::Number)
    }

    /// How SQL spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Double => "double",
            Self::String => "string",
            Self::Timestamp => "timestamp",
            Self::Number => "number",
        }
    }
}

/// What [`date_trunc`](Expr::Truncate) truncates to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fixed length, counted from the epoch: a microsecond to a day.
    Fixed(TimeDelta),
    /// From Monday on.
    Week,
    /// A month of the calendar.
    Month,
    /// Three months, from January on.
    Quarter,
    /// A year of the calendar.
    Year,
}

impl Expr {
    /// The literal null.
    pub const NULL: Self = Self::Literal(Literal::Null);

    /// The type of every value that the expression gives (null apart), as far
    /// as it can be told without a record.
    pub fn static_type(&self) -> Option<Type> {
        match self {
            Self::Time(_) | Self::Shift(..) | Self::Truncate(..) | Self::Now => {
                Some(Type::Timestamp)
            }
            Self::Extract(..) | Self::Replace(..) => Some(Type::String),
            Self::Literal(literal) => literal.static_type(),
            Self::Not(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Compare(..)
            | Self::NullSafeEqual(_)
            | Self::IsNull(_)
            | Self::Is(..)
            | Self::Between(_)
            | Self::In(..)
            | Self::Matches(..) => Some(Type::Boolean),
            Self::Arithmetic(Arithmetic::Divide, _) => Some(Type::Double),
            Self::Arithmetic(Arithmetic::IntegerDivide, _) => Some(Type::BigInt),
            Self::Arithmetic(..) | Self::Negate(_) => Some(Type::Number),
            Self::Case(case) => case.static_type(),
            Self::Cast(to, _) => Some(*to),
            Self::Call(scalar, _) => scalar.static_type(),
            Self::Slot(_) => None,
        }
    }

    /// Whether a part of the expression, or all of it, passes `test`.
    fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        let all = |operands: &[Self]| operands.iter().any(|operand| operand.any(test));
        test(self)
            || match self {
                Self::Slot(_) | Self::Time(_) | Self::Literal(_) | Self::Now => false,
                Self::Not(operand)
                | Self::IsNull(operand)
                | Self::Is(_, operand)
                | Self::Matches(operand, _)
                | Self::Negate(operand)
                | Self::Shift(operand, _)
                | Self::Cast(_, operand)
                | Self::Truncate(_, operand)
                | Self::Extract(operand, ..)
                | Self::Replace(operand, ..) => operand.any(test),
                Self::And(operands)
                | Self::Or(operands)
                | Self::Compare(_, operands)
                | Self::NullSafeEqual(operands)
                | Self::Arithmetic(_, operands) => all(&**operands),
                Self::Between(operands) => all(&**operands),
                Self::In(operand, list) => operand.any(test) || all(list),
                Self::Call(_, arguments) => all(arguments),
                Self::Case(case) => case.parts().any(|part| part.any(test)),
            }
    }

    /// Whether the value depends on processing time: whether it has `now()` in
    /// it.
    pub fn reads_clock(&self) -> bool {
        self.any(&|part| *part == Self::Now)
    }

    /// Whether the value is the same for all records at all times.
    pub(crate) fn is_constant(&self) -> bool {
        !self.any(&|part| matches!(part, Self::Slot(_) | Self::Time(_) | Self::Now))
    }

    /// Whether all values of the expression are numbers or null.
    pub fn is_numeric(&self) -> bool {
        self.static_type().is_some_and(Type::is_numeric)
    }
}

impl Literal {
    fn static_type(&self) -> Option<Type> {
        match self {
            Self::Null => None,
            Self::Bool(_) => Some(Type::Boolean),
            Self::Int(_) => Some(Type::Number),
            Self::Double(_) => Some(Type::Double),
            Self::Str(_) => Some(Type::String),
            Self::Time(_) => Some(Type::Timestamp),
        }
    }
}

impl Case {
    /// All expressions of the CASE.
    fn parts(&self) -> impl Iterator<Item = &Expr> {
        let branches = self.branches.iter().flat_map(|(when, then)| [when, then]);
        self.operand.iter().chain(branches).chain([&self.otherwise])
    }

    /// The type that all branches have in common; null goes with any.
    fn static_type(&self) -> Option<Type> {
        let mut results = self
            .branches
            .iter()
            .map(|(_, then)| then)
            .chain([&self.otherwise])
            .filter(|result| **result != Expr::NULL);
        if results.clone().all(Expr::is_numeric) {
            return results.next().map(|_| Type::Number);
        }
        let first = results.next()?.static_type()?;
        results.all(|result| result.static_type() == Some(first)).then_some(first)
    }
}
