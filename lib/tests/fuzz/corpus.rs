//! Where to begin: lines of `testdata/`.

use std::fs;
use std::path::Path;

/// The files of `testdata/` that a reader is tried with.
fn patterns(target: &str) -> &'static [&'static str] {
    match target {
        "scanner" | "json" => &["*/*.ndjson", "reshape/*/input.ndjson", "fuzz/json.txt"],
        "control" => &["fuzz/control.txt"],
        "access" => &["access/*.log"],
        "log-format" => &["access/*.log", "parse/*log-format*/input", "fuzz/log-format.txt"],
        "apache-error" => &["text/apache-error.*.log", "text/apache-error.log"],
        "nginx-error" => &["text/nginx-error.*.log", "text/nginx-error.log"],
        "syslog" => &["text/syslog.*.log", "text/syslog.log"],
        "logfmt" => &["text/logfmt.*.log", "text/logfmt.log"],
        "csv" => &["*/*.csv", "reshape/*/*.csv", "fuzz/csv.txt"],
        "regex" => &["text/*.log"],
        "auto" => &["*/*.log", "reshape/*/input.ndjson", "fuzz/json.txt", "fuzz/auto.txt"],
        "time" => &["fuzz/time.txt"],
        "duration" => &["fuzz/duration.txt"],
        "query" => &["reference/sql/*.sql", "../lib/queries/*.sql", "fuzz/query.txt"],
        other => panic!("{other} has no corpus"),
    }
}

/// What the files have for a reader: their lines, and SQL as a whole too.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata");
    let mut inputs = Vec::new();
    for pattern in patterns(target) {
        for path in glob::glob(&folder.join(pattern).display().to_string()).unwrap() {
            let text = fs::read(path.unwrap()).unwrap();
            inputs.extend(super::lines(&text).take(200).map(<[u8]>::to_vec));
            if target == "query" {
                inputs.push(text);
            }
        }
    }
    inputs.retain(|input| !input.is_empty());
    inputs.sort();
    inputs.dedup();
    assert!(inputs.len() > 5, "{target}");
    inputs
}
