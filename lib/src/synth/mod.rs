//! Test streams with known truth.
//!
//! A [`Config`] says what stream to make; a [`Generator`] makes it, a line at
//! a time, together with a *truth file* that names each injected anomaly and
//! each late record, so that a test of any system can count hits and misses.
//!
//! ```sh
//! produce-synthetic logs --duration 2h --anomaly ddos@1h+3m --truth truth.ndjson > logs.ndjson
//! produce-synthetic logs --duration 2h --out-of-order 30s --late 2%:1m..20m --truth truth.ndjson
//! produce-synthetic events --count 1000 --rate 10 --users 5
//! produce-synthetic late-data
//! ```
//!
//! What happens between the two, each step in a module of its own:
//!
//! 1. `traffic`: ordinary records, evenly spaced in event time, and those that
//!    anomalies add; `effect` changes them.
//! 2. `arrival`: the order in which they come.
//! 3. `encode` and `truth`: what is written.
//!
//! # The streams
//!
//! - Logs have the ten fields of the log schema in normal form. Services
//!   differ in popularity (9 to 17 % of the traffic with eight of them), in
//!   response time (log-normal) and in their share of failures (1 to 2 %); a
//!   failure has level `ERROR`, a status from 400 on and an error code.
//!   Addresses are those set aside for documentation, three users to one.
//! - Events have the six fields of the event schema. Values are uniform from
//!   1 to 100, addresses 192.168.1.1 to 192.168.1.254 as in the reference.
//!
//! # Quiet by construction
//!
//! Users take turns in rounds, so chance makes no bursts: with the default
//! number of users nobody has more than 31 ordinary records in any five
//! minutes and no address more than 93 (nor 21 in one minute), so that the
//! rules `user_burst`, `suspicious_ip` and `ddos` fire on what was injected
//! and on nothing else. `error_rate_spike` compares the error rate of one
//! minute with the next, so it needs services with at least 90 requests a
//! minute (20 records a second for eight services).
//! `response_time_anomaly` fires on about 9 % of pure noise, whatever its
//! source.
//!
//! # The truth file
//!
//! | line | meaning |
//! | --- | --- |
//! | `{"kind":"anomaly","type":"error-spike","rule":"error_rate_spike","start":"…Z","end":"…Z","service":"auth",…}` | an anomaly in `[start, end)`, the rule that should find it, and the `service`, `ip_address` or `user_id` that its alerts should name |
//! | `{"kind":"late","line":123,"timestamp":…,"late_by":75.2}` | line 123 of the output (from 1) has an event time, spelled as there, that lies 75.2 s behind the greatest one of the lines before |
//!
//! Anomalies come first. `ddos` lists its `users`, who send enough to be found
//! by `user_burst` as well, and the service that is its `target`. `records` is
//! how many an anomaly adds.
//!
//! # The same bytes everywhere
//!
//! A configuration gives the same bytes on every platform: the random numbers
//! are those of a published generator, times and spacings are integers, and
//! doubles see basic arithmetic only. Ordinary records do not depend on
//! disorder, and those outside of its reach not on an anomaly: what is added
//! to a stream leaves the rest as it was.

mod anomaly;
mod arrival;
mod catalogue;
mod config;
mod effect;
mod encode;
mod extra;
mod generator;
mod inject;
mod late;
mod quantity;
mod random;
mod record;
mod ticks;
mod traffic;
mod truth;

#[cfg(test)]
mod tests;

pub use anomaly::{Anomaly, AnomalyKind, ParseAnomalyError};
pub use config::{Amount, Config, ConfigError, Stream};
pub use generator::Generator;
pub use late::{Late, ParseLateError};
pub use quantity::{ParseRateError, ParseShareError, Rate, Share};
