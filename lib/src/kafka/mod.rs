//! What reading from Kafka and writing to it have in common: settings of the
//! client, what it has to say, and how its failures are told.
//!
//! The client is [librdkafka](https://github.com/confluentinc/librdkafka), built
//! in; its settings are those of its `CONFIGURATION.md`.

mod error;
mod reporter;
mod settings;

pub use error::KafkaFailure;
pub(crate) use error::{reason, said};
pub(crate) use reporter::{Reporter, fetch_metadata};
pub use settings::Settings;
