//! Test streams with known truth.
//!
//! A [`Config`] says what stream to make; a [`Generator`] makes it, a line at
//! a time, together with a *truth file* that names each injected anomaly and
//! each late, duplicate, malformed and future record, so that a test of any
//! system can count hits and misses.
//!
//! ```sh
//! produce-synthetic logs --duration 2h --anomaly ddos@1h+3m --truth truth.ndjson > logs.ndjson
//! produce-synthetic logs --duration 2h --out-of-order 30s --late 2%:1m..20m --truth truth.ndjson
//! produce-synthetic logs --duration 2h --malformed 1% --duplicate 1% --future-clock 0.1%:1d
//! produce-synthetic logs --duration 2h --partitions 4 --skew 10m --idle-partition
//! produce-synthetic events --count 1000 --rate 10 --users 5
//! produce-synthetic late-data
//! ```
//!
//! What happens between the two, each step in a module of its own:
//!
//! 1. `traffic`: ordinary records, evenly spaced in event time, and those that
//!    anomalies add; `effect` changes them.
//! 2. `arrival`: the order in which they come, and whose clocks are ahead.
//! 3. `partition` and `replay`: the order in which they are read.
//! 4. `duplicate` and `malformed`: the lines that come on top.
//! 5. `format` and those it chooses from (`encode` for JSON, `access`, `logfmt`,
//!    `syslog`), `source` and `truth`: what is written. `progress` measures
//!    what is late by the lines themselves.
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
//! # Faults
//!
//! - *Duplicates* repeat a record's own bytes before the greatest event time
//!   has advanced by the delay; with partitions, in the same one at an offset
//!   of its own, as when a producer sends again. A watermark that is to find
//!   them on time waits for the out-of-order bound plus the delay; they are
//!   not listed as late otherwise.
//! - *Malformed* lines are broken copies that come right before a record. The
//!   record itself stays, so that what a reader keeps is the stream without
//!   them. They have no `@source` and take up no offset. The flaws take turns:
//!
//!   | type | the line | `reason` |
//!   | --- | --- | --- |
//!   | `cut` | the record, cut short | `invalid_json` |
//!   | `text` | no JSON | `no_match`; `invalid_json` to `window` and `parse --format json` |
//!   | `no-time` | the record without `timestamp` | `no_timestamp` |
//!   | `bad-time` | `timestamp` is a day that no calendar has | `bad_timestamp` |
//!   | `wrong-type` | `timestamp` is an object | `bad_timestamp` |
//!   | `bad-utf8` | the user's name begins with bytes that are no UTF-8 | `invalid_utf8`; behind `ingest`, which replaces them, a good record |
//!
//!   In text the first five come in turn: `cut` ends within a text in quotes or
//!   within the first key, `wrong-type` has a word for its time, and the reasons
//!   are those of `parse` with the `--format` named: `no_match` for `cut` and
//!   `text`, and in access logs for `no-time`.
//!
//! - *Clocks ahead* add their lead to the event time of a record, which keeps
//!   its place in the stream.
//! - *Partitions* put `"@source"` in front, with `topic`, `partition`,
//!   `offset`, `timestamp` (when the broker appended it, by the stream's clock)
//!   and `key`. The partition is the one that Kafka's default partitioner
//!   chooses for the key `user_id`. `ingest` rejects such records, `parse` and
//!   `window` take them. Lines of text are then wrapped in `@raw`, as `ingest`
//!   would.
//! - *Skew* reads partition p of N at a speed at which it is
//!   lag × p / (N − 1) behind partition 0 when that has been read to its end;
//!   half as much at half of it. Partitions start together, and each keeps its
//!   order. Late records wait for the slowest partition, so that they are late
//!   to a reader that lets the least of the partitions' times count.
//! - An *idle partition* gets no line once the greatest event time (with skew,
//!   that of the partition's own pace) has come to half of the stream. It is
//!   the first one that has users; they go on in the others, so that no record
//!   is lost.
//!
//! A record is at most one of late, future and duplicate, and the first line
//! of good form is neither late nor future: it has nothing to be measured by.
//!
//! # The truth file
//!
//! | line | meaning |
//! | --- | --- |
//! | `{"kind":"anomaly","type":"error-spike","rule":"error_rate_spike","start":"…Z","end":"…Z","service":"auth",…}` | an anomaly in `[start, end)`, the rule that should find it, and the `service`, `ip_address` or `user_id` that its alerts should name |
//! | `{"kind":"late","line":123,"timestamp":…,"late_by":75.2}` | line 123 of the output (from 1) has an event time, spelled as there, that lies 75.2 s behind the greatest one of the lines before (of those of clocks that are right); with skew, behind the least of the partitions' greatest ones, the idle partition left out |
//! | `{"kind":"duplicate","line":130,"of":123,"timestamp":…}` | line 130 is the record of line 123 once more |
//! | `{"kind":"malformed","line":140,"type":"cut","reason":"invalid_json"}` | line 140 is broken in the way of `type`; `reason` is that of `parse` |
//! | `{"kind":"future","line":150,"timestamp":…,"ahead_by":86399.4}` | line 150 has an event time, spelled as there, that lies 86,399.4 s ahead of the greatest one of the lines before (of those of clocks that are right) |
//! | `{"kind":"skew","partition":3,"lag":600.0}` | partition 3 is 600 s behind when partition 0 has been read |
//! | `{"kind":"idle","line":160,"partition":0,"start":"…Z"}` | from line 160 on, when event time has come to `start`, partition 0 is silent |
//!
//! Times of events are spelled as in JSON whatever the format, and lines of
//! access logs have theirs cut to the second; a watermark over them waits a
//! second longer.
//!
//! Anomalies and lags come first, the rest by line. `ddos` lists its `users`, who send enough to be found
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

mod access;
mod anomaly;
mod arrival;
mod catalogue;
mod config;
mod duplicate;
mod effect;
mod encode;
mod error;
mod extra;
mod format;
mod future;
mod generator;
mod inject;
mod late;
mod logfmt;
mod malformed;
mod partition;
mod progress;
mod quantity;
mod random;
mod record;
mod replay;
mod source;
mod syslog;
mod ticks;
mod traffic;
mod truth;

#[cfg(test)]
mod tests;

pub use anomaly::{Anomaly, AnomalyKind, ParseAnomalyError};
pub use config::{Amount, Config, Stream};
pub use duplicate::{Duplicate, ParseDuplicateError};
pub use error::ConfigError;
pub use format::LineFormat;
pub use future::{FutureClock, ParseFutureClockError};
pub use generator::Generator;
pub use late::{Late, ParseLateError};
pub use partition::{ParseSkewError, Skew};
pub use quantity::{ParseRateError, ParseShareError, Rate, Share};
