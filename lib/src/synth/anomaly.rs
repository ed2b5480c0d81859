//! Anomalies to be injected, as the command line spells them.

use std::net::IpAddr;
use std::str::FromStr;

use super::quantity::Share;
use crate::time::{ParseTimeDeltaError, TimeDelta};

/// An anomaly to be injected: `KIND@OFFSET+LENGTH[,key=value…]`, such as
/// `error-spike@10m+2m,service=auth`.
///
/// It begins `offset` after the start of the stream and covers the half-open
/// interval `[offset, offset + length)` of event time.
#[derive(Clone, Debug, PartialEq)]
pub struct Anomaly {
    /// What happens.
    pub kind: AnomalyKind,
    /// Event time from the start of the stream.
    pub offset: TimeDelta,
    /// How long it lasts; at least a millisecond.
    pub length: TimeDelta,
}

/// What an anomaly is, and which alert should find it.
///
/// What is left out gets a default: the anomaly's place on the command line
/// chooses a service, address or user, and the numbers are such that the rule
/// fires however the interval falls on its windows.
#[derive(Clone, Debug, PartialEq)]
pub enum AnomalyKind {
    /// Most requests of a service fail (rule `error_rate_spike`).
    ErrorSpike {
        /// Name of the service.
        service: Option<String>,
        /// How many of its requests fail.
        rate: Share,
    },
    /// A service answers slowly (rule `response_time_anomaly`).
    Latency {
        /// Name of the service.
        service: Option<String>,
        /// Multiplies its response times; finite and above 0.
        factor: f64,
    },
    /// One address sends very many requests to a service for few users (rule
    /// `ddos`, and `user_burst` for those users).
    Ddos {
        /// Name of the service; were it all of them, the address would set off
        /// `suspicious_ip` too.
        service: Option<String>,
        /// The address.
        ip_address: Option<IpAddr>,
        /// Requests a minute; not 0.
        per_minute: Option<u32>,
        /// Number of users, who are not among the ordinary ones; not 0.
        users: u32,
    },
    /// One address asks all services, each time for another user (rule
    /// `suspicious_ip`).
    SuspiciousIp {
        /// The address.
        ip_address: Option<IpAddr>,
        /// Requests a minute; not 0.
        per_minute: Option<u32>,
    },
    /// One of the ordinary users is very busy (rule `user_burst`).
    UserBurst {
        /// The user, as `user_007`.
        user_id: Option<String>,
        /// Records a minute, beside the usual ones; not 0.
        per_minute: Option<u32>,
    },
    /// A service says nothing; the others take over its requests (rule
    /// `silence`).
    Silence {
        /// Name of the service.
        service: Option<String>,
    },
}

/// Why an anomaly was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAnomalyError {
    /// `@` or `+` is missing.
    #[error("{0:?} is not KIND@OFFSET+LENGTH[,key=value], such as error-spike@10m+2m,service=auth")]
    Shape(String),
    /// There is no such kind.
    #[error("no anomaly is called {0:?}; there are {kinds}", kinds = kind_names())]
    Kind(String),
    /// The part before `+` is no duration. The cause is part of the message,
    /// because clap shows no more than that.
    #[error("offset: {0}")]
    Offset(ParseTimeDeltaError),
    /// The part behind `+` is no duration.
    #[error("length: {0}")]
    Length(ParseTimeDeltaError),
    /// It would begin before the stream does.
    #[error("offset {0:?} is negative; it counts from the start of the stream")]
    NegativeOffset(String),
    /// It would not last.
    #[error("length {0:?} is less than 1ms")]
    NoLength(String),
    /// There is no such key for this kind.
    #[error("{kind} has no key {key:?}; it has {keys}", keys = key_names(kind))]
    Key {
        /// Name of the kind.
        kind: &'static str,
        /// The key as it was written.
        key: String,
    },
    /// A key is there more than once.
    #[error("{0} is given twice")]
    Repeated(&'static str),
    /// The value of a key is none.
    #[error("{key}={value:?}: it must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value as it was written.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
}

/// Each kind's name, keys, and the alert rule that should find it.
const KINDS: [(&str, &[&str], &str); 6] = [
    ("error-spike", &["service", "rate"], "error_rate_spike"),
    ("latency", &["service", "factor"], "response_time_anomaly"),
    ("ddos", &["ip_address", "per_minute", "users", "service"], "ddos"),
    ("suspicious-ip", &["ip_address", "per_minute"], "suspicious_ip"),
    ("user-burst", &["user_id", "per_minute"], "user_burst"),
    ("silence", &["service"], "silence"),
];

