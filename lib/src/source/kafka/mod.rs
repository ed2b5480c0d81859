//! Topics of Kafka, by librdkafka.
//!
//! The client has a thread that polls it and writes messages into blocks, so
//! that fetching and unpacking go on beside the stage. Behind them the source
//! is one like others: runs of messages are its places, messages its lines.

mod block;
mod feed;
mod fetch;
mod merge;
mod offsets;
mod reached;
mod rebalance;
mod topics;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rustix::event::{EventfdFlags, eventfd};

use super::Source;
use crate::checkpoint::{PartitionPosition, Positions};
use crate::kafka::{KafkaFailure, Settings, fetch_metadata, reason};
use crate::stream::{Next, Place, PlaceKind, StageError};
use crate::time::Timestamp;
use block::{Block, Partition};
use feed::{Delivery, Feed};
use fetch::{Assigned, End, Fetcher, Quota};
use reached::Reached;
use rebalance::Context;
use topics::Resolver;

pub(crate) use block::Payload;
pub use merge::MakeTimes;
pub use offsets::{EndingOffsets, ParseOffsetsError, StartingOffsets};
pub use topics::Selection;

/// So many blocks may wait for the stage.
const AHEAD: usize = 4;
/// How often a group hears what has been written.
const TELL: Duration = Duration::from_secs(1);
/// How long the client may take to leave.
const FAREWELL: Duration = Duration::from_secs(8);
/// Why nothing is known of what was asked.
const NO_ANSWER: &str = "no broker answers";

/// What is to be read, and how.
#[derive(Debug)]
pub struct KafkaOptions {
    /// Brokers and properties of the client.
    pub settings: Settings,
    /// Topics, partitions, beginning and end.
    pub selection: Selection,
    /// The group that shares the partitions and keeps its offsets with the
    /// brokers.
    pub group: Option<String>,
    /// Whether messages bring their headers.
    pub has_headers: bool,
    /// At most so many messages in so much time.
    pub quota: Option<(u64, Duration)>,
    /// Set if the partitions, which have to end, are merged by event time.
    pub merge: Option<MakeTimes>,
}

/// Reads messages of Kafka's topics.
///
/// Its places are runs of messages of one partition (`logs[3]`), whose `line`
/// is the offset of their first one; a message is a line.
///
/// With a group its offsets are stored once their rows have been written: a
/// message is read at least once by the group, and once only while no reader
/// is killed. Without one nothing is stored.
pub struct Kafka {
    consumer: Arc<BaseConsumer<Context>>,
    has_group: bool,
    deliveries: Receiver<Delivery>,
    spent: Sender<Block>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    /// What the thread begins with.
    start: Option<(Fetcher, SyncSender<Delivery>)>,
    block: Block,
    /// Bytes of all blocks before it.
    base: u64,
    /// The run that is read, and where in the block it is read.
    run: Option<(usize, usize)>,
    next_run: usize,
    reached: Reached,
    store: Option<Positions>,
    told: Instant,
}

