//! The stage: rows in, alerts out.

use super::annotate;
use super::judge::Verdict;
use super::row::Row;
use super::rule::Rule;
use super::series::{SeriesBounds, Usage};
use super::unseen::Unseen;
use super::watch::{Counts, Scratch, Watch};
use crate::line::{Line, Projection};
use crate::row::{Place, RowError, RowReader};
use crate::stream::{
    Figure, Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::Timestamp;

/// Judges rows by rules and writes alerts; see the [module](super).
#[derive(Debug)]
pub struct Detect {
    rows: RowReader,
    watches: Vec<Watch>,
    time_field: String,
    emit: Emit,
    /// The slot of the member that holds scores.
    score: usize,
    now: Timestamp,
    counts: Counts,
    /// The rules that look at the row.
    looking: Vec<usize>,
    unseen: Unseen,
    scratch: Scratch,
}

/// The field with the time, unless somebody says otherwise.
const TIME_FIELD: &str = "timestamp";

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Alerts.
    #[default]
    Alerts,
    /// Every row as it is, each before the alerts that it causes.
    RowsAndAlerts,
    /// Every row with `anomaly_score`, in place of alerts.
    Scores,
}

/// How a stage of detection works, beside its rules.
#[derive(Clone, Debug)]
pub struct DetectOptions {
    /// The field with the instant of a row that has no window.
    pub time_field: String,
    /// What is written.
    pub emit: Emit,
    /// How much is remembered.
    pub bounds: SeriesBounds,
}

impl Default for DetectOptions {
    fn default() -> Self {
        Self {
            time_field: TIME_FIELD.to_owned(),
            emit: Emit::default(),
            bounds: SeriesBounds::default(),
        }
    }
}

impl Detect {
    /// Judges by `rules`.
    pub fn new(rules: Vec<Rule>, options: &DetectOptions) -> Self {
        let mut projection = Projection::default();
        let score = projection.add(annotate::KEY);
        let time = Some(&*options.time_field).filter(|time| *time != TIME_FIELD);
        let unseen = Unseen::new(&rules, time, &mut projection);
        let watches =
            rules.into_iter().map(|rule| Watch::new(rule, options.bounds, &mut projection));
        let watches = watches.collect();
        let rows = RowReader::new(projection, Some(&options.time_field));
        let rows = if options.emit == Emit::Scores { rows.with_members() } else { rows };
        Self {
            rows,
            watches,
            time_field: options.time_field.clone(),
            emit: options.emit,
            score,
            now: Timestamp::EPOCH,
            counts: Counts::default(),
            looking: Vec::new(),
            unseen,
            scratch: Scratch::default(),
        }
    }

    /// How many rows were passed over, since they were older than the newest
    /// one of their series.
    pub fn passed_over(&self) -> u64 {
        self.counts.passed_over
    }

    /// Collects the rules that look at the row; tells where the row stands, if
    /// one of them wants to know.
    fn look(&mut self, line: &[u8]) -> Result<Option<Place>, RowError> {
        let (mut wants, mut needs) = (false, false);
        self.looking.clear();
        for (index, watch) in self.watches.iter_mut().enumerate() {
            if watch.looks_at(&mut self.rows, line) {
                self.looking.push(index);
                wants |= watch.wants_place();
                needs |= watch.needs_place();
            }
        }
        self.unseen.row(&self.rows, line, &self.looking);
        if !wants {
            return Ok(None);
        }
        match self.rows.place(line) {
            Err(_) if !needs && self.rows.window().is_none() => Ok(None),
            place => place.map(Some),
        }
    }

    /// What tells this operator's state from another's.
    fn fingerprint(&self) -> String {
        let rules: Vec<String> =
            self.watches.iter().map(|watch| watch.rule().to_string()).collect();
        format!("{}; time {}", rules.join("; "), self.time_field)
    }

    fn usage(&self) -> Usage {
        let mut total = Usage::default();
        self.watches.iter().for_each(|watch| total += watch.usage());
        total
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
        if self.emit == Emit::RowsAndAlerts {
            out.copy_row(line.bytes)?;
        }
        let Self { rows, watches, time_field, now, counts, scratch, .. } = self;
        let row = Row { reader: rows, line: line.bytes, place, time_field, now: *now };
        let writes = self.emit != Emit::Scores;
        let (mut strongest, mut is_too_old) = (0.0_f64, false);
        for index in &self.looking {
            match watches[*index].on_row(&row, writes, counts, scratch, out)? {
                Verdict::Usual(score) | Verdict::Alert(score) => strongest = strongest.max(score),
                Verdict::TooOld => is_too_old = true,
            }
        }
        counts.examined += u64::from(!self.looking.is_empty());
        counts.passed_over += u64::from(is_too_old);
        if writes {
            return Ok(());
        }
        annotate::write(line.bytes, rows.members(), self.score, strongest, out.row());
        out.finish_row()
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        let passes_rows = self.emit == Emit::RowsAndAlerts;
        self.unseen.messages(passes_rows).iter().for_each(|message| out.message(message));
        Ok(())
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.now = now;
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        self.watches.iter().any(Watch::wants_place)
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(self.fingerprint().as_bytes());
        self.watches.iter().for_each(|watch| watch.snapshot(state));
        self.unseen.snapshot(state);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (theirs, ours) = (state.bytes()?, self.fingerprint());
        if theirs != ours.as_bytes() {
            let theirs = String::from_utf8_lossy(theirs);
            return Err(RestoreError::Mismatch(format!(
                "its rules are `{theirs}`, here they are `{ours}`"
            )));
        }
        self.watches.iter_mut().try_for_each(|watch| watch.restore(state))?;
        self.unseen.restore(state)
    }

    fn stats(&self, stats: &mut Stats) {
        let Usage { series, expired, refused, bytes } = self.usage();
        let Counts { examined, passed_over, allowed, suppressed } = self.counts;
        let judged = stats.records_in.saturating_sub(stats.rejected());
        stats.own.extend([
            Figure::used("examined", examined),
            // Alerts of another stage, and rows that no rule is for.
            Figure::fate("unexamined", judged.saturating_sub(examined)),
            Figure::loss("passed_over", passed_over),
            Figure::count("allowed", allowed),
            Figure::count("suppressed", suppressed),
            Figure::state("series", series),
            Figure::count("expired", expired),
            Figure::loss("refused", refused),
            Figure::state("state_bytes", bytes),
        ]);
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;
