//! What earlier versions have left behind is gone on with. `scripts/checkpoint-fixtures` wrote it.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::path::Path;

use support::pipeline::{Line, append};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// Copies a fixture, appends the rest of its log and goes on; and reads the same log in one
/// go. Both leave the same behind.
#[track_caller]
fn check(fixture: &Path) {
    let text = fs::read_to_string(fixture.join("line")).unwrap().replace('\n', " ");
    let line = Line::new(&text).under_checkpoint();
    let rest = fs::read(fixture.join("rest")).unwrap();
    let (resumed, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy(fixture, resumed.path());
    for name in ["log", "log2"] {
        if fixture.join(name).exists() {
            fs::copy(fixture.join(name), whole.path().join(name)).unwrap();
        }
    }
    for folder in [resumed.path(), whole.path()] {
        if folder == whole.path() {
            // The line has ended once where the fixture was written.
            line.run(folder).success();
        }
        append(folder.join("log"), &rest);
        line.run(folder).success();
    }
    let mut compared = 0;
    for name in ["out", "rejects", "late", "metrics.prom"] {
        let Ok(expected) = fs::read_to_string(whole.path().join(name)) else { continue };
        let got = fs::read_to_string(resumed.path().join(name)).unwrap();
        assert!(!expected.is_empty() && got == expected, "{name} of {}:\n{got}", fixture.display());
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn what_earlier_versions_have_kept_is_gone_on_with() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/checkpoints");
    let mut names = vec![];
    for format in fs::read_dir(fixtures).unwrap() {
        for fixture in fs::read_dir(format.unwrap().path()).unwrap() {
            let fixture = fixture.unwrap();
            check(&fixture.path());
            names.push(fixture.file_name());
        }
    }
    names.sort();
    assert_eq!(names, ["metrics", "sessions", "windows"]);
}

/// Else nothing was gone on with.
#[test]
fn fixtures_have_state_of_every_stage() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/checkpoints/1");
    for (name, stages) in [("windows", 4), ("sessions", 3), ("metrics", 5)] {
        for number in 0..stages {
            let state = fixtures.join(format!("{name}/state/stage.{number}/state.1"));
            assert!(fs::metadata(&state).unwrap().len() > 50, "{}", state.display());
        }
    }
}
