//! What can go wrong with Kafka, in words for the user.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::stream::StageError;

/// Why nothing can be read from Kafka or written to it.
///
/// Passwords are in none of these.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaFailure {
    /// A setting that the client does not take.
    #[error("{0}")]
    Setting(String),
    /// No broker has answered.
    #[error("no broker answers at {brokers}: {reason}")]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// What the last try met.
        reason: String,
    },
    /// A broker has refused user, password or certificate.
    #[error("{brokers} refuses to let us in: {reason}")]
    Refused {
        /// The addresses tried.
        brokers: String,
        /// What it said.
        reason: String,
    },
    /// There is no such topic.
    #[error("there is no topic {topic} at {brokers}")]
    UnknownTopic {
        /// Its name, or the pattern that none matches.
        topic: String,
        /// Where it is not.
        brokers: String,
    },
    /// Records are gone that were to be read, as by their topic's retention.
    #[error(
        "{partition}: offset {wanted} is gone, the earliest is {earliest}: {} records are lost; \
         --fail-on-data-loss false goes on",
        .earliest - .wanted
    )]
    Lost {
        /// Where, such as `logs[3]`.
        partition: String,
        /// The offset to go on at.
        wanted: i64,
        /// The least that is still there.
        earliest: i64,
    },
    /// Any other answer.
    #[error("{doing}: {reason}")]
    Other {
        /// What was asked for, such as `cannot read logs[3]`.
        doing: String,
        /// The client's words for it.
        reason: String,
    },
}

impl KafkaFailure {
    /// A failure of the client while `doing` something.
    pub(crate) fn other(doing: impl Into<String>, error: &KafkaError) -> Self {
        Self::Other { doing: doing.into(), reason: reason(error) }
    }
}

impl From<KafkaFailure> for StageError {
    fn from(failure: KafkaFailure) -> Self {
        Self::Source(Box::new(failure))
    }
}

/// What the client says, without the names of its types and callbacks.
pub(crate) fn reason(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, text, ..) | KafkaError::ClientCreation(text) => text.clone(),
        KafkaError::Transaction(error) => error.to_string(),
        error => match error.rdkafka_error_code() {
            Some(code) => said(code),
            None => error.to_string(),
        },
    }
}

/// The client's words for a code: they come as `UnknownTopic (Broker: Unknown
/// topic)`.
pub(crate) fn said(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let inner = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
    let words = inner.unwrap_or(&text);
    words.strip_prefix("Local: ").unwrap_or(words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_in_words() {
        assert_eq!(
            said(RDKafkaErrorCode::UnknownTopicOrPartition),
            "Broker: Unknown topic or partition"
        );
        assert_eq!(said(RDKafkaErrorCode::AllBrokersDown), "All broker connections are down");
    }
}
