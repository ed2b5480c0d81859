//! What a line does when its checkpoint is damaged, full, read-only, taken, or of another line:
//! it says so and exits with 1, and nothing that was committed is lost.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::pipeline::{Line, PATIENCE, STATE, append, committed, epochs};
use support::workplace::{LINE, Workplace, synthetic};

/// A way in which a file can be damaged.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 5] = [
    ("torn", |path| resize(path, |length| length / 2)),
    // Of JSON the last one is a line break.
    ("two bytes short", |path| resize(path, |length| length - 2)),
    ("empty", |path| resize(path, |_| 0)),
    ("flipped", flip),
    ("missing", |path| fs::remove_file(path).unwrap()),
];

fn resize(path: &Path, change: impl Fn(u64) -> u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(change(file.metadata().unwrap().len())).unwrap();
}

/// Flips a bit in the middle.
fn flip(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 4], middle).unwrap();
}

/// Damages a file of the committed epoch in each way: the line refuses to go on, names the file and
/// changes nothing; with the file as it was, it goes on.
#[track_caller]
fn check_damages(damages: &[Damage], name: impl Fn(u64) -> String) {
    let place = Workplace::new();
    place.begin();
    let name = name(place.committed());
    let (path, written) = (place.state(&name), place.written());
    let whole = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    for (damage, inflict) in damages {
        inflict(&path);
        let ended = place.run();
        assert!(ended.has_failed(), "{name} {damage}: {ended}");
        ended.refused(&[&name]);
        assert!(place.written() == written, "{name} {damage}: the output has changed");
        fs::write(&path, &whole).unwrap();
    }
    place.finish();
}

/// One that is missing is another matter: then the epoch before counts.
#[test]
fn a_damaged_commit_is_named() {
    check_damages(&DAMAGES[..4], |epoch| format!("commit.{epoch}.json"));
}

#[test]
fn damaged_positions_are_named() {
    check_damages(&DAMAGES, |epoch| format!("positions.{epoch}.json"));
}

#[test]
fn damaged_state_of_parse_is_named() {
    check_damages(&DAMAGES, |epoch| format!("stage.1/state.{epoch}"));
}

#[test]
fn damaged_state_of_window_is_named() {
    check_damages(&DAMAGES, |epoch| format!("stage.2/state.{epoch}"));
}

#[test]
fn damaged_state_of_the_last_stage_is_named() {
    check_damages(&DAMAGES, |epoch| format!("stage.3/state.{epoch}"));
}

#[test]
fn without_the_newest_commit_the_line_goes_on_from_the_epoch_before() {
    let place = Workplace::new();
    place.begin();
    let newest = place.committed();
    // That this epoch is damaged otherwise too is the reason to remove its commit.
    flip(&place.state(&format!("stage.2/state.{newest}")));
    fs::remove_file(place.state(&format!("commit.{newest}.json"))).unwrap();
    assert_eq!(place.committed(), newest - 1);
    place.run().success();
    place.check();
    place.finish();
}

/// Those that are being written come on top, and one that was there as the last commit was made.
#[test]
fn old_epochs_are_removed() {
    let place = Workplace::new();
    place.grow(0);
    let mut running = following().start(place.folder());
    wait_until("many epochs are committed", || committed(&place.path(STATE)) > Some(30));
    (0..following().len()).for_each(|stage| running.kill(stage));
    running.end();
    let newest = place.committed();
    for (folder, prefix) in [
        ("", "commit."),
        ("", "positions."),
        ("stage.1", "state."),
        ("stage.2", "state."),
        ("stage.3", "state."),
    ] {
        let kept = epochs(&place.state(folder), prefix);
        assert!(kept.contains(&newest) && kept.contains(&(newest - 1)), "{prefix} {kept:?}");
        assert!(kept.iter().all(|epoch| epoch + 8 > newest), "{prefix} {kept:?}, {newest}");
    }
}

