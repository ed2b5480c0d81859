//! What the client reports of records on their way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use crate::kafka::{Reporter, reason};

/// So many failed records are named; the rest is only counted.
const NAMED: u64 = 5;

/// Counts what was not delivered, and collects what people should hear of.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) reporter: Reporter,
    pub(super) failed: AtomicU64,
    /// Bytes of their payloads.
    pub(super) failed_bytes: AtomicU64,
    first: Mutex<Option<String>>,
}

impl Context {
    pub(super) fn first(&self) -> MutexGuard<'_, Option<String>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, why: &str, bytes: usize) {
        self.failed_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
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
            // Only failures are reported: whatever else is no longer in flight has arrived.
            Ok(_) => {}
            Err((error, message)) => self.fail(&reason(error), message.payload_len()),
        }
    }
}
