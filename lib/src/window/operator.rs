//! The window operator: records in, rows of closed windows out.

use std::cell::Cell;
use std::time::Duration;

use bumpalo::Bump;

use super::assigner::Windows;
use super::running::{Fate, Record, RunningQuery};
use super::watermark::Watermark;
use crate::line::{Kind, Line, Projection, Reason, ScanError, Scanner, Value, json, read_instant};
use crate::query::{Context, Plan, WindowSpec};
use crate::stream::{
    Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats, WindowStats,
};
use crate::time::{TimeDelta, TimeReader, Timestamp};

/// Input that has been silent this long without a watermark makes the operator
/// say why there are no rows.
const SILENCE: Duration = Duration::from_secs(5);
/// Fields that often hold the time, for the message where it is not found.
const TIME_LIKE: [&str; 7] = ["timestamp", "@timestamp", "time", "ts", "t", "date", "@raw"];

/// Queries that cannot run together, or at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Nothing to compute.
    #[error("no query: give aggregates such as 'count(*) AS n', --query or --sql")]
    NoQuery,
    /// Queries of one pass read different times.
    #[error("queries of one run must read one time field, but these read {0:?} and {1:?}")]
    TimeFields(String, String),
    /// A window longer than 10,000 years.
    #[error("a window or delay may be 10,000 years long at most")]
    TooLong,
}

/// Aggregates records over event-time windows, for several queries in one
/// pass.
///
/// Each record is placed first and moves the watermarks afterwards, so results
/// depend on the order of the input alone. Rows that are due together come
/// ordered by end, start, query and keys.
#[derive(Debug)]
pub struct WindowOperator {
    scanner: Scanner,
    time: TimeReader,
    time_slot: usize,
    /// Where a row of another `window` says its window's end.
    window_end_slot: usize,
    /// How many slots the queries read; the operator's own follow.
    query_slots: usize,
    /// Whether any query has windows, so that records need a time.
    needs_time: bool,
    queries: Vec<RunningQuery>,
    clock: Watermark,
    /// Records taken in so far.
    sequence: u64,
    /// Bit `n` is set once a record has had the field of slot `n`.
    seen: u64,
    /// Which queries found the last record late, and at which watermark.
    late: Vec<(usize, i64)>,
    arena: Bump,
    casts_failed: Cell<u64>,
    has_explained_silence: bool,
}

impl WindowOperator {
    /// An operator for plans that were compiled against `projection`.
    ///
    /// # Errors
    ///
    /// Returns why the queries cannot run.
    pub fn new(plans: Vec<Plan>, mut projection: Projection) -> Result<Self, WindowError> {
        let first = plans.first().ok_or(WindowError::NoQuery)?;
        let time_field = first.time_field.clone();
        for plan in &plans {
            if plan.time_field != time_field {
                return Err(WindowError::TimeFields(time_field, plan.time_field.clone()));
            }
            let size = plan.window.as_ref().map_or(TimeDelta::ZERO, WindowSpec::length);
            if size.max(plan.delay.unwrap_or_default()).micros > Windows::MAX_LENGTH {
                return Err(WindowError::TooLong);
            }
        }
        let query_slots = projection.len();
        let time_slot = projection.add(&time_field);
        let window_end_slot = projection.add("window.end");
        Ok(Self {
            scanner: Scanner::new(projection),
            time: TimeReader::default(),
            time_slot,
            window_end_slot,
            query_slots,
            needs_time: plans.iter().any(|plan| plan.window.is_some()),
            queries: plans.into_iter().map(RunningQuery::new).collect(),
            clock: Watermark::default(),
            sequence: 0,
            seen: 0,
            late: Vec::new(),
            arena: Bump::new(),
            casts_failed: Cell::new(0),
            has_explained_silence: false,
        })
    }

    /// The event time of the record scanned last.
    #[inline]
    fn event_time(&mut self, line: &[u8]) -> Result<Timestamp, Reason> {
        let field = self.scanner.field(self.time_slot);
        match field.kind {
            Kind::Missing | Kind::Null => self.time_of_window(line),
            _ => read_instant(field, line, &mut self.time).ok_or(Reason::BadTimestamp),
        }
    }

