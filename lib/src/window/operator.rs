//! The window operator: records in, rows of closed windows out.

use std::cell::Cell;
use std::collections::BTreeMap;

use bumpalo::Bump;
use roaring::RoaringBitmap;

use super::ahead::{AheadGuard, TooFarAhead};
use super::assigner::Windows;
use super::clock::EventClock;
use super::event_time::{EventTime, reject_scan};
use super::lookup::Lookups;
use super::options::{AheadLimits, Mode, Trigger, WindowOptions};
use super::record::Record;
use super::row::ClosedBy;
use super::running::{Due, Fate, RunningQuery, Shared};
use crate::line::{Kind, Line, Projection, Reason, Scanner, Value, json};
use crate::query::{Column, Context, Plan, WindowSpec};
use crate::stream::{
    Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats, WindowStats,
};
use crate::time::{TimeDelta, Timestamp};

/// Input that has been silent this long without a watermark makes the operator
/// say why there are no rows.
const SILENCE: TimeDelta = TimeDelta::from_seconds(5);

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
    /// A column that rows have already.
    #[error("rows say {0} themselves: give the column another name with AS")]
    Reserved(&'static str),
    /// Corrections to sessions, which have no fixed end to be corrected by.
    #[error("--allowed-lateness does not go with session windows")]
    LateSessions,
}

/// Aggregates records over event-time windows, for several queries in one
/// pass.
///
/// Each record is placed first and moves the watermarks afterwards, so results
/// depend on the order of the input alone. Rows that are due together come
/// ordered by end, start, query and keys.
#[derive(Debug)]
pub struct WindowOperator {
    options: WindowOptions,
    scanner: Scanner,
    event_time: EventTime,
    /// How many slots the queries read; the operator's own follow.
    query_slots: usize,
    /// Whether any query has windows, so that records need a time.
    needs_time: bool,
    queries: Vec<RunningQuery>,
    lookups: Lookups,
    clock: EventClock,
    guard: AheadGuard,
    /// Where the value stands that the clock is asked by.
    per_slot: Option<usize>,
    /// The key of that value.
    source: Vec<u8>,
    /// When the next trigger by the clock is due.
    next_trigger: Option<Timestamp>,
    /// Processing time that was left to it when the state was written, in
    /// microseconds.
    trigger_in: Option<i64>,
    /// Processing time.
    now: Timestamp,
    /// The event time at which a window of some query may be due.
    due_at: i64,
    /// Records taken in so far.
    sequence: u64,
    /// Records that were not rejected since the last trigger.
    since_trigger: u64,
    /// Bit `n` is set once a record has had the field of slot `n`.
    seen: u64,
    /// Which queries found the last record late, and at which watermark.
    late: Vec<(usize, i64)>,
    dedupe_key: Vec<u8>,
    arena: Bump,
    casts_failed: Cell<u64>,
    has_explained_silence: bool,
    /// Processing time of the last record.
    heard_at: Timestamp,
}

impl WindowOperator {
    /// An operator for plans that were compiled against `projection`.
    ///
    /// # Errors
    ///
    /// Returns why the queries cannot run.
    pub fn new(
        plans: Vec<Plan>,
        mut projection: Projection,
        options: WindowOptions,
    ) -> Result<Self, WindowError> {
        check(&plans, &options)?;
        let time_field = plans.first().ok_or(WindowError::NoQuery)?.time_field.clone();
        let query_slots = projection.len();
        let event_time = EventTime::new(&time_field, &mut projection);
        let per_slot = options.watermark_per.as_ref().map(|per| projection.add(&per.field));
        let mut lookups = Lookups::default();
        Ok(Self {
            scanner: Scanner::new(projection),
            event_time,
            query_slots,
            needs_time: plans.iter().any(|plan| plan.window.is_some()) || options.dedupe.is_some(),
            queries: plans
                .into_iter()
                .map(|plan| RunningQuery::new(plan, &options, &mut lookups))
                .collect(),
            lookups,
            clock: EventClock::new(&options),
            guard: AheadGuard::new(options.ahead),
            per_slot,
            source: Vec::new(),
            next_trigger: None,
            trigger_in: None,
            now: Timestamp::EPOCH,
            due_at: i64::MAX,
            sequence: 0,
            since_trigger: 0,
            seen: 0,
            late: Vec::new(),
            dedupe_key: Vec::new(),
            arena: Bump::new(),
            casts_failed: Cell::new(0),
            has_explained_silence: false,
            heard_at: Timestamp::EPOCH,
            options,
        })
    }

