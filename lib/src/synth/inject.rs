//! Anomalies worked out for one stream: what they change, what they add, and
//! what the truth file says of them.

use std::net::IpAddr;
use std::ops::Range;

use super::anomaly::{Anomaly, AnomalyKind};
use super::catalogue::{Catalogue, address_of_attacker, address_of_user};
use super::config::{Config, Interval, Schedule, Stream};
use super::effect::{Effects, What};
use super::error::ConfigError;
use super::extra::Extra;
use super::random::{Purpose, Random};
use super::truth::TruthLine;

/// All that the anomalies of a stream do.
#[derive(Clone, Debug, Default)]
pub(super) struct Injections {
    pub(super) effects: Effects,
    pub(super) extras: Vec<Extra>,
    /// One line for each anomaly.
    pub(super) truth: Vec<u8>,
}

/// How dense an attack is. The windows in which the rules count do not begin
/// when the attack does, so that half of a short one must be enough.
struct Density {
    per_minute: u64,
    /// At least so many in all, however short.
    total: u64,
}

/// The rule fires above 100 in one of the one-minute windows.
const DDOS: Density = Density { per_minute: 300, total: 300 };
/// The rule fires above 1000 in one of the five-minute windows.
const SUSPICIOUS_IP: Density = Density { per_minute: 600, total: 2_500 };
/// The rule fires above 50 in one of the five-minute windows, which slide by
/// two minutes.
const USER_BURST: Density = Density { per_minute: 30, total: 120 };
/// An address is suspicious if it uses more than five services.
const SUSPICIOUS_SERVICES: usize = 6;

impl Density {
    fn per_minute(&self, asked: Option<u32>, during: Interval) -> u64 {
        let if_short = (self.total * 60_000).div_ceil(during.millis().max(1));
        asked.map_or(self.per_minute.max(if_short), u64::from)
    }
}

/// How many users a suspicious address tries: so many that none of them comes
/// more than 15 times in five minutes, which would be a burst above 50.
fn accounts_tried(per_minute: u64) -> u32 {
    per_minute.div_ceil(3).max(200) as u32
}

/// Works out the anomalies of a configuration.
///
/// # Errors
///
/// Fails if one of them does not lie within the stream, or if the stream has
/// not got what it needs.
pub(super) fn resolve(
    config: &Config,
    schedule: &Schedule,
    catalogue: &Catalogue,
) -> Result<Injections, ConfigError> {
    let injections = Injections::default();
    let mut resolver =
        Resolver { config, schedule, catalogue, injections, next_user: schedule.users };
    for (place, anomaly) in config.anomalies.iter().enumerate() {
        resolver.add(place, anomaly)?;
    }
    let injections = resolver.injections;
    let silent = injections.effects.silent_services();
    if silent > 0 && silent == catalogue.services.len() {
        return Err(ConfigError::AllSilent);
    }
    Ok(injections)
}

struct Resolver<'a> {
    config: &'a Config,
    schedule: &'a Schedule,
    catalogue: &'a Catalogue,
    injections: Injections,
    /// Attackers are no ordinary users: their numbers come behind.
    next_user: u32,
}

