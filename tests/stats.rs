//! Figures that add up: those of `--stats` and those of the summary.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::process::{End, Live, end};
use support::stages::{DETECT, EXPORT, INGEST, PARSE, READERS, STAGES, Stage, WINDOW};
use support::terminal::{Terminal, screen};
use support::{command, testdata};

const MANY: Stage = Stage {
    args: &[
        "--query",
        "log-analysis",
        "--watermark",
        "30s",
        "--dedupe",
        "user_id",
        "--dedupe-within",
        "1m",
    ],
    ..WINDOW
};
const FILTERED: Stage = Stage {
    args: &[
        "--size",
        "1m",
        "--slide",
        "20s",
        "--watermark",
        "0s",
        "--where",
        "service = 'auth'",
        "count(*) AS n",
    ],
    ..WINDOW
};
const SHAPED: Stage = Stage { args: &["--where", "level = 'INFO'"], ..PARSE };
const SPLIT: Stage = Stage { args: &["--format", "words"], ..PARSE };

/// Files of all kinds: text, JSON, rows, damaged lines, late records.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["access", "text", "ingest", "reference", "formats", "detect"]
        .iter()
        .flat_map(|name| fs::read_dir(testdata(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "log" || ext == "ndjson"))
        .collect();
    files.sort();
    assert!(files.len() > 10, "{files:?}");
    let made = folder.join("made.ndjson");
    let args = "logs --duration 5m --start 2025-09-12T00:00:00Z --malformed 5% --out-of-order 20s \
                --late 2%:1m..3m --duplicate 1% --future-clock 0.1%:1d";
    let produce = env!("CARGO_BIN_EXE_produce-synthetic");
    let made_by = command(produce, args.split_whitespace()).output().unwrap();
    fs::write(&made, made_by.stdout).unwrap();
    let rows = folder.join("rows.ndjson");
    fs::write(&rows, MANY.run(&["--input", made.to_str().unwrap()], "").success().stdout).unwrap();
    files.extend([made, rows]);
    files
}

/// A run over one file, its messages on a terminal.
struct Told {
    json: Value,
    prometheus: String,
    /// What is left on the screen.
    screen: String,
}

fn tell(stage: &Stage, file: &Path, folder: &Path) -> Told {
    let run = |stats: &Path| {
        let terminal = Terminal::new(200);
        let mut command = stage.command();
        terminal.attach(&mut command);
        if stage.name == "window" {
            command.arg("--input");
        }
        command.arg(file).arg("--stats").arg(stats).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        end(&mut child);
        screen(&terminal.end())
    };
    let (json, prometheus) = (folder.join("stats.json"), folder.join("stats.prom"));
    let screen = run(&json);
    run(&prometheus);
    Told {
        json: serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap(),
        prometheus: fs::read_to_string(&prometheus).unwrap(),
        screen,
    }
}

fn count(json: &Value, name: &str) -> u64 {
    json[name].as_u64().unwrap_or(0)
}