    /// Says that the text of a query names the time field, as `window(ts, …)`
    /// does: records without it are then no reason to advise `--time`.
    #[must_use]
    pub fn with_time_named_by_query(mut self, is_named: bool) -> Self {
        self.event_time.is_named_by_query = is_named;
        self
    }

    /// How far event time has come, from which the queries' watermarks follow.
    /// A measured delay is the same for all and taken off here.
    #[inline]
    fn reached(&self) -> Option<i64> {
        match self.options.adaptive {
            None => self.clock.reached(),
            Some(_) => self.clock.watermark(None),
        }
    }

    /// Reads the value that event time is kept by.
    #[inline]
    fn read_source(&mut self, line: &[u8]) {
        if let Some(slot) = self.per_slot {
            self.arena.reset();
            self.source.clear();
            Value::read_in(self.scanner.field(slot), line, &self.arena).write_key(&mut self.source);
        }
    }

    /// Takes a scanned record through all queries.
    #[inline]
    fn take(
        &mut self,
        line: &[u8],
        time: Option<Timestamp>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let reached = self.reached();
        let Self { arena, scanner, queries, lookups, casts_failed, late, .. } = self;
        arena.reset();
        let arena = &*arena;
        let slots = 0..self.query_slots;
        let read = slots.clone().map(|slot| {
            let field = scanner.field(slot);
            let value = Value::read_in(field, line, arena);
            let is_beyond = value.is_null() && matches!(field.kind, Kind::Int | Kind::Float);
            casts_failed.set(casts_failed.get() + u64::from(is_beyond));
            value
        });
        let values = arena.alloc_slice_fill_iter(read);
        for slot in 0..self.query_slots.min(64) {
            self.seen |= u64::from(scanner.field(slot).is_present()) << slot;
        }
        if let (Some(time), Some(value)) = (time, values.get_mut(self.event_time.slot)) {
            *value = Value::Time(time);
        }
        let context = Context { slots: values, arena, casts_failed, now: self.now };
        let micros = time.map_or(0, |time| time.micros);
        let record = Record { context, scanner, line, time: micros, sequence: self.sequence };
        if let Some(dedupe) = &self.options.dedupe {
            self.dedupe_key.clear();
            for key in &dedupe.keys {
                key.operand(&context).write_key(&mut self.dedupe_key);
            }
        }
        let mut shared = Shared { lookups, casts_failed, now: self.now, out };
        late.clear();
        for (index, query) in queries.iter_mut().enumerate() {
            let fate = query.take(&record, &self.dedupe_key, reached, &mut shared)?;
            if let Fate::Late { watermark } = fate {
                late.push((index, watermark));
            }
            self.due_at = self.due_at.min(query.due_at());
        }
        if !late.is_empty() {
            self.write_late(line, micros, out)?;
        }
        Ok(())
    }

