//! Which rows are expected to come window after window.

use std::fmt::Write as _;

use super::alert::{self, Finding};
use super::builtin::steady_queries;
use super::row::Row;
use super::rule::Rule;
use super::series::{SeriesBounds, Usage};
use super::silence::{Outage, Silence};
use super::told::Told;
use super::watch::Scratch;
use crate::line::{Projection, Value, json};
use crate::row::RowReader;
use crate::stream::{Output, RestoreError, SnapshotReader, SnapshotWriter, StageError};

/// The rows that a rule expects, by query, and what it remembers of them.
#[derive(Debug)]
pub(super) struct Expected {
    silence: Silence,
    /// Those of built-in queries, if the rule names no rows; else one.
    kinds: Vec<Kind>,
    /// The kind of the row at hand.
    kind: usize,
    told: Told,
    /// Names and values of keys; used again.
    thing: Vec<u8>,
}

#[derive(Debug)]
struct Kind {
    /// The built-in query, if it is one.
    query: Option<&'static str>,
    /// Names and slots of the keys.
    keys: Vec<(String, usize)>,
    /// The names again, as the beginning of what tells one thing from another.
    names: Vec<u8>,
}

impl Expected {
    pub(super) fn new(
        rule: &Rule,
        windows: u32,
        bounds: SeriesBounds,
        projection: &mut Projection,
    ) -> Self {
        let mut kind = |query, keys: Vec<String>| {
            let slot = |key: String| (key.clone(), projection.add(&key));
            let mut names = Vec::new();
            for key in &keys {
                Value::Str(key.as_bytes()).write_key(&mut names);
            }
            Kind { query, keys: keys.into_iter().map(slot).collect(), names }
        };
        let kinds = if rule.query.is_none() && rule.keys.is_empty() {
            steady_queries().map(|(name, keys)| kind(Some(name), keys)).collect()
        } else {
            vec![kind(None, rule.keys.clone())]
        };
        let silence = Silence::new(windows, bounds);
        Self { silence, kinds, kind: 0, told: Told::new(bounds), thing: Vec::new() }
    }

    /// Whether a row is expected; `None` if its rule has to say.
    pub(super) fn looks_at(&mut self, rows: &mut RowReader, line: &[u8]) -> Option<bool> {
        if rows.window().is_none() {
            return Some(false);
        }
        if let [Kind { query: None, .. }] = *self.kinds {
            return None;
        }
        let is_it = |kind: &Kind| kind.query.is_some_and(|query| rows.is_of_query(line, query));
        let found = self.kinds.iter().position(is_it);
        self.kind = found.unwrap_or_default();
        Some(found.is_some())
    }

    /// Takes in a row that was looked at last. Outages that it brings to light,
    /// and that no row of another query did, are added to `outages`.
    pub(super) fn row(&mut self, row: &Row<'_>, scratch: &mut Scratch, outages: &mut Vec<Outage>) {
        let (Some(window), Some(kind)) = (row.window(), self.kinds.get(self.kind)) else { return };
        let Scratch { key, text, .. } = scratch;
        key.clear();
        Value::read(row.reader.query(), row.line, text).write_key(key);
        let query = key.len();
        for (_, slot) in &kind.keys {
            Value::read(row.reader.field(*slot), row.line, text).write_key(key);
        }
        self.silence.row(&key[..query], key, window, || kind.members(row), outages);
        let Self { told, thing, .. } = self;
        let name_thing = |thing: &mut Vec<u8>, key: &[u8]| {
            thing.clone_from(&kind.names);
            thing.extend_from_slice(&key[query..]);
        };
        // All of them are of the row's query.
        outages.retain(|outage| {
            name_thing(thing, &outage.key);
            told.is_news(thing, outage.window)
        });
        if !told.is_empty() {
            name_thing(thing, key);
            told.row(thing, window);
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let mut usage = self.silence.usage();
        usage.bytes += self.told.usage().bytes;
        usage
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.silence.snapshot(state);
        self.told.snapshot(state);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.silence.restore(state)?;
        self.told.restore(state)
    }
}

impl Kind {
    /// The query and the keys of a row, as members.
    fn members(&self, row: &Row<'_>) -> Box<[u8]> {
        let mut members = Vec::new();
        if row.reader.query().is_present() {
            alert::member(b"query", row.reader.query().text(row.line), &mut members);
        }
        for (name, slot) in &self.keys {
            alert::member(name.as_bytes(), row.json(*slot), &mut members);
        }
        members.into()
    }
}

/// Writes the alert of an outage.
pub(super) fn write(
    rule: &Rule,
    outage: &Outage,
    finding: &mut Finding,
    out: &mut Output,
) -> Result<(), StageError> {
    let Outage { members, window, run, missed, .. } = outage;
    finding.clear();
    finding.field.push_str("rows");
    finding.value.push(b'0');
    json::write_double(1.0, &mut finding.expected);
    finding.score = Some(*missed as f64);
    finding.count = Some(*run);
    let so_far = if *missed > 1 { format!(" and {} after it", missed - 1) } else { String::new() };
    let _ = write!(
        finding.reason,
        "no row in this window{so_far}, but one in each of the {run} windows before"
    );
    let row = out.row();
    alert::open(&rule.name, rule.severity, row);
    let _ = std::io::Write::write_fmt(
        row,
        format_args!(",\"window\":{{\"start\":\"{}\",\"end\":\"{}\"}}", window.start, window.end),
    );
    row.extend_from_slice(members);
    finding.write(row);
    out.finish_row()
}
