use crate::query::QueryFlags;
use crate::time::TimeDelta;

use super::*;

fn error(text: &str) -> QueryError {
    match compile(text) {
        Err(error) => error,
        Ok((plan, _)) => panic!("{text} is accepted: {plan:?}"),
    }
}

#[test]
fn errors_show_the_place() {
    let text = "-- über\nSELECT count(*) AS n\nFROM logs WHERE `größe` > 1 AND cuont(b) > 1";
    let expected = "\
unknown function `cuont`
 --> query:3:33
  |
3 | FROM logs WHERE `größe` > 1 AND cuont(b) > 1
  |                                 ^^^^^ did you mean `count`?";
    assert_eq!(error(text).to_string(), expected);
}

/// Each query, the part of it that is underlined, the message, and what is
/// written below the place.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    (
        "SELECT service, count(*) FROM logs",
        "service",
        "`service` is neither a key nor aggregated",
        "aggregate it, as in max(service), or add it to GROUP BY",
    ),
    (
        "SELECT count(*) AS totals, totls / 2 FROM logs",
        "totls",
        "`totls` is neither a key nor aggregated",
        "did you mean `totals`?",
    ),
    (
        "SELECT b, count(*) AS b2 FROM logs GROUP BY a",
        "b",
        "`b` is neither a key nor aggregated",
        "aggregate it, as in max(b), or add it to GROUP BY",
    ),
    (
        "SELECT skewness(x) FROM logs",
        "skewness",
        "skewness is not supported",
        "expected stddev(x) or percentile_approx(x, 0.99)",
    ),
    (
        "SELECT corr(x, y) FROM logs",
        "corr",
        "corr is not supported",
        "aggregates here look at one field; collect_list both and go on from there",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY session_window(timestamp)",
        "session_window(timestamp)",
        "session_window takes a time and a gap",
        "expected session_window(time, gap), as in session_window(timestamp, '5 minutes')",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY session_window(lower(t), '5m')",
        "lower(t",
        "the window's time is no field",
        "expected session_window(time, gap), as in session_window(timestamp, '5 minutes')",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY session_window(timestamp, '0s')",
        "'0s'",
        "a session ends after some silence",
        "expected more than 0s",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY session_window(timestamp, gap)",
        "gap",
        "this is no length of time",
        "expected one such as '5 minutes'",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY session_window(timestamp, CASE WHEN a THEN '1m' ELSE '2m' END)",
        "CASE WHEN a THEN '1m' ELSE '2m' END",
        "this is no length of time",
        "expected one such as '5 minutes'",
    ),
    (
        "SELECT session_window FROM logs GROUP BY window(timestamp, '1m')",
        "session_window",
        "`session_window` is neither a key nor aggregated",
        "aggregate it, as in max(session_window), or add it to GROUP BY",
    ),
    (
        "SELECT max(a) + session_window FROM logs GROUP BY session_window(timestamp, '1m')",
        "session_window",
        "the window is no value",
        "expected session_window.start or session_window.end",
    ),
    (
        "SELECT window_time(window) FROM logs",
        "window_time(window)",
        "there is no window here whose time this could be",
        "expected window_time(window) in SELECT or HAVING of a query with windows",
    ),
    (
        "SELECT window_time() FROM logs GROUP BY window(timestamp, '1m')",
        "window_time()",
        "window_time takes one argument",
        "expected the window",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY a, session_window(timestamp, '1m'), window(timestamp, '5m')",
        "window(timestamp, '5m')",
        "a query has one window",
        "give several queries instead",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp, '5 parsecs')",
        "'5 parsecs'",
        "this is no length of time",
        "no known unit in duration \"5 parsecs\"; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp)",
        "window(timestamp)",
        "window takes a time and one to three lengths",
        "expected window(time, size), as in window(timestamp, '5 minutes')",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(1, '1m')",
        "1",
        "the window's time is no field",
        "expected window(time, size), as in window(timestamp, '5 minutes')",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp, '0s')",
        "'0s'",
        "a window has a length",
        "expected more than 0s",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp, '1m', '5m')",
        "'5m'",
        "between such windows records would be lost",
        "expected at most the size, 1m",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp, '5m', '1m', '1m')",
        "'1m'",
        "the start is an offset within a slide",
        "expected less than the slide, 1m",
    ),
    (
        "SELECT count(*) FROM logs GROUP BY window(timestamp, '1m'), window(timestamp, '5m')",
        "window(timestamp, '5m')",
        "a query has one window",
        "give several queries instead",
    ),
    (
        "SELECT count(*) FROM logs WHERE window(timestamp, '1m') > 1",
        "window(timestamp, '1m')",
        "window(…) does not belong here",
        "expected in GROUP BY; in SELECT it is called window",
    ),
    (
        "SELECT window(timestamp, '5m') FROM logs GROUP BY window(timestamp, '1m')",
        "window(timestamp, '5m')",
        "this is not the window of GROUP BY",
        "expected window",
    ),
    (
        "SELECT max(a) + window FROM logs GROUP BY window(timestamp, '1m')",
        "window",
        "the window is no value",
        "expected window.start or window.end",
    ),
    (
        "SELECT window AS w FROM logs GROUP BY window(timestamp, '1m')",
        "window",
        "the window cannot be called w",
        "rows carry it as \"window\"",
    ),
    (
        "SELECT count(*) FROM logs WATERMARK ts DELAY OF INTERVAL 5 MINUTES GROUP BY window(timestamp, '1m')",
        "ts",
        "the watermark is on another field than the window",
        "expected timestamp",
    ),
    (
        "SELECT count(*) FROM logs WATERMARK ts DELAY INTERVAL 5 MINUTES",
        "INTERVAL",
        "the WATERMARK clause is incomplete",
        "expected DELAY OF INTERVAL, as in DELAY OF INTERVAL 5 MINUTES",
    ),
    (
        "SELECT count(*) FROM logs WATERMARK ts DELAY OF 5 MINUTES",
        "5",
        "the delay is no interval",
        "expected INTERVAL, as in INTERVAL 5 MINUTES",
    ),
    (
        "SELECT count(*) FROM logs WATERMARK ts DELAY OF INTERVAL -5 MINUTES",
        "-5 MINUTES",
        "the delay is negative",
        "expected at least 0s",
    ),
    (
        "SELECT count(*) FROM logs WATERMARK ts DELAY OF INTERVAL 5 MONTHS",
        "5 MONTHS",
        "no known unit in duration \"5 MONTHS\"; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'",
        "",
    ),
    (
        "SELECT a FROM logs WHERE count(*) > 1",
        "count(*)",
        "the aggregate count does not belong here",
        "this is computed for each record; aggregates go into SELECT and HAVING",
    ),
    (
        "SELECT sum(count(*)) FROM logs",
        "count(*)",
        "the aggregate count does not belong here",
        "this is computed for each record; aggregates go into SELECT and HAVING",
    ),
    ("SELECT count(*) FROM logs WHERE (a > 1", "1", "the text ends too early", "expected )"),
    ("SELECT max(a) FROM logs WHERE", "E", "the text ends too early", "expected an expression"),
    ("SELECT max(a) FROM logs WHERE a > 'x", "'", "unterminated string literal", ""),
    (
        "SELECT max(a) FROM logs WHERE a = > 1",
        ">",
        "`>` does not belong here",
        "expected an expression",
    ),
    ("SELECT , FROM logs", ",", "`,` does not belong here", "expected an expression"),
    ("count(*)", "count", "`count` does not belong here", "expected SELECT"),
    ("", "", "the text ends too early", "expected SELECT"),
    (
        "SELECT max(a) FROM logs; SELECT 1",
        "SELECT",
        "`SELECT` does not belong here",
        "expected the end of the query",
    ),
    (
        "SELECT * FROM logs",
        "*",
        "`*` is not supported in SELECT",
        "name the keys and aggregates that rows are to have",
    ),
    ("SELECT DISTINCT a FROM logs", "DISTINCT", "SELECT DISTINCT is not supported", "use GROUP BY"),
    (
        "SELECT a FROM (SELECT 1) GROUP BY a",
        "(",
        "subqueries are not supported",
        "expected a table's name",
    ),
    (
        "SELECT count(*) FROM logs WHERE x IN (SELECT 1)",
        "x IN (SELECT 1",
        "subqueries are not supported",
        "",
    ),
    (
        "SELECT a FROM logs GROUP BY a ORDER BY a",
        "ORDER",
        "ORDER is not supported",
        "rows come ordered by window and keys",
    ),
    (
        "SELECT a FROM logs GROUP BY a LIMIT 5",
        "LIMIT",
        "LIMIT is not supported",
        "pipe the rows into head",
    ),
    (
        "SELECT a FROM logs JOIN b GROUP BY a",
        "JOIN",
        "JOIN is not supported",
        "a query reads one stream; join with parse --lookup",
    ),
    (
        "SELECT a, count(*) AS n FROM logs GROUP BY ALL, b",
        ",",
        "`,` does not belong here",
        "expected the end of the query",
    ),
    ("SELECT a FROM logs GROUP BY 3", "3", "there is no such item in SELECT", "expected 1 to 1"),
    (
        "SELECT max(a) FROM logs WHERE a LIKE b",
        "b",
        "the pattern is no constant",
        "expected a text in quotes, as in '%error%'",
    ),
    (
        "SELECT max(a) FROM logs WHERE a RLIKE '(x'",
        "'(x'",
        "this is no valid pattern",
        "unclosed group",
    ),
    (
        "SELECT max(a) FROM logs WHERE timestamp > 'yesterday'",
        "'yesterday'",
        "this is compared with a time, but is none",
        "expected a time such as '2025-09-12 00:00:00'",
    ),
    ("SELECT max(a) FROM logs WHERE timestamp > now(1)", "now(1)", "now takes no arguments", ""),
    (
        "SELECT max(a) FROM logs WHERE a > INTERVAL 5 MINUTES",
        "5",
        "an interval stands alone",
        "add it to a time or take it from one, as in timestamp - INTERVAL 5 MINUTES",
    ),
    (
        "SELECT max(a) FROM logs WHERE a > b + INTERVAL 1 MONTH",
        "1",
        "an interval of `1 MONTH` has no fixed length",
        "expected microseconds to weeks, as in INTERVAL 5 MINUTES",
    ),
    (
        "SELECT CAST(max(a) AS date) FROM logs",
        "max(a)",
        "there is no cast to date",
        "expected boolean, int, bigint, double, string or timestamp",
    ),
    (
        "SELECT count(*) n, sum(x) n FROM logs",
        "sum(x)",
        "two columns are called n",
        "name it with AS",
    ),
    (
        "SELECT round(max(a), 1, 2) FROM logs",
        "round(max(a), 1, 2)",
        "round takes 1 or 2 arguments",
        "",
    ),
    ("SELECT if(max(a), ')') FROM logs", "if(max(a), ')')", "if takes 3 arguments", ""),
    ("SELECT nullif(max(a)) FROM logs", "nullif(max(a))", "nullif takes 2 arguments", ""),
    ("SELECT lower() FROM logs", "lower()", "lower takes one argument", ""),
    (
        "SELECT sum(DISTINCT a) FROM logs",
        "sum(DISTINCT a)",
        "sum(DISTINCT …) is not supported",
        "DISTINCT goes with count",
    ),
    ("SELECT count() FROM logs", "count()", "count takes one argument", ""),
    ("SELECT first() FROM logs", "first()", "first takes 1 or 2 arguments", ""),
    ("SELECT min_by(a) FROM logs", "min_by(a)", "min_by takes 2 arguments", ""),
    ("SELECT percentile(a) FROM logs", "percentile(a)", "percentile takes 2 arguments", ""),
    (
        "SELECT percentile_approx(a, 0.5, 1, 2) FROM logs",
        "percentile_approx(a, 0.5, 1, 2)",
        "percentile_approx takes 2 or 3 arguments",
        "",
    ),
    (
        "SELECT percentile_approx(a, 1.5) FROM logs",
        "1.5",
        "this is no share of the values",
        "expected a constant from 0 to 1, as in 0.95, or array(0.5, 0.95)",
    ),
    (
        "SELECT percentile(a, array(0.5, b)) FROM logs",
        "b",
        "this is no share of the values",
        "expected a constant from 0 to 1, as in 0.95, or array(0.5, 0.95)",
    ),
    (
        "SELECT percentile(a, array()) FROM logs",
        "array",
        "the array has no share",
        "expected array(0.5, 0.95)",
    ),
    (
        "SELECT percentile_approx(a, 0.5, 0) FROM logs",
        "0",
        "this is no accuracy",
        "expected a constant of at least 1, as in 10000",
    ),
    (
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM logs",
        "percentile_cont",
        "percentile_cont is not supported",
        "expected percentile(x, 0.5)",
    ),
    (
        "SELECT approx_count_distinct(a, 0.5) FROM logs",
        "0.5",
        "this is no relative error that a sketch can have",
        "expected a constant from 0.001 to 0.39, as in approx_count_distinct(x, 0.05)",
    ),
    (
        "SELECT first(a, 1) FROM logs",
        "1",
        "this does not say whether to ignore nulls",
        "expected true or false, as in first(x, true)",
    ),
    (
        "SELECT max(a) IGNORE NULLS FROM logs",
        "max(a)",
        "max has no IGNORE NULLS or RESPECT NULLS",
        "they go with first, last and any_value",
    ),
    (
        "SELECT median(DISTINCT a) FROM logs",
        "median(DISTINCT a)",
        "median(DISTINCT …) is not supported",
        "DISTINCT goes with count",
    ),
    (
        "SELECT collect_list(a ORDER BY b) FROM logs",
        "collect_list(a ORDER BY b)",
        "`ORDER BY b` in an aggregate is not supported",
        "",
    ),
    (
        "SELECT max(regexp_extract(a, 'x', 1)) FROM logs",
        "1",
        "the pattern has 0 groups",
        "expected one in parentheses, or 0 for the whole match",
    ),
    (
        "SELECT max(regexp_extract(a, '(x')) FROM logs",
        "'(x'",
        "this is no valid pattern",
        "unclosed group",
    ),
    (
        "SELECT max(regexp_replace(a, 'x', b)) FROM logs",
        "b",
        "this is no constant",
        "expected a text in quotes",
    ),
    (
        "SELECT max(extract(dow FROM timestamp)) FROM logs",
        "timestamp",
        "there is no dow of a time",
        "expected hour, minute, second, day, month or year",
    ),
    ("SELECT sum(a, b) FROM logs", "sum(a, b)", "sum takes one argument", ""),
    ("SELECT sum(*) FROM logs", "sum(*)", "`*` is no argument of sum", ""),
    (
        "SELECT rank() OVER (ORDER BY a) FROM logs",
        "rank()",
        "functions OVER a window of rows are not supported",
        "detect compares a row with those before it",
    ),
    (
        "SELECT sum(x) OVER () FROM logs",
        "sum(x)",
        "OVER of an aggregate is not supported",
        "detect compares a row with those before it",
    ),
    (
        "SELECT date_trunc('fortnight', max(a)) FROM logs",
        "'fortnight'",
        "this is no unit of date_trunc",
        "expected 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter' or 'year'",
    ),
    ("SELECT max(a) & 1 FROM logs", "max(a) & 1", "the operator `&` is not supported", ""),
    ("SELECT max(a) FROM logs WHERE a[0] = 1", "a[0", "`a[0]` is not supported", ""),
    (
        "SELECT avg(timestamp) FROM logs",
        "timestamp",
        "avg takes numbers, and this is a time",
        SECONDS,
    ),
    (
        "SELECT sum(date_trunc('hour', timestamp)) FROM logs",
        "date_trunc('hour', timestamp)",
        "sum takes numbers, and this is a time",
        SECONDS,
    ),
    (
        "SELECT percentile_approx(CAST(t AS timestamp), 0.5) FROM logs",
        "CAST(t AS timestamp)",
        "percentile_approx takes numbers, and this is a time",
        SECONDS,
    ),
    (
        "SELECT max(timestamp) - min(timestamp) AS d FROM logs",
        "max(timestamp) - min(timestamp)",
        "a time minus a time is no number",
        "cast both to bigint or double: seconds since 1970",
    ),
    (
        "SELECT first(timestamp) AS a, last(timestamp) AS b, count(*) AS n, (b - a) / n FROM logs",
        "b - a",
        "a time minus a time is no number",
        "cast both to bigint or double: seconds since 1970",
    ),
    (
        "SELECT window.end - window.start AS d FROM logs GROUP BY window(timestamp, '1 minute')",
        "window.end - window.start",
        "a time minus a time is no number",
        "cast both to bigint or double: seconds since 1970",
    ),
    (
        "SELECT date_trunc('hour', max(timestamp)) AS hour, hour * 2 FROM logs",
        "hour",
        "* takes numbers, and this is a time",
        SECONDS,
    ),
    (
        "SELECT count(*) FROM logs WHERE now() - timestamp > 5",
        "now() - timestamp",
        "a time minus a time is no number",
        "cast both to bigint or double: seconds since 1970",
    ),
    (
        "SELECT count(*) FROM logs WHERE mod(timestamp, 60) = 0 OR -timestamp > 1",
        "timestamp",
        "% takes numbers, and this is a time",
        SECONDS,
    ),
    (
        "SELECT -max(timestamp) FROM logs",
        "max(timestamp)",
        "- takes numbers, and this is a time",
        SECONDS,
    ),
];

