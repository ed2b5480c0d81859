//! A greatest event time for each source of records.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::aggregate::Interner;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::TimeDelta;
use crate::window::WatermarkPer;

/// Sources by the time of something, earliest first. An entry may be older
/// than what it stands for, which only grows: it is set right when it comes to
/// the top, so that a record costs nothing here unless it moves the least.
type Earliest = BinaryHeap<Reverse<(i64, u32)>>;

/// The sources of a stream: the values of a field, or one for all records.
///
/// A source takes about 60 bytes and its name.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    has_field: bool,
    expected: usize,
    timeout: Option<i64>,
    names: Interner,
    all: Vec<Source>,
    /// By greatest event time; silent ones are taken out when they come up.
    by_event_time: Earliest,
    /// By the processing time of the last record; without silent ones, and
    /// empty without a time-out.
    by_silence: Earliest,
    /// Processing time; zero until it is told.
    now: i64,
    /// Where processing time began; `None` until it is told.
    began: Option<i64>,
    /// Processing times of the first and the last record.
    first_heard: i64,
    last_heard: i64,
    /// The greatest event time of all.
    greatest: Option<i64>,
    /// Whether there must be more sources before any of them counts.
    is_waiting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    greatest: i64,
    heard_at: i64,
    is_idle: bool,
    /// Whether it has an entry by event time.
    is_listed: bool,
}

impl Sources {
    pub(super) fn new(per: Option<&WatermarkPer>, timeout: Option<TimeDelta>) -> Self {
        let expected = per.and_then(|per| per.values).unwrap_or(0);
        Self {
            has_field: per.is_some(),
            expected,
            timeout: timeout.map(|timeout| timeout.micros),
            names: Interner::default(),
            all: Vec::new(),
            by_event_time: Earliest::new(),
            by_silence: Earliest::new(),
            now: 0,
            began: None,
            first_heard: 0,
            last_heard: 0,
            greatest: None,
            is_waiting: expected > 0,
        }
    }

    /// Takes note of a record; returns the greatest time of its source before.
    pub(super) fn take(&mut self, time: i64, value: &[u8]) -> Option<i64> {
        if self.greatest.is_none() {
            self.first_heard = self.now;
        }
        self.last_heard = self.now;
        self.greatest = self.greatest.max(Some(time));
        let (number, is_new) = self.names.intern(if self.has_field { value } else { b"" });
        if is_new {
            let heard_at = self.now;
            self.all.push(Source { greatest: time, heard_at, is_idle: false, is_listed: false });
            self.enter(number);
            self.is_waiting &= self.all.len() < self.expected;
            return None;
        }
        let source = &mut self.all[number as usize];
        let before = source.greatest;
        source.greatest = before.max(time);
        source.heard_at = self.now;
        if std::mem::replace(&mut source.is_idle, false) {
            self.enter(number);
        }
        Some(before)
    }

    /// Takes a source in, or in again.
    fn enter(&mut self, number: u32) {
        let source = &mut self.all[number as usize];
        if !std::mem::replace(&mut source.is_listed, true) {
            self.by_event_time.push(Reverse((source.greatest, number)));
        }
        if self.timeout.is_some() {
            self.by_silence.push(Reverse((source.heard_at, number)));
        }
    }

    /// Takes note of processing time, and of who has fallen silent by then.
    pub(super) fn advance(&mut self, now: i64) {
        if self.began.is_none() {
            self.begin(now);
        }
        self.now = self.now.max(now);
        let Some(timeout) = self.timeout else { return };
        while let Some(mut top) = self.by_silence.peek_mut() {
            let Reverse((heard_at, number)) = *top;
            if heard_at.saturating_add(timeout) > self.now {
                break;
            }
            let source = &mut self.all[number as usize];
            if source.heard_at.saturating_add(timeout) > self.now {
                *top = Reverse((source.heard_at, number));
            } else {
                source.is_idle = true;
                PeekMut::pop(top);
            }
        }
        let is_over = self.first_heard.saturating_add(timeout) <= self.now;
        self.is_waiting &= self.greatest.is_none() || !is_over;
    }

    /// Processing time begins: what was counted from zero is counted from
    /// `now`.
    fn begin(&mut self, now: i64) {
        self.began = Some(now);
        self.now = now;
        for time in [&mut self.first_heard, &mut self.last_heard] {
            *time = time.saturating_add(now);
        }
        for source in &mut self.all {
            source.heard_at = source.heard_at.saturating_add(now);
        }
        self.list();
    }

