//! `ingest --merge-by-time`.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use support::process::{End, Live};
use support::stages::INGEST;
use support::{read_testdata, testdata};

fn merge(more: &[&str], files: &[&str], stdin: &str) -> support::Ran {
    INGEST.run(&[&["--merge-by-time"], more, files].concat(), stdin)
}

fn path(name: &str) -> String {
    testdata(&format!("ingest/{name}")).to_str().unwrap().to_owned()
}

/// The first word of each line's URL or message, or the line.
fn names(stdout: &str) -> Vec<&str> {
    fn name(line: &str) -> &str {
        let behind = |before: &str| line.split_once(before).map(|(_, rest)| rest);
        let rest = ["GET /", "\"msg\":\"", "\"@raw\":\""].into_iter().find_map(behind);
        rest.and_then(|rest| rest.split([' ', '"']).next()).unwrap_or(line)
    }
    stdout.lines().map(name).collect()
}

#[test]
fn lines_come_in_order_of_time_then_of_files() {
    let (web1, web2, app) = (path("web1.log"), path("web2.log"), path("app.ndjson"));
    let ran = merge(&[], &[&web1, &web2, &app], "").success();
    let order = [
        "written",
        "first",
        "second",
        "a",
        "also",
        "third",
        "fourth",
        "held-at-the-fourth",
        "fourth-too",
        "last",
    ];
    assert_eq!(names(&ran.stdout), order, "{ran}");
    let ran = merge(&[], &[&app, &web2, &web1], "").success();
    let order = [
        "written",
        "first",
        "also",
        "second",
        "a",
        "third",
        "fourth-too",
        "fourth",
        "held-at-the-fourth",
        "last",
    ];
    assert_eq!(names(&ran.stdout), order, "{ran}");
}

#[test]
fn a_reject_is_named_by_its_own_file_and_line() {
    let ran = merge(&[], &[&path("web1.log"), &path("app.ndjson")], "").success();
    let place = format!("ingest: {}:3: reserved_key", path("app.ndjson"));
    assert!(ran.stderr.starts_with(&place), "{ran}");
}

#[test]
fn the_format_and_the_field_say_where_the_time_is() {
    let early = r#"{"timestamp":"2025-09-12T10:00:09Z","at":1}"#;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.ndjson");
    let late = r#"{"timestamp":"2025-09-12T10:00:01Z","at":2}"#;
    fs::write(&file, late).unwrap();
    let files = [file.to_str().unwrap(), "-"];
    for (args, first) in [
        (&[][..], late),
        (&["--time-field", "at"], early),
        // Without times the files come one after another.
        (&["--format", "nginx"], late),
        (&["--time-field", "nothing"], late),
    ] {
        let ran = merge(args, &files, early).success();
        assert_eq!(ran.stdout.lines().next(), Some(first), "{args:?}\n{ran}");
        assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    }
}

#[test]
fn compressed_files_and_pipes_take_part() {
    let folder = tempfile::tempdir().unwrap();
    let (gz, zst) = (folder.path().join("web1.gz"), folder.path().join("web2.zst"));
    let mut encoder = GzEncoder::new(File::create(&gz).unwrap(), Compression::fast());
    encoder.write_all(read_testdata("ingest/web1.log").as_bytes()).unwrap();
    encoder.finish().unwrap();
    let packed = zstd::encode_all(read_testdata("ingest/web2.log").as_bytes(), 1).unwrap();
    fs::write(&zst, packed).unwrap();
    let plain = [path("web1.log"), path("web2.log"), path("app.ndjson")];
    let expected = merge(&[], &[&plain[0], &plain[1], &plain[2]], "").success();
    let packed = [gz.to_str().unwrap(), zst.to_str().unwrap(), "-"];
    let ran = merge(&[], &packed, &read_testdata("ingest/app.ndjson")).success();
    assert_eq!(ran.stdout, expected.stdout);
}

#[test]
fn an_input_that_is_being_written_holds_back_only_what_comes_behind_it() {
    let mut command = INGEST.command();
    command.args(["--merge-by-time", &path("app.ndjson"), "-"]);
    let mut live = Live::spawn(command);
    live.write("{\"t\":\"2025-09-12T10:00:03Z\"}\n");
    assert!(live.line().contains("also second"));
    assert!(live.line().contains("10:00:03Z"));
    live.write("{\"t\":\"2025-09-12T10:00:08Z\"}\n");
    assert!(live.line().contains("third and a half"));
    assert!(live.line().contains("10:00:08Z"));
    live.close();
    let (end, lines, _) = live.end();
    assert_eq!((end, lines.len()), (End::Code(0), 1));
}