    /// Closes all windows that end in `(before, reached]`, each query by its own
    /// watermark.
    fn close_due(
        &mut self,
        before: Option<i64>,
        reached: Option<i64>,
        by: ClosedBy,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let is_end = by == ClosedBy::End;
        let mut after: Vec<i64> =
            self.queries.iter().map(|query| query.watermark(before).unwrap_or(i64::MIN)).collect();
        let Self { queries, lookups, casts_failed, now, .. } = self;
        let mut shared = Shared { lookups, casts_failed, now: *now, out };
        loop {
            let mut next: Option<(Due, usize)> = None;
            for (index, query) in queries.iter_mut().enumerate() {
                let until = if is_end { Some(i64::MAX) } else { query.watermark(reached) };
                let due = until
                    .and_then(|until| query.next_due(after[index]).filter(|due| due.end <= until));
                next = next.into_iter().chain(due.map(|due| (due, index))).min();
            }
            let Some((due, index)) = next else { break };
            queries[index].close(due, by, &mut shared)?;
            after[index] = due.end;
        }
        for (query, last_end) in queries.iter_mut().zip(after) {
            if is_end {
                query.drop_all(last_end);
            } else {
                query.drop_sealed(reached);
            }
        }
        self.schedule(reached);
        self.forget_unused();
        Ok(())
    }

    /// Finds out anew when the next window may be due.
    fn schedule(&mut self, reached: Option<i64>) {
        self.queries.iter_mut().for_each(|query| query.schedule(reached));
        self.due_at = self.queries.iter().map(RunningQuery::due_at).min().unwrap_or(i64::MAX);
    }

    /// Cleans the dictionaries that have doubled since they were last cleaned.
    fn forget_unused(&mut self) {
        for dictionary in self.lookups.due() {
            let mut used = RoaringBitmap::new();
            self.queries.iter().for_each(|query| query.mark(dictionary, &mut used));
            let renumbered = self.lookups.retain(dictionary, &used);
            for query in &mut self.queries {
                query.renumber(dictionary, &renumbered);
            }
        }
    }

    /// Shows what the mode shows at a trigger.
    fn trigger(&mut self, at_end: bool, out: &mut Output) -> Result<(), StageError> {
        let reached = self.reached();
        let mut due: BTreeMap<(Due, usize), Vec<u32>> = BTreeMap::new();
        for (index, query) in self.queries.iter().enumerate() {
            let shown = query.to_show(reached).into_iter();
            due.extend(shown.map(|(due, sessions)| ((due, index), sessions)));
        }
        let Self { queries, lookups, casts_failed, now, .. } = self;
        let mut shared = Shared { lookups, casts_failed, now: *now, out };
        for ((due, index), sessions) in due {
            let query = &mut queries[index];
            let is_closed = query.watermark(reached).is_some_and(|watermark| due.end <= watermark);
            let unclosed = at_end.then_some(ClosedBy::End);
            let by = if is_closed { Some(query.closed_by(due)) } else { unclosed };
            query.show(due, sessions, by, &mut shared)?;
        }
        for query in queries.iter_mut() {
            query.set_shown(reached);
        }
        self.since_trigger = 0;
        self.forget_unused();
        // What a trigger shows belongs together, and is wanted now.
        out.flush()
    }

    /// Whether a record's time is too far ahead.
    fn judge(&mut self, time: Timestamp) -> Result<(), TooFarAhead> {
        let greatest = self.clock.greatest_of(&self.source);
        self.guard.judge(time.micros, &self.source, greatest, Some(self.now))
    }

    /// When the silence of an input without watermark is worth a word.
    fn explains_silence_at(&self) -> Option<Timestamp> {
        let waits = |query: &RunningQuery| {
            query.plan.window.is_some() && !query.has_watermark() && query.is_open()
        };
        let prints_at_end = self.options.mode == Mode::Append && !self.options.keep_at_end;
        let silent = prints_at_end && !self.has_explained_silence;
        let silent = silent && self.queries.iter().any(waits);
        let micros = self.heard_at.micros.saturating_add(SILENCE.micros);
        silent.then_some(Timestamp::from_micros(micros))
    }

    /// When the next window closes if no more records come.
    fn idle_closes_at(&self) -> Option<Timestamp> {
        self.options.idle_timeout?;
        let reached = self.reached();
        let closes = |query: &RunningQuery| {
            let end = query.next_end()?;
            let delay = self.clock.delay(query.plan.delay);
            (query.watermark(reached)? < end).then(|| self.clock.idle_closes_at(end, delay))?
        };
        self.queries.iter().filter_map(closes).min()
    }