    /// The event time of another window's row: its last instant, as Spark has
    /// it.
    #[cold]
    fn time_of_window(&mut self, line: &[u8]) -> Result<Timestamp, Reason> {
        let field = self.scanner.field(self.window_end_slot);
        match field.kind {
            Kind::Str => {
                let end = self.time.parse(field.inner(line)).ok_or(Reason::BadTimestamp)?;
                Ok(Timestamp::from_micros(end.micros - 1))
            }
            _ => Err(Reason::NoTimestamp),
        }
    }

    /// Rejects a record for its time, saying what would help.
    #[cold]
    fn reject_time(
        &self,
        reason: Reason,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let field = String::from_utf8_lossy(self.scanner.projection().name(self.time_slot));
        if reason == Reason::BadTimestamp {
            return out.reject(reason, format_args!("no time that can be read in {field}"), line);
        }
        let mut scanner = Scanner::new(Projection::from_iter(TIME_LIKE));
        let found = match scanner.scan(line.bytes) {
            Ok(()) => (0..TIME_LIKE.len()).find(|&slot| scanner.field(slot).is_present()),
            Err(_) => None,
        };
        match found.map(|slot| TIME_LIKE[slot]) {
            Some("@raw") => out.reject(reason, "a text line: put parse before", line),
            Some(other) if *other != *field => {
                let hint = format_args!("found {other}: add --time {other}, or parse before");
                out.reject(reason, hint, line)
            }
            _ => out.reject(
                reason,
                format_args!("no {field}: add --time FIELD, or parse before"),
                line,
            ),
        }
    }

    /// Prints the rows of all windows that end in `(before, now]`, each query
    /// by its own watermark; `None` for `now` is the end of all time.
    fn close_due(
        &mut self,
        before: &Watermark,
        now: Option<&Watermark>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let mut reached: Vec<i64> =
            self.queries.iter().map(|query| query.watermark(before).unwrap_or(i64::MIN)).collect();
        loop {
            let next = (0..self.queries.len())
                .filter_map(|index| {
                    let query = &self.queries[index];
                    let until = match now {
                        Some(clock) => query.watermark(clock)?,
                        None => i64::MAX,
                    };
                    let due = query.next_due(reached[index])?;
                    (due.end <= until).then_some((due, index))
                })
                .min();
            let Some((due, index)) = next else { break };
            self.queries[index].close(due, &self.casts_failed, out)?;
            reached[index] = due.end;
        }
        for query in &mut self.queries {
            query.schedule(now.unwrap_or(&self.clock));
        }
        Ok(())
    }

    /// Names the fields that the queries read and no record had: most likely
    /// they are misspelt.
    fn name_unseen(&self, out: &mut Output) {
        if self.sequence == 0 {
            return;
        }
        for slot in (0..self.query_slots.min(64)).filter(|slot| self.seen >> slot & 1 == 0) {
            let name = String::from_utf8_lossy(self.scanner.projection().name(slot));
            out.message(&format!("no record had a field {name}"));
        }
    }

    /// Keeps a late record: as it came, with how late it was and for whom.
    #[cold]
    fn write_late(&self, line: &[u8], time: i64, out: &mut Output) -> Result<(), StageError> {
        let Some(side) = &mut out.late else { return Ok(()) };
        let strictest = self.late.iter().map(|(_, watermark)| *watermark).max().unwrap_or(time);
        let row = side.buffer();
        let line = line.trim_ascii();
        row.extend_from_slice(line.strip_suffix(b"}").unwrap_or(line).trim_ascii_end());
        row.extend_from_slice(b",\"late_by\":");
        json::write_double((strictest - time) as f64 / 1e6, row);
        if self.queries.len() > 1 {
            row.extend_from_slice(b",\"late_for\":[");
            for (place, (query, _)) in self.late.iter().enumerate() {
                if place > 0 {
                    row.push(b',');
                }
                json::write_string(self.queries[*query].stats.name.as_bytes(), row);
            }
            row.push(b']');
        }
        row.push(b'}');
        side.finish_line()
    }
}

