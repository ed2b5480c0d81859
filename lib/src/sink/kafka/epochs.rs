//! Where the number of the committed epoch is kept: with the broker, inside
//! each transaction, as the offset of a consumer group of the sink's own.

use std::fmt;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::KafkaResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::kafka::{KafkaFailure, Settings};
use crate::stream::Committed;

/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// The group, in which nobody reads.
pub(super) struct Epochs {
    group: BaseConsumer,
    topic: String,
}

impl Epochs {
    /// Those of the transactional id that `settings` have.
    pub(super) fn new(settings: &Settings, topic: &str) -> Result<Self, KafkaFailure> {
        let id = settings.get("transactional.id").unwrap_or_default();
        let own =
            [("group.id", &*format!("highwater-{id}")), ("isolation.level", "read_committed")];
        let group = settings
            .client(&own)?
            .create()
            .map_err(|error| KafkaFailure::other("cannot ask for the committed epoch", &error))?;
        Ok(Self { group, topic: topic.to_owned() })
    }

    /// What was committed last. No transaction may be on its way.
    pub(super) fn committed(&self) -> Result<Option<Committed>, KafkaFailure> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, 0);
        let answer = self.group.committed_offsets(asked, ANSWER);
        let answer = answer
            .map_err(|error| KafkaFailure::other("cannot ask for the committed epoch", &error))?;
        Ok(answer.elements().first().and_then(|element| match element.offset() {
            Offset::Offset(epoch) => {
                let (line, epoch) = (element.metadata().to_owned(), u64::try_from(epoch).ok()?);
                Some(Committed { line, epoch })
            }
            _ => None,
        }))
    }

    /// Keeps it in the transaction that is under way.
    pub(super) fn keep<C: ProducerContext>(
        &self,
        committed: &Committed,
        producer: &BaseProducer<C>,
        patience: Duration,
    ) -> KafkaResult<()> {
        let mut kept = TopicPartitionList::new();
        let epoch = Offset::Offset(i64::try_from(committed.epoch).unwrap_or(i64::MAX));
        kept.add_partition_offset(&self.topic, 0, epoch)?;
        if let Some(mut element) = kept.find_partition(&self.topic, 0) {
            element.set_metadata(&committed.line);
        }
        producer.send_offsets_to_transaction(&kept, &self.metadata()?, patience)
    }

    fn metadata(&self) -> KafkaResult<ConsumerGroupMetadata> {
        let none = || rdkafka::error::KafkaError::ClientCreation("it has no group".to_owned());
        self.group.group_metadata().ok_or_else(none)
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs").field("topic", &self.topic).finish_non_exhaustive()
    }
}
