//! Lines of `testdata/`, whole and damaged, through everything that reads foreign text; see
//! `fuzz/mod.rs` for what must hold.
//!
//! `PROPTEST_CASES=100000` makes it a long run. A failure names its seed, and
//! `mutations.proptest-regressions` keeps it.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod fuzz;

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is done to an input: where, over how many bytes, and what.
#[derive(Clone, Debug)]
struct Damage {
    at: Index,
    length: usize,
    with: With,
}

#[derive(Clone, Debug)]
enum With {
    /// Other bytes, or none, in their place.
    Bytes(Vec<u8>),
    /// The same ones, twice.
    Themselves,
    /// As many from another input.
    Other(Index, Index),
    /// One bit the other way.
    Flipped(u8),
}

/// What readers look for, and what they may stumble over.
const TOKENS: [&str; 36] = [
    "\"",
    "\\",
    "\\\"",
    "\\u0000",
    "\\ud800",
    "\\x22",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "=",
    " ",
    "  ",
    "-",
    "- -",
    "\t",
    "\n",
    "\r",
    "\0",
    "\u{feff}",
    "\u{fffd}",
    "\u{7f}",
    "0",
    "60",
    "99999999999999999999",
    "-1",
    "1e999",
    ".",
    "\"@\":",
    "\"@raw\":",
    "\"@source\":",
    "\"timestamp\":",
    "null",
    "'",
];

fn with() -> impl Strategy<Value = With> {
    prop_oneof![
        Just(With::Bytes(Vec::new())),
        Just(With::Themselves),
        select(&TOKENS[..]).prop_map(|token| With::Bytes(token.as_bytes().to_vec())),
        any::<char>().prop_map(|char| With::Bytes(char.to_string().into_bytes())),
        any::<[u8; 2]>().prop_map(|bytes| With::Bytes(bytes.to_vec())),
        any::<(Index, Index)>().prop_map(|(input, at)| With::Other(input, at)),
        (0..8_u8).prop_map(With::Flipped),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    let length = prop_oneof![4 => 0..4_usize, 1 => 0..40_usize];
    (any::<Index>(), length, with()).prop_map(|(at, length, with)| Damage { at, length, with })
}

impl Damage {
    fn apply(self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let start = self.at.index(input.len() + 1);
        let end = input.len().min(start + self.length);
        let bytes = match self.with {
            With::Bytes(bytes) => bytes,
            With::Themselves => input[start..end].repeat(2),
            With::Other(other, at) => {
                let other = other.get(corpus);
                let from = &other[at.index(other.len())..];
                from[..from.len().min(self.length + 1)].to_vec()
            }
            With::Flipped(bit) => input
                .get(start..end)
                .unwrap_or_default()
                .iter()
                .map(|byte| byte ^ 1 << bit)
                .collect(),
        };
        input.splice(start..end, bytes);
    }
}

/// An input, printed as Rust would write it.
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// A few lines, some of them damaged.
fn input(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Input> {
    let line = (any::<Index>(), prop::collection::vec(damage(), 0..5));
    prop::collection::vec(line, 1..4).prop_map(move |lines| {
        let damaged = lines.into_iter().map(|(index, damages)| {
            let mut line = index.get(&corpus).clone();
            for damage in damages {
                damage.apply(&mut line, &corpus);
            }
            line
        });
        Input(damaged.collect::<Vec<_>>().join(&b'\n'))
    })
}

fn damaged(target: &str) {
    let check = fuzz::target(target);
    let config = ProptestConfig {
        cases: 2_000.max(ProptestConfig::default().cases),
        ..ProptestConfig::with_source_file(file!())
    };
    proptest!(config, |(input in input(fuzz::corpus(target)))| check(&input.0));
}

#[test]
fn whole_lines() {
    for (target, check) in fuzz::TARGETS {
        for input in fuzz::corpus(target) {
            check(&input);
        }
    }
}

macro_rules! readers {
    ($($name:ident $target:literal)*) => {
        $(#[test]
        fn $name() {
            damaged($target);
        })*

        #[test]
        fn all_readers_are_here() {
            assert_eq!([$($target),*], fuzz::TARGETS.map(|(name, _)| name));
        }
    };
}

readers! {
    scanner "scanner"
    control "control"
    access "access"
    apache_error "apache-error"
    nginx_error "nginx-error"
    syslog "syslog"
    logfmt "logfmt"
    csv "csv"
    regex "regex"
    log_format "log-format"
    json "json"
    auto "auto"
    time "time"
    duration "duration"
    query "query"
}
