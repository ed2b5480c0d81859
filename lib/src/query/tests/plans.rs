use super::*;
use crate::query::{
    Aggregate, Column, Comparison, Function, Key, Literal, Percentages, QueryFlags, RelativeError,
    Scalar, Type, WindowSpec, builtin_names, builtins,
};
use crate::time::TimeDelta;

fn plan(text: &str) -> Plan {
    match compile(text) {
        Ok((plan, _)) => plan,
        Err(error) => panic!("{error}"),
    }
}

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::from_seconds(60 * minutes)
}

fn value(name: &str, expr: Expr) -> Column {
    Column::Value { name: name.to_owned(), expr }
}

fn count() -> Aggregate {
    Aggregate { function: Function::Count, argument: None, by: None, filter: None }
}

fn int(number: i128) -> Expr {
    Expr::Literal(Literal::Int(number))
}

#[test]
fn a_query_becomes_a_plan() {
    let (plan, fields) = compile(
        "SELECT window, service, count(*) AS total, \
                sum(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS errors, \
                errors / total * 100 AS rate, rate > 50 AS bad \
         FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES \
         WHERE level <> 'DEBUG' GROUP BY window(timestamp, '1 minute'), service \
         HAVING bad AND max(status) < 600",
    )
    .unwrap();
    assert_eq!(fields, ["level", "service", "status"]);
    assert_eq!(
        plan.window,
        Some(WindowSpec::Fixed { size: minutes(1), slide: minutes(1), start: TimeDelta::ZERO })
    );
    assert_eq!((plan.delay, plan.time_field.as_str()), (Some(minutes(5)), "timestamp"));
    assert_eq!(plan.keys, [Key { name: "service".into(), expr: Expr::Slot(1) }]);
    let [total, errors, max] = &plan.aggregates[..] else { panic!("{:?}", plan.aggregates) };
    assert_eq!(*total, count());
    assert_eq!((&errors.function, &max.function), (&Function::Sum, &Function::Max));
    assert_eq!(max.argument, Some(Expr::Slot(2)));
    // Window start and end are 0 and 1, the key 2, the aggregates 3 to 5, and
    // the computed columns 6 and 7.
    let Column::Value { expr: rate, .. } = &plan.columns[4] else { panic!() };
    assert_eq!(
        plan.columns[..4],
        [
            Column::Window,
            value("service", Expr::Slot(2)),
            value("total", Expr::Slot(3)),
            value("errors", Expr::Slot(4)),
        ]
    );
    assert_eq!(
        plan.columns[5],
        value("bad", Expr::Compare(Comparison::Greater, [Expr::Slot(6), int(50)].into()))
    );
    let below = Expr::Compare(Comparison::Less, [Expr::Slot(5), int(600)].into());
    assert_eq!(plan.having, Some(Expr::And([Expr::Slot(7), below].into())));
    let arena = Bump::new();
    let row = [Value::Null, Value::Null, Value::Str(b"a"), Value::Int(4), Value::Int(1)];
    assert_eq!(run(rate, &row, &arena).0, "25.0");
}

#[test]
fn windows() {
    let spec = |window: &str| plan(&format!("SELECT count(*) FROM t GROUP BY {window}")).window;
    let seconds = TimeDelta::from_seconds;
    let fixed = |size, slide, start| {
        Some(WindowSpec::Fixed {
            size: seconds(size),
            slide: seconds(slide),
            start: seconds(start),
        })
    };
    assert_eq!(spec("window(timestamp, '5 minutes')"), fixed(300, 300, 0));
    assert_eq!(spec("window(timestamp, '1 minute', '30 seconds')"), fixed(60, 30, 0));
    assert_eq!(spec("window(timestamp, '1 minute', '30 seconds', '7 seconds')"), fixed(60, 30, 7));
    assert_eq!(spec("WINDOW(timestamp, '1 minute', '1 minute', '-1 second')"), fixed(60, 60, 59));
    assert_eq!(spec("window(timestamp, INTERVAL 2 HOURS)"), fixed(7_200, 7_200, 0));
    assert_eq!(plan("SELECT count(*) FROM t").window, None);
}

