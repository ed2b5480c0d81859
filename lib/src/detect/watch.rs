//! A rule at work: which rows it looks at, what it remembers, what it says.

use super::alert::{self, Finding};
use super::cooldown::Cooldown;
use super::expected;
use super::judge::{Judge, Verdict};
use super::row::Row;
use super::rule::Rule;
use super::series::{SeriesBounds, Usage};
use super::silence::Outage;
use crate::line::{Field, Kind, Projection, Value};
use crate::row::RowReader;
use crate::stream::{Output, RestoreError, SnapshotReader, SnapshotWriter, StageError};
use crate::time::Timestamp;

/// Space that is used again for each row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) key: Vec<u8>,
    pub(super) text: Vec<u8>,
    finding: Finding,
    outages: Vec<Outage>,
}

/// What rules counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Rows that a rule looked at.
    pub(super) examined: u64,
    /// Rows older than the newest one of their series, for one rule at least.
    pub(super) passed_over: u64,
    /// Alerts that an allow-list kept back.
    pub(super) allowed: u64,
    /// Alerts that a cooldown kept back.
    pub(super) suppressed: u64,
}

/// A rule, where the scanner puts what it reads, and what it remembers.
#[derive(Debug)]
pub(super) struct Watch {
    rule: Rule,
    keys: Vec<usize>,
    /// What a row that names no query must have.
    needed: Vec<usize>,
    judge: Judge,
    cooldown: Option<Cooldown>,
    /// The fields of the rule's allow-lists.
    allow: Vec<usize>,
}

impl Watch {
    /// Adds the fields that the rule reads to `projection`.
    pub(super) fn new(rule: Rule, bounds: SeriesBounds, projection: &mut Projection) -> Self {
        let keys: Vec<usize> = rule.keys.iter().map(|key| projection.add(key)).collect();
        let judge = Judge::new(&rule, bounds, projection);
        let mut needed = keys.clone();
        // A rule of a query knows its rows by all that it reads.
        if rule.query.is_some() || matches!(judge, Judge::History { .. }) {
            needed.extend(judge.slots());
        }
        let cooldown = rule.cooldown.map(|span| Cooldown::new(span, bounds.most));
        let allow = rule.allow.iter().map(|allow| projection.add(&allow.field)).collect();
        Self { rule, keys, needed, judge, cooldown, allow }
    }

    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether the rule wants to know where a row stands.
    pub(super) fn wants_place(&self) -> bool {
        self.rule.test.looks_back() || self.cooldown.is_some()
    }

    /// Whether it can do nothing with a row of which that is not known.
    pub(super) fn needs_place(&self) -> bool {
        self.cooldown.is_some() || self.rule.query.is_some() && self.rule.test.looks_back()
    }

    /// Whether the row is of the rule's own query; without either, whether it
    /// has all that the rule reads.
    pub(super) fn looks_at(&mut self, rows: &mut RowReader, line: &[u8]) -> bool {
        if let Judge::Silence(expected) = &mut self.judge
            && let Some(looks) = expected.looks_at(rows, line)
        {
            return looks;
        }
        let names_a_query = !matches!(rows.query().kind, Kind::Missing | Kind::Null);
        match &self.rule.query {
            Some(query) if names_a_query => rows.is_of_query(line, query),
            _ => self.needed.iter().all(|slot| rows.field(*slot).is_present()),
        }
    }

