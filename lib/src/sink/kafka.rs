//! A topic of Kafka, by librdkafka.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::kafka::{KafkaFailure, Reporter, Settings, fetch_metadata, reason, said};

/// How long a topic that the brokers make when it is asked for may take.
const CREATION: Duration = Duration::from_secs(3);
/// How long brokers may take to begin, commit or abort a transaction.
const TRANSACTION: Duration = Duration::from_secs(60);
/// How long a run that has failed tries to deliver what it has sent.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often to look whether there is room, or all has been delivered.
const LOOK: Duration = Duration::from_millis(2);
/// So many failed records are named; the rest is only counted.
const NAMED: u64 = 5;

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
    /// Set if records are to be written in transactions of this id.
    pub transactional_id: Option<String>,
}

/// Writes records to a topic.
///
/// Each is written once, in order of its partition, however often the client
/// has to try: it is idempotent and waits for all replicas in sync. A record
/// that has not been acknowledged by its `message.timeout.ms` (five minutes) is
/// counted as failed.
pub struct KafkaSink {
    producer: ThreadedProducer<Context>,
    topic: String,
    partition: Option<i32>,
    sent: u64,
    is_transactional: bool,
    /// Whether a transaction is under way.
    is_open: bool,
}

#[derive(Debug, Default)]
struct Context {
    reporter: Reporter,
    delivered: AtomicU64,
    failed: AtomicU64,
    first: Mutex<Option<String>>,
}

impl Context {
    fn first(&self) -> MutexGuard<'_, Option<String>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, why: &str) {
        if self.reporter.fatal().is_some() {
            // Whatever ended the client, ended this.
            self.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.first().get_or_insert_with(|| why.to_owned());
        match self.failed.fetch_add(1, Ordering::Relaxed) + 1 {
            ..=NAMED => self.reporter.say(format!("kafka: a record was not delivered: {why}")),
            number if number == NAMED + 1 => {
                self.reporter.say("kafka: further ones are only counted");
            }
            _ => {}
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.reporter.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.error(&error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                if self.reporter.is_down() {
                    self.reporter.reached();
                }
            }
            Err((error, _)) => self.fail(&reason(error)),
        }
    }
}

