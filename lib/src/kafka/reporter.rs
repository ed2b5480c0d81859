//! What the client says of itself, on its way to people.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::KafkaFailure;
use super::error::{reason, said};

/// How long a first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(7);
/// How often to ask whether brokers are back.
const AGAIN: Duration = Duration::from_secs(2);
/// How often to look whether an answer is still to be hoped for.
const SLICE: Duration = Duration::from_millis(500);

/// Collects what the client reports from its own threads.
///
/// It connects again by itself, and says so each time it fails to. People
/// hear of it once when brokers go away and once when they are back.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    state: Mutex<State>,
    /// Whether people have heard that no broker answers. Asked for with each
    /// message.
    is_down: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<String>,
    /// What the last try to reach a broker met.
    trouble: Option<String>,
    refused: Option<String>,
    fatal: Option<KafkaFailure>,
    /// Whether the client has been in touch with a broker before.
    is_begun: bool,
    /// When brokers that are away were last asked for.
    asked: Option<Instant>,
}

impl Reporter {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What people should hear of, since the last call.
    pub(crate) fn messages(&self) -> Vec<String> {
        std::mem::take(&mut self.state().messages)
    }

    /// Whether there is something that people should hear of.
    pub(crate) fn has_messages(&self) -> bool {
        !self.state().messages.is_empty()
    }

    /// Says something to people.
    pub(crate) fn say(&self, message: impl Into<String>) {
        self.state().messages.push(message.into());
    }

    /// What makes going on impossible, if anything has.
    pub(crate) fn fatal(&self) -> Option<KafkaFailure> {
        self.state().fatal.clone()
    }

    /// Whether no broker has answered lately.
    pub(crate) fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// Whether it is time to ask whether brokers that were away are back. Each
    /// question makes the client try to connect, whatever pause it was to make.
    pub(crate) fn is_to_ask(&self) -> bool {
        if !self.is_down() {
            return false;
        }
        let (mut state, now) = (self.state(), Instant::now());
        let is_due = state.asked.is_none_or(|asked| now >= asked + AGAIN);
        if is_due {
            state.asked = Some(now);
        }
        is_due
    }

    /// A broker has answered.
    pub(crate) fn reached(&self) {
        let mut state = self.state();
        state.is_begun = true;
        (state.trouble, state.refused) = (None, None);
        if self.is_down.swap(false, Ordering::Relaxed) {
            state.messages.push("kafka: connected again".to_owned());
        }
    }

    /// Takes in an error that concerns no request in particular.
    pub(crate) fn error(&self, error: &KafkaError, what: &str) {
        let mut state = self.state();
        let what = plain(what);
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
                if state.is_begun && state.refused.is_none() {
                    state.messages.push(format!("kafka: refused to let us in: {what}"));
                }
                state.refused = Some(what);
            }
            // People hear of it once.
            Some(RDKafkaErrorCode::AllBrokersDown)
                if !state.is_begun || self.is_down.swap(true, Ordering::Relaxed) => {}
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                // The client's own words are how many brokers are down, and late.
                let why = state.trouble.clone();
                let why = why.unwrap_or_else(|| "all connections are down".to_owned());
                state.messages.push(format!("kafka: no broker answers, trying again: {why}"));
            }
            Some(RDKafkaErrorCode::Fenced) => {
                let doing = "kafka: cannot go on writing".to_owned();
                let reason = "another process has begun to write with this transactional id";
                state.fatal = Some(KafkaFailure::Other { doing, reason: reason.to_owned() });
            }
            // What it is has come before.
            Some(RDKafkaErrorCode::Fatal) if state.fatal.is_some() => {}
            Some(RDKafkaErrorCode::Fatal) => {
                let doing = "kafka: cannot go on".to_owned();
                state.fatal = Some(KafkaFailure::Other { doing, reason: what });
            }
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::SSL,
            ) => state.trouble = Some(what),
            // Whoever reads a partition takes these up.
            Some(
                RDKafkaErrorCode::PartitionEOF
                | RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition,
            ) => {}
            Some(code) if !self.is_down() => {
                state.messages.push(format!("kafka: {}: {what}", said(code)));
            }
            _ => {}
        }
    }

    /// Takes in a line of the client's log.
    pub(crate) fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // Without `debug` there are only those of failures, which come as errors too.
        let is_failure = matches!(
            level,
            RDKafkaLogLevel::Emerg
                | RDKafkaLogLevel::Alert
                | RDKafkaLogLevel::Critical
                | RDKafkaLogLevel::Error
        );
        if !is_failure {
            self.say(format!("kafka: {facility}: {text}"));
        }
    }

    fn refused(&self) -> Option<String> {
        self.state().refused.clone()
    }

    fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }
}

/// What there is of a topic, or of all: the first request that a client makes,
/// which shows whether brokers can be reached at all. `serve` hands on what
/// the client has to say meanwhile.
///
/// # Errors
///
/// Fails if no broker answers within some seconds, or refuses.
pub(crate) fn fetch_metadata<C: ClientContext + Debug>(
    client: &Client<C>,
    reporter: &Reporter,
    brokers: &str,
    topic: Option<&str>,
    serve: impl Fn(),
) -> Result<Metadata, KafkaFailure> {
    let brokers = brokers.to_owned();
    let deadline = Instant::now() + FIRST_ANSWER;
    loop {
        let error = match client.fetch_metadata(topic, SLICE) {
            Ok(metadata) => {
                reporter.reached();
                return Ok(metadata);
            }
            Err(error) => error,
        };
        serve();
        if let Some(reason) = reporter.refused() {
            return Err(KafkaFailure::Refused { brokers, reason });
        }
        if Instant::now() >= deadline {
            let reason = reporter.trouble().unwrap_or_else(|| reason(&error));
            return Err(KafkaFailure::Unreachable { brokers, reason });
        }
    }
}

/// What the client says without its own marks: the name of the thread or
/// broker before it, and how often it has happened behind it.
fn plain(said: &str) -> String {
    let said = said.trim();
    let (head, rest) = said.split_once(": ").unwrap_or(("", said));
    let is_mark = head.contains('/') || head.starts_with("GroupCoordinator");
    let said = if is_mark { rest } else { said };
    let end = said.find(" (after ").unwrap_or(said.len());
    said[..end].replace("ipv4#", "").replace("ipv6#", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_has_no_marks_of_the_client() {
        for (said, read) in [
            (
                "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused \
                 (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
                "Connect to 127.0.0.1:9 failed: Connection refused",
            ),
            (
                "sasl_ssl://broker:9093/1: SASL authentication error: no",
                "SASL authentication error: no",
            ),
            ("2/2 brokers are down", "2/2 brokers are down"),
        ] {
            assert_eq!(plain(said), read);
        }
    }
}
