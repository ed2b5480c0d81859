//! Queries: SQL text or flags in, a plan of compiled expressions out.

mod plan;

pub use plan::{Aggregate, Column, Context, Expr, Function, Key, Plan, WindowSpec};
