//! `ingest --multiline-start`.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::process::{End, Live};
use support::read_testdata;
use support::rows::parse;
use support::stages::{INGEST, PARSE};

/// What each record holds as text.
fn texts(stdout: &str) -> Vec<String> {
    parse(stdout).iter().map(|row| row["@raw"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_stack_trace_is_one_record() {
    let ran = INGEST.run(&["--multiline-start", "^2025-"], read_testdata("ingest/trace.log"));
    assert_eq!(
        texts(&ran.success().stdout),
        [
            "2025-09-12 10:00:01 ERROR cannot fill the jug\nTraceback:\n  at pour (jug.rs:7)\n",
            "2025-09-12 10:00:02 INFO a \"quoted\" word",
        ]
    );
}

#[test]
fn pretty_printed_json_becomes_records_of_one_line() {
    let ran = INGEST.run(&["--multiline-start", r"^\{"], read_testdata("ingest/pretty.json"));
    let rows = parse(&ran.success().stdout);
    let expected = serde_json::json!([
        {
            "timestamp": "2025-09-12T10:00:01Z",
            "message": "brace } and \" quote",
            "nested": {"a": [1, 2]},
        },
        {"timestamp": "2025-09-12T10:00:02Z", "message": "on one line"},
        // No JSON, so it stays as it is.
        {"@raw": "{\n  \"message\": \"a string\ndoes not end on another line\"\n}"},
    ]);
    assert_eq!(Value::Array(rows), expected);
}

#[test]
fn parse_reads_pretty_printed_json() {
    let input = read_testdata("ingest/pretty.json");
    let ingested = INGEST.run(&["--multiline-start", r"^\{"], input).success();
    let ran = PARSE.run(&[], ingested.stdout).success();
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    assert!(ran.stderr.contains(":3: invalid_json"), "{ran}");
}

#[test]
fn messages_name_the_first_line_of_a_record() {
    let input = "a\n 1\n{\n\"@\":\n\"end\"}\nb\n";
    let ran = INGEST.run(&["--multiline-start", "^[a-z{]"], input).success();
    assert!(ran.stderr.starts_with("ingest: stdin:3: reserved_key"), "{ran}");
    assert_eq!(texts(&ran.stdout), ["a\n 1", "b"]);
}

#[test]
fn caps_cut_records_and_lose_nothing() {
    let input = "a\n 1\n 2\n 3\n 4\nb\n";
    let ran = INGEST.run(&["--multiline-start", "^[a-z]", "--multiline-lines", "2"], input);
    assert_eq!(texts(&ran.success().stdout), ["a\n 1", " 2\n 3", " 4", "b"]);
    let ran = INGEST.run(&["--multiline-start", "^[a-z]", "--max-line", "7"], input);
    assert_eq!(texts(&ran.success().stdout), ["a\n 1\n 2", " 3\n 4", "b"]);
}

#[test]
fn a_line_before_the_first_start_is_a_record() {
    let ran = INGEST.run(&["--multiline-start", "^a"], " lost\n too\na\n").success();
    assert_eq!(texts(&ran.stdout), [" lost\n too", "a"]);
    assert_eq!(INGEST.run(&["--multiline-start", "^a"], "").success().stdout, "");
}

#[test]
fn a_live_record_is_given_out_after_a_silence() {
    let mut command = INGEST.command();
    command.args(["--multiline-start", "^[a-z]", "--multiline-wait", "300ms"]);
    let mut live = Live::spawn(command);
    let begun = Instant::now();
    live.write("a\n 1\n");
    assert_eq!(texts(&live.line()), ["a\n 1"]);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    // What comes too late is a record of its own.
    live.write(" 2\nb\n");
    assert_eq!(texts(&live.line()), [" 2"]);
    live.write(" 3\n");
    live.close();
    let (end, lines, messages) = live.end();
    assert_eq!((end, messages), (End::Code(0), vec![]));
    assert_eq!(texts(&lines.join("\n")), ["b\n 3"]);
}

/// Follows `app.log`, in which records begin with a letter.
struct Follower {
    folder: tempfile::TempDir,
    live: Live,
}

impl Follower {
    fn new(wait: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        append(&folder.path().join("app.log"), "start\n");
        let mut command = INGEST.command();
        command.args(["--follow", "--multiline-start", "^[a-z]", "--multiline-wait", wait]);
        let live = Live::spawn({
            command.arg("app.log").current_dir(folder.path());
            command
        });
        let follower = Self { folder, live };
        follower.write("a\n");
        follower.gives("start");
        follower
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        append(&self.path("app.log"), text);
    }

    #[track_caller]
    fn gives(&self, record: &str) {
        assert_eq!(texts(&self.live.line()), [record]);
    }

    /// Waits until all of `app.log` has been read.
    #[track_caller]
    fn has_read_all(&self) {
        let (log, begun) = (self.path("app.log"), Instant::now());
        let size = fs::metadata(&log).unwrap().len();
        let proc = Path::new("/proc").join(self.live.id().to_string());
        let position = || {
            let fds = fs::read_dir(proc.join("fd")).unwrap().flatten();
            let fd =
                fds.into_iter().find(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == log))?;
            let info = fs::read_to_string(proc.join("fdinfo").join(fd.file_name())).unwrap();
            info.lines().next()?.strip_prefix("pos:")?.trim().parse::<u64>().ok()
        };
        while position() != Some(size) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?} of {size}", position());
            thread::sleep(Duration::from_millis(10));
        }
        // Between the read and what comes of it.
        thread::sleep(Duration::from_millis(50));
    }

    /// Ends it by a signal; the records it still had to give.
    fn stop(self) -> Vec<String> {
        self.live.signal(Signal::TERM);
        let (end, rows, messages) = self.live.end();
        assert_eq!((end, messages), (End::Code(0), vec![]));
        texts(&rows.join("\n"))
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_followed_record_written_in_pieces_is_one() {
    let follower = Follower::new("1h");
    for piece in [" 1", "\n", " ", "2\nb", "\n 3\n"] {
        follower.write(piece);
        follower.has_read_all();
    }
    follower.gives("a\n 1\n 2");
    follower.write("unfinished");
    follower.has_read_all();
    // A line without its end is no line at a signal.
    assert_eq!(follower.stop(), ["b\n 3"]);
}

#[test]
fn a_followed_record_is_given_out_after_a_silence() {
    let follower = Follower::new("300ms");
    follower.gives("a");
    let begun = Instant::now();
    follower.write("b\n 1\n unfinished");
    follower.gives("b\n 1");
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    follower.write("\n 2\n");
    follower.gives(" unfinished\n 2");
    // Nothing more comes of a file that is deleted.
    follower.write("c\n 1\n");
    fs::remove_file(follower.path("app.log")).unwrap();
    follower.gives("c\n 1");
    assert_eq!(follower.stop(), Vec::<String>::new());
}

#[test]
fn rotation_in_the_middle_of_a_record_ends_it() {
    let follower = Follower::new("1h");
    follower.write(" 1\n");
    fs::rename(follower.path("app.log"), follower.path("app.log.1")).unwrap();
    follower.write(" 2\nb\n 3\n");
    follower.gives("a\n 1");
    follower.gives(" 2");
    follower.has_read_all();
    fs::copy(follower.path("app.log"), follower.path("app.log.2")).unwrap();
    OpenOptions::new().write(true).open(follower.path("app.log")).unwrap().set_len(0).unwrap();
    // Noticed before there is more than before.
    follower.write("c\n");
    follower.gives("b\n 3");
    follower.write(" 4\nd\n");
    follower.gives("c\n 4");
    assert_eq!(follower.stop(), ["d"]);
}

#[test]
fn what_was_read_of_a_file_that_was_emptied_is_given_out() {
    let follower = Follower::new("1h");
    follower.write(" 1\n 2");
    follower.has_read_all();
    OpenOptions::new().write(true).open(follower.path("app.log")).unwrap().set_len(0).unwrap();
    assert!(follower.live.message().contains("app.log was emptied"));
    follower.gives("a\n 1\n 2");
    follower.write("b\nc\n");
    follower.gives("b");
    assert_eq!(follower.stop(), ["c"]);
}

#[test]
fn records_never_go_from_one_file_into_the_next() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("1"), "a\n 1\n");
    append(&folder.path().join("2"), " 2\nb\n 3");
    let multiline = ["--multiline-start", "^[a-z]", "--multiline-wait", "1h"];
    let mut command = INGEST.command();
    command.current_dir(folder.path()).args(multiline);
    command.args(["--max-files-per-trigger", "1", "--trigger", "50ms", "--limit", "3", "."]);
    let expected = ["a\n 1", " 2", "b\n 3"];
    let ran = command.output().unwrap();
    assert_eq!(texts(&String::from_utf8(ran.stdout).unwrap()), expected);
    let mut command = INGEST.command();
    command.current_dir(folder.path()).args(multiline).args([
        "--checkpoint",
        "state",
        "--last",
        "1",
        "2",
    ]);
    let stdout = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(texts(&stdout), expected);
}

