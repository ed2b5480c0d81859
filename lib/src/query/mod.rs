//! Queries: SQL text or flags in, a plan of compiled expressions out.
//!
//! ```text
//! text ─ tokens ─ syntax ─┐
//!                 flags ──┴─ clauses ─ compile ─ Plan ─ eval
//!                                      (grouping, scope, lower)
//! ```
//!
//! The language is a subset of Spark SQL, so that a query can be run there as
//! it stands; `sqlparser` reads its expressions.

mod aggregate;
mod arithmetic;
mod builtin;
mod call;
mod cast;
mod common_type;
mod compile;
mod dialect;
mod error;
mod eval;
mod expr;
mod flags;
mod functions;
mod grouping;
mod literal;
mod lower;
mod pattern;
mod plan;
mod scalar;
mod schema;
mod scope;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;
pub(crate) mod unparse;

pub use builtin::{UnknownQuery, builtin, builtin_names, builtins};
pub use error::QueryError;
pub(crate) use error::nearest;
pub use expr::{Arithmetic, Case, Comparison, Expr, Literal, Type, Unit};
pub use flags::QueryFlags;
pub use pattern::{Pattern, PatternKind};
pub use plan::{
    Aggregate, Column, Context, Function, Key, Percentages, Plan, RelativeError, WindowSpec,
};
pub use scalar::Scalar;
pub(crate) use scalar::members;
pub use schema::{SchemaColumn, parse_schema};