#[test]
fn sessions() {
    let text = "SELECT session_window, session_window.end AS until, window.start, user, \
                window_time(session_window) AS last, count(*) AS n \
         FROM t GROUP BY session_window(ts, '30 minutes'), user HAVING window.end > '2025-09-12'";
    let by_text = plan(text);
    assert_eq!(by_text.window, Some(WindowSpec::Session { gap: minutes(30) }));
    assert_eq!(by_text.time_field, "ts");
    let last = Expr::Shift(Expr::Slot(1).into(), TimeDelta::from_micros(-1));
    let columns = [
        Column::Window,
        value("until", Expr::Slot(1)),
        value("start", Expr::Slot(0)),
        value("user", Expr::Slot(2)),
        value("last", last),
        value("n", Expr::Slot(3)),
    ];
    assert_eq!(by_text.columns, columns);
    assert!(by_text.having.is_some());
    for gap in ["INTERVAL 30 MINUTES", "'1800s'"] {
        let text = format!("SELECT count(*) FROM t GROUP BY session_window(ts, {gap})");
        assert_eq!(plan(&text).window, by_text.window, "{gap}");
    }
    // Fixed windows have a time too; the name of sessions is not theirs.
    let fixed = plan("SELECT window_time(window) AS at FROM t GROUP BY window(ts, '1m')");
    assert!(matches!(&fixed.columns[..], [Column::Value { expr: Expr::Shift(..), .. }]));
    let field =
        plan("SELECT session_window, window FROM t GROUP BY window(ts, '1m'), session_window");
    assert_eq!(field.columns, [value("session_window", Expr::Slot(2)), Column::Window]);
}

#[test]
fn group_by_all() {
    for (all, named) in [
        (
            "SELECT a, lower(b) AS c, count(*) AS n, n * 2 AS m, 1 AS one FROM t GROUP BY ALL",
            "SELECT a, lower(b) AS c, count(*) AS n, n * 2 AS m, 1 AS one FROM t GROUP BY a, lower(b)",
        ),
        (
            "SELECT window(ts, '1m'), window.end, a, max(b) - a AS d FROM t GROUP BY ALL",
            "SELECT window, window.end, a, max(b) - a AS d FROM t GROUP BY window(ts, '1m'), a",
        ),
        (
            "SELECT session_window(ts, '1m'), window_time(session_window) AS w FROM t GROUP BY all",
            "SELECT window, window_time(window) AS w FROM t GROUP BY session_window(ts, '1m')",
        ),
        (
            "SELECT count(*) AS n FROM t GROUP BY ALL HAVING n > 1",
            "SELECT count(*) AS n FROM t HAVING n > 1",
        ),
    ] {
        assert_eq!(plan(all), plan(named), "{all}");
    }
    assert_eq!(plan("SELECT a FROM t GROUP BY `all`, a").keys.len(), 2);
}

#[test]
fn plans_know_whether_they_read_the_clock() {
    for text in [
        "SELECT count(*) AS n FROM t WHERE timestamp > now() - INTERVAL 1 HOUR",
        "SELECT a, current_timestamp AS at FROM t GROUP BY a",
        "SELECT count(*) AS n FROM t HAVING max(x) < now()",
        "SELECT max_by(a, CASE WHEN b < now() THEN 1 END) AS n FROM t",
        "SELECT count(*) FILTER (WHERE coalesce(a, now()) IS NULL) AS n FROM t",
        "SELECT sum(a IN (1, now())) AS n FROM t",
        "SELECT n FROM t GROUP BY date_trunc('day', now()), n",
    ] {
        assert!(plan(text).reads_clock(), "{text}");
    }
    for (name, text) in builtins("log-analysis").unwrap() {
        assert!(!plan(text).reads_clock(), "{name}");
    }
    let expr = Expr::compile("a < now()", "--where", "timestamp", &mut Projection::default());
    assert!(expr.unwrap().reads_clock());
}

#[test]
fn the_window_names_the_time() {
    assert_eq!(plan("SELECT count(*) FROM t GROUP BY window(a.b, '1m')").time_field, "a.b");
    assert_eq!(
        plan("SELECT count(*) FROM t WATERMARK ts DELAY OF INTERVAL '5' MINUTE").time_field,
        "ts"
    );
    let plan = plan("SELECT max(ts), max(timestamp) FROM t GROUP BY window(ts, '1m')");
    let arguments: Vec<_> = plan.aggregates.iter().map(|a| a.argument.clone()).collect();
    assert_eq!(arguments, [Some(Expr::Time(0)), Some(Expr::Slot(1))]);
}

#[test]
fn watermarks() {
    for clause in [
        "WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES",
        "WATERMARK timestamp DELAY OF INTERVAL '5' MINUTE",
        "watermark `timestamp` delay of interval 300 seconds",
        "WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES AS l",
        "WATERMARK timestamp DELAY OF INTERVAL 4 MINUTES 60 SECONDS l",
    ] {
        let text = format!("SELECT count(*) AS n FROM logs {clause} WHERE a > 1");
        let plan = plan(&text);
        assert_eq!(plan.delay, Some(minutes(5)), "{clause}");
        assert!(plan.filter.is_some(), "{clause}");
    }
}

