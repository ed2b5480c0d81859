//! `--where`: records for which a condition is true.

use super::error::ReshapeError;
use super::evaluator::Evaluator;
use super::step::{Rest, Step, StepError};
use crate::line::{Projection, Scanner};

/// Hands on the records for which the condition is true; one that is null is
/// not.
#[derive(Debug)]
pub(super) struct Filter {
    scanner: Scanner,
    condition: Evaluator,
}

impl Filter {
    pub(super) fn new(text: &str) -> Result<Self, ReshapeError> {
        let mut projection = Projection::default();
        let condition = Evaluator::new(text, "--where", &mut projection)?;
        Ok(Self { scanner: Scanner::new(projection), condition })
    }
}

impl Step for Filter {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        let Self { scanner, condition } = self;
        scanner.scan(record)?;
        #[allow(
            clippy::redundant_closure_for_method_calls,
            reason = "the method ties the lifetimes of its arguments together"
        )]
        let is_met =
            condition.on_record(record, scanner, rest.tally, |e, context| e.is_true(context));
        if is_met {
            return rest.pass(record);
        }
        rest.drop_record();
        Ok(())
    }
}
