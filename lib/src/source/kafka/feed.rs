//! What the client's thread has read, on its way to the stage.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use rdkafka::message::{BorrowedMessage, Message as _};
use rustix::fd::OwnedFd;

use super::block::{Block, Line, Partition};
use crate::stream::StageError;
use crate::time::Timestamp;

/// What comes from the client's thread.
#[derive(Debug)]
pub(super) enum Delivery {
    Block(Block),
    /// All that was asked for has come.
    End,
    Failed(StageError),
}

/// A partition that is being read.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) partition: Arc<Partition>,
    /// Offset of the next message.
    pub(super) next: i64,
    /// Offset before which to end.
    pub(super) end: Option<i64>,
}

impl Tracked {
    pub(super) fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }

    /// Whether the message at this offset is the next one. What was fetched
    /// again after a seek is not, nor is what lies behind the end.
    pub(super) fn take(&mut self, offset: i64) -> bool {
        if offset < self.next {
            return false;
        }
        self.next = offset + 1;
        self.end.is_none_or(|end| offset < end)
    }
}

/// The stage reads no more.
#[derive(Debug)]
pub(super) struct Gone;

/// Fills blocks and hands them on.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) tracked: Vec<Tracked>,
    /// Which of them the last message came from.
    last: usize,
    block: Block,
    deliveries: SyncSender<Delivery>,
    spent: Receiver<Block>,
    /// Tells the stage that something has come.
    wake: Arc<OwnedFd>,
    has_headers: bool,
    /// Bytes handed on in all.
    pub(super) handed: u64,
    /// Messages handed on, or about to be.
    pub(super) messages: u64,
}

impl Feed {
    pub(super) fn new(
        deliveries: SyncSender<Delivery>,
        spent: Receiver<Block>,
        wake: Arc<OwnedFd>,
        has_headers: bool,
    ) -> Self {
        Self {
            tracked: Vec::new(),
            last: 0,
            block: Block::default(),
            deliveries,
            spent,
            wake,
            has_headers,
            handed: 0,
            messages: 0,
        }
    }

    /// Takes in a message; true if the block is to be handed on.
    #[inline]
    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>) -> bool {
        let (number, topic) = (message.partition(), message.topic());
        let is_of = |tracked: &Tracked| {
            tracked.partition.number == number && tracked.partition.topic == topic
        };
        if !self.tracked.get(self.last).is_some_and(is_of) {
            // A partition that has been taken away: another reader has it now.
            let Some(index) = self.tracked.iter().position(is_of) else { return false };
            self.last = index;
        }
        let tracked = &mut self.tracked[self.last];
        if !tracked.take(message.offset()) {
            return false;
        }
        self.block.push(&tracked.partition, message, self.has_headers);
        self.messages += 1;
        self.block.is_full()
    }

    /// Takes in a message of a merge; true if the block is to be handed on.
    pub(super) fn push_line(
        &mut self,
        partition: &Arc<Partition>,
        offset: i64,
        time: Timestamp,
        line: &Line,
    ) -> bool {
        self.block.push_line(partition, offset, time, line);
        self.messages += 1;
        self.block.is_full()
    }

    pub(super) fn has_headers(&self) -> bool {
        self.has_headers
    }

    pub(super) fn has_messages(&self) -> bool {
        !self.block.is_empty()
    }

    /// Hands on what there is, without waiting; what finds no room stays.
    pub(super) fn hand_on(&mut self) -> Result<bool, Gone> {
        if self.block.is_empty() {
            return Ok(true);
        }
        let next = self.spent.try_recv().unwrap_or_default();
        let block = std::mem::replace(&mut self.block, next);
        let bytes = block.bytes.len() as u64;
        match self.deliveries.try_send(Delivery::Block(block)) {
            Ok(()) => {
                self.handed += bytes;
                self.wake();
                Ok(true)
            }
            Err(TrySendError::Full(Delivery::Block(block))) => {
                self.block = block;
                Ok(false)
            }
            Err(_) => Err(Gone),
        }
    }

    /// Lets the stage look for what has come.
    pub(super) fn wake(&self) {
        // Full, it has told already.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

/// The last word of the client's thread. Waits for room.
pub(super) fn close(deliveries: &SyncSender<Delivery>, wake: &OwnedFd, last: Delivery) {
    let _ = deliveries.send(last);
    let _ = rustix::io::write(wake, &1_u64.to_ne_bytes());
}
