//! Arguments of what talks to Kafka.

use std::env;
use std::path::PathBuf;

use clap::Args;

use super::UsageError;
use crate::kafka::{KafkaFailure, Settings};

/// Brokers, and properties of the client.
#[derive(Args, Clone, Debug)]
pub struct ClientArgs {
    /// Brokers to ask first, with commas between them [env: HIGHWATER_KAFKA]
    #[arg(long, short = 'b', value_name = "HOST:PORT", requires = "topic")]
    kafka: Option<String>,

    /// Set a property of the client (librdkafka), such as sasl.mechanism=PLAIN (repeatable)
    #[arg(short = 'X', id = "property", value_name = "KEY=VALUE", requires = "topic")]
    properties: Vec<String>,

    /// Read properties from a file, KEY=VALUE a line; passwords are best there or in
    /// HIGHWATER_KAFKA_PASSWORD [env: HIGHWATER_KAFKA_CONFIG]
    #[arg(short = 'F', id = "config", value_name = "FILE", requires = "topic")]
    config: Option<PathBuf>,
}

impl ClientArgs {
    /// What the environment, the file and the command line say; the last of
    /// them counts.
    ///
    /// # Errors
    ///
    /// Fails if a property is not written as one, or the file cannot be read.
    pub fn settings(&self) -> Result<Settings, UsageError> {
        let usage = |error: KafkaFailure| UsageError(error.to_string());
        let mut settings = Settings::new(&env::var("HIGHWATER_KAFKA").unwrap_or_default());
        for (variable, property) in [
            ("HIGHWATER_KAFKA_USERNAME", "sasl.username"),
            ("HIGHWATER_KAFKA_PASSWORD", "sasl.password"),
        ] {
            if let Ok(value) = env::var(variable) {
                settings.set(&format!("{property}={value}")).map_err(usage)?;
            }
        }
        let config = self.config.clone();
        if let Some(config) =
            config.or_else(|| env::var_os("HIGHWATER_KAFKA_CONFIG").map(Into::into))
        {
            settings.read(&config).map_err(usage)?;
        }
        if let Some(brokers) = &self.kafka {
            settings.set(&format!("bootstrap.servers={brokers}")).map_err(usage)?;
        }
        for property in &self.properties {
            settings.set(property).map_err(usage)?;
        }
        Ok(settings)
    }
}