fn rejected(json: &Value) -> u64 {
    json["rejected"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// The sum of the samples of a family.
fn total(prometheus: &str, family: &str) -> u64 {
    let samples = prometheus.lines().filter(|line| line.starts_with(&format!("{family}{{")));
    samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
}

/// The numbers that begin the parts of a list.
fn numbers(text: &str) -> Vec<u64> {
    let mut depth = 0;
    let outside = text.chars().filter(|char| {
        depth += i32::from(*char == '(') - i32::from(*char == ')');
        depth == 0 && *char != ')'
    });
    let outside: String = outside.collect();
    outside.split(", ").map(|part| number(part.trim())).collect()
}

fn number(text: &str) -> u64 {
    text.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

/// Whether the summary accounts for all records that it says have come in.
fn check_summary(stage: &Stage, told: &Told) {
    let prefix = format!("{}: ", stage.name);
    let mut lines = told.screen.lines().filter_map(|line| line.strip_prefix(&prefix));
    let first = lines
        .find(|line| line.contains(" records in"))
        .unwrap_or_else(|| panic!("{}", told.screen));
    let (head, fates) = first.split_once(": ").unwrap();
    // The hint within brackets has a semicolon too.
    let fates = &fates[..fates.rfind("; ").unwrap()];
    let (records, more) = head.split_once(" and ").unwrap_or((head, "0"));
    assert_eq!(number(records), count(&told.json, "records_in"), "{first}");
    let sum: u64 = numbers(fates).iter().sum();
    assert_eq!(number(records) + number(more), sum, "{first}");
    for line in lines.filter(|line| line.starts_with("  ")) {
        let query = line.trim_start().split_once("  ").unwrap().1;
        let taken: u64 = query.split(", ").map(|part| number(part.trim())).sum();
        assert_eq!(taken, numbers(fates)[0], "{line}");
    }
}

#[test]
fn figures_add_up_for_all_stages_over_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let (mut losses, mut tables) = (0, 0);
    for file in files(folder.path()) {
        for stage in STAGES.iter().chain([&MANY, &FILTERED, &SHAPED, &SPLIT]) {
            let told = tell(stage, &file, folder.path());
            let Told { json, prometheus, screen } = &told;
            let place =
                format!("{} {:?} {}\n{json}\n{screen}", stage.name, stage.args, file.display());
            let records = count(json, "records_in");
            let passed = match stage.name {
                "window" => None,
                "detect" => Some(count(json, "examined") + count(json, "unexamined")),
                "export-prom" => Some(count(json, "exported") + count(json, "filtered")),
                "parse" if stage.args == SPLIT.args => None,
                _ => Some(count(json, "records_out") + count(json, "filtered")),
            };
            if let Some(passed) = passed {
                assert_eq!(records, passed + rejected(json), "{place}");
            }
            let single = [json.clone()];
            let queries = json["queries"].as_object().map(|all| all.values().cloned().collect());
            let queries: Vec<Value> = queries.unwrap_or_else(|| single.to_vec());
            for query in queries.iter().filter(|_| stage.name == "window") {
                let fates = ["filtered", "duplicates", "late", "aggregated"];
                let sum: u64 = fates.iter().map(|fate| count(query, fate)).sum();
                assert_eq!(records, sum + rejected(json), "{place}");
            }
            for name in [
                "records_in",
                "records_out",
                "bytes_in",
                "bytes_out",
                "blank",
                "late",
                "aggregated",
            ] {
                let counted = total(prometheus, &format!("highwater_{name}_total"));
                assert_eq!(counted, count(json, name), "{name}: {place}");
            }
            assert_eq!(total(prometheus, "highwater_rejected_total"), rejected(json), "{place}");
            let is_done = records == 0 || rejected(json) < records;
            assert_eq!(json["done"], is_done, "{place}");
            assert_eq!(total(prometheus, "highwater_done"), u64::from(is_done), "{place}");
            check_summary(stage, &told);
            losses += u64::from(rejected(json) > 0);
            tables += u64::from(screen.contains("\nwindow:   ") && count(json, "late") > 0);
        }
    }
    assert!(losses > 20 && tables > 0, "{losses} runs with rejects, {tables} with tables");
}

#[test]
fn a_loss_says_which_file_would_keep_it() {
    let run = |stage: &Stage, more: &[&str], input: &str| stage.run(more, input).success().stderr;
    let input = "{\"timestamp\":1757635200}\nno record\n{\"timestamp\":1757635200}\n";
    assert!(
        run(&WINDOW, &[], input)
            .contains("1 rejected (invalid_json 1; --rejects FILE keeps them); 1 out")
    );
    let kept = run(&WINDOW, &["--rejects", "/dev/null"], input);
    assert!(kept.contains("1 rejected (invalid_json 1); 1 out"), "{kept}");
    let late = "{\"timestamp\":1757635300}\n{\"timestamp\":1757635200}\n";
    let args = ["--watermark", "0s"];
    assert!(
        run(&WINDOW, &args, late).contains("1 aggregated, 1 late (--late FILE keeps them); 1 out")
    );
    let kept = run(&WINDOW, &[&args[..], &["--late", "/dev/null"]].concat(), late);
    assert!(kept.contains("1 aggregated, 1 late; 1 out"), "{kept}");
    for stage in [INGEST, PARSE, WINDOW, DETECT, EXPORT] {
        let quiet = stage.run(&[], "{\"timestamp\":1757635200,\"n\":1}\n").success().stderr;
        assert!(!quiet.contains("records in"), "{quiet}");
    }
}

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Waits for a file to say something.
#[track_caller]
fn wait_for<T>(file: &Path, what: impl Fn(&str) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some(found) = what(&text) {
            return found;
        }
        assert!(Instant::now() < deadline, "{text}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn figures_go_on_while_the_input_stalls() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("window.prom");
    let mut command =
        Stage { args: &["--size", "1m", "--watermark", "10s", "count(*) AS n"], ..WINDOW }
            .command();
    command.args(["--stats-every", "50ms", "--stats"]).arg(&file);
    let mut live = Live::spawn(command);
    wait_for(&file, |text| {
        assert_eq!(sample(text, "highwater_watermark_seconds"), None, "no record yet");
        sample(text, "highwater_run_seconds")
    });
    live.write("{\"timestamp\":1757635200.5}\n");
    let now = |text: &str| sample(text, "highwater_stats_time_seconds");
    let lag = |text: &str| sample(text, "highwater_watermark_lag_seconds");
    let (first, first_lag) = wait_for(&file, |text| Some((now(text)?, lag(text)?)));
    let (later, later_lag) = wait_for(&file, |text| {
        assert!(
            text.is_empty() || text.ends_with('\n') && text.contains("highwater_done"),
            "{text}"
        );
        Some((now(text)?, lag(text)?)).filter(|(now, _)| *now >= first + 0.3)
    });
    assert!((later_lag - first_lag - (later - first)).abs() < 0.01, "{first_lag} to {later_lag}");
    let text = fs::read_to_string(&file).unwrap();
    for (name, value) in [
        ("highwater_watermark_seconds", 1_757_635_190.5),
        ("highwater_max_event_time_seconds", 1_757_635_200.5),
        ("highwater_records_in_total", 1.0),
        ("highwater_done", 0.0),
    ] {
        assert_eq!(sample(&text, name), Some(value), "{name} in\n{text}");
    }
    live.close();
    assert_eq!(live.end().0, End::Code(0));
    assert_eq!(sample(&fs::read_to_string(&file).unwrap(), "highwater_done"), Some(1.0));
}

#[test]
fn figures_of_several_pipelines_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let told = |file: &str, name: Option<&str>, more: &[&str]| {
        let path = folder.path().join(file);
        let mut command = PARSE.command();
        command.args(["--stats", path.to_str().unwrap()]).args(more);
        match name {
            Some(name) => command.env("HIGHWATER_PIPELINE", name),
            None => command.env_remove("HIGHWATER_PIPELINE"),
        };
        let mut live = Live::spawn(command);
        live.close();
        assert_eq!(live.end().0, End::Code(0));
        fs::read_to_string(path).unwrap()
    };
    let samples = |text: &str, label: &str| -> (usize, usize) {
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        (samples.iter().filter(|line| line.contains(label)).count(), samples.len())
    };
    for (name, more, label) in [
        (Some("shop"), &[][..], r#"{stage="parse",pipeline="shop""#),
        (Some("shop"), &["--pipeline", "a \"b\""], r#"{stage="parse",pipeline="a \"b\"""#),
    ] {
        let text = told("parse.prom", name, more);
        let (labelled, all) = samples(&text, label);
        assert!(labelled == all && all > 10, "{text}");
    }
    for name in [None, Some("")] {
        let text = told("parse.prom", name, &[]);
        assert!(samples(&text, "pipeline").0 == 0 && samples(&text, "parse").1 > 10, "{text}");
    }
    let json: Value = serde_json::from_str(&told("parse.json", Some("shop"), &[])).unwrap();
    assert_eq!((&json["stage"], &json["pipeline"]), (&"parse".into(), &"shop".into()));
}

#[test]
fn a_file_that_is_read_while_it_is_written_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stats.json");
    let mut command = PARSE.command();
    command.args(["--stats-every", "1ms", "--stats"]).arg(&file);
    let mut live = Live::spawn(command);
    wait_for(&file, |text| (!text.is_empty()).then_some(()));
    for _ in 0..300 {
        let stats: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(stats["done"], false);
    }
    live.close();
    assert_eq!(live.end().0, End::Code(0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_run_that_fails_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("parse.prom");
    for args in [&["--strict"][..], &["--max-rejects", "10%"], &[]] {
        let input =
            if args.is_empty() { "broken\n" } else { "broken\n{\"timestamp\":1757635200}\n" };
        let stats = ["--stats", file.to_str().unwrap()];
        PARSE.run(&[args, &stats].concat(), input).exited(1);
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(sample(&text, "highwater_done"), Some(0.0), "{args:?}: {text}");
    }
}

#[test]
fn the_page_names_every_family() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/stats.md"));
    let page = page.unwrap();
    let table: Vec<&str> = page.lines().filter(|line| line.starts_with("| `highwater_")).collect();
    let first = table.iter().map(|line| line.split(" | ").next().unwrap());
    let named: BTreeSet<&str> =
        first.flat_map(|cell| cell.split('`')).filter(|name| name.starts_with("high")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut given = BTreeSet::new();
    let mut told: Vec<String> = READERS
        .iter()
        .chain([&MANY, &SHAPED])
        .map(|stage| tell(stage, &testdata("reference/logs.late.ndjson"), folder.path()).prometheus)
        .collect();
    #[cfg(feature = "kafka")]
    {
        let mock = support::mock::Mock::new(&[("logs", 1)]);
        let stats = folder.path().join("emit.prom");
        let args = ["-b", &*mock.bootstrap, "-t", "logs", "--stats", stats.to_str().unwrap()];
        support::run(env!("CARGO_BIN_EXE_emit"), args, b"{}\n").success();
        told.push(fs::read_to_string(stats).unwrap());
    }
    for prometheus in told {
        let kinds = prometheus.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for kind in kinds {
            let (name, kind) = kind.split_once(' ').unwrap();
            let row = format!(" | {kind} | ");
            let rows = table.iter().filter(|line| line.contains(&format!("`{name}`")));
            assert!(
                rows.clone().count() > 0 && rows.into_iter().all(|line| line.contains(&row)),
                "{name} {kind}"
            );
            given.insert(name.to_owned());
        }
    }
    let given: BTreeSet<&str> = given.iter().map(String::as_str).collect();
    assert_eq!(named, given);
}

/// What the maker of Prometheus says of the files.
#[test]
fn promtool_finds_no_fault() {
    if std::env::var_os("HIGHWATER_TEST_SERVERS").is_none_or(|value| value != "1") {
        return left_out();
    }
    let folder = tempfile::tempdir().unwrap();
    let input = testdata("reference/logs.late.ndjson");
    for stage in STAGES.iter().chain([&MANY]) {
        let told = tell(stage, &input, folder.path());
        let file = folder.path().join("stats.prom");
        let checked = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(fs::File::open(&file).unwrap())
            .output()
            .expect("promtool should be there: scripts/test installs it");
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success() && said.is_empty(), "{said}\n{}", told.prometheus);
    }
}

#[allow(clippy::print_stdout, reason = "cargo shows it with the test's own output")]
fn left_out() {
    println!("left out, it needs promtool; scripts/test runs it");
}
