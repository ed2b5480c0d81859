//! A topic of Kafka, by librdkafka.

mod delivery;
mod epochs;
mod outbox;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer as _};

use self::delivery::Context;
use self::epochs::Epochs;
use self::outbox::{Left, Outbox};
use crate::kafka::{KafkaFailure, Settings, fetch_metadata, reason, said};
use crate::stream::{Committed, StageError, Transaction};

/// How long a topic that the brokers make when it is asked for may take.
const CREATION: Duration = Duration::from_secs(3);
/// How long brokers may take to begin, commit or abort a transaction.
const TRANSACTION: Duration = Duration::from_secs(60);
/// How long a run that has failed tries to deliver what it has sent.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often to look at what the client has to say, without input.
const ATTENTION: Duration = Duration::from_millis(500);
/// How long brokers that were away may take to show that they are back.
const ANSWER: Duration = Duration::from_millis(200);
/// Waiting for longer than this is worth a word.
const QUIET: Duration = Duration::from_secs(3);
/// How often to look whether there is room, or all has been delivered.
const LOOK: Duration = Duration::from_micros(300);

/// Where records go, and how.
#[derive(Clone, Debug)]
pub struct KafkaSinkOptions {
    /// Brokers and properties of the client.
    pub settings: Settings,
    /// The topic.
    pub topic: String,
    /// The partition of all records; chosen by their keys without it.
    pub partition: Option<i32>,
    /// How keys choose partitions: a `partitioner` of librdkafka.
    pub partitioner: String,
    /// When transactions end, if the client has a `transactional.id`.
    pub transactions: Transactions,
}

/// When transactions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transactions {
    /// So long after their first record.
    After(Duration),
    /// Where a checkpoint's epochs do. They are begun by
    /// [`recover`](Transaction::recover): until it is known that no other run of
    /// the line is left, none may be shut out.
    ByEpoch,
}

/// Writes records to a topic.
///
/// Each is written once, in order of its partition, however often the client
/// has to try: it is idempotent and waits for all replicas in sync. A record
/// that has not been acknowledged by its `message.timeout.ms` (five minutes) is
/// counted as failed.
pub struct KafkaSink {
    outbox: Outbox,
    topic: String,
    partition: Option<i32>,
    sent: u64,
    /// Bytes of their payloads.
    sent_bytes: u64,
    /// When transactions end, if there are any.
    transactions: Option<Transactions>,
    /// Whether one is under way.
    is_open: bool,
    /// When that is to end, if not with an epoch.
    ends_at: Option<Instant>,
    /// Where the committed epoch is kept, if they end with epochs.
    epochs: Option<Epochs>,
    /// What had been delivered when the last transaction was committed.
    committed: (u64, u64),
    /// Whether people have heard how many records were not delivered.
    is_told: bool,
    /// Whether nothing is tried any more.
    is_over: bool,
}

impl KafkaSink {
    /// Connects, and begins the first transaction if there are to be any.
    ///
    /// # Errors
    ///
    /// Fails if a property is refused, no broker answers within some seconds
    /// or one refuses to let us in, or if the topic is not there.
    pub fn connect(options: KafkaSinkOptions) -> Result<Self, KafkaFailure> {
        let KafkaSinkOptions { settings, topic, partition, partitioner, transactions } = options;
        let queue = queue_kilobytes(&settings)?;
        let defaults = [
            ("partitioner", &*partitioner),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // A report for each record that has arrived would cost as much as sending it.
            ("delivery.report.only.error", "true"),
            ("linger.ms", "5"),
            // Longer than epochs are, and than brokers may be away.
            ("transaction.timeout.ms", "300000"),
            // Half of it passes before the broker of the first answer is connected to.
            ("reconnect.backoff.ms", "20"),
            ("batch.size", "1000000"),
            // What nearly fits into the processor's caches. A longer queue costs more time a record,
            // a shorter one cannot hold what the brokers of many partitions take at once.
            ("queue.buffering.max.messages", "20000"),
            ("queue.buffering.max.kbytes", &*queue),
        ];
        let producer: BaseProducer<Context> = settings
            .client(&defaults)?
            .create_with_context(Context::default())
            // Such as settings that exclude each other.
            .map_err(|error| KafkaFailure::Setting(reason(&error)))?;
        let transactions = settings.get("transactional.id").map(|_| transactions);
        let by_epoch = transactions == Some(Transactions::ByEpoch);
        let epochs = if by_epoch { Some(Epochs::new(&settings, &topic)?) } else { None };
        let outbox = Outbox::new(producer, &topic, partition).map_err(|error| {
            KafkaFailure::other(format!("cannot write to the topic {topic}"), &error)
        })?;
        let sink = Self {
            outbox,
            topic,
            partition,
            sent: 0,
            sent_bytes: 0,
            transactions,
            is_open: false,
            ends_at: None,
            epochs,
            committed: (0, 0),
            is_told: false,
            is_over: false,
        };
        sink.look_for_topic(settings.brokers())?;
        if let Some(Transactions::After(_)) = transactions {
            sink.begin_transactions(Duration::from_secs(10))?;
        } else if transactions.is_none() {
            // The first answer came by an address of ours, this one comes from a broker that it
            // named: the client takes that as the occasion to ask for the number that makes it
            // idempotent. Else it would look half a second later, and send nothing until then.
            let _ = sink.producer().client().fetch_metadata(Some(&sink.topic), ANSWER);
        }
        Ok(sink)
    }

