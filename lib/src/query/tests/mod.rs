//! What the parts of the query language do together.

mod errors;
mod expressions;
mod plans;

use std::cell::Cell;

use bumpalo::Bump;

use super::{Context, Expr, Plan, QueryError};
use crate::line::{Projection, Scanner, Value};
use crate::time::Timestamp;

/// The value of an expression over a record, as JSON, and how many casts
/// failed on the way.
fn evaluate(expr: &str, record: &str) -> (String, u64) {
    let mut projection = Projection::default();
    let expr = match Expr::compile(expr, "expression", "timestamp", &mut projection) {
        Ok(expr) => expr,
        Err(error) => panic!("{error}"),
    };
    let names = projection.len();
    let mut scanner = Scanner::new(projection);
    scanner.scan(record.as_bytes()).unwrap();
    let arena = Bump::new();
    let slots: Vec<Value<'_>> = (0..names)
        .map(|slot| {
            let scratch = arena.alloc(Vec::new());
            Value::read(scanner.field(slot), record.as_bytes(), scratch)
        })
        .collect();
    run(&expr, &slots, &arena)
}

fn run(expr: &Expr, slots: &[Value<'_>], arena: &Bump) -> (String, u64) {
    let casts_failed = Cell::new(0);
    let context =
        Context { slots, arena, casts_failed: &casts_failed, now: Timestamp::from_micros(0) };
    let mut text = Vec::new();
    expr.eval(&context).write(&mut text);
    (String::from_utf8(text).unwrap(), casts_failed.get())
}

/// The plan of a query, with the names of the fields it reads.
fn compile(text: &str) -> Result<(Plan, Vec<String>), QueryError> {
    let mut projection = Projection::default();
    let plan = Plan::compile(text, None, "timestamp", &mut projection)?;
    let names = (0..projection.len())
        .map(|slot| String::from_utf8_lossy(projection.name(slot)).into_owned())
        .collect();
    Ok((plan, names))
}