#[test]
fn names_of_columns() {
    let plan = plan(
        "SELECT window.start, window.end, window.end AS until, a.b, l.c, lower(d), \
                count( * ), sum(x)\n   / count(*), mean(`@source.offset`) total \
         FROM logs AS l GROUP BY window(timestamp, '1m'), a.b, c, lower(d)",
    );
    let names: Vec<_> = plan
        .columns
        .iter()
        .map(|column| match column {
            Column::Window => "window",
            Column::Value { name, .. } => name,
        })
        .collect();
    assert_eq!(
        names,
        [
            "start",
            "end",
            "until",
            "a.b",
            "c",
            "lower(d)",
            "count( * )",
            "sum(x) / count(*)",
            "total"
        ]
    );
    assert_eq!(plan.columns[0], value("start", Expr::Slot(0)));
    assert_eq!(plan.columns[2], value("until", Expr::Slot(1)));
    let keys: Vec<_> = plan.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(keys, ["a.b", "c", "lower(d)"]);
}

#[test]
fn keys_by_expression_alias_and_number() {
    let by_text = plan("SELECT lower(a) AS k, count(*) AS n FROM t GROUP BY lower(a)");
    let by_alias = plan("SELECT LOWER(a) AS k, count(*) AS n FROM t GROUP BY k");
    let by_number = plan("SELECT lower( a ) AS k, count(*) AS n FROM t GROUP BY 1");
    assert_eq!(by_text.columns, by_alias.columns);
    assert_eq!(by_alias, by_number);
    assert_eq!(by_alias.keys[0].name, "k");
    // The alias reads a field of its own name, so the field is what is meant.
    let field = plan("SELECT lower(a) AS a, count(*) AS n FROM t GROUP BY a");
    assert_eq!(field.keys, [Key { name: "a".into(), expr: Expr::Slot(0) }]);
    let used =
        plan("SELECT concat(lower(a), '!') AS b FROM t GROUP BY lower(a) HAVING lower(a) > 'x'");
    assert_eq!((used.aggregates.len(), used.keys.len()), (0, 1));
}

