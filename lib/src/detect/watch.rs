//! A rule at work: which rows it looks at, what it remembers, what it says.

use super::alert::{self, Finding};
use super::condition::Evaluator;
use super::detected::Detected;
use super::expected::{self, Expected};
use super::history::History;
use super::judge;
use super::number::{self, NotANumber};
use super::rule::{Rule, Test};
use super::series::{SeriesBounds, SeriesTable, Usage};
use super::silence::Outage;
use crate::line::{Field, Kind, Projection, Value, json};
use crate::row::{Place, RowReader, restore_time};
use crate::stream::{Output, RestoreError, SnapshotReader, SnapshotWriter, StageError};
use crate::time::Timestamp;

/// A row that a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) reader: &'a RowReader,
    pub(super) line: &'a [u8],
    /// Where it stands, as far as that is known.
    pub(super) place: Option<Place>,
    /// The name of the field that holds its time, if it has no window.
    pub(super) time_field: &'a str,
    /// Processing time.
    pub(super) now: Timestamp,
}

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

/// What a rule says of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// No alert; the score in [0, 1].
    Usual(f64),
    /// The row is older than the newest one of its series.
    TooOld,
    /// An alert, which [`Scratch::finding`] holds; the score in [0, 1].
    Alert(f64),
}

/// A rule, where the scanner puts what it reads, and what it remembers.
#[derive(Debug)]
pub(super) struct Watch {
    rule: Rule,
    keys: Vec<usize>,
    /// What a row that names no query must have.
    needed: Vec<usize>,
    judge: Judge,
    /// When a series was last alerted.
    cooldown: Option<SeriesTable<Timestamp>>,
    /// The fields of the rule's allow-lists.
    allow: Vec<usize>,
}

#[derive(Debug)]
enum Judge {
    History { slot: usize, series: SeriesTable<History> },
    When(Evaluator),
    Detector { slot: usize, series: SeriesTable<Detected> },
    Silence(Expected),
}