impl Resolver<'_> {
    fn add(&mut self, place: usize, anomaly: &Anomaly) -> Result<(), ConfigError> {
        let during = self.schedule.interval(anomaly)?;
        self.check_stream(anomaly)?;
        let random = Random::new(self.config.seed, Purpose::Anomaly(place));
        let effects = &mut self.injections.effects;
        let line = TruthLine::anomaly(&mut self.injections.truth, anomaly, during);
        match &anomaly.kind {
            AnomalyKind::ErrorSpike { service, rate } => {
                let (number, name) = service_of(self.catalogue, place, service.as_deref())?;
                effects.change(during, number, What::Fail(*rate), random);
                line.text("service", name).double("rate", rate.as_f64()).end();
            }
            AnomalyKind::Latency { service, factor } => {
                let (number, name) = service_of(self.catalogue, place, service.as_deref())?;
                effects.change(during, number, What::Slow(*factor), random);
                line.text("service", name).double("factor", *factor).end();
            }
            AnomalyKind::Silence { service } => {
                let (number, name) = service_of(self.catalogue, place, service.as_deref())?;
                effects.silence(during, number, random);
                line.text("service", name).end();
            }
            AnomalyKind::Ddos { service, ip_address, per_minute, users } => {
                let (number, name) = service_of(self.catalogue, place, service.as_deref())?;
                let address = attacker(*ip_address, place);
                let users = take(&mut self.next_user, *users);
                let density = DDOS.per_minute(*per_minute, during);
                let extra = Extra::new(place, during, density, users.clone(), address, random);
                let line = line.address(address).users(users).text("target", name);
                line.count("records", extra.total()).end();
                self.injections.extras.push(extra.aimed_at(number));
            }
            AnomalyKind::SuspiciousIp { ip_address, per_minute } => {
                let address = attacker(*ip_address, place);
                let density = SUSPICIOUS_IP.per_minute(*per_minute, during);
                let users = take(&mut self.next_user, accounts_tried(density));
                let extra = Extra::new(place, during, density, users, address, random);
                line.address(address).count("records", extra.total()).end();
                self.injections.extras.push(extra);
            }
            AnomalyKind::UserBurst { user_id, per_minute } => {
                let user = user_of(self.schedule.users, place, user_id.as_deref())?;
                let (address, density) =
                    (address_of_user(user), USER_BURST.per_minute(*per_minute, during));
                let extra = Extra::new(place, during, density, user..user + 1, address, random);
                line.user(user).count("records", extra.total()).end();
                self.injections.extras.push(extra);
            }
        }
        Ok(())
    }

    /// Whether the stream has the fields and services that the kind needs.
    fn check_stream(&self, anomaly: &Anomaly) -> Result<(), ConfigError> {
        let services = self.catalogue.services.len();
        let needed = match anomaly.kind {
            AnomalyKind::UserBurst { .. } => return Ok(()),
            _ if self.config.stream == Stream::Events => {
                return Err(ConfigError::NeedsServices(anomaly.name()));
            }
            AnomalyKind::SuspiciousIp { .. } => SUSPICIOUS_SERVICES,
            _ => 1,
        };
        if services < needed {
            return Err(ConfigError::TooFewServices { anomaly: anomaly.name(), needed, services });
        }
        Ok(())
    }
}

/// The service that an anomaly names, else one chosen by its place.
fn service_of<'a>(
    catalogue: &'a Catalogue,
    place: usize,
    name: Option<&str>,
) -> Result<(u16, &'a str), ConfigError> {
    let number = match name {
        None => (place % catalogue.services.len()) as u16,
        Some(name) => catalogue.service_named(name).ok_or_else(|| {
            let names: Vec<&str> = catalogue.services.iter().map(|s| s.name.as_str()).collect();
            ConfigError::UnknownService { name: name.to_owned(), services: names.join(", ") }
        })?,
    };
    Ok((number, &catalogue.service(number).name))
}

/// The user whom an anomaly names, else one chosen by its place.
fn user_of(users: u32, place: usize, name: Option<&str>) -> Result<u32, ConfigError> {
    let Some(name) = name else { return Ok((place as u64 % u64::from(users)) as u32) };
    let number: Option<u32> = name.strip_prefix("user_").and_then(|digits| digits.parse().ok());
    match number {
        Some(number) if (1..=users).contains(&number) => Ok(number - 1),
        _ => Err(ConfigError::UnknownUser { name: name.to_owned(), users }),
    }
}

fn attacker(asked: Option<IpAddr>, place: usize) -> IpAddr {
    asked.unwrap_or_else(|| address_of_attacker(place))
}

