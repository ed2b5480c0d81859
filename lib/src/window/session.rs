//! Sessions: windows that grow with their records.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::lookup::Spelling;
use super::table::{OVERFLOW, accumulators, hash, new_number, read_spelling, write_spelling};
use crate::aggregate::Accumulator;
use crate::query::Plan;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// A session: records of one key, none further than the gap from the next.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The key's number.
    pub(super) number: u32,
    /// Time of the first record.
    pub(super) start: i64,
    /// Time of the last record and the gap.
    pub(super) end: i64,
    /// The record that it was first seen in, and how that spells the key where
    /// it is not as the dictionary does.
    first: u64,
    pub(super) spelling: Option<Spelling>,
    /// The end and start by which it waits to be closed; perhaps too early.
    queued: (i64, i64),
    /// Whether it has changed since it was last shown.
    pub(super) changed: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Closed, and kept to be shown once more.
    Closed,
    /// Its place is free.
    Gone,
}

/// A session as closing and printing order them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    end: i64,
    start: i64,
    session: u32,
}

/// The sessions of a query. A session is a place in the accumulators too.
#[derive(Debug)]
pub(super) struct Sessions {
    gap: i64,
    list: Vec<Session>,
    free: Vec<u32>,
    pub(super) accumulators: Vec<Accumulator>,
    /// Room for one group on its way from one session to another.
    transit: Vec<Accumulator>,
    /// Open sessions by key; a key may have several.
    index: HashTable<u32>,
    /// Open sessions by end and start as they were queued: that comes too
    /// early, never too late. What is not as its session says is a leftover.
    due: BinaryHeap<Reverse<Due>>,
    /// The keys with open sessions: how many.
    open_keys: usize,
}

impl Sessions {
    pub(super) fn new(gap: i64, plan: &Plan) -> Self {
        let mut transit = accumulators(plan);
        transit.iter_mut().for_each(Accumulator::add_group);
        Self {
            gap,
            list: Vec::new(),
            free: Vec::new(),
            accumulators: accumulators(plan),
            transit,
            index: HashTable::new(),
            due: BinaryHeap::new(),
            open_keys: 0,
        }
    }

    pub(super) fn get(&self, session: u32) -> &Session {
        &self.list[session as usize]
    }

    /// Open sessions of a key.
    fn of_key(&self, number: u32) -> impl Iterator<Item = u32> {
        let same = move |session: &&u32| self.list[**session as usize].number == number;
        self.index.iter_hash(hash(number)).filter(same).copied()
    }

    /// Whether the key has an open session.
    pub(super) fn has_key(&self, number: u32) -> bool {
        self.of_key(number).next().is_some()
    }

    /// How many keys have open sessions.
    pub(super) fn open_keys(&self) -> usize {
        self.open_keys
    }

    /// The end of the session that a record of a key would be in; of a key
    /// without a number, of its first.
    pub(super) fn end_with(&self, number: Option<u32>, time: i64) -> i64 {
        let reach = time + self.gap;
        number
            .into_iter()
            .flat_map(|number| self.of_key(number))
            .map(|session| self.get(session))
            .filter(|session| session.start <= reach && time <= session.end)
            .map(|session| session.end)
            .fold(reach, i64::max)
    }

    /// Opens, prolongs or joins what the record belongs to; returns the session
    /// that it is in then.
    pub(super) fn join(
        &mut self,
        number: u32,
        time: i64,
        sequence: u64,
        spelling: impl FnOnce() -> Option<Spelling>,
    ) -> u32 {
        let reach = time + self.gap;
        let touches = |session: &Session| session.start <= reach && time <= session.end;
        let mut met = self.of_key(number).filter(|&session| touches(self.get(session)));
        // Two sessions can meet in a record; more cannot touch it.
        let (first, other) = (met.next(), met.next());
        drop(met);
        let Some(mut session) = first else {
            return self.open(number, time, sequence, spelling());
        };
        if let Some(mut other) = other {
            if self.get(other).start < self.get(session).start {
                std::mem::swap(&mut session, &mut other);
            }
            self.merge(session, other);
        }
        let joined = &mut self.list[session as usize];
        joined.changed = true;
        joined.end = reach.max(joined.end);
        if time < joined.start {
            // Of several with one end the first to start comes first.
            joined.start = time;
            self.queue(session);
        }
        session
    }

    fn open(&mut self, number: u32, time: i64, sequence: u64, spelling: Option<Spelling>) -> u32 {
        if !self.has_key(number) {
            self.open_keys += 1;
        }
        let opened = Session {
            number,
            start: time,
            end: time + self.gap,
            first: sequence,
            spelling,
            queued: (0, 0),
            changed: true,
            state: State::Open,
        };
        let session = if let Some(free) = self.free.pop() {
            self.list[free as usize] = opened;
            free
        } else {
            self.list.push(opened);
            self.accumulators.iter_mut().for_each(Accumulator::add_group);
            self.list.len() as u32 - 1
        };
        self.queue(session);
        self.enter(session);
        session
    }

    /// Lets a session wait to be closed as it is now.
    fn queue(&mut self, session: u32) {
        let Session { end, start, .. } = self.list[session as usize];
        self.list[session as usize].queued = (end, start);
        self.due.push(Reverse(Due { end, start, session }));
    }

    fn enter(&mut self, session: u32) {
        let Self { list, index, .. } = self;
        let hash_of = |session: &u32| hash(list[*session as usize].number);
        index.insert_unique(hash_of(&session), session, hash_of);
    }

