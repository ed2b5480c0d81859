//! The stage: rows in, alerts out.

use super::alert::{self, Finding};
use super::history::SeriesTable;
use super::judge::{self, Verdict};
use super::number::{self, NotANumber};
use super::rule::{Measure, Rule, Test};
use crate::line::{Field, Kind, Line, Projection, Value, json};
use crate::row::{Place, RowReader};
use crate::stream::{
    Figure, Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};

/// Judges rows by rules and writes alerts.
///
/// A row that lacks what a rule needs of time is rejected if the rule looks
/// back; otherwise a row may do without. Alerts in the input are no rows: they
/// are passed on as they are.
///
/// A value that is a string counts as the number that it spells; any other
/// value that is no number counts as null, and is counted.
#[derive(Debug)]
pub struct Detect {
    rows: RowReader,
    watches: Vec<Watch>,
    time_field: String,
    pass_through: bool,
    series: SeriesTable,
    /// Rows that a rule looked at.
    examined: u64,
    /// Rows that were older than the newest one of their series.
    passed_over: u64,
    scratch: Scratch,
}

/// A rule, and where the scanner puts what it reads.
#[derive(Debug)]
struct Watch {
    rule: Rule,
    keys: Vec<usize>,
    fields: Vec<usize>,
}

/// Space that is used again for each record.
#[derive(Debug, Default)]
struct Scratch {
    /// The rules that look at the row.
    looking: Vec<usize>,
    key: Vec<u8>,
    text: Vec<u8>,
    numbers: Vec<f64>,
    value: Vec<u8>,
    reason: String,
}

impl Detect {
    /// Judges by `rules`. A row without a window stands at the instant in
    /// `time_field`.
    pub fn new(rules: Vec<Rule>, time_field: &str) -> Self {
        let mut projection = Projection::default();
        let mut watches = Vec::with_capacity(rules.len());
        for rule in rules {
            let keys = rule.keys.iter().map(|key| projection.add(key)).collect();
            let fields =
                rule.test.fields().into_iter().map(|field| projection.add(field)).collect();
            watches.push(Watch { rule, keys, fields });
        }
        Self {
            rows: RowReader::new(projection, Some(time_field)),
            watches,
            time_field: time_field.to_owned(),
            pass_through: false,
            series: SeriesTable::default(),
            examined: 0,
            passed_over: 0,
            scratch: Scratch::default(),
        }
    }

    /// Also passes every row on, each before the alerts that it causes.
    #[must_use]
    pub fn with_pass_through(self, pass_through: bool) -> Self {
        Self { pass_through, ..self }
    }

    /// How many rows were passed over, since they were older than the newest
    /// one of their series.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// Collects the rules that look at the row; tells where the row stands, if
    /// one of them wants to know.
    fn look(&mut self, line: &[u8]) -> Result<Option<Place>, crate::row::RowError> {
        let mut wants_place = false;
        self.scratch.looking.clear();
        for (index, watch) in self.watches.iter().enumerate() {
            if watch.looks_at(&mut self.rows, line) {
                self.scratch.looking.push(index);
                wants_place |= watch.rule.test.history() > 0;
            }
        }
        if wants_place { self.rows.place(line).map(Some) } else { Ok(None) }
    }

    /// Judges the row by one rule. `Ok(None)`: no alert.
    fn judge(
        &mut self,
        index: usize,
        place: Option<Place>,
        line: &[u8],
        out: &mut Output,
    ) -> Judgement {
        let Self { rows, watches, series, scratch, .. } = self;
        let watch = &watches[index];
        if let Test::Limits(limits) = &watch.rule.test {
            scratch.numbers.clear();
            for (limit, slot) in limits.iter().zip(&watch.fields) {
                let field = rows.field(*slot);
                let number = match limit.measure {
                    Measure::Field(_) => number::read(field, line),
                    Measure::Size(_) => number::size(field, line),
                };
                match counted(number, out) {
                    Some(number) => scratch.numbers.push(number),
                    None => return Judgement::Usual,
                }
            }
            let verdict = judge::limits(limits, &scratch.numbers, &mut scratch.reason);
            return Judgement::of(verdict);
        }
        let Some(place) = place else { return Judgement::Usual };
        watch.write_key(index, rows, line, scratch);
        let Some(history) = series.advance(&scratch.key, place, watch.rule.test.history()) else {
            return Judgement::TooOld;
        };
        let value = counted(number::read(rows.field(watch.fields[0]), line), out);
        history.set(value);
        let (Some(value), before, reason) = (value, history.before(), &mut scratch.reason) else {
            return Judgement::Usual;
        };
        Judgement::of(match &watch.rule.test {
            Test::Deviation { field, threshold, .. } => {
                judge::deviation(field, value, before, *threshold, reason)
            }
            Test::Rise { field, change } => judge::rise(field, value, before, *change, reason),
            Test::Limits(_) => None,
        })
    }

