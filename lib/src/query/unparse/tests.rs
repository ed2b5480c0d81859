use proptest::prelude::*;

use super::*;
use crate::line::Projection;
use crate::query::{Expr, Plan, builtin, builtin_names};
use crate::time::TimeDelta;

fn compile(text: &str) -> (Plan, Projection) {
    let mut projection = Projection::default();
    match Plan::compile(text, None, "timestamp", &mut projection) {
        Ok(plan) => (plan, projection),
        Err(error) => panic!("{error}\n{text}"),
    }
}

/// Compiles, writes and compiles again.
#[track_caller]
fn round_trip(text: &str) -> String {
    let (plan, projection) = compile(text);
    let written = plan.to_sql(&projection);
    let (mut again, names) = compile(&written);
    for (key, original) in again.keys.iter_mut().zip(&plan.keys) {
        if !matches!(key.expr, Expr::Slot(_) | Expr::Time(_)) {
            key.name.clone_from(&original.name);
        }
    }
    assert_eq!(again, plan, "{written}");
    assert_eq!(names.len(), projection.len(), "{written}");
    for slot in 0..names.len() {
        assert_eq!(names.name(slot), projection.name(slot), "{written}");
    }
    written
}

#[test]
fn built_in_queries_come_back() {
    for name in builtin_names() {
        round_trip(builtin(name).unwrap());
    }
}

#[test]
fn queries_come_back() {
    for text in [
        "SELECT count(*) FROM t",
        "SELECT window.start AS begun, window, count(*) AS n, n * 2 AS m, m + n AS k \
         FROM t WATERMARK at DELAY OF INTERVAL 90 SECONDS AS x \
         GROUP BY window(at, '5 minutes', '1 minute', '30 seconds'), x.service \
         HAVING k > 3 AND max(bytes) < 10 AND window.end > TIMESTAMP '2025-09-12 00:00:00'",
        "SELECT lower(service) AS s, count(DISTINCT `user id`) FILTER (WHERE ok IS TRUE) AS u, \
                sum(CASE x WHEN 1 THEN 0.5 WHEN 2 THEN 1 END) FROM t GROUP BY s",
        "SELECT LOWER( service ), `a.b`, a.c, count(*) FROM t GROUP BY LOWER( service ), a.b, a.c",
        "SELECT count_if(x > 1), bool_and(y), bool_or(y), mean(z), variance(z), \
                collect_list(x), collect_set(DISTINCT x), min(DISTINCT x) FROM t",
        "SELECT k, sum(x) AS `select`, `select` + 1 AS `from`, `from` > 2 AS `a``b` FROM t \
         GROUP BY k HAVING `a``b` OR `select` = 1",
        "SELECT approx_count_distinct(x), approx_count_distinct(x, 0.01), median(y), \
                percentile(y, array(0.5, 0.9)), percentile_approx(y, 0.99), mode(z) FROM t",
        "SELECT first(x), last(x, true), first(x) IGNORE NULLS, min_by(x, y), \
                max_by(x, timestamp) FILTER (WHERE z IS NULL), count(DISTINCT a, b), count(a, b) FROM t",
        "SELECT window, k, count(*) AS n FROM t WATERMARK timestamp DELAY OF INTERVAL 1 SECOND \
         GROUP BY session_window(timestamp, '90 seconds'), k",
        // A key's field is read before a column of the same name.
        "SELECT count(*) AS k, sum(x) AS y FROM t GROUP BY k HAVING count(*) > 1 AND y > 2",
        "SELECT a + b AS c, (a + b) * 2 AS d, count(*) AS n, n AS m FROM t GROUP BY a + b",
    ] {
        round_trip(text);
    }
}

#[test]
fn a_written_query_reads_well() {
    let text = "select window, service, count(*) n, sum(x)/n*100 as rate from logs watermark \
                timestamp delay of interval 300 seconds where ((level <> 'DEBUG')) \
                group by window(timestamp, '60s'), service having n > 5 and rate >= .5";
    assert_eq!(
        round_trip(text),
        "SELECT window,
       service,
       count(*) AS n,
       sum(x) / n * 100 AS rate
FROM records WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
WHERE level <> 'DEBUG'
GROUP BY window(timestamp, '1 minute'), service
HAVING n > 5 AND rate >= 0.5
"
    );
}