impl Kafka {
    /// Connects, and finds out where the partitions begin and end. `store` is
    /// where a checkpoint keeps positions: then partitions are not the group's
    /// to share.
    ///
    /// # Errors
    ///
    /// Fails if a property is refused, no broker answers within some seconds
    /// or one refuses to let us in, or if a topic is not there.
    pub fn connect(options: KafkaOptions, store: Option<Positions>) -> Result<Self, StageError> {
        let KafkaOptions { settings, selection, group, has_headers, quota, merge } = options;
        let shares = group.is_some() && store.is_none();
        let mut defaults = vec![
            ("group.id", group.as_deref().unwrap_or("highwater")),
            ("enable.auto.commit", if group.is_some() { "true" } else { "false" }),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            // Brokers that hold what they have back wait no longer than this.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            // A partition that has enough waiting is asked again soon: by default after a second.
            ("fetch.queue.backoff.ms", "10"),
            ("queued.max.messages.kbytes", "32768"),
            ("queued.min.messages", "50000"),
            ("allow.auto.create.topics", "false"),
            // How soon a group finds new partitions.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ];
        if selection.ending.is_some() {
            defaults.push(("enable.partition.eof", "true"));
        }
        // A pattern means none of Kafka's own topics. The property takes them from names too.
        if selection.topics.iter().all(|topic| !topic.starts_with("__")) {
            defaults.push(("topic.blacklist", "^__"));
        }
        // A group throws out who has not asked for messages for so long: five minutes, and
        // as long as a quota may have it wait.
        let pause = quota.map_or(Duration::ZERO, |(_, every)| every);
        let poll = (Duration::from_secs(300) + pause).as_millis().min(86_400_000).to_string();
        defaults.push(("max.poll.interval.ms", &poll));
        let client = settings.client(&defaults)?;
        let (sender, deliveries) = sync_channel(AHEAD);
        let (spent, empty) = channel();
        let flags = EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC;
        let failed = |error: rustix::io::Errno| StageError::Failed(format!("eventfd: {error}"));
        let wake = Arc::new(eventfd(0, flags).map_err(failed)?);
        let feed = Feed::new(sender.clone(), empty, Arc::clone(&wake), has_headers);
        let context = Context::new(selection, feed);
        let consumer: BaseConsumer<Context> = client
            .create_with_context(context)
            // Such as settings that exclude each other.
            .map_err(|error| KafkaFailure::Setting(reason(&error)))?;
        let mut kafka = Self {
            consumer: Arc::new(consumer),
            has_group: group.is_some(),
            deliveries,
            spent,
            wake,
            thread: None,
            start: None,
            block: Block::default(),
            base: 0,
            run: None,
            next_run: 0,
            reached: Reached::default(),
            store,
            told: Instant::now(),
        };
        let present = kafka.look(settings.brokers())?;
        let (group, lots) =
            if shares { (Some(present), VecDeque::new()) } else { (None, kafka.begin(present)?) };
        let fetcher = Fetcher {
            consumer: Arc::clone(&kafka.consumer),
            brokers: settings.brokers().to_owned(),
            group,
            lots,
            quota: quota.map(|(messages, every)| Quota { messages, every }),
            merge,
        };
        kafka.start = Some((fetcher, sender));
        Ok(kafka)
    }

    /// Makes contact and finds the partitions that there are.
    fn look(&self, brokers: &str) -> Result<Vec<(String, i32)>, StageError> {
        let consumer = &self.consumer;
        let context = consumer.context();
        let selection = &context.selection;
        let serve = || {
            let _ = consumer.poll(Duration::ZERO);
        };
        let metadata = fetch_metadata(
            consumer.client(),
            &context.reporter,
            brokers,
            selection.only_name(),
            serve,
        )?;
        Ok(selection.present(&metadata, brokers)?)
    }

    /// Settles where to begin in these partitions.
    fn begin(
        &mut self,
        present: Vec<(String, i32)>,
    ) -> Result<VecDeque<Vec<Assigned>>, StageError> {
        let kept = match &self.store {
            Some(store) => store.load_partitions()?,
            None => None,
        };
        let resolver = Resolver::at_start(&self.consumer);
        let selection = &self.consumer.context().selection;
        let mut lots: VecDeque<Vec<Assigned>> = VecDeque::new();
        for (topic, number) in present {
            let is_it = |position: &&PartitionPosition| {
                position.partition == number && position.topic == topic
            };
            let position = kept.as_ref().and_then(|kept| kept.iter().find(is_it));
            let is_new = kept.is_some() && position.is_none();
            let offset = position.map(|position| position.offset);
            let mut bounds = resolver.bounds(&topic, number, offset, is_new)?;
            // An earlier run that did not come to its end goes on to that one.
            if let Some(end) = position.and_then(|position| position.end)
                && selection.ending.is_some()
                && bounds.start < end
            {
                bounds.end = Some(end);
            }
            let time = position.and_then(|position| position.time);
            bounds.time = time.map(Timestamp::from_micros);
            let partition = Arc::new(Partition::new(&topic, number));
            self.reached.begin(&partition, bounds);
            let is_apart = selection.ending.is_some();
            match lots.back_mut() {
                Some(lot) if !is_apart || lot[0].0.topic == topic => lot.push((partition, bounds)),
                _ => lots.push_back(vec![(partition, bounds)]),
            }
        }
        Ok(lots)
    }

    fn spawn(&mut self) -> Result<(), StageError> {
        let Some((fetcher, deliveries)) = self.start.take() else { return Ok(()) };
        let wake = Arc::clone(&self.wake);
        let fetch = move || {
            let last = match fetcher.run() {
                Ok(End::Gone) => return,
                Ok(End::Done) => Delivery::End,
                Err(error) => Delivery::Failed(error),
            };
            feed::close(&deliveries, &wake, last);
        };
        let thread = thread::Builder::new().name("kafka".to_owned()).spawn(fetch);
        let failed = |source| StageError::Read { from: "Kafka".to_owned(), source };
        self.thread = Some(thread.map_err(failed)?);
        Ok(())
    }

    /// The next block, if there is one; the block before goes back.
    fn take(&mut self) -> Result<Option<Next>, StageError> {
        let mut has_drained = false;
        loop {
            match self.deliveries.try_recv() {
                Ok(Delivery::Block(block)) => {
                    self.base += self.block.bytes.len() as u64;
                    let mut spent = std::mem::replace(&mut self.block, block);
                    spent.clear();
                    // Nobody takes it if all has been read.
                    let _ = self.spent.send(spent);
                    self.next_run = 0;
                    return Ok(None);
                }
                Ok(Delivery::End) => return Ok(Some(Next::End)),
                Ok(Delivery::Failed(error)) => return Err(error),
                Err(TryRecvError::Empty) if has_drained => return Ok(Some(Next::Pending)),
                Err(TryRecvError::Empty) => {
                    has_drained = true;
                    // What comes behind this wakes us again.
                    let _ = rustix::io::read(&*self.wake, &mut [0_u8; 8]);
                }
                Err(TryRecvError::Disconnected) => {
                    return Err(StageError::Failed("kafka: the client broke off".to_owned()));
                }
            }
        }
    }

    /// The stage has dealt with all messages of the present run that end
    /// before this byte.
    fn reach(&mut self, consumed: u64) {
        let Some((index, _)) = self.run else { return };
        let run = &self.block.runs[index];
        let byte = consumed.saturating_sub(self.base) as usize;
        let count = self.block.messages_before(run, byte);
        if count > 0 {
            let time = self.block.time_of(run, count);
            self.reached.to(&run.partition, run.first + count as i64, time);
        }
    }
}

impl Source for Kafka {
    fn next(&mut self) -> Result<Next, StageError> {
        self.spawn()?;
        if let Some((index, _)) = self.run.take() {
            let run = &self.block.runs[index];
            let count = run.messages.len();
            let time = self.block.time_of(run, count);
            self.reached.to(&run.partition, run.first + count as i64, time);
        }
        while self.next_run == self.block.runs.len() {
            if let Some(next) = self.take()? {
                return Ok(next);
            }
        }
        let index = self.next_run;
        self.next_run += 1;
        let run = &self.block.runs[index];
        let start = self.block.bytes_of(run).start;
        self.run = Some((index, start));
        Ok(Next::Place(Place {
            name: Arc::clone(&run.partition.name),
            kind: PlaceKind::Partition,
            modified: None,
            line: run.first.unsigned_abs(),
            offset: self.base + start as u64,
        }))
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some((index, at)) = &mut self.run else { return Ok(0) };
        let end = self.block.bytes_of(&self.block.runs[*index]).end;
        let rest = &self.block.bytes[*at..end];
        let count = rest.len().min(space.len());
        space[..count].copy_from_slice(&rest[..count]);
        *at += count;
        Ok(count)
    }

