//! Exactly once over a pipe: whatever stages are killed with -9, and whenever, the same command line
//! again and again gives the bytes of a line that was never killed.
//!
//! `scripts/chaos` does the same for longer.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::Signal;
use support::chaos::{Attempt, Chaos, Subject, settings};
use support::command;
use support::pipeline::{Line, PATIENCE, STATE, append, committed};

/// What lines write besides their output.
const FILES: [&str; 3] = ["out", "rejects", "late"];

/// How long a line should take: long enough that kills meet it everywhere.
const LONG: Duration = Duration::from_millis(700);

/// The lines that are killed. `a`, `b` and `c` come one after another, `x`, `y` and `z` overlap.
const LINES: [&str; 7] = [
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects |
     window --query error_rate --query user_activity --late late | detect --pass-through >>out",
    "ingest --merge-by-time ../input/x ../input/y ../input/z | parse --rejects rejects |
     window --mode append --size 1m --watermark 30s --by service --late late
        --dedupe request_id --dedupe-within 1m
        'count(*) AS n, avg(response_time) AS mean, count(DISTINCT user_id) AS users' >>out",
    // Most output, and state only of lines read and rejected.
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects >>out",
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects |
     window --mode update --trigger count:500 --size 5m --slide 1m --by service --late late
        --watermark adaptive:p99,max=10m
        'count(*) AS n, percentile_approx(response_time, 0.9) AS p90, last(request_id) AS latest' >>out",
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects |
     window --session 15s --watermark 1m --by user_id --late late
        'count(*) AS n, collect_set(service) AS services' |
     detect --annotate --detector surprise --field n --by user_id >>out",
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects |
     window --size 1m --watermark 1m --allowed-lateness 15m --by service --late late
        'count(*) AS n, sum(response_time) AS time, stddev(response_time) AS deviation' >>out",
    // A window over the rows of a window.
    "ingest ../input/a ../input/b.gz ../input/c | parse --rejects rejects |
     window --size 10s --watermark 1m --by service --late late 'count(*) AS n' |
     window --size 5m --watermark 0s --by service 'max(n) AS most, sum(n) AS n' | detect
        --pass-through --zscore most --by service >>out",
];

/// So many records, some of them late, twice there, or broken.
fn synthetic(count: u64) -> Vec<u8> {
    let args = "logs --seed 11 --start 2025-09-12T00:00:00Z --rate 5 --out-of-order 30s \
                --late 2%:1m..20m --duplicate 1% --malformed 1% --count";
    let mut command = command(env!("CARGO_BIN_EXE_produce-synthetic"), args.split_whitespace());
    let made = command.arg(count.to_string()).output().unwrap();
    assert!(made.status.success());
    made.stdout
}

/// A folder that stays if the test fails.
struct Workshop {
    folder: PathBuf,
    attempts: usize,
}

impl Workshop {
    #[allow(clippy::print_stdout, reason = "cargo shows it with a failure")]
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("chaos").disable_cleanup(true).tempdir();
        let folder = folder.unwrap().path().to_owned();
        println!("in {}, which stays if it fails", folder.display());
        Self { folder, attempts: 0 }
    }

    fn fresh(&mut self, name: &str) -> PathBuf {
        let folder = self.folder.join(format!("{name}-{}", self.attempts));
        self.attempts += 1;
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// Writes the files that the lines read.
    fn write_input(&self, count: u64) {
        let input = self.folder.join("input");
        fs::create_dir_all(&input).unwrap();
        let bytes = synthetic(count);
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let third = lines.len() / 3;
        fs::write(input.join("a"), lines[..third].concat()).unwrap();
        let mut packed =
            GzEncoder::new(File::create(input.join("b.gz")).unwrap(), Compression::fast());
        packed.write_all(&lines[third..2 * third].concat()).unwrap();
        packed.finish().unwrap();
        fs::write(input.join("c"), lines[2 * third..].concat()).unwrap();
        for (number, name) in ["x", "y", "z"].iter().enumerate() {
            let share: Vec<&[u8]> = lines.iter().skip(number).step_by(3).copied().collect();
            fs::write(input.join(name), share.concat()).unwrap();
        }
    }

    fn remove(self) {
        fs::remove_dir_all(self.folder).unwrap();
    }
}