impl Watch {
    /// Adds the fields that the rule reads to `projection`.
    pub(super) fn new(rule: Rule, bounds: SeriesBounds, projection: &mut Projection) -> Self {
        let keys: Vec<usize> = rule.keys.iter().map(|key| projection.add(key)).collect();
        let mut needed = keys.clone();
        let judge = match &rule.test {
            Test::Deviation { field: name, .. } | Test::Rise { field: name, .. } => {
                let slot = projection.add(name);
                needed.push(slot);
                Judge::History { slot, series: SeriesTable::new(bounds) }
            }
            Test::Detector { field: name, .. } => {
                Judge::Detector { slot: projection.add(name), series: SeriesTable::new(bounds) }
            }
            Test::When(condition) => Judge::When(Evaluator::new(condition.clone(), projection)),
            Test::Silence { windows } => {
                Judge::Silence(Expected::new(&rule, *windows, bounds, projection))
            }
        };
        // A built-in rule knows its rows by all that it reads.
        match &judge {
            Judge::When(evaluator) if rule.query.is_some() => needed.extend(evaluator.slots()),
            Judge::Detector { slot, .. } if rule.query.is_some() => needed.push(*slot),
            _ => {}
        }
        let cooldown = rule
            .cooldown
            .map(|cooldown| SeriesTable::new(SeriesBounds { expire: cooldown, most: bounds.most }));
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
        let verdict = self.judge(row, scratch, &mut out.stats.casts_failed);
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

    fn judge(&mut self, row: &Row<'_>, scratch: &mut Scratch, casts_failed: &mut u64) -> Verdict {
        let Scratch { key, finding, .. } = scratch;
        let (at, window) = (row.at(), row.window());
        match &mut self.judge {
            Judge::When(evaluator) => {
                let Row { reader, line, now, .. } = *row;
                let is_alert = evaluator.judge(reader, line, now, casts_failed, finding);
                if is_alert { Verdict::Alert(1.0) } else { Verdict::Usual(0.0) }
            }
            Judge::History { slot, series } => {
                let Some(history) = series.entry(key, at, History::default) else {
                    return Verdict::Usual(0.0);
                };
                if !history.advance(window, history_of(&self.rule.test)) {
                    return Verdict::TooOld;
                }
                let value = row.number(*slot, casts_failed);
                history.set(value);
                let Some(value) = value else { return Verdict::Usual(0.0) };
                if !compare(&self.rule.test, value, history, finding) {
                    return Verdict::Usual(0.0);
                }
                row.write_number(*slot, value, &mut finding.value);
                Verdict::Alert(1.0)
            }
            Judge::Detector { slot, series } => {
                let Test::Detector { field, kind, settings, threshold } = &self.rule.test else {
                    return Verdict::Usual(0.0);
                };
                // A row of another kind than those of the series does not begin one.
                let series = if row.reader.field(*slot).is_present() {
                    series.entry(key, at, || Detected::new(*kind, settings))
                } else {
                    series.known(key, at)
                };
                let Some(series) = series else { return Verdict::Usual(0.0) };
                // Nor does it take back what another row of the window has said.
                if !row.reader.field(*slot).is_present() && series.is_at(window) {
                    return Verdict::Usual(0.0);
                }
                let value = row.number(*slot, casts_failed);
                let Some(score) = series.step(window, value) else { return Verdict::TooOld };
                let value = value.filter(|_| kind.is_alert(score.level, *threshold));
                let Some(value) = value else { return Verdict::Usual(score.score) };
                judge::detector(field, value, &score, *threshold, finding);
                row.write_number(*slot, value, &mut finding.value);
                Verdict::Alert(score.score)
            }
            Judge::Silence(_) => Verdict::Usual(0.0),
        }
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

    /// Whether the series was alerted just before; if not, it now is.
    fn is_hot(&mut self, key: &[u8], at: Option<Timestamp>) -> bool {
        let (Some(alerted), Some(cooldown), Some(at)) =
            (&mut self.cooldown, self.rule.cooldown, at)
        else {
            return false;
        };
        let mut is_new = false;
        let make = || {
            is_new = true;
            at
        };
        // Without room for the series it is better to say too much.
        let Some(last) = alerted.entry(key, Some(at), make) else { return false };
        let is_hot = !is_new && at.micros.abs_diff(last.micros) < cooldown.micros.unsigned_abs();
        if !is_hot {
            *last = at.max(*last);
        }
        is_hot
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
        let mut usage = match &self.judge {
            Judge::When(_) => Usage::default(),
            Judge::History { series, .. } => series.usage(),
            Judge::Detector { series, .. } => series.usage(),
            Judge::Silence(expected) => expected.usage(),
        };
        if let Some(cooldown) = &self.cooldown {
            usage.bytes += cooldown.usage().bytes;
        }
        usage
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        match &self.judge {
            Judge::When(_) => {}
            Judge::History { series, .. } => series.snapshot(state),
            Judge::Detector { series, .. } => series.snapshot(state),
            Judge::Silence(expected) => expected.snapshot(state),
        }
        if let Some(cooldown) = &self.cooldown {
            cooldown.snapshot(state);
        }
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        match (&mut self.judge, &self.rule.test) {
            (Judge::History { series, .. }, _) => series.restore(state, History::restore)?,
            (Judge::Detector { series, .. }, Test::Detector { kind, settings, .. }) => {
                series.restore(state, |state| Detected::restore(*kind, settings, state))?;
            }
            (Judge::Silence(expected), _) => expected.restore(state)?,
            _ => {}
        }
        match &mut self.cooldown {
            Some(cooldown) => cooldown.restore(state, restore_time),
            None => Ok(()),
        }
    }
}

/// How many rows before the one at hand a test looks at, at most.
fn history_of(test: &Test) -> usize {
    match test {
        Test::Deviation { history, .. } => *history,
        _ => 1,
    }
}

/// Compares a value with those before it; whether that makes an alert.
fn compare(test: &Test, value: f64, history: &History, finding: &mut Finding) -> bool {
    match test {
        Test::Deviation { field, threshold, .. } => {
            judge::deviation(field, value, history, *threshold, finding)
        }
        Test::Rise { field, change } => judge::rise(field, value, history, *change, finding),
        _ => false,
    }
}

impl Row<'_> {
    /// Its window, if it has one.
    pub(super) fn window(&self) -> Option<Place> {
        self.place.filter(|_| self.reader.window().is_some())
    }

    fn at(&self) -> Option<Timestamp> {
        self.place.map(|place| place.end)
    }

    /// A field as it stands in the row; null if it has none.
    pub(super) fn json(&self, slot: usize) -> &[u8] {
        let field = self.reader.field(slot);
        if field.is_present() { field.text(self.line) } else { b"null" }
    }

    /// The number in a field; what is none is null, and counted.
    fn number(&self, slot: usize, casts_failed: &mut u64) -> Option<f64> {
        number::read(self.reader.field(slot), self.line).unwrap_or_else(|NotANumber| {
            *casts_failed += 1;
            None
        })
    }

    /// Writes the number in a field, as it stands there if it is one.
    fn write_number(&self, slot: usize, number: f64, out: &mut Vec<u8>) {
        let field = self.reader.field(slot);
        match field.kind {
            Kind::Int | Kind::Float => out.extend_from_slice(field.text(self.line)),
            _ => json::write_number(number, out),
        }
    }
}
