//! Several bounded inputs as one, in the order of event time.

mod lane;
mod times;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use super::held::{At, Held};
use super::resume::Resumed;
use super::{Source, files};
use crate::checkpoint::Positions;
use crate::line::Framing;
use crate::stream::{Next, StageError};
use crate::time::Timestamp;
use lane::{Head, Lane};

pub use times::{EventTimes, FormatTimes};

/// Reads files side by side and gives out their records by event time: a k-way
/// merge, which holds a block of each file and a heap of their next records.
///
/// The order within a file never changes. A record counts at the greatest time
/// so far in its file, so one without a time stays behind its predecessor, and
/// one that is out of order comes as early as that allows. Those before the
/// first time of a file come first of all. At equal times the files come in
/// the order given.
///
/// The records that come from one file before it is another's turn are one
/// [`Place`](crate::stream::Place), so that each keeps its file, line and
/// offset.
///
/// What comes out is a function of the places and times that the lanes have
/// come to. So these are all that a checkpoint holds, and records come in the
/// same order after it.
#[derive(Debug)]
pub struct Merge {
    /// Files not yet opened: all of them, before the first record.
    paths: Vec<PathBuf>,
    rules: Rules,
    lanes: Vec<Lane>,
    /// Lanes whose next record is known, by its time.
    heads: BinaryHeap<Reverse<(Timestamp, usize)>>,
    /// Lanes whose next record is not known yet.
    unknown: Vec<usize>,
    /// The lane that has to be read before anything else can be given out.
    waiting: Option<usize>,
    /// The lane whose records are being given out.
    turn: Option<usize>,
    space: Vec<u8>,
    taken: u64,
    resumed: Resumed,
    store: Option<Positions>,
    messages: Vec<String>,
}

/// What a record is, and its time.
#[derive(Debug)]
struct Rules {
    framing: Framing,
    max_line: usize,
    times: Box<dyn EventTimes>,
}

impl Rules {
    /// Space for what is read of a file behind `begin`.
    fn held(&self, begin: At) -> Held {
        Held::new(self.framing.clone(), self.max_line, begin)
    }
}

impl Merge {
    /// Merges files in the order given (`-` is stdin), each framed in the same
    /// way. Of a line longer than `max_line` no more is given out than what
    /// shows that it is. Opens nothing yet.
    pub fn new(
        paths: Vec<PathBuf>,
        framing: Framing,
        max_line: usize,
        times: Box<dyn EventTimes>,
    ) -> Self {
        Self {
            paths,
            rules: Rules { framing, max_line, times },
            lanes: Vec::new(),
            heads: BinaryHeap::new(),
            unknown: Vec::new(),
            waiting: None,
            turn: None,
            space: Vec::new(),
            taken: 0,
            resumed: Resumed::default(),
            store: None,
            messages: Vec::new(),
        }
    }

    /// Goes on where `store` says, and keeps positions there. What cannot be
    /// found again is an error, or only a message without `fail_on_loss`.
    ///
    /// # Errors
    ///
    /// Fails if the positions cannot be read.
    pub fn with_positions(
        mut self,
        store: Positions,
        fail_on_loss: bool,
    ) -> Result<Self, StageError> {
        self.resumed = Resumed::new(store.load()?.unwrap_or_default(), fail_on_loss);
        self.store = Some(store);
        Ok(self)
    }

    fn open(&mut self) -> Result<(), StageError> {
        let mut moved = self.resumed.seek(&mut self.messages)?;
        moved.retain(|path| !self.paths.contains(path));
        // In the order of the run before, under whatever names, since it decides
        // between equal times; files that it did not have come last.
        let mut lanes = Vec::new();
        for path in moved.into_iter().chain(std::mem::take(&mut self.paths)) {
            let (file, place) = files::open(&path)?;
            let read = |source| StageError::Read { from: place.name.to_string(), source };
            let position = match self.store {
                Some(_) => self.resumed.take(&path, &file).map_err(read)?,
                None => None,
            };
            let mut lane = Lane::new(path, file, place, &self.rules);
            let mut rank = usize::MAX;
            if let Some((number, position)) = position {
                lane.resume(&position, &self.rules)?;
                rank = number;
            }
            lanes.push((rank, lane));
        }
        lanes.sort_by_key(|(rank, _)| *rank);
        self.lanes.extend(lanes.into_iter().map(|(_, lane)| lane));
        self.unknown = (0..self.lanes.len()).collect();
        Ok(())
    }

    /// Says so if no record had a time: most likely it is in another field.
    fn warn_if_untimed(&mut self) {
        let has_lines = self.lanes.iter().any(Lane::has_lines);
        if has_lines && !self.lanes.iter().any(Lane::is_timed) {
            self.messages.push(
                "no line had a time: the files came one after another, in the order given \
                 (--format, --time-field and --time-format say where the time is)"
                    .to_owned(),
            );
        }
    }

    /// Finds the next record of every lane, as far as that takes no reading;
    /// true if all are known.
    fn find_heads(&mut self) -> bool {
        while let Some(&index) = self.unknown.last() {
            match self.lanes[index].head(&mut self.rules) {
                Head::Record(time) => self.heads.push(Reverse((time, index))),
                Head::Ended => {}
                Head::Unknown => {
                    self.waiting = Some(index);
                    return false;
                }
            }
            self.unknown.pop();
        }
        true
    }

    /// Takes the next record of this lane, and those behind it that come before
    /// the next one of any other lane.
    fn take_turn(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        lane.begin_turn();
        loop {
            lane.take();
            match lane.head(&mut self.rules) {
                Head::Record(time) => {
                    let own = Reverse((time, index));
                    if self.heads.peek().is_some_and(|first| own < *first) {
                        return self.heads.push(own);
                    }
                }
                Head::Ended => return,
                Head::Unknown => return self.unknown.push(index),
            }
        }
    }
}

impl Source for Merge {
    fn next(&mut self) -> Result<Next, StageError> {
        if !self.paths.is_empty() {
            self.open()?;
        }
        self.turn = None;
        if let Some(index) = self.waiting.take() {
            self.taken += self.lanes[index].fill(&mut self.space)?;
        }
        if !self.find_heads() {
            return Ok(Next::Pending);
        }
        let Some(Reverse((_, index))) = self.heads.pop() else {
            self.warn_if_untimed();
            return Ok(Next::End);
        };
        self.take_turn(index);
        self.turn = Some(index);
        Ok(Next::Place(self.lanes[index].place()))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(self.turn.map_or(0, |index| self.lanes[index].give(space)))
    }

    fn is_ready(&self) -> bool {
        self.waiting.is_none_or(|index| self.lanes[index].content().is_compressed())
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        into.extend(self.waiting.map(|index| self.lanes[index].content().file().as_fd()));
    }

    fn taken(&self) -> u64 {
        self.taken
    }

    fn total(&self) -> Option<u64> {
        self.paths.iter().map(|path| files::size(path)).sum()
    }

    fn messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }

    fn save(&mut self, epoch: u64, consumed: u64) -> Result<(), StageError> {
        let mut positions = Vec::with_capacity(self.lanes.len());
        for (index, lane) in self.lanes.iter().enumerate() {
            let is_present = self.turn == Some(index);
            positions.push(lane.position(is_present.then_some(consumed))?);
        }
        positions.extend(self.resumed.rest().cloned());
        match &mut self.store {
            Some(store) => Ok(store.save(epoch, &positions)?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