    fn write_alert(
        &mut self,
        index: usize,
        verdict: Verdict,
        line: &[u8],
        out: &mut Output,
    ) -> Result<(), StageError> {
        let Self { rows, watches, scratch, .. } = self;
        let Watch { rule, keys, fields } = &watches[index];
        let row = out.row();
        alert::open(&rule.name, rule.severity, row);
        if let Some(window) = rows.window() {
            alert::member(b"window", window.text(line), row);
        } else if let Some(time) = rows.time() {
            alert::member(self.time_field.as_bytes(), time.text(line), row);
        }
        if rule.query.is_none() && rows.query().is_present() {
            alert::member(b"query", rows.query().text(line), row);
        }
        for (name, slot) in rule.keys.iter().zip(keys) {
            let field = rows.field(*slot);
            let value = if field.is_present() { field.text(line) } else { b"null" };
            alert::member(name.as_bytes(), value, row);
        }
        let field = rows.field(fields[0]);
        let value = match field.kind {
            Kind::Int | Kind::Float => field.text(line),
            _ => {
                let number = number::read(field, line).or_else(|_| number::size(field, line));
                scratch.value.clear();
                json::write_number(number.ok().flatten().unwrap_or_default(), &mut scratch.value);
                &scratch.value
            }
        };
        let Verdict { expected, score } = verdict;
        let (field, reason) = (rule.test.fields()[0], scratch.reason.as_str());
        alert::close(Finding { field, value, expected, score, reason }, row);
        out.finish_row()
    }

    /// What tells this operator's state from another's.
    fn fingerprint(&self) -> String {
        let rules: Vec<String> = self.watches.iter().map(|watch| watch.rule.to_string()).collect();
        format!("{}; time {}", rules.join("; "), self.time_field)
    }
}

/// What a rule says of a row.
enum Judgement {
    /// No alert.
    Usual,
    /// The row is older than the newest one of its series.
    TooOld,
    /// An alert.
    Alert(Verdict),
}

impl Judgement {
    fn of(verdict: Option<Verdict>) -> Self {
        verdict.map_or(Self::Usual, Self::Alert)
    }
}

/// The number read; what is none is null, and counted.
fn counted(number: Result<Option<f64>, NotANumber>, out: &mut Output) -> Option<f64> {
    number.unwrap_or_else(|NotANumber| {
        out.stats.casts_failed += 1;
        None
    })
}

impl Watch {
    /// Whether the row is of the rule's own query; without either, whether it
    /// has all that the rule reads.
    fn looks_at(&self, rows: &mut RowReader, line: &[u8]) -> bool {
        let names_a_query = !matches!(rows.query().kind, Kind::Missing | Kind::Null);
        match &self.rule.query {
            Some(query) if names_a_query => rows.is_of_query(line, query),
            _ => self.keys.iter().chain(&self.fields).all(|slot| rows.field(*slot).is_present()),
        }
    }

    /// Writes the bytes that name the row's series: the rule, the query, since
    /// rows of two queries may have equal keys, and the keys.
    fn write_key(&self, index: usize, rows: &RowReader, line: &[u8], scratch: &mut Scratch) {
        let Scratch { key, text, .. } = scratch;
        key.clear();
        key.extend_from_slice(&(index as u32).to_be_bytes());
        let mut add = |field: Field| Value::read(field, line, text).write_key(key);
        add(rows.query());
        for slot in &self.keys {
            add(rows.field(*slot));
        }
    }
}

impl Operator for Detect {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if let Err(error) = self.rows.read(line) {
            return out.reject(error.reason(), error, line);
        }
        if self.rows.is_alert() {
            return out.copy_row(line.bytes);
        }
        let place = match self.look(line.bytes) {
            Ok(place) => place,
            Err(error) => return out.reject(error.reason(), error, line),
        };
        self.examined += u64::from(!self.scratch.looking.is_empty());
        if self.pass_through {
            out.copy_row(line.bytes)?;
        }
        let mut is_too_old = false;
        for position in 0..self.scratch.looking.len() {
            let index = self.scratch.looking[position];
            match self.judge(index, place, line.bytes, out) {
                Judgement::Usual => {}
                Judgement::TooOld => is_too_old = true,
                Judgement::Alert(verdict) => self.write_alert(index, verdict, line.bytes, out)?,
            }
        }
        self.passed_over += u64::from(is_too_old);
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        self.watches.iter().any(|watch| watch.rule.test.history() > 0)
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(self.fingerprint().as_bytes());
        self.series.snapshot(state);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (theirs, ours) = (state.bytes()?, self.fingerprint());
        if theirs != ours.as_bytes() {
            let theirs = String::from_utf8_lossy(theirs);
            return Err(RestoreError::Mismatch(format!(
                "its rules are `{theirs}`, here they are `{ours}`"
            )));
        }
        self.series.restore(state)
    }

    fn stats(&self, stats: &mut Stats) {
        stats.own.extend([
            Figure::new("examined", self.examined),
            Figure::loss("passed_over", self.passed_over),
        ]);
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