/// An expression over records and how it is written.
fn written(text: &str) -> String {
    let mut projection = Projection::default();
    let compile = |text: &str, projection: &mut Projection| {
        Expr::compile(text, "expression", "timestamp", projection)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let expr = compile(text, &mut projection);
    let slot =
        |slot: usize| Text::atom(quoted(std::str::from_utf8(projection.name(slot)).unwrap()));
    let sql = Writer { dialect: Dialect::Own, slot: &slot }.sql(&expr);
    assert_eq!(compile(&sql, &mut projection.clone()), expr, "{sql}");
    sql
}

#[test]
fn expressions_keep_their_meaning_with_the_fewest_parentheses() {
    for (text, expected) in [
        ("((a))", "a"),
        ("a + b + c", "a + b + c"),
        ("a + (b + c)", "a + (b + c)"),
        ("(a + b) * c % d", "(a + b) * c % d"),
        ("a / (b * c)", "a / (b * c)"),
        ("a - (-5)", "a - -5"),
        ("-(-a)", "-(-a)"),
        ("-a * b", "-a * b"),
        ("-(a * b)", "-(a * b)"),
        ("-5 * a", "-5 * a"),
        ("a OR b AND NOT c", "a OR b AND NOT c"),
        ("(a OR b) AND c", "(a OR b) AND c"),
        ("a AND (b AND c)", "a AND (b AND c)"),
        ("NOT (a AND b)", "NOT (a AND b)"),
        ("NOT a = b", "NOT a = b"),
        ("(NOT a) = b", "(NOT a) = b"),
        ("NOT NOT a", "NOT (NOT a)"),
        ("(a = b) = c", "(a = b) = c"),
        ("(a < b) IS NOT NULL", "(a < b) IS NOT NULL"),
        ("NOT (a IS NULL)", "a IS NOT NULL"),
        ("a IS NOT TRUE OR b IS FALSE", "a IS NOT TRUE OR b IS FALSE"),
        ("a <=> b AND a IS DISTINCT FROM b", "a <=> b AND NOT a <=> b"),
        ("a IS UNKNOWN", "CAST(a AS boolean) IS NULL"),
        ("a NOT IN (1, 2.50, 'x', NULL)", "a NOT IN (1, 2.5, 'x', NULL)"),
        ("a BETWEEN 1 AND b + 1", "a BETWEEN 1 AND b + 1"),
        ("a NOT BETWEEN (b = 1) AND (c OR d)", "a NOT BETWEEN (b = 1) AND (c OR d)"),
        ("a LIKE '%x\\\\_y' OR a NOT ILIKE 'b'", "a LIKE '%x\\\\_y' OR a NOT ILIKE 'b'"),
        ("a LIKE '!%' ESCAPE '!'", "a LIKE '!%' ESCAPE '!'"),
        ("a RLIKE '^\\d+$'", "a RLIKE '^\\\\d+$'"),
        ("a = 'it''s \\\\ \\n'", "a = 'it''s \\\\ \n'"),
        ("a || b || 'c'", "concat(concat(a, b), 'c')"),
        ("if(a, 1, 2.0)", "CASE WHEN a THEN 1.0 ELSE 2.0 END"),
        ("CASE a WHEN 1 THEN b END", "CASE a WHEN 1 THEN b END"),
        ("nvl(a, ceil(b))", "coalesce(a, ceil(b))"),
        ("substr(a, 2, 3)", "substring(a, 2, 3)"),
        ("int(a) + size(b)", "CAST(a AS int) + size(b)"),
        ("date_trunc('HOUR', timestamp)", "date_trunc('hour', timestamp)"),
        ("timestamp - INTERVAL 90 SECONDS", "timestamp - INTERVAL 90 SECONDS"),
        ("timestamp > '2025-09-12'", "timestamp > TIMESTAMP '2025-09-12T00:00:00.000Z'"),
        ("TRUE AND NULL", "TRUE AND NULL"),
        ("a > 1e300", "a > 1e+300"),
        (
            "`select` + `a b` + x.y + `@source.offset`",
            "`select` + `a b` + `x.y` + `@source.offset`",
        ),
        ("`end` = `current_date`", "`end` = `current_date`"),
        ("a div b * c", "a div b * c"),
        ("a * (b div c)", "a * (b div c)"),
        ("regexp_extract(a, '(\\d+)x', 1) = 'b'", "regexp_extract(a, '(\\\\d+)x', 1) = 'b'"),
        ("regexp_replace(a, 'x(.)', '$1')", "regexp_replace(a, 'x(.)', '$1')"),
        (
            r"regexp_replace(a, 'x', '$1\\2} \\\\ \\$5 $')",
            r"regexp_replace(a, 'x', '$1\\2} \\\\ \\$5 \\$')",
        ),
        ("timestamp > now() - INTERVAL 1 HOUR", "timestamp > now() - INTERVAL 1 HOUR"),
        (
            "concat_ws('-', hour(timestamp), left(a, 2))",
            "concat_ws('-', hour(timestamp), left(a, 2))",
        ),
        ("user = value", "user = value"),
    ] {
        assert_eq!(written(text), expected, "{text}");
    }
}

#[test]
fn lengths_are_in_one_unit() {
    for (micros, expected) in [
        (0, "0 seconds"),
        (1, "1 microsecond"),
        (1_500, "1500 microseconds"),
        (60_000_000, "1 minute"),
        (90_000_000, "90 seconds"),
        (-7_200_000_000, "2 hours"),
        (86_400_000_000, "1 day"),
    ] {
        assert_eq!(words(TimeDelta::from_micros(micros)), expected);
    }
}

/// Text of expressions, with parentheses around all.
fn expression_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["a", "b.c", "timestamp", "`x y`", "level", "`not`"])
            .prop_map(str::to_owned),
        prop::sample::select(vec!["1", "-2", "0.5", "1e-9", "NULL", "TRUE", "'it''s'", "'\\\\d'"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "||", "<", "=", "<>", ">=", "<=>", "AND", "OR",
        ]);
        let unary = prop::sample::select(vec![
            "NOT ({})",
            "-({})",
            "({}) IS NULL",
            "({}) IS NOT TRUE",
            "({}) IN (1, b, -3)",
            "({}) NOT LIKE 'x!%' ESCAPE '!'",
            "({}) RLIKE 'x|y'",
            "CAST(({}) AS bigint)",
            "date_trunc('week', ({}))",
            "({}) + INTERVAL 90 SECONDS",
            "upper(({}))",
        ]);
        prop_oneof![
            (inner.clone(), binary, inner.clone())
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            (unary, inner.clone()).prop_map(|(form, operand)| form.replace("{}", &operand)),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| {
                format!("CASE ({a}) WHEN ({b}) THEN ({c}) WHEN 1 THEN 2 ELSE ({a}) END")
            }),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a}) NOT BETWEEN ({b}) AND ({c})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_expression_comes_back(text in expression_text()) {
        let mut projection = Projection::default();
        // Text that meets a time but is none does not compile.
        let compiled = Expr::compile(&text, "expression", "timestamp", &mut projection);
        prop_assume!(compiled.is_ok());
        written(&text);
    }
}