    fn is_ready(&self) -> bool {
        self.run.is_some() || self.next_run < self.block.runs.len() || self.start.is_some()
    }

    fn descriptors<'a>(&'a self, into: &mut Vec<BorrowedFd<'a>>) {
        into.push(self.wake.as_fd());
    }

    fn taken(&self) -> u64 {
        match self.run {
            Some((_, at)) => self.base + at as u64,
            None => self.done(),
        }
    }

    fn share(&self) -> Option<f64> {
        self.reached.share()
    }

    fn messages(&mut self) -> Vec<String> {
        self.consumer.context().reporter.messages()
    }

    fn is_due(&self) -> bool {
        self.has_group && self.told.elapsed() >= TELL
    }

    fn written(&mut self, consumed: u64) -> Result<(), StageError> {
        self.reach(consumed);
        self.told = Instant::now();
        if self.has_group {
            let list = self.reached.take_news()?;
            if list.count() > 0 {
                // A partition that has been given up meanwhile takes none.
                let _ = self.consumer.store_offsets(&list);
            }
        }
        let before = if self.run.is_some() { consumed } else { self.done() };
        self.consumer.context().has_written(before);
        Ok(())
    }

    fn close(&mut self) {
        let context = Arc::clone(self.consumer.context());
        context.stop();
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + FAREWELL;
        // What it may wait for is room for what it has.
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                // It waits for a broker that does not answer. The program ends.
                if self.has_group {
                    self.say_uncommitted(NO_ANSWER);
                }
                return;
            }
            while self.deliveries.try_recv().is_ok() {}
            thread::sleep(Duration::from_millis(1));
        }
        let _ = thread.join();
        if self.has_group {
            self.leave(deadline);
        }
    }

    fn save(&mut self, epoch: u64, consumed: u64) -> Result<(), StageError> {
        self.reach(consumed);
        match &mut self.store {
            Some(store) => Ok(store.save_partitions(epoch, self.reached.positions())?),
            None => Ok(()),
        }
    }
}