const ERROR_RATE: Share = Share::from_millionths(600_000);
const LATENCY_FACTOR: f64 = 5.0;
const DDOS_USERS: u32 = 2;

impl Anomaly {
    /// The kind's name on the command line and in the truth file.
    pub fn name(&self) -> &'static str {
        KINDS[self.kind.index()].0
    }

    /// The alert rule that should find it.
    pub fn rule(&self) -> &'static str {
        KINDS[self.kind.index()].2
    }
}

impl AnomalyKind {
    fn index(&self) -> usize {
        match self {
            Self::ErrorSpike { .. } => 0,
            Self::Latency { .. } => 1,
            Self::Ddos { .. } => 2,
            Self::SuspiciousIp { .. } => 3,
            Self::UserBurst { .. } => 4,
            Self::Silence { .. } => 5,
        }
    }
}

impl FromStr for Anomaly {
    type Err = ParseAnomalyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (head, pairs) = text.split_once(',').unwrap_or((text, ""));
        let shape = || ParseAnomalyError::Shape(text.to_owned());
        let (name, when) = head.split_once('@').ok_or_else(shape)?;
        let (offset, length) = when.split_once('+').ok_or_else(shape)?;
        let kind = KINDS.iter().position(|(known, ..)| *known == name);
        let kind = kind.ok_or_else(|| ParseAnomalyError::Kind(name.to_owned()))?;
        let keys = Keys::read(kind, pairs)?;
        Ok(Self {
            offset: offset_of(offset)?,
            length: length_of(length)?,
            kind: match kind {
                0 => AnomalyKind::ErrorSpike { service: keys.text("service")?, rate: keys.rate()? },
                1 => {
                    AnomalyKind::Latency { service: keys.text("service")?, factor: keys.factor()? }
                }
                2 => AnomalyKind::Ddos {
                    service: keys.text("service")?,
                    ip_address: keys.address()?,
                    per_minute: keys.count("per_minute")?,
                    users: keys.count("users")?.unwrap_or(DDOS_USERS),
                },
                3 => AnomalyKind::SuspiciousIp {
                    ip_address: keys.address()?,
                    per_minute: keys.count("per_minute")?,
                },
                4 => AnomalyKind::UserBurst {
                    user_id: keys.text("user_id")?,
                    per_minute: keys.count("per_minute")?,
                },
                _ => AnomalyKind::Silence { service: keys.text("service")? },
            },
        })
    }
}

fn offset_of(text: &str) -> Result<TimeDelta, ParseAnomalyError> {
    let offset: TimeDelta = text.parse().map_err(ParseAnomalyError::Offset)?;
    if offset < TimeDelta::ZERO {
        return Err(ParseAnomalyError::NegativeOffset(text.to_owned()));
    }
    Ok(offset)
}

fn length_of(text: &str) -> Result<TimeDelta, ParseAnomalyError> {
    let length: TimeDelta = text.parse().map_err(ParseAnomalyError::Length)?;
    if length < TimeDelta::from_micros(1_000) {
        return Err(ParseAnomalyError::NoLength(text.to_owned()));
    }
    Ok(length)
}

/// The `key=value` pairs of an anomaly.
struct Keys<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Keys<'a> {
    /// Splits the pairs; all keys must be known to the kind.
    fn read(kind: usize, pairs: &'a str) -> Result<Self, ParseAnomalyError> {
        let (name, known, _) = KINDS[kind];
        let mut read: Vec<(&'static str, &'a str)> = Vec::new();
        for pair in pairs.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(key) = known.iter().find(|known| **known == key) else {
                return Err(ParseAnomalyError::Key { kind: name, key: key.to_owned() });
            };
            if read.iter().any(|(earlier, _)| earlier == key) {
                return Err(ParseAnomalyError::Repeated(key));
            }
            read.push((key, value));
        }
        Ok(Self(read))
    }

    /// The value of a key if it is there and `parse` takes it.
    fn value<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParseAnomalyError> {
        let Some((_, value)) = self.0.iter().find(|(known, _)| *known == key) else {
            return Ok(None);
        };
        let wrong = || ParseAnomalyError::Value { key, value: (*value).to_owned(), expected };
        parse(value).map(Some).ok_or_else(wrong)
    }

    fn text(&self, key: &'static str) -> Result<Option<String>, ParseAnomalyError> {
        self.value(key, "a name", |v| (!v.is_empty()).then(|| v.to_owned()))
    }

    fn rate(&self) -> Result<Share, ParseAnomalyError> {
        let rate = self.value("rate", "a share such as 60% or 0.6", |v| v.parse().ok())?;
        Ok(rate.unwrap_or(ERROR_RATE))
    }

    fn factor(&self) -> Result<f64, ParseAnomalyError> {
        let factor = self.value("factor", "a number from 0.001 to 1000, such as 5", |v| {
            v.parse().ok().filter(|factor| (0.001..=1_000.0).contains(factor))
        })?;
        Ok(factor.unwrap_or(LATENCY_FACTOR))
    }

    fn address(&self) -> Result<Option<IpAddr>, ParseAnomalyError> {
        self.value("ip_address", "an address such as 203.0.113.9", |v| v.parse().ok())
    }

    fn count(&self, key: &'static str) -> Result<Option<u32>, ParseAnomalyError> {
        self.value(key, "a whole number from 1 to 1000000", |v| {
            v.parse().ok().filter(|number| (1..=1_000_000).contains(number))
        })
    }
}

