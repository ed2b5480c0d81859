//! Command lines that ask for something the programs must not do, or that they
//! must understand.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use support::stages::{DETECT, EXPORT, PARSE, WINDOW};

const RECORD: &str = "{\"ts\":1757635200,\"service\":\"auth\",\"status_code\":500}\n";

fn window(args: &[&str], input: &str) -> support::Ran {
    support::run(WINDOW.path, args, input.as_bytes())
}

#[test]
fn an_output_that_is_an_input_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.json");
    let link = folder.path().join("link");
    fs::write(&file, RECORD).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let (file, link) = (file.to_str().unwrap(), link.to_str().unwrap());
    for output in [file, link] {
        for flag in ["--rejects", "--stats"] {
            let ran = PARSE.run(&[flag, output, file], "").exited(2);
            assert!(ran.stderr.contains("is to be read"), "{ran}");
        }
        let ran = WINDOW.run(&["--late", output, "--input", file], "").exited(2);
        assert!(ran.stderr.contains("is to be read"), "{ran}");
        assert_eq!(fs::read_to_string(file).unwrap(), RECORD);
    }
}

#[test]
fn an_output_that_is_read_beside_the_input_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let table = path("table.csv", "service,team\nauth,identity\n");
    let schema = path("schema", "user_id STRING");
    let query = path("own.sql", "SELECT count(*) AS n FROM logs");
    let rules = path("team.toml", "[[rule]]\nname = \"slow\"\nwhen = \"n > 1\"\n");
    let allowed = path("allowed", "ip_address=192.0.2.0/24\n");
    for flag in ["--rejects", "--stats"] {
        let refused = |ran: support::Ran| {
            assert!(ran.stderr.contains("is to be read"), "{ran}");
        };
        let args = ["--lookup", &table, "--on", "service", flag, &table];
        refused(PARSE.run(&args, RECORD).exited(2));
        refused(PARSE.run(&["--schema", &schema, flag, &schema], RECORD).exited(2));
        refused(window(&["--query", &query, flag, &query], RECORD).exited(2));
        refused(DETECT.run(&["--rules", &rules, flag, &rules], RECORD).exited(2));
        refused(DETECT.run(&["--allow", &allowed, flag, &allowed], RECORD).exited(2));
    }
    let ran = window(&["--query", &query, "--late", &query], RECORD).exited(2);
    assert!(ran.stderr.contains("is to be read"), "{ran}");
    assert!(fs::read_to_string(&table).unwrap().starts_with("service"));
    assert!(fs::read_to_string(&query).unwrap().starts_with("SELECT"));
    assert_eq!(fs::read_to_string(&schema).unwrap(), "user_id STRING");
    assert!(fs::read_to_string(&rules).unwrap().starts_with("[[rule]]"));
    assert_eq!(fs::read_to_string(&allowed).unwrap(), "ip_address=192.0.2.0/24\n");
}

#[test]
fn a_metrics_file_that_is_an_input_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.prom");
    fs::write(&file, RECORD).unwrap();
    let file = file.to_str().unwrap();
    let ran = EXPORT.run(&["--textfile", file, file], "").exited(2);
    assert!(ran.stderr.contains("is to be read"), "{ran}");
    assert_eq!(fs::read_to_string(file).unwrap(), RECORD);
}

#[test]
fn a_metrics_file_needs_no_reader_of_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics.prom");
    let mut child = EXPORT
        .command()
        .args(["--textfile", file.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // The program waits for its input now and again, its stdout closed.
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        stdin.write_all(RECORD.replace("ts", "timestamp").as_bytes()).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(fs::read_to_string(&file).unwrap().contains("# TYPE status_code gauge"));
}

#[test]
fn rejects_are_all_kept_when_the_reader_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (input, rejects) = (folder.path().join("in"), folder.path().join("rejects"));
    let stats = folder.path().join("stats.json");
    fs::write(&input, format!("{RECORD}no record\n").repeat(40_000)).unwrap();
    let mut child = PARSE
        .command()
        .args(["--rejects", rejects.to_str().unwrap(), "--stats", stats.to_str().unwrap()])
        .arg(&input)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'), "{first}");
    assert!(child.wait().unwrap().success());
    let stats: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&stats).unwrap()).unwrap();
    let counted = stats["rejected"]["no_match"].as_u64().unwrap();
    assert!(counted > 0);
    assert_eq!(fs::read_to_string(&rejects).unwrap().lines().count() as u64, counted);
}

#[test]
fn an_empty_directory_is_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let ran = PARSE.run(&[folder.path().to_str().unwrap()], RECORD).success();
    assert!(ran.stdout.is_empty(), "{ran}");
}

