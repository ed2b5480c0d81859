//! Queries: text becomes a plan that runs, or an error that shows its place.

use highwater_core::explain::{SparkJob, explain, spark};
use highwater_core::line::{Line, Projection};
use highwater_core::query::{Expr, Plan, parse_schema};
use highwater_core::stream::{Operator as _, Output};
use highwater_core::window::{WindowOperator, WindowOptions};

/// Records of the kinds of values that there are.
const RECORDS: [&str; 5] = [
    r#"{"timestamp":"2025-09-12T10:00:00Z","level":"ERROR","service":"auth","user_id":"u1","status_code":500,"response_time":0.5,"value":1,"a":-9223372036854775808,"b":"12"}"#,
    r#"{"timestamp":"2025-09-12T10:00:01Z","level":null,"service":"auth","status_code":"x","value":1e308,"a":170141183460469231731687303715884105727,"b":[1,{"c":2}]}"#,
    r#"{"timestamp":"2025-09-12T10:07:00Z","level":"é\u0000","service":{"a":1},"status_code":-0.0,"value":-1e308,"a":0,"b":"2025-09-12 00:00:00"}"#,
    r#"{"timestamp":"9999-12-31T23:59:59Z","a":true,"b":false,"value":null}"#,
    r#"{"timestamp":"0000-01-01T00:00:00Z","a":"","b":"%_\\","value":"-5"}"#,
];

pub(super) fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Expr::compile(text, "--where", "timestamp", &mut Projection::default()) {
        assert!(!error.to_string().is_empty());
    }
    if let Err(error) = parse_schema(text, "schema") {
        assert!(!error.to_string().is_empty());
    }
    let mut projection = Projection::default();
    match Plan::compile(text, None, "timestamp", &mut projection) {
        Ok(plan) => run(vec![plan], projection),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Runs a plan over [`RECORDS`]; the rows are JSON.
fn run(plans: Vec<Plan>, projection: Projection) {
    let options = WindowOptions::default();
    assert!(!explain(&plans, &projection, &options).is_empty());
    let job = SparkJob { plans: &plans, projection: &projection, options: &options, input: &[] };
    assert!(!spark(&job).is_empty());
    let Ok(mut operator) = WindowOperator::new(plans, projection, options) else { return };
    let mut out = Output::in_memory();
    for record in RECORDS {
        operator.on_record(Line { bytes: record.as_bytes(), fault: None }, &mut out).unwrap();
    }
    operator.on_end(&mut out).unwrap();
    for row in super::lines(out.rows()).filter(|row| !row.is_empty()) {
        let row = std::str::from_utf8(row).unwrap();
        assert!(serde_json::from_str::<&serde_json::value::RawValue>(row).is_ok(), "{row}");
    }
}
