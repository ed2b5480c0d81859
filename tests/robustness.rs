//! What every program does with input that is not as it should be, and with
//! output that cannot be written.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use support::process::{End, Live, end};
use support::stages::{
    DASHBOARD, DETECT, EXPORT, INGEST, PARSE, READERS, STAGES, Stage, WINDOW, WINDOW_QUERY,
};

/// A record in normal form that every program has a use for.
const GOOD: &str = r#"{"timestamp":"2025-09-12T00:00:00.000Z","service":"auth","response_time":0.25,"status_code":200}"#;
const START: &str = r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#;
const MANY: u32 = 4_500;

/// The lines, each with a newline.
fn text<L: AsRef<[u8]>>(lines: &[L]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_ref(), b"\n"].concat()).collect()
}

/// Records a minute apart, each of a service of its own, so that every program
/// makes more of them than a pipe holds.
fn many() -> Vec<u8> {
    let record = |minute: u32| {
        let (day, hour, minute) = (10 + minute / 1_440, minute / 60 % 24, minute % 60);
        let time = format!("2025-09-{day:02}T{hour:02}:{minute:02}:00.000Z");
        GOOD.replace("2025-09-12T00:00:00.000Z", &time)
            .replace("auth", &format!("service-{day}-{hour}-{minute}"))
    };
    text(&(0..MANY).map(record).collect::<Vec<_>>())
}

/// Lines of every kind, good and bad.
fn mixed() -> Vec<u8> {
    let mut bytes = text(&[
        GOOD,
        "",
        r#"{"timestamp":"2025-09-12T00:00:30Z","service":"é\u0000","response_time":"0.5"}"#,
        r#"192.0.2.7 - - [12/Sep/2025:00:00:40 +0000] "GET / HTTP/1.1" 200 5"#,
        r#"{"timestamp":1757635300,"service":null,"response_time":1e-3,"status_code":5e2}"#,
        r#"{"@":"end"}"#,
        r#"{"service":"no time"}"#,
        "[1]",
        "{",
    ]);
    bytes.extend(b"\xff\xfe no text\r\n{\"timestamp\":\"\xff\"}\r\n");
    bytes.extend(GOOD.replace("00:00:00", "00:02:00").as_bytes());
    bytes
}

#[test]
fn no_input_no_output() {
    for stage in READERS {
        let ran = stage.run(&[], "").success();
        assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""), "{ran}");
    }
}

#[test]
fn ends_of_lines_and_blank_lines_change_nothing() {
    for stage in STAGES {
        let plain = stage.run(&[], text(&[GOOD, GOOD])).success();
        assert_ne!(plain.stdout, "");
        for (input, blank) in [
            (format!("{GOOD}\n{GOOD}"), 0),
            (format!("{GOOD}\r\n{GOOD}\r\n"), 0),
            (format!("\n{GOOD}\n\n \t\r\n{GOOD}\n\r\n"), 4),
            (format!("{GOOD}\r\n{GOOD}\n "), 1),
        ] {
            let (ran, stats) = stage.run_counting(&[], &input);
            let ran = ran.success();
            assert!(ran.stdout == plain.stdout && ran.stderr.is_empty(), "{input:?}\n{ran}");
            assert_eq!([&stats["records_in"], &stats["blank"]], [2, blank], "{input:?}\n{ran}");
        }
    }
}