    /// Fires the triggers by the clock that are due.
    fn trigger_by_clock(&mut self, out: &mut Output) -> Result<(), StageError> {
        let Trigger::Every(every) = self.options.trigger else { return Ok(()) };
        if self.options.mode == Mode::Append {
            return Ok(());
        }
        let after = |micros: i64| Timestamp::from_micros(self.now.micros.saturating_add(micros));
        let following = after(every.micros);
        match self.next_trigger {
            None => {
                let rest = self.trigger_in.unwrap_or(every.micros);
                self.next_trigger = Some(after(rest));
            }
            Some(next) if self.now >= next => {
                self.trigger(false, out)?;
                // Triggers that were missed while the stage was busy are not made up for.
                self.next_trigger = Some(following);
            }
            Some(_) => {}
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

/// The name of a column that rows have without being asked, if the query has
/// one of that name.
fn reserved(plan: &Plan, options: &WindowOptions) -> Option<&'static str> {
    if plan.columns.iter().filter(|column| **column == Column::Window).count() > 1 {
        return Some("window");
    }
    let own = [
        ("query", plan.name.is_some()),
        ("closed_by", options.row_meta),
        ("revision", options.allowed_lateness.is_some()),
        ("partial", options.max_groups.is_some()),
        ("overflow", options.max_groups.is_some()),
    ];
    let has = |wanted: &str| {
        let is_it =
            |column: &Column| matches!(column, Column::Value { name, .. } if name == wanted);
        plan.columns.iter().any(is_it)
    };
    own.into_iter().find(|(name, is_said)| *is_said && has(name)).map(|(name, _)| name)
}

/// Whether the queries can run together.
fn check(plans: &[Plan], options: &WindowOptions) -> Result<(), WindowError> {
    let first = plans.first().ok_or(WindowError::NoQuery)?;
    for plan in plans {
        if plan.time_field != first.time_field {
            return Err(WindowError::TimeFields(first.time_field.clone(), plan.time_field.clone()));
        }
        let size = plan.window.as_ref().map_or(TimeDelta::ZERO, WindowSpec::length);
        if size.max(plan.delay.unwrap_or_default()).micros > Windows::MAX_LENGTH {
            return Err(WindowError::TooLong);
        }
        if let Some(name) = reserved(plan, options) {
            return Err(WindowError::Reserved(name));
        }
        let is_session = matches!(plan.window, Some(WindowSpec::Session { .. }));
        if is_session && options.allowed_lateness.is_some() {
            return Err(WindowError::LateSessions);
        }
    }
    Ok(())
}

impl Operator for WindowOperator {
    #[inline]
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        self.heard_at = self.now;
        if line.fault == Some(Reason::InvalidUtf8) {
            return out.reject(Reason::InvalidUtf8, "not UTF-8", line);
        }
        if let Err(error) = self.scanner.scan(line.bytes) {
            return reject_scan(&error, line, out);
        }
        let time = match self.event_time.read(&self.scanner, line.bytes) {
            Ok(time) => Some(time),
            Err(_) if !self.needs_time => None,
            Err(reason) => return self.event_time.reject(reason, &self.scanner, line, out),
        };
        self.read_source(line.bytes);
        let mut moves_clock = time;
        if let Some(time) = time
            && self.options.ahead != AheadLimits::default()
            && let Err(error) = self.judge(time)
        {
            if !self.options.ahead.keep {
                return out.reject(Reason::Ahead, error, line);
            }
            moves_clock = None;
        }
        self.take(line.bytes, time, out)?;
        self.sequence += 1;
        let before = self.reached();
        if let Some(time) = moves_clock
            && self.clock.observe(time.micros, &self.source)
        {
            let reached = self.reached();
            if reached.is_some_and(|reached| reached >= self.due_at) {
                self.close_due(before, reached, ClosedBy::Watermark, out)?;
            }
        }
        self.since_trigger += 1;
        if self.options.trigger == Trigger::Count(self.since_trigger)
            && self.options.mode != Mode::Append
        {
            self.trigger(false, out)?;
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        let mut is_new = self.since_trigger > 0;
        for query in &mut self.queries {
            is_new |= query.total_nothing(&mut self.lookups);
        }
        match self.options.mode {
            Mode::Complete if is_new => self.trigger(!self.options.keep_at_end, out)?,
            Mode::Update if self.options.keep_at_end => self.trigger(false, out)?,
            _ => {}
        }
        if !self.options.keep_at_end {
            self.close_due(self.reached(), None, ClosedBy::End, out)?;
        }
        self.name_unseen(out);
        Ok(())
    }

    fn on_clock(&mut self, now: Timestamp, out: &mut Output) -> Result<(), StageError> {
        if self.now == Timestamp::EPOCH {
            // Before a run no time passes, so there is no silence either.
            self.heard_at = now;
        }
        if self.explains_silence_at().is_some_and(|at| now >= at) {
            self.has_explained_silence = true;
            out.message("rows come at the end of input; for a live stream add --watermark 10s");
        }
        self.now = now;
        let before = self.reached();
        if self.clock.advance(now) {
            let is_idle = self.clock.is_by_idleness();
            let by = if is_idle { ClosedBy::Idle } else { ClosedBy::Watermark };
            self.close_due(before, self.reached(), by, out)?;
        }
        self.trigger_by_clock(out)
    }

    fn on_clock_change(&mut self) {
        self.now = Timestamp::EPOCH;
        self.next_trigger = None;
        self.clock.restart();
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let trigger = self.next_trigger.filter(|_| self.options.mode != Mode::Append);
        let wakes =
            [self.explains_silence_at(), self.clock.wakes_at(), self.idle_closes_at(), trigger];
        // What is due already has been done; so each call is later than the last.
        let soonest = Timestamp::from_micros(self.now.micros + 1_000);
        wakes.into_iter().flatten().min().map(|wake| wake.max(soonest))
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(format!("{:?}", self.options).as_bytes());
        self.clock.snapshot(state);
        self.guard.snapshot(state);
        state.u64(self.sequence);
        state.u64(self.since_trigger);
        let rest = self.next_trigger.map(|next| next.micros - self.now.micros);
        state.option(rest.or(self.trigger_in), SnapshotWriter::i64);
        state.u64(self.casts_failed.get());
        state.u64(self.seen);
        self.lookups.snapshot(state);
        state.list(self.queries.iter(), |state, query| query.snapshot(state));
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        if state.bytes()? != format!("{:?}", self.options).as_bytes() {
            return Err(RestoreError::Mismatch("its options have changed".to_owned()));
        }
        self.clock.restore(state)?;
        self.guard.restore(state)?;
        self.sequence = state.u64()?;
        self.since_trigger = state.u64()?;
        self.trigger_in = state.option(SnapshotReader::i64)?;
        // Figures are of this run alone.
        state.u64()?;
        self.seen = state.u64()?;
        self.lookups.restore(state)?;
        if state.len()? != self.queries.len() {
            return Err(RestoreError::Mismatch("it has another number of queries".to_owned()));
        }
        for query in &mut self.queries {
            query.restore(state)?;
        }
        self.schedule(self.reached());
        Ok(())
    }

    fn stats(&self, stats: &mut Stats) {
        stats.casts_failed += self.casts_failed.get();
        let reached = self.reached();
        let of_queries = self.queries.iter().map(RunningQuery::size).sum::<usize>();
        stats.window = Some(WindowStats {
            watermarks: self
                .queries
                .iter()
                .map(|query| query.watermark(reached).map(Timestamp::from_micros))
                .collect(),
            max_event_time: self.clock.greatest().map(Timestamp::from_micros),
            groups: self.queries.iter().map(RunningQuery::groups).sum(),
            state_bytes: (of_queries + self.lookups.size() + self.clock.size() + self.guard.size())
                as u64,
            queries: self.queries.iter().map(|query| query.stats.clone()).collect(),
        });
    }
}
