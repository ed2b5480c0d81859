//! What must hold whatever the bytes are, for each reader of foreign text.
//!
//! `mutations.rs` beside this folder calls these with lines of `testdata/` and damaged copies of
//! them; `scripts/fuzz` calls the same with what a fuzzer comes up with.

#![allow(dead_code, reason = "the fuzzer and the tests each use a part")]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod corpus;
mod formats;
mod queries;
mod records;
mod times;

pub(crate) use corpus::corpus;

/// A reader's name, and what must hold of it. Each panics if it does not.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const TARGETS: [Target; 15] = [
    ("scanner", records::scanner),
    ("control", records::control),
    ("access", |input| formats::text("access", input)),
    ("apache-error", |input| formats::text("apache-error", input)),
    ("nginx-error", |input| formats::text("nginx-error", input)),
    ("syslog", |input| formats::text("syslog", input)),
    ("logfmt", |input| formats::text("logfmt", input)),
    ("csv", |input| formats::text("csv", input)),
    ("regex", |input| formats::text("regex", input)),
    ("log-format", |input| formats::text("log-format", input)),
    ("json", |bytes| formats::stage("json", bytes)),
    ("auto", |bytes| formats::stage("auto", bytes)),
    ("time", times::time),
    ("duration", times::duration),
    ("query", queries::query),
];

/// What must hold of the reader called so.
pub(crate) fn target(name: &str) -> fn(&[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no reader is called {name}")).1
}

/// The lines of an input, without their newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}