#[test]
fn a_bad_line_is_counted_and_the_others_go_on() {
    let not_utf8 = &b"{\"timestamp\":\"2025-09-12T00:00:00.000Z\",\"service\":\"\xff\"}"[..];
    let control = GOOD.replacen('{', r#"{"@":"x","#, 1);
    let raw_nul = GOOD.replace("auth", "au\0th");
    for (bad, reason, stages) in [
        (not_utf8, "invalid_utf8", &[PARSE, WINDOW, WINDOW_QUERY, DETECT, EXPORT, DASHBOARD][..]),
        (
            raw_nul.as_bytes(),
            "invalid_json",
            &[PARSE, WINDOW, WINDOW_QUERY, DETECT, EXPORT, DASHBOARD],
        ),
        (b"\0", "invalid_json", &[WINDOW, WINDOW_QUERY, DETECT, EXPORT, DASHBOARD]),
        (b"\0", "no_match", &[PARSE]),
        (control.as_bytes(), "reserved_key", &READERS),
        (br#"{"@":"end"}"#, "reserved_key", &READERS),
        (START.as_bytes(), "reserved_key", &[INGEST]),
        (br#"{"@raw":"x"}"#, "reserved_key", &[INGEST]),
        (br#"{"a":1,"\u0040source":{}}"#, "reserved_key", &[INGEST]),
    ] {
        for stage in stages {
            let good = stage.run(&[], text(&[GOOD, GOOD])).success().stdout;
            for lines in
                [[GOOD.as_bytes(), bad, GOOD.as_bytes()], [bad, GOOD.as_bytes(), GOOD.as_bytes()]]
            {
                let (ran, stats) = stage.run_counting(&[], text(&lines));
                let ran = ran.success();
                assert_eq!(ran.stdout, good, "{ran}");
                assert_eq!(stats["rejected"], json!({reason: 1}), "{ran}");
                assert_eq!(stats["records_in"], 3, "{ran}");
                assert!(ran.stderr.starts_with(&format!("{}: stdin:", stage.name)), "{ran}");
                assert!(ran.stderr.contains(reason), "{ran}");
            }
        }
    }
}

#[test]
fn text_that_is_not_utf8_is_kept_as_well_as_can_be() {
    let line = b"192.0.2.7 - - [12/Sep/2025:00:00:40 +0000] \"GET /\xff HTTP/1.1\" 200 5\n";
    for (stage, shown) in [(INGEST, "GET /\u{fffd} HTTP"), (PARSE, r#""url":"/"#)] {
        let (ran, stats) = stage.run_counting(&[], line);
        let ran = ran.success();
        assert!(ran.stdout.contains(shown) && ran.stdout.contains('\u{fffd}'), "{ran}");
        assert_eq!(stats["replaced_utf8"], 1, "{ran}");
        assert_eq!(stats["rejected"], json!({}), "{ran}");
    }
}

#[test]
fn an_escaped_nul_is_text() {
    let line = GOOD.replace("auth", r"au\u0000th") + "\n";
    for stage in [INGEST, PARSE, DETECT] {
        assert_eq!(stage.run(&[], &line).success().stdout, line);
    }
    let row = WINDOW_QUERY.run(&[], &line).success().stdout;
    assert!(row.contains(r#""service":"au\u0000th""#), "{row}");
}

#[test]
fn a_line_may_be_long_but_not_longer_than_asked() {
    let long = GOOD.replace("auth", &"x".repeat(16 << 20));
    let input = text(&[GOOD, &long, GOOD]);
    for stage in READERS {
        let (ran, stats) = stage.run_counting(&[], &input);
        let ran = ran.success();
        assert_eq!([&stats["records_in"], &stats["rejected"]], [&json!(3), &json!({})], "{ran}");
        if matches!(stage.name, "ingest" | "parse" | "detect") {
            assert!(ran.stdout.as_bytes() == input, "{ran}");
        }
        let good = stage.run(&[], text(&[GOOD, GOOD])).success().stdout;
        let (ran, stats) = stage.run_counting(&["--max-line", "1MiB"], &input);
        let ran = ran.success();
        assert_eq!(ran.stdout, good, "{ran}");
        assert_eq!(stats["rejected"], json!({"too_long": 1}), "{ran}");
    }
}

#[test]
fn strict_ends_at_the_first_reject() {
    for stage in READERS {
        let ran = stage.run(&["--strict"], text(&[GOOD, r#"{"@":1}"#, GOOD])).exited(1);
        let message = format!("{}: stdin:2: reserved_key: ", stage.name);
        assert!(ran.stderr.starts_with(&message), "{ran}");
        assert!(ran.stderr.ends_with("(--strict)\n"), "{ran}");
        assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
        let passes_records = matches!(stage.name, "ingest" | "parse" | "detect");
        let before = if passes_records { format!("{GOOD}\n") } else { String::new() };
        assert_eq!(ran.stdout, before, "{ran}");
    }
}

#[test]
fn rejects_are_kept_with_reason_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rejects.ndjson");
    for stage in READERS {
        let input = text(&[GOOD.as_bytes(), b"", b"{\"@\":\"\xff \\\" \t\"}", GOOD.as_bytes()]);
        let input = if stage.name == "ingest" {
            // It wraps what is not UTF-8.
            String::from_utf8_lossy(&input).into_owned().into_bytes()
        } else {
            input
        };
        stage.run(&["--rejects", file.to_str().unwrap()], &input).success();
        let kept = fs::read_to_string(&file).unwrap();
        assert!(kept.starts_with(r#"{"error":""#) && kept.ends_with("}\n"), "{kept}");
        let kept: Value = serde_json::from_str(&kept).unwrap();
        let (reason, detail) = kept["error"].as_str().unwrap().split_once(": ").unwrap();
        assert!(matches!(reason, "reserved_key" | "invalid_utf8"), "{kept}");
        assert_ne!(detail, "");
        assert_eq!(kept["source"], json!({"path": "stdin", "line": 3}), "{kept}");
        assert_eq!(kept["raw"], "{\"@\":\"\u{fffd} \\\" \t\"}", "{kept}");
        assert_eq!(kept.as_object().unwrap().len(), 3, "{kept}");
    }
}

#[test]
fn input_without_one_good_line_is_a_failure() {
    for stage in READERS {
        let ran = stage.run(&[], text(&[r#"{"@":1}"#, "", r#"{"@":2}"#])).exited(1);
        assert!(
            ran.stderr.ends_with(&format!("{}: every line was rejected\n", stage.name)),
            "{ran}"
        );
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

#[test]
fn output_depends_on_the_bytes_alone() {
    let input = mixed();
    for stage in STAGES {
        let whole = stage.run(&[], &input).success();
        assert_ne!(whole.stdout, "");
        assert_eq!(stage.run(&[], &input).success().stdout, whole.stdout);
        for size in [1, 7, 4_096] {
            let mut live = Live::spawn(stage.command());
            input.chunks(size).for_each(|piece| live.write(piece));
            live.close();
            let (end, stdout, _) = live.end();
            assert_eq!(end, End::Code(0));
            assert_eq!(stdout, whole.stdout.lines().collect::<Vec<_>>(), "by {size}: {whole}");
        }
    }
}

#[test]
fn control_lines_go_into_pipes_alone() {
    let heartbeat = r#"{"@":"heartbeat","at":"2025-09-12T00:00:00.000Z"}"#;
    let stream = text(&[START, heartbeat, GOOD, r#"{"@":"end"}"#]);
    for stage in STAGES {
        let rows = stage.run(&[], text(&[GOOD])).success().stdout;
        let piped = stage.run(&[], &stream).success();
        if stage.name == "ingest" {
            // What comes from outside is data.
            assert!(piped.stdout == rows && piped.stderr.contains("3 rejected"), "{piped}");
            continue;
        }
        if stage.name == "export-prom" {
            assert_eq!(piped.stdout, rows, "{piped}");
        } else {
            let expected = format!("{START}\n{heartbeat}\n{rows}{{\"@\":\"end\"}}\n");
            assert_eq!(piped.stdout, expected, "{piped}");
        }
        assert_eq!(piped.stderr, "", "{piped}");

        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in"), folder.path().join("out"));
        fs::write(&input, &stream).unwrap();
        let status = stage
            .command()
            .stdin(File::open(&input).unwrap())
            .stdout(File::create(&output).unwrap())
            .status();
        assert!(status.unwrap().success());
        assert_eq!(fs::read_to_string(&output).unwrap(), rows, "{}", stage.name);
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many.ndjson");
    fs::write(&file, many()).unwrap();
    for stage in STAGES {
        let mut child = stage
            .command()
            .stdin(File::open(&file).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with(['{', '#']), "{line}");
        assert_eq!(end(&mut child), End::Code(0), "{}", stage.name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{}", stage.name);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (name, input) in [("one", text(&[GOOD])), ("many", many())] {
        let file = folder.path().join(name);
        fs::write(&file, input).unwrap();
        for stage in STAGES {
            let full = File::options().write(true).open("/dev/full").unwrap();
            let output =
                stage.command().stdin(File::open(&file).unwrap()).stdout(full).output().unwrap();
            assert_eq!(output.status.code(), Some(1), "{}", stage.name);
            assert_eq!(
                String::from_utf8(output.stderr).unwrap(),
                format!("{}: cannot write to stdout: No space left on device\n", stage.name)
            );
        }
    }
}

#[test]
fn wrong_usage_is_named() {
    for stage in READERS {
        let ran = stage.run(&["--colour"], "").exited(2);
        let message = format!("{}: unexpected argument '--colour' found\n", stage.name);
        assert!(ran.stderr.starts_with(&message) && ran.stdout.is_empty(), "{ran}");
    }
}

#[test]
fn a_missing_file_is_named_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (there, missing) = (folder.path().join("there"), folder.path().join("missing"));
    fs::write(&there, text(&[GOOD])).unwrap();
    for stage in READERS {
        let ran = read_files(&stage, &[&there, &missing]).exited(1);
        let message = format!(
            "{}: cannot open {}: No such file or directory\n",
            stage.name,
            missing.display()
        );
        assert_eq!((&*ran.stdout, &*ran.stderr), ("", &*message), "{ran}");
    }
}

/// Runs the stage over files.
#[track_caller]
fn read_files(stage: &Stage, files: &[&Path]) -> support::Ran {
    let mut arguments = Vec::new();
    for file in files {
        if stage.name == "window" {
            arguments.push("--input");
        }
        arguments.push(file.to_str().unwrap());
    }
    stage.run(&arguments, "")
}

#[test]
fn compressed_files_are_known_by_their_content() {
    let lines = many();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&lines).unwrap();
    let gzip = gzip.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.log");
    for stored in [&gzip, &zstd::encode_all(&lines[..], 1).unwrap()] {
        fs::write(&file, stored).unwrap();
        let ran = read_files(&PARSE, &[&file]).success();
        assert!(ran.stdout.as_bytes() == lines, "{ran}");

        // As stdin too, and cut short it is an error behind what could be read.
        let cut = &stored[..stored.len() / 2];
        assert!(PARSE.run(&[], stored).success().stdout.as_bytes() == lines);
        let ran = PARSE.run(&[], cut).exited(1);
        assert!(ran.stderr.starts_with("parse: cannot read stdin: "), "{ran}");
        assert!(lines.starts_with(ran.stdout.as_bytes()) && !ran.stdout.is_empty(), "{ran}");
    }
}

#[test]
fn directories_and_patterns_are_read_in_byte_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.log", "a.log", "Z.log", "é.log", "10.log", "9.log", ".hidden"] {
        // No newline at the end: the files' lines must stay apart all the same.
        fs::write(folder.path().join(name), GOOD.replace("auth", name)).unwrap();
    }
    for (argument, names) in [
        ("", &["10.log", "9.log", "Z.log", "a.log", "b.log", "é.log"][..]),
        ("[a-z]*.log", &["a.log", "b.log"]),
        ("?.log", &["9.log", "Z.log", "a.log", "b.log", "é.log"]),
    ] {
        let expected: String = names.iter().map(|name| GOOD.replace("auth", name) + "\n").collect();
        let ran = read_files(&PARSE, &[&folder.path().join(argument)]).success();
        assert_eq!(ran.stdout, expected, "{ran}");
    }
    let ran = read_files(&PARSE, &[&folder.path().join("*.txt")]).exited(1);
    assert!(ran.stderr.starts_with("parse: no file matches "), "{ran}");
}
