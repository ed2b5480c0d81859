//! Arguments of the programs that talk to Kafka.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::UsageError;
use crate::kafka::{KafkaFailure, Settings};
use crate::stream::StageError;

/// How to reach Kafka.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Kafka")]
pub struct ClientArgs {
    /// The brokers to ask first, with commas between them; without it, `HIGHWATER_KAFKA` in the
    /// environment
    #[arg(short = 'b', long = "kafka", value_name = "HOST:PORT", requires = "topic")]
    brokers: Option<String>,

    /// Set a property of the client (librdkafka's names); may be given again
    #[arg(short = 'X', value_name = "KEY=VALUE", requires = "topic")]
    properties: Vec<String>,

    /// Read properties from a file, one a line; without it, from that in `HIGHWATER_KAFKA_CONFIG`
    #[arg(short = 'F', id = "client_file", value_name = "FILE", requires = "topic")]
    file: Option<PathBuf>,
}

impl ClientArgs {
    /// What the command line says, and where it is silent the environment.
    ///
    /// User and password are those in `HIGHWATER_KAFKA_USERNAME` and
    /// `HIGHWATER_KAFKA_PASSWORD` unless they are set otherwise. Properties of
    /// the file count more than the environment, those of `-X` more than both.
    ///
    /// # Errors
    ///
    /// Fails if a property is not written `key=value`, or the file cannot be read.
    pub fn settings(&self) -> Result<Settings, UsageError> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        self.settings_with(variable).map_err(|failure| UsageError(failure.to_string()))
    }

    fn settings_with(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, KafkaFailure> {
        let mut settings = Settings::new(&variable("HIGHWATER_KAFKA").unwrap_or_default());
        for (name, property) in [
            ("HIGHWATER_KAFKA_USERNAME", "sasl.username"),
            ("HIGHWATER_KAFKA_PASSWORD", "sasl.password"),
        ] {
            if let Some(value) = variable(name) {
                settings.set(&format!("{property}={value}"))?;
            }
        }
        let file = self.file.clone().or_else(|| Some(variable("HIGHWATER_KAFKA_CONFIG")?.into()));
        if let Some(file) = file {
            settings.read(&file)?;
        }
        if let Some(brokers) = &self.brokers {
            settings.set(&format!("bootstrap.servers={brokers}"))?;
        }
        for property in &self.properties {
            settings.set(property)?;
        }
        Ok(settings)
    }

    /// Whether anything of the client is said.
    pub fn is_given(&self) -> bool {
        self.brokers.is_some() || self.file.is_some() || !self.properties.is_empty()
    }

    /// The file that properties are read from, if the command line names one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

/// The error of a program: a setting that the client does not take is wrong
/// usage, anything else has failed while running.
pub fn kafka_failed(failure: KafkaFailure) -> anyhow::Error {
    match failure {
        KafkaFailure::Setting(text) => UsageError(text).into(),
        failure => failure.into(),
    }
}

/// As [`kafka_failed`], of a source's failure.
pub fn source_failed(error: StageError) -> anyhow::Error {
    match error {
        StageError::Source(source) => match source.downcast::<KafkaFailure>() {
            Ok(failure) => kafka_failed(*failure),
            Err(source) => StageError::Source(source).into(),
        },
        error => error.into(),
    }
}

/// Properties may be passwords.
impl fmt::Debug for ClientArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientArgs")
            .field("brokers", &self.brokers)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "HIGHWATER_KAFKA" => "192.0.2.1:9092",
            "HIGHWATER_KAFKA_USERNAME" => "reader",
            "HIGHWATER_KAFKA_PASSWORD" => "hunter2",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_environment_fills_in_and_the_command_line_counts_most() {
        let settings = ClientArgs::default().settings_with(variable).unwrap();
        assert_eq!(settings.brokers(), "192.0.2.1:9092");
        assert_eq!(settings.get("sasl.password"), Some("hunter2"));

        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "sasl.username=filed\nlinger.ms=1\nclient.id=filed\n").unwrap();
        let args = ClientArgs {
            brokers: Some("192.0.2.2:9092".to_owned()),
            properties: vec!["linger.ms=2".to_owned(), "linger.ms=3".to_owned()],
            file: Some(file.path().to_owned()),
        };
        let settings = args.settings_with(variable).unwrap();
        assert_eq!(settings.brokers(), "192.0.2.2:9092");
        for (key, value) in [
            ("sasl.username", "filed"),
            ("sasl.password", "hunter2"),
            ("linger.ms", "3"),
            ("client.id", "filed"),
        ] {
            assert_eq!(settings.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn a_file_may_come_from_the_environment() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "client.id=filed").unwrap();
        let path = file.path().to_str().unwrap();
        let named = |name: &str| (name == "HIGHWATER_KAFKA_CONFIG").then(|| path.to_owned());
        let settings = ClientArgs::default().settings_with(named).unwrap();
        assert_eq!(settings.get("client.id"), Some("filed"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let properties = vec!["sasl.password=hunter2".to_owned(), "hunter2".to_owned()];
        let args = ClientArgs { properties, ..ClientArgs::default() };
        assert!(!format!("{args:?}").contains("hunter2"));
        let error = args.settings_with(variable).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