#[test]
fn aggregates() {
    let one = |text: &str| {
        let plan = plan(&format!("SELECT {text} AS x FROM t"));
        assert_eq!(plan.aggregates.len(), 1, "{text}");
        plan.aggregates[0].clone()
    };
    let slot = || Some(Expr::Slot(0));
    let number = || Some(Expr::Cast(Type::Number, Expr::Slot(0).into()));
    for (text, function, argument) in [
        ("count(*)", Function::Count, None),
        ("count(1)", Function::Count, None),
        ("COUNT(a)", Function::Count, slot()),
        ("count(DISTINCT a)", Function::CountDistinct, slot()),
        ("sum(a)", Function::Sum, number()),
        ("sum(1)", Function::Sum, Some(int(1))),
        ("avg(a)", Function::Avg, number()),
        ("mean(a)", Function::Avg, number()),
        ("min(a)", Function::Min, slot()),
        ("max(DISTINCT a)", Function::Max, slot()),
        ("stddev(a)", Function::StddevSamp, number()),
        ("stddev_samp(a)", Function::StddevSamp, number()),
        ("stddev_pop(a)", Function::StddevPop, number()),
        ("variance(a)", Function::VarSamp, number()),
        ("var_samp(a)", Function::VarSamp, number()),
        ("var_pop(a)", Function::VarPop, number()),
        ("collect_list(a)", Function::CollectList, slot()),
        ("collect_set(a)", Function::CollectSet, slot()),
        ("size(collect_set(a))", Function::CollectSet, slot()),
        ("bool_and(a)", Function::Min, Some(Expr::Cast(Type::Boolean, Expr::Slot(0).into()))),
        ("bool_or(a)", Function::Max, Some(Expr::Cast(Type::Boolean, Expr::Slot(0).into()))),
    ] {
        assert_eq!(one(text), Aggregate { function, argument, by: None, filter: None }, "{text}");
    }
    let half = Percentages::One(0.5);
    let two = Percentages::List([0.5, 0.95].into());
    let five_percent = RelativeError::new(0.05).unwrap();
    let first = |ignore_nulls| Function::First { ignore_nulls };
    let last = |ignore_nulls| Function::Last { ignore_nulls };
    for (text, function, argument) in [
        ("array_agg(a)", Function::CollectList, slot()),
        ("mode(a)", Function::Mode, slot()),
        ("median(a)", Function::Percentile(half.clone()), number()),
        ("percentile(a, 0.5)", Function::Percentile(half.clone()), number()),
        ("percentile(a, array(0.5, .95))", Function::Percentile(two.clone()), number()),
        ("percentile_approx(a, 0.5)", Function::PercentileApprox(half.clone()), number()),
        ("approx_percentile(a, 0.5, 100)", Function::PercentileApprox(half), number()),
        ("percentile_approx(a, array(0.5, 0.95), 100)", Function::PercentileApprox(two), number()),
        ("percentile_approx(a, 1)", Function::PercentileApprox(Percentages::One(1.0)), number()),
        ("approx_count_distinct(a)", Function::ApproxCountDistinct(five_percent), slot()),
        ("approx_count_distinct(a, 0.05)", Function::ApproxCountDistinct(five_percent), slot()),
        ("first(a)", first(false), slot()),
        ("any_value(a)", first(false), slot()),
        ("FIRST_VALUE(a, true)", first(true), slot()),
        ("first(a, false)", first(false), slot()),
        ("first(a) IGNORE NULLS", first(true), slot()),
        ("last(a)", last(false), slot()),
        ("last_value(a) RESPECT NULLS", last(false), slot()),
        ("last(a, true)", last(true), slot()),
    ] {
        assert_eq!(one(text), Aggregate { function, argument, by: None, filter: None }, "{text}");
    }
    for (text, function) in [("min_by(a, b)", Function::MinBy), ("max_by(a, b)", Function::MaxBy)] {
        let by = Some(Expr::Slot(1));
        assert_eq!(one(text), Aggregate { function, argument: slot(), by, filter: None }, "{text}");
    }
    let pair = Some(Expr::Call(Scalar::Tuple, [Expr::Slot(0), Expr::Slot(1)].into()));
    for (text, function) in
        [("count(a, b)", Function::Count), ("count(DISTINCT a, b)", Function::CountDistinct)]
    {
        let argument = pair.clone();
        assert_eq!(one(text), Aggregate { function, argument, by: None, filter: None }, "{text}");
    }
    let condition = Expr::Compare(Comparison::Greater, [Expr::Slot(0), int(1)].into());
    let filtered = one("max_by(b, c) FILTER (WHERE a > 1)");
    assert_eq!(filtered.filter, Some(condition.clone()));
    assert_eq!((filtered.argument, filtered.by), (Some(Expr::Slot(1)), Some(Expr::Slot(2))));
    let counted = Aggregate { filter: Some(condition), ..count() };
    for text in ["count(*) FILTER (WHERE a > 1)", "count_if(a > 1)"] {
        assert_eq!(one(text), counted, "{text}");
    }
    assert_eq!(
        plan("SELECT sum(a) AS x, SUM( a ) + 1 AS y FROM t HAVING sum(a) > 1").aggregates.len(),
        1
    );
}

#[test]
fn several_queries_share_a_projection() {
    let mut projection = Projection::default();
    for (name, text) in builtins("log-analysis").unwrap() {
        let plan = Plan::compile(text, Some(name), "timestamp", &mut projection).unwrap();
        assert_eq!(plan.name.as_deref(), Some(name));
    }
    let mut names: Vec<_> = (0..projection.len()).map(|slot| projection.name(slot)).collect();
    names.sort_unstable();
    let expected: [&[u8]; 5] =
        [b"ip_address", b"response_time", b"service", b"status_code", b"user_id"];
    assert_eq!(names, expected);
}

/// The queries of the reference, and beyond it `latency`: window size and slide, delay, all in seconds,
/// and the columns.
const BUILTINS: [(&str, [i64; 3], &str); 16] = [
    (
        "response_time",
        [60, 60, 300],
        "window service request_count avg_response_time max_response_time min_response_time stddev_response_time",
    ),
    ("error_rate", [60, 60, 300], "window service total_requests error_count error_rate"),
    ("ip_patterns", [300, 300, 600], "window ip_address request_count unique_users services_used"),
    (
        "sla",
        [60, 60, 300],
        "window service total_requests fast_requests successful_requests availability performance",
    ),
    (
        "user_activity",
        [300, 300, 600],
        "window user_id activity_count services_used avg_response_time",
    ),
    ("service_popularity", [60, 60, 300], "window service request_count unique_users"),
    (
        "system_health",
        [60, 60, 300],
        "window total_requests active_services active_users avg_response_time error_count error_rate health_score",
    ),
    ("ddos", [60, 60, 300], "window ip_address request_count unique_users"),
    ("user_events", [300, 60, 600], "window user_id event_count total_value avg_value"),
    (
        "events_user_activity",
        [60, 30, 300],
        "window user_id total_events unique_actions total_value actions_sequence",
    ),
    (
        "action_metrics",
        [120, 60, 300],
        "window action action_count unique_users avg_value max_value min_value",
    ),
    ("user_burst", [300, 120, 600], "window user_id event_count total_value"),
    ("watermarked_counts", [300, 300, 600], "window action count total_value"),
    ("user_latest", [120, 120, 300], "window user_id count latest_event_time"),
    ("late_alert", [0, 0, 0], "user_id late_event_count earliest_late_event"),
    (
        "latency",
        [60, 60, 300],
        "window service request_count p50_response_time p95_response_time p99_response_time",
    ),
];