/// A line over files, and what it writes if nobody kills it.
struct OverFiles<'a> {
    workshop: &'a mut Workshop,
    line: Line,
    expected: Vec<Vec<u8>>,
}

/// What may be in the output already; it stays.
const BEFORE: &[u8] = b"{\"before\":true}\n";

impl<'a> OverFiles<'a> {
    fn new(workshop: &'a mut Workshop, line: Line) -> Self {
        let folder = workshop.fresh("reference");
        line.run(&folder).success();
        let expected: Vec<Vec<u8>> = FILES.iter().map(|name| read(&folder.join(name))).collect();
        assert!(!expected[0].is_empty() && !expected[1].is_empty(), "{line}");
        assert_eq!(expected[2].is_empty(), !line.to_string().contains("--late"), "{line}");
        Self { workshop, line: line.under_checkpoint(), expected }
    }
}

impl Subject for OverFiles<'_> {
    fn begin(&mut self) -> Attempt {
        let folder = self.workshop.fresh("killed");
        append(folder.join("out"), BEFORE);
        // Unlike the output, what others have left here does not stay.
        append(folder.join("rejects"), BEFORE);
        Attempt { line: self.line.clone(), folder }
    }

    fn check(&mut self, attempt: &Attempt) {
        for (name, expected) in FILES.iter().zip(&self.expected) {
            let before: &[u8] = if *name == "out" { BEFORE } else { b"" };
            compare(&attempt.folder.join(name), &[before, expected].concat());
        }
    }
}

/// The bytes of a file, if it is there.
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

#[track_caller]
fn compare(path: &Path, expected: &[u8]) {
    let got = read(path);
    if got == expected {
        return;
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        bytes
            .split(|byte| *byte == b'\n')
            .map(|line| String::from_utf8_lossy(line).into())
            .collect()
    };
    let (got_lines, expected_lines) = (lines(&got), lines(expected));
    let first = got_lines.iter().zip(&expected_lines).take_while(|(a, b)| a == b).count();
    panic!(
        "{}: {} bytes in {} lines instead of {} in {}; line {} is\n{:?}\ninstead of\n{:?}",
        path.display(),
        got.len(),
        got_lines.len(),
        expected.len(),
        expected_lines.len(),
        first + 1,
        got_lines.get(first),
        expected_lines.get(first),
    );
}

/// As many records as take about [`LONG`].
fn fitting_count(workshop: &mut Workshop) -> u64 {
    const PROBE: u64 = 30_000;
    workshop.write_input(PROBE);
    let folder = workshop.fresh("probe");
    let begun = Instant::now();
    Line::new(LINES[0]).run(&folder).success();
    let factor = LONG.as_secs_f64() / begun.elapsed().as_secs_f64();
    ((PROBE as f64 * factor) as u64).clamp(PROBE / 6, 10 * PROBE)
}

#[test]
fn stages_that_are_killed_at_any_moment_change_no_byte() {
    let (kills, random) = settings(30);
    let mut workshop = Workshop::new();
    let count = fitting_count(&mut workshop);
    workshop.write_input(count);
    println!("{count} records");
    let mut chaos = Chaos::new(random);
    for (number, text) in LINES.iter().enumerate() {
        let share = kills * (number + 1) / LINES.len() - kills * number / LINES.len();
        let begun = Instant::now();
        chaos.harass(&mut OverFiles::new(&mut workshop, Line::new(text)), share);
        println!("line {number}: {:.1} s, {}", begun.elapsed().as_secs_f64(), chaos.counts);
    }
    assert!(chaos.counts.kills() >= kills && chaos.counts.early > 0, "{}", chaos.counts);
    assert!(chaos.counts.resumed > 0 && chaos.counts.later > 0, "{}", chaos.counts);
    workshop.remove();
}

/// What the others wait for may never come then, and they must not be waited for in turn.
#[test]
fn a_source_that_is_killed_alone_is_replaced_while_the_others_are_there() {
    let (kills, random) = settings(30);
    let mut workshop = Workshop::new();
    workshop.write_input(100_000);
    let mut chaos = Chaos::new(random);
    chaos.behead(&mut OverFiles::new(&mut workshop, Line::new(LINES[4])), kills.min(100));
    println!("beheaded: {}", chaos.counts);
    workshop.remove();
}

