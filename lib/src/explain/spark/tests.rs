use super::fields::types;
use super::*;
use crate::query::{Expr, WindowSpec};
use crate::window::{Dedupe, Mode};

#[test]
fn parts_are_filled_in_once() {
    let parts = [("@A@", "<@B@>".to_owned()), ("@B@", "b".to_owned())];
    assert_eq!(fill("x@A@y @ B@B@", &parts), "x<@B@>y @ Bb");
}

fn compile(text: &str) -> (Plan, Projection) {
    let mut projection = Projection::default();
    let plan = Plan::compile(text, None, "timestamp", &mut projection).unwrap();
    (plan, projection)
}

fn program(plan: Plan, projection: &Projection, options: &WindowOptions) -> String {
    spark(&SparkJob { plans: &[plan], projection, options, input: &[] })
}

#[test]
fn every_part_of_the_template_is_filled_in() {
    let (plan, projection) = compile("SELECT count(*) FROM t");
    let program = program(plan, &projection, &WindowOptions::default());
    for line in program.lines() {
        let is_upper =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase());
        assert!(!line.split('@').skip(1).any(is_upper), "{line}");
    }
}

#[test]
fn fields_have_the_types_that_they_are_used_as() {
    use FieldType::{List, Number, Text, Time};
    for (select, expected) in [
        ("sum(a)", vec![Text, Number]),
        ("max(a)", vec![Text, Number]),
        ("count(a)", vec![Text, Text]),
        ("count(DISTINCT a)", vec![Text, Text]),
        ("count_if(a >= 400)", vec![Text, Number]),
        ("count_if(a = 'x')", vec![Text, Text]),
        ("count_if(a IN (1, 2))", vec![Text, Number]),
        ("count_if(a BETWEEN b AND 9.5)", vec![Text, Number, Number]),
        ("count_if(lower(a) LIKE 'x%')", vec![Text, Text]),
        ("sum(CASE a WHEN 'x' THEN b ELSE 0 END)", vec![Text, Text, Number]),
        ("sum(coalesce(a, b))", vec![Text, Number, Number]),
        ("max(size(a))", vec![Text, List]),
        ("min(timestamp)", vec![Text, Time]),
        // What is compared with text is no number, though it is averaged.
        ("avg(a) FILTER (WHERE a <> '-')", vec![Text, Text]),
        ("sum(a * 2) FILTER (WHERE NOT b IS NULL)", vec![Text, Text, Number]),
    ] {
        let (plan, projection) = compile(&format!("SELECT k, {select} FROM t GROUP BY k"));
        let mut found = types(&[plan], &[], projection.len());
        if select.starts_with("sum(a *") {
            // FILTER is compiled first.
            assert_eq!(projection.name(1), b"b");
        }
        found.truncate(projection.len());
        assert_eq!(found, expected.into_iter().map(Some).collect::<Vec<_>>(), "{select}");
    }
}

#[test]
fn output_modes_are_those_that_spark_has() {
    let sized = "SELECT window, count(*) AS n FROM t WATERMARK timestamp DELAY OF INTERVAL 1 MINUTE \
                 GROUP BY window(timestamp, '1 minute')";
    let unclosed = "SELECT count(*) AS n FROM t GROUP BY window(timestamp, '1 minute')";
    for (text, mode, expected) in [
        (sized, Mode::Append, "append"),
        (sized, Mode::Update, "update"),
        (sized, Mode::Complete, "complete"),
        (unclosed, Mode::Append, "complete"),
        (unclosed, Mode::Update, "update"),
        ("SELECT count(*) AS n FROM t", Mode::Append, "complete"),
    ] {
        let (plan, projection) = compile(text);
        let options = WindowOptions { mode, ..WindowOptions::default() };
        let program = program(plan, &projection, &options);
        let entry = format!("    (\"query\", query_0, \"{expected}\"),\n]");
        assert!(program.contains(&entry), "{program}");
    }
}

#[test]
fn sessions_without_a_key_are_given_one() {
    let (mut plan, projection) =
        compile("SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '1 minute')");
    plan.window = Some(WindowSpec::Session { gap: TimeDelta::from_seconds(90) });
    plan.delay = Some(TimeDelta::from_seconds(60));
    let options = WindowOptions { mode: Mode::Update, ..WindowOptions::default() };
    let program = program(plan, &projection, &options);
    for part in [
        "            F.session_window(F.col(\"timestamp\"), \"90 seconds\").alias(\"window\"),\n",
        "            F.expr(\"timestamp IS NULL\").alias(\"_all\"),\n",
        "    # Spark prints sessions when they are closed, not before.\n",
        "    (\"query\", query_0, \"append\"),\n",
    ] {
        assert!(program.contains(part), "{part}{program}");
    }
}

#[test]
fn what_spark_lacks_is_said() {
    let (plan, mut projection) = compile(
        "SELECT window, count(DISTINCT a) AS n FROM t \
         WATERMARK timestamp DELAY OF INTERVAL 1 MINUTE \
         WHERE b > 1 GROUP BY window(timestamp, '1 minute')",
    );
    let key = Expr::Slot(projection.add("id"));
    let options = WindowOptions {
        max_groups: Some(9),
        row_meta: true,
        trigger: Trigger::Count(5),
        dedupe: Some(Dedupe { keys: vec![key], within: TimeDelta::from_seconds(30) }),
        ..WindowOptions::default()
    };
    let program = program(plan, &projection, &options);
    for part in [
        "Spark has no counterpart to --max-groups, --trigger count, --row-meta; this",
        "TRIGGER = \"10 seconds\"\n",
        "        .where(\"CASE WHEN timestamp IS NOT NULL THEN b > 1 END\")\n",
        "        .withColumn(\"_dedupe0\", F.expr(\"id\"))\n",
        "        .dropDuplicatesWithinWatermark([\"_dedupe0\"])\n",
        "            F.expr(\"size(collect_set(a))\").alias(\"n\"),\n",
        "        F.col(\"record.`b`\").cast(\"double\").alias(\"b\"),\n",
        "        event_time(F.col(\"record.`timestamp`\")).alias(\"timestamp\"),\n",
    ] {
        assert!(program.contains(part), "{part}\n{program}");
    }
}

#[test]
fn queries_spelled_alike_have_functions_of_their_own() {
    let (plan, projection) = compile("SELECT count(*) FROM t");
    let named = |name: &str| Plan { name: Some(name.to_owned()), ..plan.clone() };
    let plans = [named("a-b"), named("a_b")];
    let options = WindowOptions::default();
    let program =
        spark(&SparkJob { plans: &plans, projection: &projection, options: &options, input: &[] });
    assert!(
        program.contains("(\"a-b\", query_a_b, ") && program.contains("(\"a_b\", query_a_b_1, ")
    );
}