#[test]
fn each_peer_has_records_of_its_own() {
    let args = ["--listen", "127.0.0.1:0", "--multiline-start", "^[a-z]", "--multiline-wait"];
    let mut command = INGEST.command();
    command.args(args).arg("500ms");
    let live = Live::spawn(command);
    let message = live.message();
    let address = message.strip_prefix("ingest: listening on ").unwrap();
    let mut peers = [0; 2].map(|_| TcpStream::connect(address).unwrap());
    for (peer, text) in [(0, "a 1\n"), (1, "b 1\n x"), (0, " y\n"), (1, "\n"), (0, "a 2\n z\n")] {
        peers[peer].set_nodelay(true).unwrap();
        peers[peer].write_all(text.as_bytes()).unwrap();
    }
    let [first, second] = peers;
    drop(second);
    let mut records = [0; 3].map(|_| texts(&live.line()).concat());
    // How the peers take turns is up to them; each keeps its order.
    records.sort();
    assert_eq!(records, ["a 1\n y", "a 2\n z", "b 1\n x"]);
    drop(first);
    live.signal(Signal::TERM);
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}

#[test]
fn merged_records_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pretty = |second: u32| format!("{{\n  \"ts\": {}\n}}\n", 1_757_671_200 + second);
    for (name, seconds) in [("a", [1, 4]), ("b", [2, 3])] {
        let text: String = seconds.map(pretty).concat();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    let ran = INGEST.run(&["--multiline-start", r"^\{", "--merge-by-time", folder], "");
    let rows = parse(&ran.success().stdout);
    let seconds: Vec<i64> = rows.iter().map(|row| row["ts"].as_i64().unwrap()).collect();
    assert_eq!(seconds, [1, 2, 3, 4].map(|second| 1_757_671_200 + second));
}

#[test]
fn wrong_flags_are_told() {
    for (args, word) in [
        (&["--multiline-start", "("][..], "unclosed group"),
        (&["--multiline-start", "a", "--multiline-lines", "0"], "0"),
        (&["--multiline-start", "a", "--multiline-wait", "soon"], "soon"),
        (&["--multiline-lines", "3"], "--multiline-start"),
        (&["--multiline-wait", "3s"], "--multiline-start"),
    ] {
        let ran = INGEST.run(args, "").exited(2);
        assert!(ran.stderr.contains(word), "{ran}");
    }
}