/// The line over a file that grows, from which rows come as soon as windows close.
const FOLLOWING: &str = "ingest --follow app.log | parse --rejects rejects |
    window --size 1m --watermark 30s --by service --late late --row-meta
        'count(*) AS n, avg(response_time) AS mean' >>out";

/// What a line over a file that grows has written when it is ended by a signal: not the rows that
/// only the end of the data would bring.
fn expected_of_followed(workshop: &mut Workshop, log: &[u8]) -> Vec<Vec<u8>> {
    let folder = workshop.fresh("reference");
    append(folder.join("app.log"), log);
    Line::new(&FOLLOWING.replace("--follow", "")).run(&folder).success();
    let mut files: Vec<Vec<u8>> = FILES.iter().map(|name| read(&folder.join(name))).collect();
    let is_closed = |row: &&[u8]| !row.ends_with(b"\"closed_by\":\"end\"}\n");
    let rows = files[0].split_inclusive(|byte| *byte == b'\n');
    files[0] = rows.filter(is_closed).collect::<Vec<_>>().concat();
    assert!(files.iter().all(|bytes| !bytes.is_empty()));
    files
}

/// A file that grows while its readers are killed, by half lines too, and is rotated once.
struct Growing<'a> {
    log: &'a [u8],
    /// How much of it has been written.
    written: usize,
    path: PathBuf,
    rotated: bool,
}

impl Growing<'_> {
    fn grow(&mut self, bytes: usize) {
        let end = (self.written + bytes).min(self.log.len());
        append(&self.path, &self.log[self.written..end]);
        self.written = end;
    }

    /// Begins a new file, behind a whole line.
    fn rotate(&mut self) {
        let rest = self.log[self.written - 1..].iter().position(|byte| *byte == b'\n').unwrap();
        self.grow(rest);
        fs::rename(&self.path, self.path.with_extension("log.1")).unwrap();
        append(&self.path, b"");
        self.rotated = true;
    }
}

#[test]
fn a_file_that_grows_is_followed_over_kills() {
    let (kills, mut random) = settings(30);
    // One of the lines, as it were.
    let kills = kills.div_ceil(LINES.len());
    let mut workshop = Workshop::new();
    let mut log = synthetic(30_000);
    // Far behind the others, so that all their rows are there when it has been read.
    log.extend(br#"{"timestamp":"2025-12-01T00:00:00Z","service":"last","response_time":1}"#);
    log.push(b'\n');
    let expected = expected_of_followed(&mut workshop, &log);
    let folder = workshop.fresh("killed");
    let attempt = Attempt { line: Line::new(FOLLOWING).under_checkpoint(), folder };
    let (folder, state) = (&attempt.folder, attempt.folder.join(STATE));
    let path = folder.join("app.log");
    append(&path, b"");
    let mut growing = Growing { log: &log, written: 0, path, rotated: false };

    let piece = log.len() / (kills + 1) / 200;
    let mut chaos = Chaos::new(random.clone());
    while chaos.counts.kills() < kills {
        // Before that nobody knows the old file.
        if !growing.rotated && committed(&state) > Some(0) {
            growing.rotate();
        }
        chaos.counts.resumed += usize::from(committed(&state) > Some(0));
        let due = Instant::now() + random.within(Duration::from_millis(700));
        let running = attempt.line.start(folder);
        let until = growing.written + 200 * piece;
        while Instant::now() < due {
            if growing.written < until {
                growing.grow(piece);
            }
            thread::sleep(Duration::from_millis(2));
        }
        assert!(chaos.kill(&attempt, running), "the line ended by itself");
    }
    growing.grow(log.len());
    let mut running = attempt.line.start(folder);
    let deadline = Instant::now() + PATIENCE;
    while read(&folder.join("out")).len() < expected[0].len() {
        assert!(Instant::now() < deadline && running.alive().len() == 3, "{}", running.said());
        thread::sleep(Duration::from_millis(5));
    }
    running.signal(0, Signal::TERM);
    running.end().success();
    chaos.bury();
    for (name, expected) in FILES.iter().zip(&expected) {
        compare(&folder.join(name), expected);
    }
    assert!(growing.rotated && chaos.counts.resumed > 0, "{}", chaos.counts);
    println!("followed: {}", chaos.counts);
    workshop.remove();
}