#[test]
fn the_time_field_can_be_named_for_built_in_queries() {
    let named = window(&["--query", "error_rate", "--time", "ts"], RECORD).success();
    assert!(named.stdout.contains(r#""error_rate":100.0"#), "{named}");
    let unnamed = window(&["--query", "error_rate"], RECORD).exited(1);
    assert!(unnamed.stderr.contains("found ts: add --time ts"), "{unnamed}");
    let sql = "SELECT window, count(*) AS n FROM t GROUP BY window(at, '1 minute')";
    let other = window(&["--sql", sql, "--time", "ts"], RECORD).exited(2);
    assert!(other.stderr.contains("the query says at"), "{other}");
}

#[test]
fn the_time_field_that_a_query_names_is_not_for_a_flag_to_change() {
    for field in ["at", "timestamp"] {
        let sql =
            format!("SELECT window, count(*) AS n FROM t GROUP BY window({field}, '1 minute')");
        let ran = window(&["--sql", &sql], RECORD).exited(1);
        let message = format!("found ts, but the query names {field} as the time");
        assert!(ran.stderr.contains(&message) && !ran.stderr.contains("--time"), "{ran}");
        let ran = window(&["--sql", &sql], "{\"n\":1}\n").exited(1);
        let message = format!("no {field}, which the query names as the time");
        assert!(ran.stderr.contains(&message) && !ran.stderr.contains("--time"), "{ran}");
    }
}

#[test]
fn what_describes_lines_of_another_format_is_refused() {
    for (args, format) in [
        (["--pattern", r"^(?<level>\S+)"], "regex"),
        (["--columns", "a,b"], "csv"),
        (["--delimiter", ";"], "csv"),
    ] {
        for extra in [&[][..], &["--format", "json"]] {
            let ran = PARSE.run(&[&args[..], extra].concat(), RECORD).exited(2);
            let message = format!("{} belongs to --format {format}", args[0]);
            assert!(ran.stderr.contains(&message), "{ran}");
        }
    }
}

#[test]
fn a_file_among_the_aggregates_is_told_from_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app");
    fs::write(&file, RECORD).unwrap();
    let file = file.to_str().unwrap();
    for args in [&["--size", "1m", "count(*)", file][..], &["--query", "error_rate", file]] {
        let ran = window(args, RECORD).exited(2);
        assert!(ran.stderr.contains(&format!("read it with --input {file}")), "{ran}");
    }
    let ran = window(&["count(*)", "./nosuch.ndjson"], RECORD).exited(2);
    assert!(ran.stderr.contains("aggregates #2:1:"), "{ran}");
    assert!(ran.stderr.contains("if this is a file to read: --input ./nosuch.ndjson"), "{ran}");
    let ran = window(&["count(*)", "max(x"], RECORD).exited(2);
    assert!(ran.stderr.contains("aggregates #2:1:") && !ran.stderr.contains("--input"), "{ran}");
    for (text, has_hint) in [("count(*)", false), ("nosuch.log", true)] {
        let ran = window(&["--query", "error_rate", text], RECORD).exited(2);
        assert!(ran.stderr.contains("do not go with --query or --sql"), "{ran}");
        assert_eq!(ran.stderr.contains("--input nosuch.log"), has_hint, "{ran}");
    }
}

#[test]
fn impossible_plans_are_refused() {
    for (args, message) in [
        (&["--query", "sla", "--query", "log-analysis"][..], "query sla is given twice"),
        (&["--query", "sla", "--watermark=-5m"], "must not be negative"),
        (&["--query", "sla", "--size", "1m"], "cannot be used with"),
        (&["--query", "nosuch"], "response_time, error_rate"),
        (&["--slide", "1m", "count(*)"], "--size"),
        (&["--size", "1m", "--slide", "2m", "count(*)"], "slide"),
        (&[], "no query"),
    ] {
        let ran = window(args, RECORD).exited(2);
        assert!(ran.stderr.starts_with("window: ") && ran.stderr.contains(message), "{ran}");
    }
}

#[test]
fn a_misspelt_field_is_named() {
    let record = RECORD.replace("ts", "timestamp");
    let ran = window(&["--size", "1m", "--by", "servce", "count(*) AS n"], &record).success();
    assert_eq!(ran.stderr, "window: no record had a field servce\n", "{ran}");
    let ran = window(&["--size", "1m", "--by", "service", "count(*) AS n"], &record).success();
    assert_eq!(ran.stderr, "", "{ran}");
}

#[test]
fn totals_of_nothing_are_a_row() {
    assert_eq!(
        window(&["count(*) AS n, sum(x) AS s"], "").success().stdout,
        "{\"n\":0,\"s\":null}\n"
    );
    assert_eq!(window(&["--by", "k", "count(*) AS n"], "").success().stdout, "");
}