    /// Whether it is told when transactions end, by [`Transaction::commit`].
    pub fn commits_by_epoch(&self) -> bool {
        self.transactions == Some(Transactions::ByEpoch)
    }

    /// Shuts out whoever wrote with this id before.
    fn begin_transactions(&self, patience: Duration) -> Result<(), KafkaFailure> {
        let doing = "cannot begin to write in transactions";
        let begun = self.producer().init_transactions(patience);
        begun.map_err(|error| KafkaFailure::other(doing, &error))
    }

    /// Begins a transaction unless one is under way.
    fn open(&mut self) -> Result<(), KafkaFailure> {
        let Some(transactions) = self.transactions.filter(|_| !self.is_open) else {
            return Ok(());
        };
        let begun = self.producer().begin_transaction();
        begun.map_err(|error| KafkaFailure::other("cannot begin a transaction", &error))?;
        self.is_open = true;
        if let Transactions::After(interval) = transactions {
            self.ends_at = Some(Instant::now() + interval);
        }
        Ok(())
    }

    fn producer(&self) -> &BaseProducer<Context> {
        self.outbox.producer()
    }

    fn context(&self) -> &Arc<Context> {
        self.producer().context()
    }

    /// Makes contact, and sees to it that there is such a topic.
    fn look_for_topic(&self, brokers: &str) -> Result<(), KafkaFailure> {
        let deadline = Instant::now() + CREATION;
        loop {
            let context = self.context();
            let serve = || {
                self.producer().poll(Duration::ZERO);
            };
            let metadata = fetch_metadata(
                self.producer().client(),
                &context.reporter,
                brokers,
                Some(&self.topic),
                serve,
            )?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
            let code = match topic.map(|topic| (topic.error(), topic.partitions().len())) {
                Some((None, partitions)) => {
                    if let Some(number) = self.partition
                        && number as usize >= partitions
                    {
                        let doing = format!("cannot write to {}[{number}]", self.topic);
                        let reason = format!("it has {partitions} partitions");
                        return Err(KafkaFailure::Other { doing, reason });
                    }
                    return Ok(());
                }
                Some((Some(error), _)) => RDKafkaErrorCode::from(error),
                None => RDKafkaErrorCode::UnknownTopicOrPartition,
            };
            let may_come = matches!(
                code,
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::LeaderNotAvailable
            );
            if !may_come {
                let doing = format!("cannot write to the topic {}", self.topic);
                return Err(KafkaFailure::Other { doing, reason: said(code) });
            }
            if Instant::now() >= deadline {
                let (topic, brokers) = (self.topic.clone(), brokers.to_owned());
                return Err(KafkaFailure::UnknownTopic { topic, brokers });
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Takes in a record, to be sent with those after it or by
    /// [`hand_over`](Self::hand_over). Waits for room; its failure to arrive
    /// shows later. What people should hear of meanwhile is given to `say`.
    ///
    /// # Errors
    ///
    /// Fails if nothing can be sent any more.
    pub fn send(
        &mut self,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        say: impl FnMut(&str),
    ) -> Result<(), KafkaFailure> {
        self.open()?;
        self.sent += 1;
        self.sent_bytes += payload.map_or(0, <[u8]>::len) as u64;
        if self.outbox.add(key, payload) { self.hand_over(say) } else { Ok(()) }
    }

    /// Sends what has been taken in, waiting for room. What people should hear
    /// of meanwhile is given to `say`.
    ///
    /// # Errors
    ///
    /// Fails if nothing can be sent any more.
    pub fn hand_over(&mut self, mut say: impl FnMut(&str)) -> Result<(), KafkaFailure> {
        loop {
            let Err(left) = self.try_hand_over() else { return Ok(()) };
            let before = self.producer().in_flight_count();
            // First, since they tell why it may take nothing any more.
            for message in self.messages() {
                say(&message);
            }
            self.check()?;
            if let Left::Broken(code) = left {
                let doing = format!("cannot write to {}", self.topic);
                return Err(KafkaFailure::Other { doing, reason: said(code) });
            }
            // Where it was asked for reports of all records, each call takes in a few.
            if self.producer().in_flight_count() == before {
                thread::sleep(LOOK);
            }
        }
    }

    /// Sends what has been taken in, as far as there is room. Those that can never
    /// be sent have failed.
    fn try_hand_over(&mut self) -> Result<(), Left> {
        let context = Arc::clone(self.context());
        self.outbox.hand_over(|code, bytes| match code {
            RDKafkaErrorCode::MessageSizeTooLarge => {
                let why = format!("{bytes} bytes are more than message.max.bytes allows");
                context.fail(&why, bytes);
            }
            code => context.fail(&said(code), bytes),
        })
    }

    /// Whether the client can go on.
    ///
    /// # Errors
    ///
    /// Fails if it has given up, as when another one writes in transactions of
    /// the same id.
    pub fn check(&self) -> Result<(), KafkaFailure> {
        // Its event may not have come up yet.
        if let Some((code, why)) = self.producer().client().fatal_error() {
            let code = match code {
                RDKafkaErrorCode::Fenced => code,
                _ => RDKafkaErrorCode::Fatal,
            };
            self.context().reporter.error(&KafkaError::Global(code), &why);
        }
        self.context().reporter.fatal().map_or(Ok(()), Err)
    }

    /// Whether the transaction under way is to end by now.
    pub fn is_due(&self) -> bool {
        self.ends_at.is_some_and(|end| end <= Instant::now())
    }

    /// How long until something may be due.
    pub fn wait(&self) -> Duration {
        let left = self.ends_at.map(|end| end.saturating_duration_since(Instant::now()));
        left.map_or(ATTENTION, |left| left.min(ATTENTION))
    }

    /// Waits until every record has been acknowledged or has failed, and
    /// commits the transaction, if one is under way that does not end with an epoch.
    /// What people should hear of meanwhile is given to `say`.
    ///
    /// # Errors
    ///
    /// Fails if any record has failed so far, the client cannot go on, or the
    /// transaction was not committed; then nothing of it will be read by those
    /// who read what is committed.
    pub fn settle(&mut self, mut say: impl FnMut(&str)) -> Result<(), KafkaFailure> {
        self.hand_over(&mut say)?;
        let (begun, mut is_said) = (Instant::now(), false);
        while self.producer().in_flight_count() > 0 {
            if begun.elapsed() >= QUIET && !mem::replace(&mut is_said, true) {
                let left = self.producer().in_flight_count();
                say(&format!("kafka: waiting for {left} records to be acknowledged"));
            }
            // Sends what lingers.
            let _ = self.producer().flush(LOOK);
            self.check()?;
            for message in self.messages() {
                say(&message);
            }
        }
        if self.failed() == 0 {
            let ends = self.is_open && !self.commits_by_epoch();
            return if ends { self.commit_open() } else { Ok(()) };
        }
        self.abort();
        let (written, _) = self.written();
        let (missing, sent) = (self.sent - written, self.sent);
        let reason = self.context().first().clone().unwrap_or_default();
        self.is_told = true;
        let doing = format!("{missing} of {sent} records were not delivered");
        Err(KafkaFailure::Other { doing, reason })
    }

    fn commit_open(&mut self) -> Result<(), KafkaFailure> {
        let deadline = Instant::now() + TRANSACTION;
        loop {
            match self.producer().commit_transaction(TRANSACTION) {
                Ok(()) => {
                    (self.is_open, self.ends_at) = (false, None);
                    self.committed = self.acknowledged();
                    return Ok(());
                }
                Err(KafkaError::Transaction(error))
                    if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => {
                    self.abort();
                    return Err(KafkaFailure::other("cannot commit a transaction", &error));
                }
            }
        }
    }

    fn abort(&mut self) {
        // One that was shut out has nothing left to abort.
        self.ends_at = None;
        if mem::take(&mut self.is_open)
            && self.check().is_ok()
            && let Err(error) = self.producer().abort_transaction(FAREWELL)
        {
            let why = reason(&error);
            self.context().reporter.say(format!(
                "kafka: the transaction could not be aborted; the brokers will, after \
                 transaction.timeout.ms: {why}"
            ));
        }
    }

    /// The run has failed: tries for some seconds to deliver what has been
    /// sent, which the client would throw away; a transaction is aborted.
    pub fn give_up(&mut self) {
        if !self.is_open && self.check().is_ok() {
            let deadline = Instant::now() + FAREWELL;
            let left = || deadline.saturating_duration_since(Instant::now());
            // There is room only as others are delivered.
            while matches!(self.try_hand_over(), Err(Left::Full)) && !left().is_zero() {
                let _ = self.producer().flush(LOOK);
            }
            let _ = self.producer().flush(left());
        }
        self.abort();
        self.is_over = true;
        let (missing, sent) = (self.undelivered(), self.sent);
        if missing > 0 && !self.is_told {
            let message = format!("kafka: {missing} of {sent} records were not delivered");
            self.context().reporter.say(message);
        }
    }

    /// How many records have arrived, and bytes of payloads; the bytes of those
    /// in flight count too.
    fn acknowledged(&self) -> (u64, u64) {
        let in_flight = u64::try_from(self.producer().in_flight_count()).unwrap_or(0);
        let failed_bytes = self.context().failed_bytes.load(Ordering::Relaxed);
        let waiting = self.outbox.len() as u64 + in_flight;
        let records = self.sent.saturating_sub(waiting + self.failed());
        (records, self.sent_bytes - failed_bytes)
    }

    /// How many records, and bytes of payloads, are there to be read.
    pub fn written(&self) -> (u64, u64) {
        if self.transactions.is_some() { self.committed } else { self.acknowledged() }
    }

    /// How many records have not arrived, and will not.
    pub fn undelivered(&self) -> u64 {
        if self.is_over { self.sent.saturating_sub(self.written().0) } else { self.failed() }
    }

    fn failed(&self) -> u64 {
        self.context().failed.load(Ordering::Relaxed)
    }

    /// What people should hear of, since the last call.
    pub fn messages(&self) -> Vec<String> {
        self.producer().poll(Duration::ZERO);
        let reporter = &self.context().reporter;
        if reporter.is_to_ask()
            && self.producer().client().fetch_metadata(Some(&self.topic), ANSWER).is_ok()
        {
            reporter.reached();
        }
        reporter.messages()
    }
}

/// Room for the records on their way, in KiB: for one at least that is as large
/// as may be, or that would wait for ever.
fn queue_kilobytes(settings: &Settings) -> Result<String, KafkaFailure> {
    const USUAL: u64 = 65_536;
    let number = |key| settings.get(key).and_then(|value| value.parse::<u64>().ok());
    let least = number("message.max.bytes").map_or(0, |bytes| bytes.div_ceil(1_024));
    if let Some(room) = number("queue.buffering.max.kbytes").filter(|room| *room < least) {
        return Err(KafkaFailure::Setting(format!(
            "queue.buffering.max.kbytes={room} has no room for a record of message.max.bytes: \
             give {least} at least"
        )));
    }
    Ok(USUAL.max(least).to_string())
}

impl Transaction for KafkaSink {
    fn recover(&mut self) -> Result<Option<Committed>, StageError> {
        self.begin_transactions(TRANSACTION)?;
        match &self.epochs {
            Some(epochs) => Ok(epochs.committed()?),
            None => Ok(None),
        }
    }

    fn commit(&mut self, committed: &Committed) -> Result<(), StageError> {
        // One without records still says which epoch it was.
        self.open()?;
        if let Some(epochs) = &self.epochs {
            let kept = epochs.keep(committed, self.producer(), TRANSACTION);
            kept.map_err(|error| KafkaFailure::other("cannot keep the epoch", &error))?;
        }
        Ok(self.commit_open()?)
    }
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink")
            .field("topic", &self.topic)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