impl Kafka {
    /// Commits what has been stored and leaves the group. The client would wait
    /// a minute and more for a broker that does not answer; nobody does who has
    /// asked for an end.
    fn leave(&self, deadline: Instant) {
        let consumer = Arc::clone(&self.consumer);
        let (sender, answers) = channel();
        let leave = move || {
            let _ = sender.send(consumer.commit_consumer_state(CommitMode::Sync));
            if consumer.close_queue().is_ok() {
                while !consumer.closed() {
                    let _ = consumer.poll(Duration::from_millis(100));
                }
            }
        };
        let left = || deadline.saturating_duration_since(Instant::now());
        match thread::Builder::new().name("leave".to_owned()).spawn(leave) {
            Ok(_) => match answers.recv_timeout(left()) {
                Ok(Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))) => {}
                Ok(Err(error)) => self.say_uncommitted(&reason(&error)),
                Err(_) => self.say_uncommitted(NO_ANSWER),
            },
            Err(error) => self.say_uncommitted(&error.to_string()),
        }
        // Until the thread has left the group, or time is over: then it keeps the client, whose
        // end would be waited for, and the program ends.
        let _ = answers.recv_timeout(left());
    }

    fn say_uncommitted(&self, why: &str) {
        self.consumer.context().reporter.say(format!(
            "kafka: the last offsets could not be committed, so their records may be read again: \
             {why}"
        ));
    }

    /// Bytes of the runs that have been read to their end.
    fn done(&self) -> u64 {
        match self.next_run.checked_sub(1) {
            Some(last) => self.base + self.block.bytes_of(&self.block.runs[last]).end as u64,
            None => self.base,
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("base", &self.base).finish_non_exhaustive()
    }
}