#[test]
fn hundreds_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let (files, lines) = (400, 20);
    for file in 0..files {
        let line = |line: u32| format!("{{\"t\":{},\"file\":{file}}}\n", 1_757_671_200 + line);
        let text: String = (0..lines).map(line).collect();
        fs::write(folder.path().join(format!("{file:03}.ndjson")), text).unwrap();
    }
    let ran = merge(&[], &[folder.path().to_str().unwrap()], "").success();
    let expected = (0..lines).flat_map(|line| {
        (0..files).map(move |file| format!("{{\"t\":{},\"file\":{file}}}", 1_757_671_200 + line))
    });
    assert!(ran.stdout.lines().eq(expected), "{ran}");
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let ran = merge(&[], &["-", "-"], "").exited(2);
    assert!(ran.stderr.contains("stdin can be merged only once"), "{ran}");
    INGEST.run(&["--time-field", "at"], "").exited(2);
    INGEST.run(&["--format", "json"], "").exited(2);
    let ran = merge(&[], &[&path("web1.log"), "/nowhere/to/be/found"], "").exited(1);
    assert!(ran.stderr.contains("/nowhere/to/be/found"), "{ran}");
}

fn write_lines(folder: &Path, name: usize, times: &[u32]) -> (String, Vec<(u32, String)>) {
    let line = |(number, time): (usize, &u32)| {
        (*time, format!("{{\"t\":{time},\"from\":\"{name}:{number}\"}}"))
    };
    let lines: Vec<(u32, String)> = times.iter().enumerate().map(line).collect();
    let text = lines.iter().flat_map(|(_, line)| [line, "\n"]).collect::<String>();
    let file = folder.join(format!("{name}.ndjson"));
    fs::write(&file, text).unwrap();
    (file.to_str().unwrap().to_owned(), lines)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20) })]

    #[test]
    fn files_in_order_merge_as_a_stable_sort(
        mut files in proptest::collection::vec(proptest::collection::vec(1_u32..30, 0..60), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = vec![];
        let mut all = vec![];
        for (name, times) in files.iter_mut().enumerate() {
            times.sort_unstable();
            let (path, lines) = write_lines(folder.path(), name, times);
            paths.push(path);
            all.extend(lines);
        }
        all.sort_by_key(|(time, _)| *time);
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let ran = merge(&[], &paths, "").success();
        prop_assert!(ran.stdout.lines().eq(all.iter().map(|(_, line)| line)), "{}", ran);
    }
}

#[test]
fn files_without_any_time_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, lines: &str| {
        let path = folder.path().join(name);
        fs::write(&path, lines).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (a, b) = (file("a.log", "{\"at\":1}\n"), file("b.log", "{\"at\":0}\n"));
    let ran = merge(&[], &[&a, &b], "").success();
    assert!(ran.stderr.starts_with("ingest: no line had a time"), "{ran}");
    assert_eq!(merge(&["--time-field", "at"], &[&a, &b], "").success().stderr, "");
    let empty = file("empty.log", "");
    assert_eq!(merge(&[], &[&empty], "").success().stderr, "");
}

/// Each file has New Year by itself, by when it was changed last.
#[test]
fn times_without_a_year_are_of_the_year_of_their_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, changed: u64, lines: &str| {
        let path = folder.path().join(name);
        fs::write(&path, lines).unwrap();
        let changed = std::time::UNIX_EPOCH + std::time::Duration::from_secs(changed);
        File::options().write(true).open(&path).unwrap().set_modified(changed).unwrap();
        path.to_str().unwrap().to_owned()
    };
    // Changed on 2 March 2023, and on 2 January 2025.
    let old = "Feb  1 23:00:00 host app: a\nMar  1 01:00:00 host app: b\n";
    let new = "Dec 31 00:30:00 host app: c\nJan  1 00:00:00 host app: d\n";
    let (old, new) = (file("old", 1_677_715_200, old), file("new", 1_735_776_000, new));
    let order = |files: &[&str]| -> Vec<char> {
        let ran = merge(&["--format", "syslog"], files, "").success();
        ran.stdout.lines().map(|row| row.chars().rev().nth(2).unwrap()).collect()
    };
    assert_eq!(order(&[&old, &new]), ['a', 'b', 'c', 'd']);
    assert_eq!(order(&[&new, &old]), ['a', 'b', 'c', 'd']);
}
