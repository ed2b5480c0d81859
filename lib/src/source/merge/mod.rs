//! Several bounded inputs as one, in the order of event time.

mod lane;
mod times;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use super::{Source, files};
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
    taken: u64,
}

/// What a record is, and its time.
#[derive(Debug)]
struct Rules {
    framing: Framing,
    max_line: usize,
    times: Box<dyn EventTimes>,
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
            taken: 0,
        }
    }

    fn open(&mut self) -> Result<(), StageError> {
        for path in std::mem::take(&mut self.paths) {
            let (file, place) = files::open(&path)?;
            self.lanes.push(Lane::new(file, place));
        }
        self.unknown = (0..self.lanes.len()).collect();
        Ok(())
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
        loop {
            if !lane.take() {
                return self.unknown.push(index);
            }
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
        if let Some(index) = self.waiting.take() {
            self.taken += self.lanes[index].fill()?;
        }
        if !self.find_heads() {
            return Ok(Next::Pending);
        }
        let Some(Reverse((_, index))) = self.heads.pop() else { return Ok(Next::End) };
        let place = self.lanes[index].place().clone();
        self.take_turn(index);
        self.turn = Some(index);
        Ok(Next::Place(place))
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
}

#[cfg(test)]
mod tests;
