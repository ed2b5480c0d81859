//! Settings of the client: addresses, and properties by their names.

use std::fmt;
use std::fs;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::KafkaFailure;

/// Brokers and properties of a client. Its debug form shows no values, since
/// passwords are among them.
#[derive(Clone, Default)]
pub struct Settings {
    brokers: String,
    /// Later ones count.
    properties: Vec<(String, String)>,
}

impl Settings {
    /// A client of these brokers, `HOST:PORT` each, with commas between them.
    pub fn new(brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), properties: Vec::new() }
    }

    /// The brokers that are asked first.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Sets a property, such as `sasl.username=me`.
    ///
    /// # Errors
    ///
    /// Fails unless it is `key=value`.
    pub fn set(&mut self, property: &str) -> Result<(), KafkaFailure> {
        let Some((key, value)) = property.split_once('=').filter(|(key, _)| !key.trim().is_empty())
        else {
            // What stands there could be a password.
            let text = "a property of the client is written key=value".to_owned();
            return Err(KafkaFailure::Setting(text));
        };
        let key = key.trim();
        // kcat has properties of topics under this prefix.
        let key = one_name(key.strip_prefix("topic.").unwrap_or(key));
        if key == "bootstrap.servers" {
            value.trim().clone_into(&mut self.brokers);
        } else {
            self.properties.push((key.to_owned(), value.trim().to_owned()));
        }
        Ok(())
    }

    /// Sets the properties of a file: `key=value` a line, `#` before remarks.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or a line is something else.
    pub fn read(&mut self, path: &Path) -> Result<(), KafkaFailure> {
        let failed = |what: String| KafkaFailure::Setting(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                self.set(line).map_err(|error| failed(format!("line {}: {error}", index + 1)))?;
            }
        }
        Ok(())
    }

    /// What a property has been set to.
    pub fn get(&self, key: &str) -> Option<&str> {
        let set = self.properties.iter().rev().find(|(name, _)| name == key);
        set.map(|(_, value)| &**value)
    }

    /// Whether the client would take all of it.
    ///
    /// # Errors
    ///
    /// Fails if there is no broker, a property is unknown or its value is none
    /// that it takes.
    pub fn check(&self) -> Result<(), KafkaFailure> {
        self.client(&[]).map(|_| ())
    }

    /// What the client is made of: `defaults`, then what has been set.
    ///
    /// # Errors
    ///
    /// Fails if a property is unknown or its value is none that it takes.
    pub(crate) fn client(&self, defaults: &[(&str, &str)]) -> Result<ClientConfig, KafkaFailure> {
        if self.brokers.is_empty() {
            let text = "no broker is named: give --kafka HOST:PORT, or HIGHWATER_KAFKA in the \
                        environment";
            return Err(KafkaFailure::Setting(text.to_owned()));
        }
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "highwater");
        // Its log says again what comes as an error; with `debug` it is wanted.
        let debug = self.get("debug").is_some();
        config.set_log_level(if debug { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Error });
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        match config.create_native_config() {
            Ok(_) => Ok(config),
            Err(error) => Err(KafkaFailure::Setting(refused(&error))),
        }
    }
}

/// Properties that have two names, the newer one second. Were both of them set,
/// chance would say which one the client hears of last.
const TWO_NAMES: [(&str, &str); 8] = [
    ("metadata.broker.list", "bootstrap.servers"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("message.send.max.retries", "retries"),
    ("compression.codec", "compression.type"),
    ("request.required.acks", "acks"),
    ("delivery.timeout.ms", "message.timeout.ms"),
];

fn one_name(key: &str) -> &str {
    TWO_NAMES.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| new)
}

/// Which property is refused, and why. The client's own words could hold the
/// value.
fn refused(error: &rdkafka::error::KafkaError) -> String {
    match error {
        rdkafka::error::KafkaError::ClientConfig(_, why, key, _) if is_secret(key) => {
            let unknown = why.starts_with("No such");
            let what = if unknown { "there is no such property" } else { "its value is refused" };
            format!("{key}: {what}")
        }
        rdkafka::error::KafkaError::ClientConfig(_, why, key, _) => format!("{key}: {why}"),
        error => error.to_string(),
    }
}

fn is_secret(key: &str) -> bool {
    ["password", "secret", "pem", "token", "key", "sasl.oauthbearer.config"]
        .iter()
        .any(|part| key.contains(part))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.properties.iter().map(|(key, _)| &**key).collect();
        f.debug_struct("Settings")
            .field("brokers", &self.brokers)
            .field("properties", &keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn set(properties: &[&str]) -> Settings {
        let mut settings = Settings::new("127.0.0.1:9092");
        for property in properties {
            settings.set(property).unwrap();
        }
        settings
    }

    #[test]
    fn later_properties_count() {
        let settings = set(&["linger.ms=1", "topic.acks = 1", "linger.ms=7"]);
        let config = settings.client(&[("linger.ms", "5"), ("acks", "all")]).unwrap();
        assert_eq!((config.get("linger.ms"), config.get("acks")), (Some("7"), Some("1")));
        assert_eq!(config.get("bootstrap.servers"), Some("127.0.0.1:9092"));
    }

    #[test]
    fn a_property_with_two_names_is_one() {
        let settings = set(&["queue.buffering.max.ms=7", "compression.codec=zstd"]);
        assert_eq!(settings.get("linger.ms"), Some("7"));
        let config = settings.client(&[("linger.ms", "5"), ("compression.type", "lz4")]).unwrap();
        let native = config.create_native_config().unwrap();
        for (name, value) in [("linger.ms", "7"), ("compression.type", "zstd")] {
            assert_eq!(native.get(name).unwrap().trim_end_matches('\0'), value);
        }
    }

    #[test]
    fn a_file_has_a_property_a_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "# of a test\n\nsasl.username = me\nbootstrap.servers=192.0.2.1:9\n").unwrap();
        let mut settings = Settings::default();
        settings.read(file.path()).unwrap();
        assert_eq!(settings.brokers(), "192.0.2.1:9");
        assert_eq!(settings.get("sasl.username"), Some("me"));
        writeln!(file, "nonsense").unwrap();
        let error = settings.read(file.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("line 5: a property of the client is written key=value"),
            "{error}"
        );
    }

    #[test]
    fn what_the_client_does_not_take_is_refused() {
        let error = |property| set(&[property]).client(&[]).unwrap_err().to_string();
        assert!(error("no.such.thing=1").starts_with("no.such.thing: "), "{}", error("no.such=1"));
        assert!(error("linger.ms=soon").starts_with("linger.ms: "));
        assert!(Settings::default().client(&[]).is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        let settings = set(&["sasl.password=hunter2", "ssl.key.passphrase=hunter2"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
        let error = settings.client(&[]).unwrap_err().to_string();
        assert!(error.contains("ssl.key.passphrase") && !error.contains("hunter2"), "{error}");
    }
}
