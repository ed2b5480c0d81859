//! Plans and expressions to SQL text, the way back from `compile`.
//!
//! Text that is compiled, written and compiled again gives the same plan.
//! Parentheses stand only where precedence asks for them.

mod aggregate;
mod expr;
mod names;
mod plan;
#[cfg(test)]
mod tests;

pub(crate) use expr::{Text, Writer};
pub(crate) use names::quoted;
pub(crate) use plan::{PlanText, words};

/// Whose SQL is written. They differ where Spark has no word for what a plan
/// can say, or another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// What [`Plan::compile`](super::Plan::compile) reads.
    Own,
    /// What Spark 4 reads, with `spark.sql.ansi.enabled=false`.
    Spark,
}