impl KafkaSink {
    /// Connects, and begins the first transaction if there are to be any.
    ///
    /// # Errors
    ///
    /// Fails if a property is refused, no broker answers within some seconds
    /// or one refuses to let us in, or if the topic is not there.
    pub fn connect(options: KafkaSinkOptions) -> Result<Self, KafkaFailure> {
        let KafkaSinkOptions { settings, topic, partition, partitioner, transactional_id } =
            options;
        let mut defaults = vec![
            ("partitioner", &*partitioner),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "5"),
            ("batch.size", "1000000"),
            ("queue.buffering.max.messages", "100000"),
            ("queue.buffering.max.kbytes", "65536"),
        ];
        if let Some(id) = &transactional_id {
            defaults.push(("transactional.id", id));
        }
        let doing = "cannot make a client of Kafka";
        let producer: ThreadedProducer<Context> = settings
            .client(&defaults)?
            .create_with_context(Context::default())
            .map_err(|error| KafkaFailure::other(doing, &error))?;
        let sink = Self {
            producer,
            topic,
            partition,
            sent: 0,
            is_transactional: transactional_id.is_some(),
            is_open: false,
        };
        sink.look_for_topic(settings.brokers())?;
        if sink.is_transactional {
            let doing = "cannot begin to write in transactions";
            sink.producer
                .init_transactions(Duration::from_secs(10))
                .map_err(|error| KafkaFailure::other(doing, &error))?;
        }
        Ok(sink)
    }

    fn context(&self) -> &Arc<Context> {
        self.producer.context()
    }

    /// Makes contact, and sees to it that there is such a topic.
    fn look_for_topic(&self, brokers: &str) -> Result<(), KafkaFailure> {
        let deadline = Instant::now() + CREATION;
        loop {
            let context = self.context();
            // The client's own thread hands on what it has to say.
            let metadata = fetch_metadata(
                self.producer.client(),
                &context.reporter,
                brokers,
                Some(&self.topic),
                || {},
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

    /// Sends a record, waiting for room. Its failure to arrive shows later.
    ///
    /// # Errors
    ///
    /// Fails if nothing can be sent any more.
    pub fn send(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>) -> Result<(), KafkaFailure> {
        if self.is_transactional && !self.is_open {
            let doing = "cannot begin a transaction";
            self.producer
                .begin_transaction()
                .map_err(|error| KafkaFailure::other(doing, &error))?;
            self.is_open = true;
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        (record.key, record.payload, record.partition) = (key, payload, self.partition);
        self.sent += 1;
        loop {
            let (error, back) = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    self.check()?;
                    thread::sleep(LOOK);
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    let (bytes, property) = (payload.map_or(0, <[u8]>::len), "message.max.bytes");
                    let why = format!("{bytes} bytes are more than {property} allows");
                    self.context().fail(&why);
                    return Ok(());
                }
                Some(RDKafkaErrorCode::UnknownPartition) => {
                    self.context().fail(&reason(&error));
                    return Ok(());
                }
                _ => {
                    let doing = format!("cannot write to {}", self.topic);
                    return Err(KafkaFailure::other(doing, &error));
                }
            }
            record = back;
        }
    }

    /// Whether the client can go on.
    ///
    /// # Errors
    ///
    /// Fails if it has given up, as when another one writes in transactions of
    /// the same id.
    pub fn check(&self) -> Result<(), KafkaFailure> {
        self.context().reporter.fatal().map_or(Ok(()), Err)
    }

    /// Waits until every record has been acknowledged or has failed. `meanwhile`
    /// is called now and then, as to show messages.
    ///
    /// # Errors
    ///
    /// Fails if the client cannot go on.
    pub fn flush(&self, mut meanwhile: impl FnMut(&Self)) -> Result<(), KafkaFailure> {
        while self.delivered() + self.failed() < self.sent {
            self.check()?;
            meanwhile(self);
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Commits what has been sent since the last time, if there are
    /// transactions. All of it has to be [flushed](Self::flush).
    ///
    /// # Errors
    ///
    /// Fails if a record has failed or the brokers refuse; then nothing since
    /// the last time will be read by those who read what is committed.
    pub fn commit(&mut self) -> Result<(), KafkaFailure> {
        if !self.is_open {
            return Ok(());
        }
        if self.failed() > 0 {
            self.abort();
            return Ok(());
        }
        let deadline = Instant::now() + TRANSACTION;
        loop {
            match self.producer.commit_transaction(TRANSACTION) {
                Ok(()) => {
                    self.is_open = false;
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
        if std::mem::take(&mut self.is_open)
            && let Err(error) = self.producer.abort_transaction(Duration::from_secs(10))
        {
            let why = reason(&error);
            self.context().reporter.say(format!(
                "kafka: the transaction could not be aborted; the brokers will, after \
                 transaction.timeout.ms: {why}"
            ));
        }
    }

    /// Whether records are written in transactions.
    pub fn is_transactional(&self) -> bool {
        self.is_transactional
    }

    /// Records acknowledged.
    pub fn delivered(&self) -> u64 {
        self.context().delivered.load(Ordering::Relaxed)
    }

    /// Records that were not delivered.
    pub fn failed(&self) -> u64 {
        self.context().failed.load(Ordering::Relaxed)
    }

    /// Records sent.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Why the first of those that failed did.
    pub fn first_failure(&self) -> Option<String> {
        self.context().first().clone()
    }

    /// What people should hear of, since the last call.
    pub fn messages(&self) -> Vec<String> {
        self.context().reporter.messages()
    }
}

impl Drop for KafkaSink {
    /// What has not been flushed by now belongs to a run that failed: of its
    /// own accord the client would throw it away.
    fn drop(&mut self) {
        if !self.is_open && self.check().is_ok() {
            let _ = self.producer.flush(FAREWELL);
        }
        self.abort();
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