const SECONDS: &str = "cast it to bigint or double: seconds since 1970";

#[test]
fn a_column_does_not_take_on_the_type_of_an_aggregate_behind_it() {
    let text =
        "SELECT count(*) * 2 AS c, count(*) * 3 AS d, max(timestamp) AS m, d + 1 AS e FROM t";
    compile(text).unwrap();
}

#[test]
fn every_mistake_is_placed_and_named() {
    for (text, place, message, expected) in MISTAKES {
        let error = error(text);
        let found = (&error.text[error.span.clone()], &*error.message, &*error.expected);
        assert_eq!(found, (*place, *message, *expected), "{text}\n{error}");
    }
}

#[test]
fn errors_in_flags_name_the_flag() {
    let flags = QueryFlags {
        select: &["count(*) AS sum".to_owned()],
        size: Some(TimeDelta::from_seconds(60)),
        slide: None,
        start: None,
        session: None,
        watermark: None,
        by: &["service".to_owned()],
        filter: None,
        having: None,
        time_field: "timestamp",
    };
    let five_minutes = Some(TimeDelta::from_seconds(300));
    for (flags, expected) in [
        (
            QueryFlags { having: Some("num > 5"), ..flags },
            "\
`num` is neither a key nor aggregated
 --> --having:1:1
  |
1 | num > 5
  | ^^^ did you mean `sum`?",
        ),
        (
            QueryFlags { slide: five_minutes, ..flags },
            "\
between such windows records would be lost
 --> --slide:1:1
  |
1 | 5m
  | ^^ expected at most the size, 1m",
        ),
        (
            QueryFlags { session: five_minutes, ..flags },
            "\
sessions end by silence
 --> --size:1:1
  |
1 | 1m
  | ^^ drop it or --session",
        ),
        (
            QueryFlags { session: Some(TimeDelta::ZERO), size: None, ..flags },
            "\
a session ends after some silence
 --> --session:1:1
  |
1 | 0s
  | ^^ expected more than 0s",
        ),
        (
            QueryFlags { size: None, slide: five_minutes, ..flags },
            "\
there is no window to slide
 --> --slide:1:1
  |
1 | 5m
  | ^^ expected --size too",
        ),
        (
            QueryFlags { select: &["count(*)".to_owned(), "max(x".to_owned()], ..flags },
            "\
the text ends too early
 --> aggregates #2:1:5
  |
1 | max(x
  |     ^ expected )",
        ),
        (
            QueryFlags { by: &["a".to_owned(), "b c".to_owned()], ..flags },
            "\
`c` does not belong here
 --> --by #2:1:3
  |
1 | b c
  |   ^ expected ',' or the end",
        ),
        (
            QueryFlags { select: &["count(*) AS n extra".to_owned()], ..flags },
            "\
`extra` does not belong here
 --> aggregates:1:15
  |
1 | count(*) AS n extra
  |               ^^^^^ expected ',' or the end",
        ),
    ] {
        let error = flags.compile(&mut Projection::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
