//! Arguments of what reads from Kafka.

use std::time::Duration;

use clap::Args;

use super::UsageError;
use super::kafka::ClientArgs;
use crate::source::{EndingOffsets, KafkaOptions, Selection, StartingOffsets};
use crate::time::TimeDelta;

/// Topics, and where to begin and end.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaSourceArgs {
    #[command(flatten)]
    client: ClientArgs,

    /// Read this topic, or all whose names match a pattern that begins with ^ (repeatable)
    #[arg(long = "topic", short = 't', id = "topic", value_name = "TOPIC")]
    topics: Vec<String>,

    /// Only this partition (repeatable); without --group
    #[arg(long = "partition", short = 'p', id = "partition", value_name = "N", requires = "topic")]
    #[arg(value_parser = clap::value_parser!(i32).range(0..), conflicts_with = "group")]
    partitions: Vec<i32>,

    /// Where to begin: earliest, latest, -N (the last N of each partition), N, timestamp:TIME or
    /// {"logs":{"0":23,"1":-2}} (-2 is earliest, -1 latest)
    ///
    /// By default where --group left off, else latest, or earliest if the reading has an end. With
    /// --group it counts where the group has come nowhere yet, with --checkpoint at the first run.
    #[arg(long, short = 'o', value_name = "OFFSETS", requires = "topic")]
    #[arg(allow_hyphen_values = true)]
    starting_offsets: Option<StartingOffsets>,

    /// End before these offsets: latest (what is there now) or {"logs":{"0":100}}
    #[arg(long, value_name = "OFFSETS", requires = "topic")]
    ending_offsets: Option<EndingOffsets>,

    /// End behind what is there now, as with --ending-offsets latest
    #[arg(long, short = 'e', requires = "topic", conflicts_with = "ending_offsets")]
    exit_at_end: bool,

    /// Share the partitions with other readers of this group, and keep with the brokers what has
    /// been written to stdout
    ///
    /// At least once: a reader that is killed has written up to some seconds' records that another
    /// one reads again, and what is still in the pipe behind it is not known of. With --checkpoint
    /// the partitions are not shared and the group only hears of the offsets.
    #[arg(long, short = 'G', value_name = "GROUP", requires = "topic")]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: Option<String>,

    /// Read so many messages at each --trigger, from all partitions together
    #[arg(long, value_name = "N", requires = "topic")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    max_offsets_per_trigger: Option<u64>,

    /// Which messages of transactions to read: `read_committed` or `read_uncommitted`
    #[arg(long, value_name = "LEVEL", default_value = "read_committed", requires = "topic")]
    #[arg(value_parser = ["read_committed", "read_uncommitted"])]
    isolation: String,

    /// Add the headers of messages: "@source":{…,"headers":{"trace":"7"}}
    #[arg(long, requires = "topic")]
    headers: bool,
}

impl KafkaSourceArgs {
    /// Whether Kafka is read from.
    pub fn is_given(&self) -> bool {
        !self.topics.is_empty()
    }

    /// Whether the reading has an end.
    pub fn has_end(&self) -> bool {
        self.exit_at_end || self.ending_offsets.is_some()
    }

    /// Whether there may be several topics.
    pub fn has_several(&self) -> bool {
        self.topics.len() > 1 || self.topics.iter().any(|topic| topic.starts_with('^'))
    }

    /// Whether a group shares the partitions.
    pub fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// What is to be read, if anything.
    ///
    /// # Errors
    ///
    /// Fails if a property of the client is refused, or a pattern is none.
    pub fn options(
        &self,
        fail_on_data_loss: bool,
        trigger: TimeDelta,
    ) -> Result<Option<KafkaOptions>, UsageError> {
        if !self.is_given() {
            // Beside files, clap does not ask for it.
            if self.client.is_given() {
                return Err(UsageError("--kafka, -X and -F need --topic TOPIC".to_owned()));
            }
            return Ok(None);
        }
        let mut settings = self.client.settings()?;
        let usage = |error: crate::kafka::KafkaFailure| UsageError(error.to_string());
        if settings.get("isolation.level").is_none() {
            settings.set(&format!("isolation.level={}", self.isolation)).map_err(usage)?;
        }
        settings.check().map_err(usage)?;
        let latest = self.exit_at_end.then_some(EndingOffsets::Latest);
        let selection = Selection {
            topics: self.topics.clone(),
            partitions: self.partitions.clone(),
            starting: self.starting_offsets.clone(),
            ending: self.ending_offsets.clone().or(latest),
            fail_on_data_loss,
        };
        selection.check().map_err(usage)?;
        let every = Duration::from_micros(trigger.micros.unsigned_abs());
        Ok(Some(KafkaOptions {
            settings,
            selection,
            group: self.group.clone(),
            has_headers: self.headers,
            merge: None,
            quota: self.max_offsets_per_trigger.map(|messages| (messages, every)),
        }))
    }
}