fn kind_names() -> String {
    KINDS.map(|(name, ..)| name).join(", ")
}

fn key_names(kind: &str) -> String {
    let keys = KINDS.iter().find(|(name, ..)| *name == kind).map_or(&[][..], |(_, keys, _)| keys);
    keys.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let parse = |text: &str| text.parse::<Anomaly>().unwrap();
        let spike = parse("error-spike@10m+2m,service=auth");
        assert_eq!((spike.name(), spike.rule()), ("error-spike", "error_rate_spike"));
        assert_eq!(spike.offset, TimeDelta::from_seconds(600));
        assert_eq!(spike.length, TimeDelta::from_seconds(120));
        let service = Some("auth".to_owned());
        assert_eq!(spike.kind, AnomalyKind::ErrorSpike { service, rate: ERROR_RATE });
        assert_eq!(
            parse("latency@0s+1m,factor=2.5").kind,
            AnomalyKind::Latency { service: None, factor: 2.5 }
        );
        assert_eq!(
            parse("ddos@1h30m+90s,users=4,ip_address=2001:db8::9,per_minute=200").kind,
            AnomalyKind::Ddos {
                service: None,
                ip_address: Some("2001:db8::9".parse().unwrap()),
                per_minute: Some(200),
                users: 4
            }
        );
        for (name, ..) in KINDS {
            assert_eq!(parse(&format!("{name}@1m+1m")).name(), name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            (
                "ddos",
                "\"ddos\" is not KIND@OFFSET+LENGTH[,key=value], such as error-spike@10m+2m,service=auth",
            ),
            (
                "ddos@10m",
                "\"ddos@10m\" is not KIND@OFFSET+LENGTH[,key=value], such as error-spike@10m+2m,service=auth",
            ),
            (
                "flood@1m+1m",
                "no anomaly is called \"flood\"; there are error-spike, latency, ddos, suspicious-ip, user-burst, silence",
            ),
            (
                "ddos@x+1m",
                "offset: no number in duration \"x\"; write it like 90s, 1h30m or '5 minutes'",
            ),
            (
                "ddos@1m+5",
                "length: no known unit in duration \"5\"; write it like 250ms, 90s, 1h30m, 2d or '5 minutes'",
            ),
            ("ddos@-1m+1m", "offset \"-1m\" is negative; it counts from the start of the stream"),
            ("ddos@1m+0s", "length \"0s\" is less than 1ms"),
            (
                "ddos@1m+1m,factor=2",
                "ddos has no key \"factor\"; it has ip_address, per_minute, users, service",
            ),
            ("silence@1m+1m,for=ever", "silence has no key \"for\"; it has service"),
            ("silence@1m+1m,service=a,service=b", "service is given twice"),
            ("silence@1m+1m,service", "service=\"\": it must be a name"),
            ("error-spike@1m+1m,rate=60", "rate=\"60\": it must be a share such as 60% or 0.6"),
            (
                "latency@1m+1m,factor=nan",
                "factor=\"nan\": it must be a number from 0.001 to 1000, such as 5",
            ),
            ("ddos@1m+1m,users=0", "users=\"0\": it must be a whole number from 1 to 1000000"),
            (
                "ddos@1m+1m,ip_address=here",
                "ip_address=\"here\": it must be an address such as 203.0.113.9",
            ),
        ] {
            assert_eq!(text.parse::<Anomaly>().unwrap_err().to_string(), message, "{text}");
        }
    }
}