/// The next `count` numbers.
fn take(next: &mut u32, count: u32) -> Range<u32> {
    // Only thousands of attacks could use up the numbers; then they share.
    let first = (*next).min(u32::MAX - count);
    *next = first + count;
    first..*next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    /// Ten minutes of logs with the anomalies.
    fn config(stream: Stream, anomalies: &[&str]) -> Config {
        let start = Timestamp::parse(b"2025-09-12T00:00:00Z").unwrap();
        let mut config = Config::new(stream, start);
        config.amount = super::super::Amount::Duration("10m".parse().unwrap());
        config.anomalies = anomalies.iter().map(|text| text.parse().unwrap()).collect();
        config
    }

    fn resolve_all(config: &Config) -> Result<Injections, ConfigError> {
        let schedule = Schedule::of(config)?;
        resolve(config, &schedule, &Catalogue::new(config.services))
    }

    #[test]
    fn truth_names_what_detection_should() {
        let config = config(
            Stream::Logs,
            &[
                "error-spike@1m+2m",
                "latency@1m30s+2m,service=cart",
                "ddos@0s+1m",
                "suspicious-ip@5m+5m,ip_address=2001:db8::9",
                "user-burst@1m+5m,user_id=user_007",
                "silence@5m+3m",
            ],
        );
        let truth = String::from_utf8(resolve_all(&config).unwrap().truth).unwrap();
        assert_eq!(
            truth.lines().collect::<Vec<_>>(),
            [
                r#"{"kind":"anomaly","type":"error-spike","rule":"error_rate_spike","start":"2025-09-12T00:01:00.000Z","end":"2025-09-12T00:03:00.000Z","service":"auth","rate":0.6}"#,
                r#"{"kind":"anomaly","type":"latency","rule":"response_time_anomaly","start":"2025-09-12T00:01:30.000Z","end":"2025-09-12T00:03:30.000Z","service":"cart","factor":5.0}"#,
                r#"{"kind":"anomaly","type":"ddos","rule":"ddos","start":"2025-09-12T00:00:00.000Z","end":"2025-09-12T00:01:00.000Z","ip_address":"203.0.113.3","users":["user_501","user_502"],"target":"catalog","records":300}"#,
                r#"{"kind":"anomaly","type":"suspicious-ip","rule":"suspicious_ip","start":"2025-09-12T00:05:00.000Z","end":"2025-09-12T00:10:00.000Z","ip_address":"2001:db8::9","records":3000}"#,
                r#"{"kind":"anomaly","type":"user-burst","rule":"user_burst","start":"2025-09-12T00:01:00.000Z","end":"2025-09-12T00:06:00.000Z","user_id":"user_007","records":150}"#,
                r#"{"kind":"anomaly","type":"silence","rule":"silence","start":"2025-09-12T00:05:00.000Z","end":"2025-09-12T00:08:00.000Z","service":"orders"}"#,
            ]
        );
    }

    #[test]
    fn short_attacks_are_denser() {
        for (length, expected) in
            [(60_000, 2_500), (300_000, 600), (3_600_000, 600), (1, 150_000_000)]
        {
            let during = Interval { start: 0, end: length };
            assert_eq!(SUSPICIOUS_IP.per_minute(None, during), expected, "{length}");
            assert_eq!(SUSPICIOUS_IP.per_minute(Some(7), during), 7);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (stream, services, anomalies, message) in [
            (
                Stream::Logs,
                8,
                &["ddos@9m+2m"][..],
                "ddos would end 11m after the start, but the stream lasts 10m",
            ),
            (
                Stream::Logs,
                2,
                &["silence@1m+1m,service=mail"],
                "no service is called \"mail\"; there are auth, gateway",
            ),
            (
                Stream::Logs,
                8,
                &["user-burst@1m+1m,user_id=user_501"],
                "no user is called \"user_501\"; they are called user_001, user_002 and so on, 500 of them",
            ),
            (
                Stream::Logs,
                5,
                &["suspicious-ip@1m+1m"],
                "suspicious-ip needs at least 6 services, not 5",
            ),
            (
                Stream::Logs,
                2,
                &["silence@1m+1m", "silence@1m+1m"],
                "all services would be silent; one of them has to go on",
            ),
            (
                Stream::Events,
                8,
                &["latency@1m+1m"],
                "latency needs services, which events do not have; they can have user-burst",
            ),
        ] {
            let config = Config { services, ..config(stream, anomalies) };
            assert_eq!(resolve_all(&config).unwrap_err().to_string(), message);
        }
    }
}
