//! Which types a query's fields have in Spark, told by what is done with them.

use crate::query::{Aggregate, Case, Expr, Function, Plan, Scalar, Type};

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldType {
    /// DOUBLE: computed with, or compared with numbers.
    Number,
    /// TIMESTAMP: the event time.
    Time,
    /// ARRAY of STRING: its size is asked for.
    List,
    /// STRING: all others.
    Text,
}

/// The type that the uses of a field speak for; `None` if there are none.
fn verdict(uses: &[Wanted]) -> Option<FieldType> {
    let has = |wanted| uses.contains(&wanted);
    uses.first()?;
    Some(if has(Wanted::Time) {
        FieldType::Time
    } else if has(Wanted::Text) {
        FieldType::Text
    } else if has(Wanted::List) {
        FieldType::List
    } else if has(Wanted::Number) || has(Wanted::PerhapsNumber) {
        FieldType::Number
    } else {
        FieldType::Text
    })
}

/// What a place wants of the expression in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Anything,
    Number,
    /// As what `min`, `max` and their like compare, which mostly are of numbers.
    PerhapsNumber,
    Text,
    List,
    Time,
}

impl Wanted {
    /// What is compared or combined with an expression is of its type.
    fn like(expr: &Expr) -> Self {
        match expr.static_type() {
            Some(Type::Number | Type::Double | Type::Int | Type::BigInt) => Self::Number,
            Some(Type::String) => Self::Text,
            _ => Self::Anything,
        }
    }

    /// What a function of values wants of its arguments.
    fn of(function: Scalar) -> Option<Self> {
        Some(match function {
            Scalar::Abs
            | Scalar::Ceil
            | Scalar::Exp
            | Scalar::Floor
            | Scalar::Ln
            | Scalar::Log10
            | Scalar::Log2
            | Scalar::Power
            | Scalar::Round
            | Scalar::Sign
            | Scalar::Sqrt => Self::Number,
            Scalar::Contains
            | Scalar::EndsWith
            | Scalar::Left
            | Scalar::Length
            | Scalar::Lower
            | Scalar::Replace
            | Scalar::Right
            | Scalar::SplitPart
            | Scalar::StartsWith
            | Scalar::Substring
            | Scalar::Trim
            | Scalar::TrimLeft
            | Scalar::TrimRight
            | Scalar::Upper => Self::Text,
            Scalar::Size => Self::List,
            Scalar::Coalesce | Scalar::Greatest | Scalar::Least | Scalar::NullIf => return None,
            // Of any type, or a time or what is one as text.
            _ => Self::Anything,
        })
    }
}

/// The types of the slots of the projection that the plans were compiled
/// against; `None` for one that they do not use.
pub(super) fn types(plans: &[Plan], others: &[Expr], slots: usize) -> Vec<Option<FieldType>> {
    let mut usage = Usage { slots: vec![Vec::new(); slots] };
    for plan in plans {
        let keys = plan.keys.iter().map(|key| &key.expr);
        for expr in plan.filter.iter().chain(keys) {
            usage.expr(expr, Wanted::Anything);
        }
        for aggregate in &plan.aggregates {
            usage.aggregate(aggregate);
        }
    }
    for expr in others {
        usage.expr(expr, Wanted::Anything);
    }
    usage.slots.into_iter().map(|uses| verdict(&uses)).collect()
}

struct Usage {
    /// What each slot has been wanted as.
    slots: Vec<Vec<Wanted>>,
}

impl Usage {
    fn slot(&mut self, slot: usize, wanted: Wanted) {
        if let Some(uses) = self.slots.get_mut(slot) {
            uses.push(wanted);
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        if let Some(filter) = &aggregate.filter {
            self.expr(filter, Wanted::Anything);
        }
        let wanted = match aggregate.function {
            Function::Sum
            | Function::Avg
            | Function::StddevSamp
            | Function::StddevPop
            | Function::VarSamp
            | Function::VarPop
            | Function::Percentile(_)
            | Function::PercentileApprox(_) => Wanted::Number,
            Function::Min | Function::Max => Wanted::PerhapsNumber,
            _ => Wanted::Anything,
        };
        if let Some(by) = &aggregate.by {
            self.expr(by, Wanted::PerhapsNumber);
        }
        if let Some(argument) = &aggregate.argument {
            self.expr(argument, wanted);
        }
    }

    fn expr(&mut self, expr: &Expr, wanted: Wanted) {
        match expr {
            Expr::Slot(slot) => self.slot(*slot, wanted),
            Expr::Time(slot) => self.slot(*slot, Wanted::Time),
            Expr::Literal(_) | Expr::Now => {}
            Expr::Not(operand)
            | Expr::IsNull(operand)
            | Expr::Is(_, operand)
            | Expr::Shift(operand, _)
            | Expr::Truncate(_, operand) => {
                self.expr(operand, Wanted::Anything);
            }
            Expr::Cast(Type::Number | Type::Double, operand) | Expr::Negate(operand) => {
                self.expr(operand, Wanted::Number);
            }
            // As a number it would be written with a point: 200.0.
            Expr::Cast(Type::String, operand) => self.expr(operand, Wanted::Text),
            Expr::Cast(_, operand) => self.expr(operand, Wanted::Anything),
            Expr::And(operands) | Expr::Or(operands) => self.all(&**operands, Wanted::Anything),
            Expr::Arithmetic(_, operands) => self.all(&**operands, Wanted::Number),
            Expr::Compare(_, operands) | Expr::NullSafeEqual(operands) => {
                self.alike(&operands.iter().collect::<Vec<_>>(), Wanted::Anything);
            }
            Expr::Between(operands) => {
                self.alike(&operands.iter().collect::<Vec<_>>(), Wanted::Anything);
            }
            Expr::In(operand, list) => {
                let all: Vec<_> = [&**operand].into_iter().chain(list.iter()).collect();
                self.alike(&all, Wanted::Anything);
            }
            Expr::Matches(operand, _) | Expr::Extract(operand, ..) | Expr::Replace(operand, ..) => {
                self.expr(operand, Wanted::Text);
            }
            Expr::Case(case) => self.case(case, wanted),
            Expr::Call(function, arguments) => match Wanted::of(*function) {
                Some(of_arguments) => self.all(arguments, of_arguments),
                None => self.alike(&arguments.iter().collect::<Vec<_>>(), wanted),
            },
        }
    }

    fn all(&mut self, expressions: &[Expr], wanted: Wanted) {
        for expr in expressions {
            self.expr(expr, wanted);
        }
    }

    /// Expressions that meet: each is of the type that another one shows.
    fn alike(&mut self, expressions: &[&Expr], wanted: Wanted) {
        let shown = expressions.iter().map(|expr| Wanted::like(expr));
        let shown = shown.into_iter().find(|shown| *shown != Wanted::Anything).unwrap_or(wanted);
        for expr in expressions {
            self.expr(expr, shown);
        }
    }

    fn case(&mut self, case: &Case, wanted: Wanted) {
        let whens = case.branches.iter().map(|(when, _)| when);
        let compared: Vec<_> = case.operand.iter().chain(whens).collect();
        self.alike(&compared, Wanted::Anything);
        let thens = case.branches.iter().map(|(_, then)| then);
        let results: Vec<_> = thens.chain([&case.otherwise]).collect();
        self.alike(&results, wanted);
    }
}