    /// Judges a row and, unless `out` is to have none, writes the alerts that it
    /// causes. Returns the row's score in [0, 1].
    pub(super) fn on_row(
        &mut self,
        row: &Row<'_>,
        writes: bool,
        counts: &mut Counts,
        scratch: &mut Scratch,
        out: &mut Output,
    ) -> Result<Verdict, StageError> {
        if let Judge::Silence(_) = self.judge {
            self.on_expected(row, writes, counts, scratch, out)?;
            return Ok(Verdict::Usual(0.0));
        }
        let is_alone = matches!(self.judge, Judge::When(_));
        if !is_alone {
            self.write_key(row, scratch);
        }
        let Scratch { key, finding, .. } = scratch;
        let casts_failed = &mut out.stats.casts_failed;
        let verdict = self.judge.judge(&self.rule.test, row, key, finding, casts_failed);
        let Verdict::Alert(score) = verdict else { return Ok(verdict) };
        if self.is_allowed(row, scratch) {
            counts.allowed += 1;
            let own = if matches!(self.judge, Judge::Detector { .. }) { score } else { 0.0 };
            return Ok(Verdict::Usual(own));
        }
        if !writes {
            return Ok(verdict);
        }
        if is_alone && self.cooldown.is_some() {
            self.write_key(row, scratch);
        }
        if self.is_hot(&scratch.key, row.at()) {
            counts.suppressed += 1;
        } else {
            self.write_alert(row, &scratch.finding, out)?;
        }
        Ok(verdict)
    }

    /// Takes a row in where silence is watched for, and writes the outages that
    /// it brings to light. A row that is allowed is not expected to come again.
    fn on_expected(
        &mut self,
        row: &Row<'_>,
        writes: bool,
        counts: &mut Counts,
        scratch: &mut Scratch,
        out: &mut Output,
    ) -> Result<(), StageError> {
        if self.is_allowed(row, scratch) {
            return Ok(());
        }
        let Judge::Silence(expected) = &mut self.judge else { return Ok(()) };
        let mut outages = std::mem::take(&mut scratch.outages);
        expected.row(row, scratch, &mut outages);
        for outage in outages.drain(..).filter(|_| writes) {
            if self.is_hot(&outage.key, Some(outage.window.end)) {
                counts.suppressed += 1;
            } else {
                expected::write(&self.rule, &outage, &mut scratch.finding, out)?;
            }
        }
        scratch.outages = outages;
        Ok(())
    }

    /// Whether an allow-list has the row.
    fn is_allowed(&self, row: &Row<'_>, scratch: &mut Scratch) -> bool {
        self.rule.allow.iter().zip(&self.allow).any(|(allow, slot)| {
            let field = row.reader.field(*slot);
            allow.holds(&Value::read(field, row.line, &mut scratch.text))
        })
    }

    /// Whether a cooldown keeps the alert of a series back.
    fn is_hot(&mut self, key: &[u8], at: Option<Timestamp>) -> bool {
        let cooldown = self.cooldown.as_mut().zip(at);
        cooldown.is_some_and(|(cooldown, at)| cooldown.keeps_back(key, at))
    }

    /// Writes the bytes that name the row's series: the query, since rows of two
    /// queries may have equal keys, and the keys.
    fn write_key(&self, row: &Row<'_>, scratch: &mut Scratch) {
        let Scratch { key, text, .. } = scratch;
        key.clear();
        let mut add = |field: Field| Value::read(field, row.line, text).write_key(key);
        add(row.reader.query());
        for slot in &self.keys {
            add(row.reader.field(*slot));
        }
    }

    fn write_alert(
        &self,
        row: &Row<'_>,
        finding: &Finding,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let Row { reader, line, .. } = *row;
        let text = out.row();
        alert::open(&self.rule.name, self.rule.severity, text);
        if let Some(window) = reader.window() {
            alert::member(b"window", window.text(line), text);
        } else if let Some(time) = reader.time() {
            alert::member(row.time_field.as_bytes(), time.text(line), text);
        }
        if self.rule.query.is_none() && reader.query().is_present() {
            alert::member(b"query", reader.query().text(line), text);
        }
        for (name, slot) in self.rule.keys.iter().zip(&self.keys) {
            alert::member(name.as_bytes(), row.json(*slot), text);
        }
        finding.write(text);
        out.finish_row()
    }

    /// What the rule remembers takes.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = self.judge.usage();
        if let Some(cooldown) = &self.cooldown {
            usage.bytes += cooldown.usage().bytes;
        }
        usage
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        self.judge.snapshot(state);
        if let Some(cooldown) = &self.cooldown {
            cooldown.snapshot(state);
        }
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.judge.restore(&self.rule.test, state)?;
        match &mut self.cooldown {
            Some(cooldown) => cooldown.restore(state),
            None => Ok(()),
        }
    }
}
