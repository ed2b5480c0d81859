//! JSON logs of programs in use, and the JSON test suite.
//!
//! They are not part of the repository: `HIGHWATER_REAL_LOGS` names the folder
//! that holds them. Without it the tests do nothing but say so. What fails
//! never shows a line of the logs, only figures.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]
#![allow(clippy::print_stderr, reason = "says what was skipped")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::stages::PARSE;

const FOLDER: &str = "HIGHWATER_REAL_LOGS";

/// A folder of theirs; `None`, and a note, if there is none to be had.
fn folder(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(FOLDER) else {
        eprintln!("skipped: {name} (set {FOLDER} to the folder that holds it)");
        return None;
    };
    Some(Path::new(&folder).join(name))
}

#[test]
fn every_log_of_json() {
    const JSON: &[&str] = &["--format", "json"];
    let Some(folder) = folder("json") else { return };
    for (name, flags, parsed, rejected) in [
        ("crowdsec_authelia_72.jsonl", JSON, 72, json!({})),
        ("crowdsec_authentik.jsonl", JSON, 24, json!({})),
        ("crowdsec_caddy_access.jsonl", JSON, 11, json!({})),
        ("crowdsec_caddy_coraza.jsonl", JSON, 55, json!({})),
        ("crowdsec_docker_wrapped_nginx.jsonl", &["--format", "nginx"], 3, json!({})),
        ("crowdsec_grafana.jsonl", JSON, 12, json!({})),
        ("crowdsec_nextcloud.jsonl", JSON, 19, json!({})),
        ("crowdsec_ntfy.jsonl", JSON, 16, json!({})),
        ("crowdsec_sftpgo.jsonl", &["--format", "json", "--tz", "Europe/Berlin"], 48, json!({})),
        ("crowdsec_suricata_eve.jsonl", JSON, 8, json!({})),
        ("crowdsec_traefik_access_80.jsonl", JSON, 80, json!({})),
        // A line of plain text.
        ("crowdsec_traefik_json.jsonl", JSON, 6, json!({"invalid_json": 1})),
        ("elastic_nginxplus.jsonl.gz", JSON, 500, json!({})),
        ("lnav_bunyan.jsonl", JSON, 10, json!({})),
        ("lnav_cloudflare.jsonl", JSON, 0, json!({"no_timestamp": 15})),
        ("lnav_cloudflare.jsonl", &["--time-field", "EdgeStartTimestamp"], 15, json!({})),
        ("lnav_ecs.jsonl", JSON, 5, json!({})),
        ("lnav_journald.jsonl", JSON, 0, json!({"no_timestamp": 2})),
        ("lnav_journald.jsonl", &["--time-field", "__REALTIME_TIMESTAMP"], 2, json!({})),
        // A time that is a word.
        ("lnav_json_escapes.jsonl", JSON, 13, json!({"bad_timestamp": 1})),
        ("lnav_json_escapes.jsonl", &["--keep-untimed"], 13, json!({"bad_timestamp": 1})),
        // Text between the records.
        ("lnav_json_mixed_text.jsonl", JSON, 13, json!({"invalid_json": 5})),
        // A cut record.
        ("lnav_json_some_invalid.jsonl", JSON, 12, json!({"invalid_json": 1})),
        // Times lie within arrays, which no path leads through.
        ("lnav_otel.jsonl", JSON, 0, json!({"no_timestamp": 6})),
        ("lnav_otel.jsonl", &["--keep-untimed"], 6, json!({})),
        ("lnav_pino.jsonl", JSON, 1, json!({})),
        ("lnav_rust_tracing.jsonl", JSON, 5, json!({})),
    ] {
        let path = folder.join(name);
        let (ran, stats) = PARSE.run_counting(&[flags, &[path.to_str().unwrap()]].concat(), "");
        assert_eq!(stats["records_out"], parsed, "{name} {flags:?}: {stats}");
        assert_eq!(stats["rejected"], rejected, "{name} {flags:?}: {stats}");
        let timed = !flags.contains(&"--keep-untimed");
        for line in ran.stdout.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert!(!timed || line.starts_with("{\"timestamp\":\"20"), "{name}");
            for name in ["level", "message", "user_id"] {
                assert!(record.get(name).is_none_or(|value| value.is_string() || value.is_null()));
            }
        }
        // Normalising is done once. A named text format takes no JSON.
        let as_json = if flags.contains(&"nginx") { JSON } else { flags };
        let again = PARSE.run(as_json, &ran.stdout);
        assert!(again.stdout == ran.stdout, "{name}");
    }
}

/// A case of the JSON test suite: its name, its text, and whether that is JSON.
fn cases(file: &str) -> Vec<(String, Vec<u8>, Option<bool>)> {
    let Some(folder) = folder("json-test-suite") else { return Vec::new() };
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let case = |line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let raw = base64(case["raw_base64"].as_str().unwrap());
        (case["id"].as_str().unwrap().to_owned(), raw, case["valid"].as_bool())
    };
    text.lines().map(case).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let mut bits = digits.flat_map(|digit| {
        let number = DIGITS.iter().position(|known| *known == digit).unwrap();
        (0..6).rev().map(move |place| number >> place & 1 == 1)
    });
    let mut bytes = Vec::new();
    while let Some(first) = bits.next() {
        let rest: Vec<bool> = bits.by_ref().take(7).collect();
        if rest.len() == 7 {
            bytes.push(rest.iter().fold(u8::from(first), |byte, bit| byte << 1 | u8::from(*bit)));
        }
    }
    bytes
}

/// What parse lets through of a text, each line of which is checked to be JSON.
fn passed(text: &[u8]) -> usize {
    let ran = PARSE.run(&["--format", "json", "--keep-untimed"], text);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{ran}");
    for line in ran.stdout.lines() {
        assert!(serde_json::from_str::<Box<serde_json::value::RawValue>>(line).is_ok(), "{ran}");
    }
    ran.stdout.lines().count()
}

fn wrapped(text: &[u8]) -> Vec<u8> {
    [br#"{"message":"m","v":"#, text, b"}"].concat()
}

#[test]
fn the_json_test_suite() {
    for (id, text, valid) in cases("jsontestsuite.jsonl") {
        if valid == Some(false) {
            assert_eq!(passed(&text), 0, "{id}");
        } else if text.starts_with(b"{") && !text.contains(&b'\n') {
            assert_eq!(passed(&text), 1, "{id}");
        }
    }
    for (id, text, _) in cases("jsontestsuite_wrapped_valid.jsonl") {
        assert_eq!(passed(&text), 1, "{id}");
    }
    // Whatever becomes of these, what comes out is JSON.
    for (_, text, _) in cases("jsontestsuite_implementation_defined.jsonl") {
        passed(&text);
        passed(&wrapped(&text));
    }
}
