//! The one type of expressions of which one is chosen: the results of CASE and
//! `if`, the arguments of `coalesce`, and, for numbers, of `greatest` and `least`.
//!
//! Spark knows all types from a schema and finds one that all of them fit in.
//! Here a field's type is known only when its value is there, so that this is
//! done as far as the query itself tells: one text makes all of them texts, and
//! one double makes all of them doubles where the others are known as numbers.
//! Elsewhere a value keeps the type, and the spelling, that it has in its
//! record.
//!
//! Source: Spark's `TypeCoercion.findWiderTypeWithoutTwoSideCast` and
//! `stringPromotion`, without ANSI mode.

use super::expr::{Expr, Literal, Type};
use super::lower::Scope;

/// Makes all of them texts if one is, or else does as [`widen`].
pub(super) fn unify(choices: &mut [&mut Expr], scope: &dyn Scope) {
    let has = |wanted| choices.iter().any(|choice| scope.type_of(choice) == Some(wanted));
    // Spark refuses a truth value beside a text; here both stay what they are.
    if has(Type::String) && !has(Type::Boolean) {
        cast_all(choices, Type::String, scope);
    } else {
        widen(choices, scope);
    }
}

/// Makes all of them doubles if one is and the others are known as numbers.
pub(super) fn widen(choices: &mut [&mut Expr], scope: &dyn Scope) {
    let types = || {
        let typed = choices.iter().filter(|choice| ***choice != Expr::NULL);
        typed.map(|choice| scope.type_of(choice))
    };
    let are_numbers = types().all(|of| of.is_some_and(Type::is_numeric));
    if are_numbers && types().any(|of| of == Some(Type::Double)) {
        cast_all(choices, Type::Double, scope);
    }
}

fn cast_all(choices: &mut [&mut Expr], to: Type, scope: &dyn Scope) {
    for choice in choices {
        if **choice != Expr::NULL && scope.type_of(choice) != Some(to) {
            cast(choice, to);
        }
    }
}

/// Casts an expression, an integer that becomes a double at once.
fn cast(expr: &mut Expr, to: Type) {
    let operand = std::mem::replace(expr, Expr::NULL);
    *expr = match (operand, to) {
        (Expr::Literal(Literal::Int(number)), Type::Double) => {
            Expr::Literal(Literal::Double(number as f64))
        }
        (operand, to) => Expr::Cast(to, operand.into()),
    };
}
