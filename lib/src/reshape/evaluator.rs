//! Expressions over records.

use bumpalo::Bump;

use super::TIME;
use super::step::Tally;
use crate::line::{Projection, Scanner, Value};
use crate::query::{Context, Expr, QueryError};

/// An expression, and where it is evaluated.
#[derive(Debug)]
pub(super) struct Evaluator {
    expr: Expr,
    arena: Bump,
}

impl Evaluator {
    /// Compiles `text`, which `origin` names in errors; the fields that it
    /// reads are added to `projection`.
    pub(super) fn new(
        text: &str,
        origin: &str,
        projection: &mut Projection,
    ) -> Result<Self, QueryError> {
        let expr = Expr::compile(text, origin, TIME, projection)?;
        Ok(Self { expr, arena: Bump::new() })
    }

    /// Hands the expression to `read`, with the record that `scanner` has
    /// scanned last to evaluate it in.
    pub(super) fn on_record<T>(
        &mut self,
        record: &[u8],
        scanner: &Scanner,
        tally: &Tally,
        read: impl FnOnce(&Expr, &Context<'_>) -> T,
    ) -> T {
        self.arena.reset();
        let arena = &self.arena;
        let slots = 0..scanner.projection().len();
        let values = slots.map(|slot| Value::read_in(scanner.field(slot), record, arena));
        let slots = arena.alloc_slice_fill_iter(values);
        let Tally { now, casts_failed, .. } = tally;
        read(&self.expr, &Context { slots, arena, casts_failed, now: *now })
    }
}
