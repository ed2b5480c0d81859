//! `--set`: fields with a given or computed value.

use super::error::{ReshapeError, check_name};
use super::evaluator::Evaluator;
use super::rewriter::{NewField, Rewriter, key_of};
use super::step::{Rest, Step, StepError};
use crate::line::{Projection, Scanner, json};

/// Writes one field: a text, or what an expression gives for the record.
#[derive(Debug)]
pub(super) struct Set {
    scanner: Scanner,
    key: Box<[u8]>,
    /// `None` for a text, which is then `value`.
    computed: Option<Evaluator>,
    /// The value as JSON.
    value: Vec<u8>,
    rewriter: Rewriter,
}

/// The slot of the field's name.
const NAME: u16 = 0;

impl Set {
    /// Compiles `name=text` or `name:=expression`.
    pub(super) fn new(text: &str) -> Result<Self, ReshapeError> {
        const FLAG: &str = "--set";
        let (name, value) = text.split_once('=').unwrap_or_default();
        let (name, is_computed) = match name.strip_suffix(':') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.is_empty() {
            let example = "service=web, or failed:='status_code >= 500' for an expression";
            return Err(ReshapeError::Malformed { flag: FLAG, text: text.to_owned(), example });
        }
        check_name(FLAG, name)?;
        let mut projection = Projection::from_iter([name]);
        let (mut constant, mut computed) = (Vec::new(), None);
        if is_computed {
            computed = Some(Evaluator::new(value, FLAG, &mut projection)?);
        } else {
            json::write_string(value.as_bytes(), &mut constant);
        }
        Ok(Self {
            scanner: Scanner::new(projection).with_members(),
            key: key_of(name),
            computed,
            value: constant,
            rewriter: Rewriter::default(),
        })
    }
}

impl Step for Set {
    fn apply(&mut self, record: &[u8], rest: &mut Rest<'_>) -> Result<(), StepError> {
        let Self { scanner, key, computed, value, rewriter } = self;
        scanner.scan(record)?;
        if let Some(computed) = computed {
            value.clear();
            computed.on_record(record, scanner, rest.tally, |expr, context| {
                expr.eval(context).write(value);
            });
        }
        let field = NewField { slot: NAME, key, value };
        rest.pass(rewriter.put(record, scanner.members(), 1, |_| field))
    }
}