#[test]
fn builtin_queries_are_those_of_the_reference() {
    assert!(builtin_names().eq(BUILTINS.iter().map(|(name, ..)| *name)));
    for (name, [size, slide, delay], columns) in BUILTINS {
        let text = crate::query::builtin(name).unwrap();
        let plan = plan(text);
        assert!(text.starts_with("-- ") && text.lines().nth(1).unwrap().starts_with("SELECT"));
        let seconds = TimeDelta::from_seconds;
        let window = (size > 0).then_some(WindowSpec::Fixed {
            size: seconds(size),
            slide: seconds(slide),
            start: TimeDelta::ZERO,
        });
        assert_eq!(plan.window, window, "{name}");
        assert_eq!(plan.delay, (delay > 0).then_some(seconds(delay)), "{name}");
        let names: Vec<_> = plan
            .columns
            .iter()
            .map(|column| match column {
                Column::Window => "window",
                Column::Value { name, .. } => name,
            })
            .collect();
        assert_eq!(names.join(" "), columns, "{name}");
    }
    let having: Vec<_> = BUILTINS
        .iter()
        .filter(|(name, ..)| plan(crate::query::builtin(name).unwrap()).having.is_some())
        .map(|(name, ..)| *name)
        .collect();
    assert_eq!(having, ["ddos", "user_burst", "late_alert"]);
}

#[test]
fn the_group_is_the_reference_program() {
    let names =
        |name| -> Vec<_> { builtins(name).unwrap().iter().map(|(name, _)| *name).collect() };
    assert_eq!(names("error_rate"), ["error_rate"]);
    assert_eq!(
        names("log-analysis"),
        [
            "response_time",
            "error_rate",
            "ip_patterns",
            "sla",
            "user_activity",
            "service_popularity",
            "system_health",
            "ddos",
        ]
    );
    let error = builtins("nope").unwrap_err().to_string();
    assert!(error.starts_with("no query is called \"nope\"; expected a file's name, log-analysis, or one of response_time, "), "{error}");
}

#[test]
fn flags_and_text_make_the_same_plan() {
    let flags = QueryFlags {
        select: &[
            "count(*) AS n, sum(value) AS total".to_owned(),
            "total / n AS mean".to_owned(),
            "max(ts)".to_owned(),
        ],
        size: Some(minutes(5)),
        slide: Some(minutes(1)),
        start: None,
        session: None,
        watermark: Some(minutes(10)),
        by: &["user_id, a.b".to_owned(), "@source.partition".to_owned(), "lower(x)".to_owned()],
        filter: Some("value > 0"),
        having: Some("n > 50"),
        time_field: "ts",
    };
    let mut projection = Projection::default();
    let by_flags = flags.compile(&mut projection).unwrap();
    let by_text = plan(
        "SELECT window, user_id, a.b, `@source.partition`, lower(x), count(*) AS n, \
                sum(value) AS total, total / n AS mean, max(ts) \
         FROM events WATERMARK ts DELAY OF INTERVAL 10 MINUTES WHERE value > 0 \
         GROUP BY window(ts, '5 minutes', '1 minute'), user_id, a.b, `@source.partition`, lower(x) \
         HAVING n > 50",
    );
    assert_eq!(by_flags, by_text);
    assert_eq!(by_flags.columns[3], value("@source.partition", Expr::Slot(4)));

    let flags = QueryFlags { size: None, slide: None, session: Some(minutes(5)), ..flags };
    let by_session = flags.compile(&mut Projection::default()).unwrap();
    let window = Some(WindowSpec::Session { gap: minutes(5) });
    assert_eq!(by_session, Plan { window, ..by_flags });

    let totals = QueryFlags {
        select: &["count(*)".to_owned()],
        size: None,
        slide: None,
        session: None,
        watermark: None,
        by: &[],
        filter: None,
        having: None,
        time_field: "timestamp",
        start: None,
    };
    assert_eq!(totals.compile(&mut Projection::default()).unwrap(), plan("SELECT count(*) FROM t"));
}