#[test]
fn an_output_that_has_lost_bytes_is_refused() {
    let place = Workplace::new();
    place.begin();
    let out = place.path("out");
    let whole = fs::read(&out).unwrap();
    resize(&out, |length| length - 1);
    place.run().refused(&["detect: "]);
    assert_eq!(fs::read(&out).unwrap(), &whole[..whole.len() - 1]);
    fs::remove_file(&out).unwrap();
    place.run().refused(&["detect: "]);
    fs::write(&out, whole).unwrap();
    place.finish();
}

#[test]
fn an_output_that_the_shell_has_emptied_is_refused() {
    let place = Workplace::new();
    place.begin();
    let whole = fs::read(place.path("out")).unwrap();
    let emptying = Line::new(&LINE.replace(">>out", ">out")).under_checkpoint();
    emptying.run(place.folder()).refused_as_usage(&["detect: ", ">>FILE"]);
    fs::write(place.path("out"), whole).unwrap();
    place.finish();
}

#[test]
fn an_output_that_is_not_appended_to_is_refused_at_once() {
    let place = Workplace::new();
    place.grow(0);
    let emptying = Line::new(&LINE.replace(">>out", ">out")).under_checkpoint();
    emptying.run(place.folder()).refused_as_usage(&["detect: ", ">>FILE"]);
    place.run().success();
    place.check();
}

#[test]
fn what_stands_behind_the_committed_output_is_cut_off() {
    let place = Workplace::new();
    place.begin();
    for name in ["out", "rejects", "late"] {
        append(place.path(name), b"{\"left\":\"by a killed stage\"");
    }
    place.finish();
}

#[test]
fn rejects_or_late_records_that_are_gone_are_refused() {
    for (name, stage) in [("rejects", "parse: "), ("late", "window: ")] {
        let place = Workplace::new();
        place.begin();
        let whole = fs::read(place.path(name)).unwrap();
        fs::write(place.path(name), "").unwrap();
        place.run().refused(&[stage, name]);
        fs::write(place.path(name), whole).unwrap();
        place.finish();
    }
}