    fn leave(&mut self, session: u32) {
        let number = self.get(session).number;
        if let Ok(entry) = self.index.find_entry(hash(number), |&other| other == session) {
            entry.remove();
        }
        if !self.has_key(number) {
            self.open_keys -= 1;
        }
    }

    /// Takes all of a later session over into an earlier one.
    fn merge(&mut self, into: u32, from: u32) {
        let (a, b) = (into as usize, from as usize);
        for (accumulator, transit) in self.accumulators.iter_mut().zip(&mut self.transit) {
            transit.clear(0);
            transit.merge(0, accumulator, b);
            accumulator.merge(a, transit, 0);
            transit.clear(0);
        }
        let taken = self.list[b].clone();
        let kept = &mut self.list[a];
        kept.end = kept.end.max(taken.end);
        if taken.first < kept.first {
            kept.first = taken.first;
            kept.spelling = taken.spelling;
        }
        self.leave(from);
        self.release(from);
    }

    /// Frees a session's place.
    pub(super) fn release(&mut self, session: u32) {
        for accumulator in &mut self.accumulators {
            accumulator.clear(session as usize);
        }
        self.list[session as usize].state = State::Gone;
        self.list[session as usize].spelling = None;
        self.free.push(session);
    }

    /// The end and start of the first open session in their order.
    pub(super) fn first_due(&mut self) -> Option<(i64, i64)> {
        while let Some(&Reverse(due)) = self.due.peek() {
            let session = &self.list[due.session as usize];
            let is_open = session.state == State::Open && session.queued == (due.end, due.start);
            if is_open && session.queued == (session.end, session.start) {
                return Some(session.queued);
            }
            self.due.pop();
            if is_open {
                self.queue(due.session);
            }
        }
        None
    }

    /// Closes the open sessions with this end and start. They keep their places
    /// until they are released.
    pub(super) fn close(&mut self, end: i64, start: i64) -> Vec<u32> {
        let mut closed = Vec::new();
        while self.first_due() == Some((end, start)) {
            let Some(Reverse(due)) = self.due.pop() else { break };
            self.leave(due.session);
            self.list[due.session as usize].state = State::Closed;
            closed.push(due.session);
        }
        closed
    }

    /// All sessions, open or kept, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        let here = |(_, session): &(usize, &Session)| session.state != State::Gone;
        self.list.iter().enumerate().filter(here).map(|(place, _)| place as u32)
    }

    pub(super) fn is_open(&self, session: u32) -> bool {
        self.get(session).state == State::Open
    }

    /// Notes that a session has been shown as it is.
    pub(super) fn set_shown(&mut self, session: u32) {
        self.list[session as usize].changed = false;
    }

    pub(super) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Adds the numbers of the keys.
    pub(super) fn mark(&self, used: &mut RoaringBitmap) {
        let numbers = self.all().map(|session| self.get(session).number);
        used.extend(numbers.filter(|&number| number != OVERFLOW));
    }

    /// Gives the keys the numbers that they have now.
    pub(super) fn renumber(&mut self, renumbered: &[u32]) {
        for session in &mut self.list {
            if session.state != State::Gone {
                session.number = new_number(renumbered, session.number);
            }
        }
        self.rebuild();
    }

    /// Makes what follows from the list.
    fn rebuild(&mut self) {
        self.index.clear();
        self.due.clear();
        self.open_keys = 0;
        for session in 0..self.list.len() as u32 {
            let &Session { number, state, .. } = self.get(session);
            if state == State::Open {
                self.open_keys += usize::from(!self.has_key(number));
                self.enter(session);
                self.queue(session);
            }
        }
    }

    /// Bytes of memory taken, near enough.
    pub(super) fn size(&self) -> usize {
        self.list.capacity() * size_of::<Session>()
            + self.due.len() * size_of::<Due>()
            + self.index.capacity() * 5
            + self.accumulators.iter().map(Accumulator::size).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.list.iter(), |state, session| {
            state.u8(match session.state {
                State::Open => 0,
                State::Closed => 1,
                State::Gone => 2,
            });
            state.u64(session.number.into());
            state.i64(session.start);
            state.i64(session.end);
            state.u64(session.first);
            state.bool(session.changed);
            state.option(session.spelling.as_ref(), write_spelling);
        });
        // In this order they are used again.
        state.list(self.free.iter(), |state, place| state.u64((*place).into()));
        for accumulator in &self.accumulators {
            accumulator.snapshot(state);
        }
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.list = state.list(|state| {
            let kind = match state.u8()? {
                0 => State::Open,
                1 => State::Closed,
                2 => State::Gone,
                _ => return Err(RestoreError::Damaged("a session is neither open nor closed")),
            };
            Ok(Session {
                number: state.u64()? as u32,
                start: state.i64()?,
                end: state.i64()?,
                first: state.u64()?,
                queued: (0, 0),
                changed: state.bool()?,
                spelling: state.option(read_spelling)?,
                state: kind,
            })
        })?;
        self.free = state.list(|state| Ok(state.u64()? as u32))?;
        let places = self.list.len();
        for accumulator in &mut self.accumulators {
            accumulator.restore(places, state)?;
        }
        if self.free.iter().any(|&place| place as usize >= places) {
            return Err(RestoreError::Damaged("a session is free that does not exist"));
        }
        self.rebuild();
        Ok(())
    }
}
