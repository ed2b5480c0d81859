//! Rows as tables and CSV.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use support::stages::WINDOW;
use support::{Ran, command, read_testdata, run};

/// One row a minute and service. The input is a file: rows from a pipe may
/// come in several batches, each a table.
const QUERY: [&str; 10] = [
    "--input",
    "testdata/formats/requests.ndjson",
    "--size",
    "1m",
    "--watermark",
    "0s",
    "--by",
    "service",
    "count(*) AS n, avg(ms) AS mean_ms",
    "collect_list(user) AS users",
];

fn window(args: &[&str], input: &str) -> Ran {
    run(WINDOW.path, args, input.as_bytes())
}

fn formatted(format: &str) -> Ran {
    window(&[&QUERY[..], &["--format", format]].concat(), "").success()
}

/// What the program shows on a terminal of this size.
fn on_terminal(columns: u16, args: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let stdout = File::options().read(true).write(true).open(path).unwrap();
    let mut child = command(WINDOW.path, args)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut shown = Vec::new();
    // When the program has gone, reading its terminal is an error.
    let _ = File::from(terminal).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    // A terminal goes to the line's beginning by itself.
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

#[test]
fn tables_are_aligned_and_safe() {
    assert_eq!(formatted("table").stdout, read_testdata("formats/table.txt"));
}

#[test]
fn csv_has_a_header_and_quotes_what_needs_it() {
    assert_eq!(formatted("csv").stdout, read_testdata("formats/table.csv"));
}

#[test]
fn a_narrow_terminal_cuts_columns() {
    let args = [&QUERY[..], &["--format", "table"]].concat();
    assert_eq!(on_terminal(60, &args), read_testdata("formats/table.60.txt"));
    assert_eq!(on_terminal(200, &args), read_testdata("formats/table.txt"));
}

#[test]
fn complete_tables_are_redrawn_in_place_on_a_terminal() {
    // A trigger for each record: 1 s and 2 s share a window, 11 s has another.
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    let records = [1, 2, 11, 12].map(|second| format!("{{\"timestamp\":{second}}}\n"));
    std::fs::write(&input, records.concat()).unwrap();
    let table = |counts: &[u32]| {
        let rule = "─".repeat(30);
        let row = |(window, n): (usize, &u32)| {
            let [from, to] = [window * 10, window * 10 + 10];
            format!("1970-01-01 00:00:{from:02} – 00:00:{to:02}  {n}\n")
        };
        let rows: Vec<String> = counts.iter().enumerate().map(row).collect();
        format!("{:30}  n\n{rule}  ─\n{}", "window", rows.concat())
    };
    let drawn = [&[1][..], &[2], &[2, 1], &[2, 2]].map(table);
    let args = ["--input", input.to_str().unwrap(), "--size", "10s", "count(*) AS n"];
    let args = [&args[..], &["--format", "table", "--mode", "complete"]].concat();
    let args = [&args[..], &["--trigger", "count:1"]].concat();
    // Each goes up by the lines of the one before and clears them.
    let [first, second, third, fourth] = &drawn;
    let in_place = format!("{first}\x1b[3F\x1b[J{second}\x1b[3F\x1b[J{third}\x1b[4F\x1b[J{fourth}");
    assert_eq!(on_terminal(80, &args), in_place);
    // Nothing can be drawn over in a file or pipe.
    assert_eq!(window(&args, "").success().stdout, drawn.join("\n"));
}

#[test]
fn a_terminal_sees_ndjson_as_it_is() {
    assert_eq!(on_terminal(40, &QUERY), formatted("ndjson").stdout);
}

#[test]
fn nothing_is_no_table_but_a_csv_header() {
    let none = |format| window(&["--query", "ddos", "--format", format], "").success().stdout;
    assert_eq!(none("table"), "");
    assert_eq!(none("csv"), "window_start,window_end,ip_address,request_count,unique_users\n");
}

#[test]
fn csv_has_only_columns_that_can_be_filled() {
    let header = |more: &[&str]| {
        let args = ["--size", "1m", "--max-groups", "5", "count(*) AS n", "--format", "csv"];
        window(&[&args[..], more].concat(), "").success().stdout
    };
    assert_eq!(header(&[]), "window_start,window_end,n,overflow\n");
    assert_eq!(header(&["--slide", "30s"]), "window_start,window_end,n,partial,overflow\n");
}

#[test]
fn each_query_has_a_table_of_its_own() {
    let input = ["--input", "testdata/reference/logs.ordered.ndjson"];
    let queries = [&input[..], &["--query", "error_rate", "--query", "ddos"]].concat();
    let table = window(&[&queries[..], &["--format", "table"]].concat(), "").success().stdout;
    let blocks: Vec<_> = table.split("\n\n").collect();
    let [errors, ddos] = blocks[..] else { panic!("{table}") };
    assert!(errors.starts_with("error_rate\nwindow  ") && ddos.starts_with("ddos\nwindow  "));
    let rows = window(&queries, "").success().stdout;
    assert_eq!(errors.lines().count() + ddos.trim_end().lines().count(), rows.lines().count() + 6);
    let csv = window(&[&queries[..], &["--format", "csv"]].concat(), "").exited(2);
    assert!(csv.stderr.contains("there are 2 queries") && csv.stdout.is_empty(), "{csv}");
}

#[test]
fn columns_of_one_name_are_refused() {
    let args = ["--size", "1m", "count(*) AS window_start", "--format", "csv"];
    let ran = window(&args, "").exited(2);
    assert!(ran.stderr.contains("window_start"), "{ran}");
}

#[test]
fn ten_thousand_rows_come_whole() {
    const ROWS: usize = 10_000;
    let record = |n| format!("{{\"timestamp\":{n},\"id\":\"user {n:05}\"}}\n");
    let input = (0..ROWS).map(record).collect::<Vec<_>>().concat();
    let args = |format| ["--size", "1m", "--by", "id", "count(*) AS n", "--format", format];
    let table = window(&args("table"), &input).success().stdout;
    let csv = window(&args("csv"), &input).success().stdout;
    assert_eq!(csv.lines().count(), ROWS + 1);
    let is_row = |line: &&str| line.starts_with("1970-01-01 ");
    assert_eq!(table.lines().filter(is_row).count(), ROWS);
    // Blocks of 5,000: a header and a rule for each, a blank line between.
    assert_eq!(table.lines().count(), ROWS + 5);
    for (row, record) in table.lines().filter(is_row).zip(csv.lines().skip(1)) {
        let (row, record): (Vec<_>, Vec<_>) =
            (row.split("  ").collect(), record.split(',').collect());
        assert_eq!(row[1], record[2], "{row:?} {record:?}");
    }
}

#[test]
fn tables_and_csv_are_live() {
    // The first row is printed while the input is still open.
    for format in ["table", "csv"] {
        let mut child =
            command(WINDOW.path, ["--size", "1m", "--watermark", "0s", "count(*) AS n"])
                .args(["--format", format])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"{\"timestamp\":0}\n{\"timestamp\":60}\n").unwrap();
        let (mut stdout, mut seen) = (child.stdout.take().unwrap(), Vec::new());
        while !String::from_utf8_lossy(&seen).contains("00:01:00") {
            let mut piece = [0; 1024];
            let count = stdout.read(&mut piece).unwrap();
            assert!(count > 0, "the output ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..count]);
        }
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}