/// A file system of its own, for as long as it lives.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// `None`, and a word about it, where one may not mount.
    #[allow(clippy::print_stdout, reason = "cargo shows it with the test's own output")]
    fn mount(path: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        println!("left out, it needs the right to mount");
        fs::remove_dir(&path).unwrap();
        None
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// `out` ends with whole rows of the whole output, or is its beginning.
#[track_caller]
fn check_committed_output(place: &Workplace, whole: &[u8]) {
    let newest = place.state(&format!("commit.{}.json", place.committed()));
    let text = fs::read_to_string(&newest).unwrap();
    let commit: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let length = commit["output"].as_u64().unwrap() as usize;
    let out = fs::read(place.path("out")).unwrap();
    assert!(out.len() >= length, "{} bytes of {length} committed", out.len());
    assert!(out[..length] == whole[..length]);
    assert!(out[..length].is_empty() || out[..length].ends_with(b"\n"));
}

/// A line that remembers all requests: in the end that does not fit.
const GROWING: &str = "ingest log | parse --rejects rejects |
    window --by service 'count(*) AS n, count(DISTINCT request_id) AS requests'
        --mode update --trigger count:100 >>out";

/// Runs it without a checkpoint; returns what it writes.
#[track_caller]
fn grown(place: &Workplace) -> Vec<u8> {
    append(place.path("log"), &synthetic(100_000));
    Line::new(GROWING).run(place.folder()).success();
    let whole = fs::read(place.path("out")).unwrap();
    fs::remove_file(place.path("out")).unwrap();
    whole
}

#[test]
fn a_full_disk_ends_the_line_and_loses_nothing() {
    let place = Workplace::new();
    let Some(disk) = Tmpfs::mount(place.path(STATE), "size=1m") else { return };
    let whole = grown(&place);
    let line = Line::new(GROWING).under_checkpoint();
    for _ in 0..3 {
        let ended = line.run(place.folder()).refused(&["No space left on device"]);
        assert!(ended.said.contains("state/"), "{ended}");
        check_committed_output(&place, &whole);
    }
    disk.remount("size=64m");
    line.run(place.folder()).success();
    assert!(fs::read(place.path("out")).unwrap() == whole);
}

/// As a disk that is full, where nothing can be mounted.
#[test]
fn a_file_that_may_not_grow_ends_the_line_and_loses_nothing() {
    let place = Workplace::new();
    let whole = grown(&place);
    let line = Line::new(GROWING).under_checkpoint();
    // The output fits, the state does not.
    let blocks = u32::try_from(whole.len() / 512).unwrap() + 20;
    for _ in 0..2 {
        let limited = line.clone().limited(blocks);
        let ended = limited.run(place.folder()).refused(&["File too large"]);
        assert!(ended.said.contains("state/stage.2/state."), "{ended}");
        check_committed_output(&place, &whole);
    }
    line.run(place.folder()).success();
    assert!(fs::read(place.path("out")).unwrap() == whole);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let place = Workplace::new();
    place.grow(0);
    // Not even root makes a folder in a file.
    let line = Line::new(LINE).under_checkpoint();
    append(place.path(STATE), b"");
    line.run(place.folder()).refused(&["ingest: ", STATE]);
    fs::remove_file(place.path(STATE)).unwrap();

    let Some(disk) = Tmpfs::mount(place.path(STATE), "size=8m") else { return };
    disk.remount("ro");
    line.run(place.folder()).refused(&["ingest: ", "state/", "Read-only file system"]);
    disk.remount("rw");
    place.begin();
    let written = place.written();
    disk.remount("ro");
    line.run(place.folder()).refused(&["ingest: ", "state/", "Read-only file system"]);
    assert!(place.written() == written);
    disk.remount("rw");
    place.finish();
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The line, waiting for more at the end of the log.
fn following() -> Line {
    Line::new(&LINE.replace("ingest", "ingest --follow")).under_checkpoint()
}

/// How much of the log lies before the committed positions.
fn committed_offset(place: &Workplace) -> Option<u64> {
    let newest = committed(&place.path(STATE))?;
    let text = fs::read_to_string(place.state(&format!("positions.{newest}.json"))).ok()?;
    let positions: Value = serde_json::from_str(text.lines().next()?).unwrap();
    positions["files"][0]["offset"].as_u64()
}

#[track_caller]
fn wait_until_read(place: &Workplace) {
    let is_read =
        || committed_offset(place).is_some_and(|at| at > 0 && place.lines_behind(at) == 0);
    wait_until("all of the log is read and committed", is_read);
}

#[test]
fn a_second_line_on_the_same_folder_names_the_first_and_leaves_it_alone() {
    let place = Workplace::new();
    place.grow(0);
    let first = following().start(place.folder());
    wait_until_read(&place);
    let second = LINE.replace(">>out", ">>out2").replace("rejects rejects", "rejects rejects2");
    let second = Line::new(&second.replace("late late", "late late2")).under_checkpoint();
    let holder = format!("process {}", first.id(0));
    second.run(place.folder()).refused(&["ingest: ", STATE, &holder]);
    place.grow(1);
    place.grow(2);
    wait_until_read(&place);
    first.signal(0, Signal::TERM);
    first.end().success();
    place.check();
}

#[test]
fn another_query_is_refused_and_told_apart() {
    let place = Workplace::new();
    place.begin();
    let written = place.written();
    let other = Line::new(&LINE.replace("--size 1m", "--size 2m")).under_checkpoint();
    other.run(place.folder()).refused(&["window: ", "--size 1m", "--size 2m"]);
    let other = Line::new(&LINE.replace("--zscore n", "--zscore mean")).under_checkpoint();
    other.run(place.folder()).refused(&["detect: ", "--zscore n", "--zscore mean"]);
    assert!(place.written() == written);
    place.finish();
}

#[test]
fn stages_in_another_order_are_refused() {
    let place = Workplace::new();
    place.begin();
    let written = place.written();
    for (old, new) in [
        // One more, one less, another one, and the same ones the other way round.
        ("| parse", "| parse | parse"),
        ("detect --pass-through --zscore n --by service", "window --size 5m 'sum(n) AS n'"),
        ("| parse --rejects rejects |", "|"),
        ("detect --pass-through", "parse | detect --pass-through"),
        ("|\n    detect --pass-through --zscore n --by service", ""),
    ] {
        assert!(LINE.contains(old), "{old}");
        let other = Line::new(&LINE.replace(old, new)).under_checkpoint();
        other.run(place.folder()).refused(&["another command line"]);
        assert!(place.written() == written, "{new}");
    }
    place.finish();
}

/// The checksum behind state: CRC-32.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |hash, byte| {
        let step = |hash: u32, _| (hash >> 1) ^ (0xedb8_8320 & (hash & 1).wrapping_neg());
        (0..8).fold(hash ^ u32::from(*byte), step)
    })
}