    /// Processing time is to begin anew: all is as if none had passed, so that
    /// what has been heard since it began is heard where it begins again. Whom
    /// the old clock has found silent is awake, unless it was silent before.
    pub(super) fn restart(&mut self) {
        let Some(began) = self.began.take() else { return };
        self.now = 0;
        let before = |time: i64| time.saturating_sub(began).min(0);
        self.first_heard = before(self.first_heard);
        self.last_heard = before(self.last_heard);
        for source in &mut self.all {
            source.heard_at = before(source.heard_at);
            let is_over = self.timeout.is_some_and(|timeout| source.heard_at <= -timeout);
            source.is_idle &= is_over;
        }
        self.list();
    }

    /// Makes the orders anew.
    fn list(&mut self) {
        let awake = |(number, source): (usize, &Source)| {
            (!source.is_idle).then_some((number as u32, *source))
        };
        let awake: Vec<_> = self.all.iter().enumerate().filter_map(awake).collect();
        for source in &mut self.all {
            source.is_listed = !source.is_idle;
        }
        let times = awake.iter().map(|(number, source)| Reverse((source.greatest, *number)));
        self.by_event_time = times.collect();
        let awake = awake.iter().filter(|_| self.timeout.is_some());
        let times = awake.map(|(number, source)| Reverse((source.heard_at, *number)));
        self.by_silence = times.collect();
    }

    /// How far event time has come by the sources as they are now: to the
    /// least of those that are not silent. If all are, to the greatest of
    /// all and on by the length of the silence.
    pub(super) fn reached(&mut self) -> Option<i64> {
        if self.is_waiting {
            return None;
        }
        while let Some(mut top) = self.by_event_time.peek_mut() {
            let Reverse((time, number)) = *top;
            let source = &mut self.all[number as usize];
            if source.is_idle {
                source.is_listed = false;
                PeekMut::pop(top);
            } else if source.greatest == time {
                return Some(time);
            } else {
                *top = Reverse((source.greatest, number));
            }
        }
        let silence = self.now.saturating_sub(self.last_heard);
        self.greatest.map(|greatest| greatest.saturating_add(silence))
    }

    pub(super) fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    pub(super) fn greatest_of(&self, value: &[u8]) -> Option<i64> {
        if !self.has_field {
            return self.greatest;
        }
        let number = self.names.find(value)?;
        Some(self.all[number as usize].greatest)
    }

    /// The next processing time at which something may change without input,
    /// but for the going on of event time when all are silent.
    pub(super) fn wakes_at(&self) -> Option<i64> {
        let timeout = self.timeout.filter(|_| self.began.is_some())?;
        let silent = self.by_silence.peek().map(|Reverse((heard_at, _))| *heard_at);
        let waiting = (self.is_waiting && self.greatest.is_some()).then_some(self.first_heard);
        let since = silent.into_iter().chain(waiting).min()?;
        Some(since.saturating_add(timeout))
    }

    /// The processing time at which event time comes to `time` by silence.
    pub(super) fn idle_reaches(&self, time: i64) -> Option<i64> {
        let timeout = self.timeout.filter(|_| self.began.is_some())?;
        let silence = time.saturating_sub(self.greatest?).max(timeout);
        Some(self.last_heard.saturating_add(silence))
    }

    pub(super) fn size(&self) -> usize {
        let entries = self.by_event_time.capacity() + self.by_silence.capacity();
        self.names.size()
            + self.all.capacity() * size_of::<Source>()
            + entries * size_of::<Reverse<(i64, u32)>>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        // Processing times are written as lengths of silence.
        let since = |time: i64| time.saturating_sub(self.now);
        self.names.snapshot(state);
        for source in &self.all {
            state.i64(source.greatest);
            state.i64(since(source.heard_at));
            state.bool(source.is_idle);
        }
        state.i64(since(self.first_heard));
        state.i64(since(self.last_heard));
        state.bool(self.is_waiting);
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.names = Interner::restore(state)?;
        self.all.clear();
        for _ in 0..self.names.len() {
            let (greatest, heard_at, is_idle) = (state.i64()?, state.i64()?, state.bool()?);
            self.all.push(Source { greatest, heard_at, is_idle, is_listed: false });
        }
        self.first_heard = state.i64()?;
        self.last_heard = state.i64()?;
        self.is_waiting = state.bool()?;
        self.greatest = self.all.iter().map(|source| source.greatest).max();
        self.list();
        Ok(())
    }
}
