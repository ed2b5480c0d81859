//! Conditions: expressions that are true of the rows to be alerted.

use std::cell::Cell;

use bumpalo::Bump;

use super::account;
use super::alert::Finding;
use crate::line::{Kind, Projection, Value};
use crate::query::{Context, Expr, QueryError};
use crate::row::RowReader;
use crate::time::Timestamp;

/// An expression over a row, in the language of `window`.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    expr: Expr,
    fields: Projection,
}

impl Condition {
    /// Compiles `text`, which `origin` names in errors; `time_field` is the
    /// field that is a time in it.
    ///
    /// # Errors
    ///
    /// Fails at the first mistake; the error shows its place in the text.
    pub fn parse(text: &str, origin: &str, time_field: &str) -> Result<Self, QueryError> {
        let mut fields = Projection::default();
        let expr = Expr::compile(text, origin, time_field, &mut fields)?;
        Ok(Self { text: text.split_whitespace().collect::<Vec<_>>().join(" "), expr, fields })
    }

    /// The text, on one line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the fields that it reads.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let names = (0..self.fields.len()).map(|slot| self.fields.name(slot));
        names.map(|name| std::str::from_utf8(name).unwrap_or_default())
    }

    pub(super) fn expr(&self) -> &Expr {
        &self.expr
    }
}

/// A condition, and where it is evaluated.
#[derive(Debug)]
pub(super) struct Evaluator {
    condition: Condition,
    /// Where the scanner puts the condition's fields.
    slots: Vec<usize>,
    arena: Bump,
}

impl Evaluator {
    /// Adds the fields that the condition reads to `projection`.
    pub(super) fn new(condition: Condition, projection: &mut Projection) -> Self {
        let slots = condition.fields().map(|field| projection.add(field)).collect();
        Self { condition, slots, arena: Bump::new() }
    }

    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    /// Whether the condition is true of a row; if so, `finding` says of what.
    /// `casts_failed` counts.
    pub(super) fn judge(
        &mut self,
        rows: &RowReader,
        line: &[u8],
        now: Timestamp,
        casts_failed: &mut u64,
        finding: &mut Finding,
    ) -> bool {
        self.arena.reset();
        let arena = &self.arena;
        let values = self.slots.iter().map(|slot| Value::read_in(rows.field(*slot), line, arena));
        let slots = arena.alloc_slice_fill_iter(values);
        let failed = Cell::new(0);
        let context = Context { slots, arena, casts_failed: &failed, now };
        let is_true = self.condition.expr.is_true(&context);
        *casts_failed += failed.get();
        if is_true {
            let headline = account::write(&self.condition, &context, finding);
            let field = headline.map(|slot| rows.field(self.slots[slot]));
            if let Some(field) = field
                && matches!(field.kind, Kind::Int | Kind::Float)
            {
                // As it stands in the row.
                finding.value.clear();
                finding.value.extend_from_slice(field.text(line));
            }
        }
        is_true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;

    /// What is found out about a row; `None` if the condition is not true.
    fn judge(text: &str, row: &str) -> Option<Finding> {
        let condition = Condition::parse(text, "--when", "timestamp").unwrap();
        let mut projection = Projection::default();
        let mut evaluator = Evaluator::new(condition, &mut projection);
        let mut rows = RowReader::new(projection, None);
        rows.read(Line { bytes: row.as_bytes(), fault: None }).unwrap();
        let mut finding = Finding::default();
        let is_true =
            evaluator.judge(&rows, row.as_bytes(), Timestamp::EPOCH, &mut 0, &mut finding);
        is_true.then_some(finding)
    }

    fn alert(text: &str, row: &str) -> String {
        let mut alert = Vec::new();
        judge(text, row).unwrap().write(&mut alert);
        String::from_utf8(alert).unwrap()
    }

    #[test]
    fn the_first_comparison_that_holds_makes_the_numbers() {
        let row = r#"{"a":4.50,"b":"6","c":null,"s":"x","l":[1,2,3],"o.p":-1}"#;
        for (text, found) in [
            ("a > 3", r#""field":"a","value":4.50,"expected":3.0,"score":1.5,"#),
            ("a > 9 OR b >= 3", r#""field":"b","value":6,"expected":3.0,"score":2.0,"#),
            ("3 < a", r#""field":"a","value":4.50,"expected":3.0,"score":1.5,"#),
            ("c IS NULL AND a < 9", r#""field":"a","value":4.50,"expected":9.0,"score":0.5,"#),
            ("a > 0", r#""field":"a","value":4.50,"expected":0.0,"score":null,"#),
            ("`o.p` > -2", r#""field":"o.p","value":-1,"expected":-2.0,"score":0.5,"#),
            ("a / b > 0.5 + 0.1", r#""field":"a / b","value":0.75,"expected":0.6,"score":1.25,"#),
            ("size(l) = 3", r#""field":"size(l)","value":3,"expected":3.0,"score":1.0,"#),
            ("s = 'x'", r#""field":"s","value":"x","expected":"x","score":null,"#),
            ("s LIKE 'x%'", r#""field":null,"value":null,"expected":null,"score":null,"#),
            ("NOT a > 5", r#""field":null,"value":null,"expected":null,"score":null,"#),
        ] {
            let alert = alert(text, row);
            assert!(alert.starts_with(&format!(",{found}")), "{text}: {alert}");
        }
    }

    #[test]
    fn reasons_say_all_numbers() {
        let row = r#"{"a":4.50,"b":"6","s":"x","l":[1,2,3]}"#;
        for (text, reason) in [
            (
                "a > 3 AND b < 7 AND size(l) > 2",
                "a 4.5 is over 3 and b 6 is under 7 and size(l) 3 is over 2",
            ),
            ("a >= 3 AND 7 >= b", "a 4.5 is at least 3 and b 6 is at most 7"),
            ("s = 'x' AND b <> 7", "s is \"x\" and b 6 is not 7"),
            ("a > 3  OR\n b > 9", "a > 3 OR b > 9, with a 4.5, b \"6\""),
            ("s LIKE 'x%' AND n IS NULL", "s LIKE 'x%' AND n IS NULL, with s \"x\", n null"),
            ("true", "true"),
        ] {
            assert_eq!(judge(text, row).unwrap().reason, reason, "{text}");
        }
    }

    #[test]
    fn null_is_not_true_and_huge_numbers_are_written() {
        for text in ["x > 1", "x < 1", "NOT x > 1", "a > 5"] {
            assert!(judge(text, r#"{"a":4}"#).is_none(), "{text}");
        }
        let alert = alert("a > 0.001", r#"{"a":1.7e308}"#);
        assert!(alert.contains(r#""value":1.7e308,"expected":0.001,"score":null"#), "{alert}");
    }
}