/// The checksum below the files of JSON: FNV-1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn files_of_a_newer_version_are_refused() {
    let place = Workplace::new();
    place.begin();
    let newest = place.committed();
    for name in [format!("commit.{newest}.json"), format!("positions.{newest}.json")] {
        let path = place.state(&name);
        let whole = fs::read_to_string(&path).unwrap();
        let (json, hash) = whole.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(u64::from_str_radix(hash, 16).unwrap(), fnv1a(json.as_bytes()), "{name}");
        let newer = json.replace("\"format\":1", "\"format\":99");
        assert_ne!(newer, json);
        fs::write(&path, format!("{newer}\n{:016x}\n", fnv1a(newer.as_bytes()))).unwrap();
        let ended = place.run().refused(&[&name, "99", "newer"]);
        assert!(!ended.said.contains("damaged"), "{ended}");
        fs::write(&path, &whole).unwrap();
    }
    let name = format!("stage.2/state.{newest}");
    let whole = fs::read(place.state(&name)).unwrap();
    let (body, crc) = whole.split_last_chunk::<4>().unwrap();
    assert_eq!(u32::from_le_bytes(*crc), crc32(body));
    // The format stands behind a line that says what the file is.
    let mut newer = body.to_vec();
    newer[16] = 99;
    newer.extend(crc32(&newer).to_le_bytes());
    fs::write(place.state(&name), newer).unwrap();
    place.run().refused(&[&name, "99", "newer"]);
    fs::write(place.state(&name), whole).unwrap();
    place.finish();
}

#[test]
fn a_line_that_is_done_adds_nothing() {
    let place = Workplace::new();
    place.begin();
    let written = place.written();
    for _ in 0..3 {
        place.run().success();
        assert!(place.written() == written);
        assert_eq!(place.records_in(), 0);
    }
    place.finish();
}

#[test]
fn of_a_log_that_has_grown_only_what_is_new_is_read() {
    let place = Workplace::new();
    let mut before = 0;
    for part in 0..3 {
        place.grow(part);
        place.run().success();
        let lines = place.lines_behind(0);
        assert_eq!(place.records_in(), (lines - before) as u64);
        before = lines;
    }
    place.check();
}

#[test]
fn after_a_kill_only_what_lies_behind_the_committed_positions_is_read() {
    let place = Workplace::new();
    place.grow(0);
    let mut running = following().start(place.folder());
    wait_until_read(&place);
    // Whether an epoch more is committed by then does not matter.
    place.grow(1);
    (0..following().len()).for_each(|stage| running.kill(stage));
    running.end();
    let offset = committed_offset(&place).unwrap();
    assert!(offset > 0);
    let running = following().start(place.folder());
    place.grow(2);
    wait_until_read(&place);
    running.signal(0, Signal::TERM);
    running.end().success();
    assert_eq!(place.records_in(), place.lines_behind(offset) as u64);
    place.check();
}