/// Rejects what is no record; plain text is sent to `parse`.
#[cold]
fn reject_scan(error: &ScanError, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
    if line.bytes.trim_ascii_start().starts_with(b"{") {
        out.reject(error.reason, error, line)
    } else {
        out.reject(error.reason, format_args!("{error}: for text put parse before"), line)
    }
}

impl Operator for WindowOperator {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            return out.reject(Reason::InvalidUtf8, "not UTF-8", line);
        }
        if let Err(error) = self.scanner.scan(line.bytes) {
            return reject_scan(&error, line, out);
        }
        let time = match self.event_time(line.bytes) {
            Ok(time) => Some(time),
            Err(_) if !self.needs_time => None,
            Err(reason) => return self.reject_time(reason, line, out),
        };
        self.arena.reset();
        let scanner = &self.scanner;
        let arena = &self.arena;
        let fields = || (0..self.query_slots).map(|slot| scanner.field(slot));
        let values =
            arena.alloc_slice_fill_iter(fields().map(|f| Value::read_in(f, line.bytes, arena)));
        for slot in 0..self.query_slots.min(64) {
            self.seen |= u64::from(scanner.field(slot).is_present()) << slot;
        }
        if let (Some(time), Some(value)) = (time, values.get_mut(self.time_slot)) {
            *value = Value::Time(time);
        }
        let context = Context {
            slots: values,
            arena,
            casts_failed: &self.casts_failed,
            now: Timestamp::EPOCH,
        };
        let micros = time.map_or(0, |time| time.micros);
        let record =
            Record { context, scanner, line: line.bytes, time: micros, sequence: self.sequence };
        self.sequence += 1;
        self.late.clear();
        for (index, query) in self.queries.iter_mut().enumerate() {
            if let Fate::Late { watermark } = query.take(&record, &self.clock) {
                self.late.push((index, watermark));
            }
        }
        if !self.late.is_empty() {
            self.write_late(line.bytes, micros, out)?;
        }
        let before = self.clock;
        if time.is_some() && self.clock.observe(micros) {
            let due = |query: &RunningQuery| query.close_at <= micros;
            if self.queries.iter().any(due) {
                let now = self.clock;
                self.close_due(&before, Some(&now), out)?;
            }
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        for query in &mut self.queries {
            query.total_nothing();
        }
        let before = self.clock;
        self.close_due(&before, None, out)?;
        self.name_unseen(out);
        Ok(())
    }

    fn idle_after(&self) -> Option<Duration> {
        let waits = |query: &RunningQuery| query.plan.delay.is_none() && query.is_open();
        let silent = !self.has_explained_silence && self.queries.iter().any(waits);
        silent.then_some(SILENCE)
    }

    fn on_idle(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.has_explained_silence = true;
        out.message("rows come at the end of input; for a live stream add --watermark 10s");
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.clock.snapshot(state);
        state.u64(self.sequence);
        state.u64(self.casts_failed.get());
        state.u64(self.seen);
        state.list(self.queries.iter(), |state, query| query.snapshot(state));
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.clock.restore(state)?;
        self.sequence = state.u64()?;
        self.casts_failed.set(state.u64()?);
        self.seen = state.u64()?;
        if state.len()? != self.queries.len() {
            return Err(RestoreError::Mismatch("it has another number of queries".to_owned()));
        }
        for query in &mut self.queries {
            query.restore(state)?;
            query.schedule(&self.clock);
        }
        Ok(())
    }

    fn stats(&self, stats: &mut Stats) {
        stats.casts_failed += self.casts_failed.get();
        let watermarks = self.queries.iter().map(|query| query.watermark(&self.clock));
        stats.window = Some(WindowStats {
            watermark: watermarks.flatten().min().map(Timestamp::from_micros),
            groups: self.queries.iter().map(RunningQuery::groups).sum(),
            state_bytes: self.queries.iter().map(|query| query.size() as u64).sum(),
            queries: self.queries.iter().map(|query| query.stats.clone()).collect(),
        });
    }
}
