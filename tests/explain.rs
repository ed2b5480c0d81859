//! What `window --explain` prints.

mod support;

use support::stages::WINDOW;
use support::{Ran, read_testdata, run};

fn explain(args: &[&str]) -> Ran {
    // A record that would be rejected shows that no input is read.
    let ran = run(WINDOW.path, ["--explain"].iter().chain(args), b"no record\n").success();
    assert_eq!(ran.stderr, "", "{ran}");
    ran
}

const FLAGS: [&str; 15] = [
    "--size",
    "5m",
    "--slide",
    "60s",
    "--watermark",
    "10 minutes",
    "--by",
    "user_id,a.b",
    "count(*) AS n, sum( value ) FILTER (where ok) AS total",
    "total/n AS mean",
    "--where",
    "(value>0) and level!='DEBUG'",
    "--having",
    "n > 50 AND max(value) < 9",
    "--format=table",
];

const SQL: &str = "
    SELECT window, user_id, `a.b`, COUNT(*) n, SUM(value) FILTER (WHERE ok) AS total, total / n AS mean
    FROM events WATERMARK timestamp DELAY OF INTERVAL 600 SECONDS
    WHERE value > 0 AND level <> 'DEBUG'
    GROUP BY window(timestamp, '300 seconds', '1 minute'), user_id, a.b
    HAVING count(*) > 50 AND (max(value) < 9)";

#[test]
fn flags_and_sql_that_mean_the_same_read_the_same() {
    let by_flags = explain(&FLAGS).stdout;
    assert_eq!(by_flags, read_testdata("formats/explain.txt"));
    assert_eq!(explain(&["--sql", SQL]).stdout, by_flags);
    let program = explain(&[&["spark"][..], &FLAGS].concat()).stdout;
    assert_eq!(explain(&["spark", "--sql", SQL]).stdout, program);
}

#[test]
fn each_query_and_the_options_are_explained() {
    let text = explain(&["--query", "log-analysis"]).stdout;
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with("query ")).collect();
    assert_eq!(headings.len(), 8, "{text}");
    assert!(
        text.contains(
            "\nquery ddos\n  event time        timestamp\n  window            tumbling, size 1m\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("\n  having            request_count > 100 AND unique_users < 5\n"),
        "{text}"
    );
    assert!(text.contains("\noptions\n  mode              append"), "{text}");
}

#[test]
fn what_stands_behind_explain_may_be_an_aggregate() {
    assert!(explain(&["count(*) AS n"]).stdout.contains("n = count(*)"));
    for args in [&["nonsense", "--query", "ddos"][..], &[]] {
        let ran = run(WINDOW.path, ["--explain"].iter().chain(args), b"").exited(2);
        assert!(ran.stdout.is_empty(), "{ran}");
    }
}

#[test]
fn the_program_for_spark_is_as_reviewed() {
    let args =
        ["spark", "--input", "logs/*.json", "--query", "error_rate", "--query", "late_alert"];
    assert_eq!(explain(&args).stdout, read_testdata("formats/explain-spark.py"));
}
