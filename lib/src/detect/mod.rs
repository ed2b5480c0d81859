//! Detection: alerts from windowed rows.
//!
//! A [`Rule`] judges the rows of one query, or of any. What it tests is one of
//! five things ([`Test`]); the built-in rules are instances of them.
//!
//! | rule | rows of | by | alert if | severity |
//! | --- | --- | --- | --- | --- |
//! | `response_time_anomaly` | `response_time` | service | the z-score of `avg_response_time` among up to 10 rows before is beyond ±2 | warning |
//! | `error_rate_spike` | `error_rate` | service | `error_rate` is more than 10 points above the row before | critical |
//! | `suspicious_ip` | `ip_patterns` | `ip_address` | `request_count > 1000 AND size(services_used) > 5` | warning |
//! | `ddos` | `ddos` | `ip_address` | `request_count > 100 AND unique_users < 5` | critical |
//! | `user_burst` | `user_burst` | `user_id` | `event_count > 50` | warning |
//! | `late_data` | `late_alert` | `user_id` | `late_event_count > 5` | info |
//! | `surprise` | `response_time` | service | the [detector] `surprise` scores `avg_response_time` 0.4 or more | warning |
//! | `silence` | built-in queries | their keys | a series with a row in each of its last 3 windows has none in the next | critical |
//!
//! The first six are [those of the reference](REFERENCE). [Without any rule
//! asked for](BARE) all but the first run: a z-score among ten values fires on 9
//! % of pure noise, whatever the scale, because ten values say little about the
//! deviation of the eleventh. `surprise` is in its place, and is what to use for
//! any other number. Without flags, noise gets less than one alert in 1,000 rows
//! of any built-in query, if a service has 100 requests a window; of few requests
//! the share that fails jumps by chance, and `error_rate_spike` with it.
//!
//! Severity says what is at stake: `critical` if users are failing or the
//! service is under attack, `warning` if a person should look, `info` if only
//! the data are odd.
//!
//! # Which rows a rule looks at
//!
//! A rule tied to a query looks at rows whose `query` is its own, and at rows
//! without `query` that have all its fields and keys. Any other rule looks at
//! all rows that have its keys and, if it is about a number's past, the number's
//! field. A key that is null is a value like others.
//!
//! Alerts in the input are no rows: they are passed on as they are. A line that
//! cannot be read is rejected.
//!
//! A field or query that a rule of the user names and no row has is told at the
//! end, with a similar one that rows do have; so it is if no rule found a row, but
//! for where rows are passed on.
//!
//! # What is before a row
//!
//! A *series* is the rows of one query with the same keys. Where rows have
//! windows, a row of the same series and window as the last one replaces it,
//! and is judged by the same rows before; one of an older window is passed over
//! and counted. Windows are ordered by their end, then their start; that one is
//! missing between them changes nothing. A row without a window is always the
//! next of its series, in order of arrival and whatever its time: two with one
//! time are two rows. It may lack a time, unless its rule is tied to a query or
//! has a cooldown; then it is rejected.
//!
//! A value that is a string counts as the number that it spells. Any other value
//! that is no number counts as null, and so does one of 1e150 or more, whose
//! square would be no number; both are counted among `casts_failed`. In
//! conditions, the rules of SQL apply instead.
//!
//! - *Deviation.* The sample deviation (n − 1) of up to 10 rows before. A null
//!   takes one of the ten places, but is none of the values: the mean and the
//!   deviation are of the others, as in a row window of Spark. There is no alert
//!   with fewer than two values, or if they do not deviate, or for a null.
//! - *Rise.* No alert on the first row of a series, nor where the row or the one
//!   before is null. A fall is none.
//! - *When.* An expression in the [language of queries](crate::query), true of
//!   the row; null is not true. A field that is missing is null.
//! - *Detector.* See [`detector`]. A missing value counts as one in a series
//!   that has begun; a row that lacks the field does not begin one.
//! - *Silence.* When a row of a query brings its first row of a later window, the
//!   windows before are over. A series of it with a row in each of the three
//!   windows before the first one that it lacks is told, once; it has to have
//!   three rows in a row again before it can be told again. What rows of several
//!   queries lack, by the same keys, is told once too, of the query that shows it
//!   first: until one of them has a row again, in a window that lies behind the
//!   beginning of the outage, the others tell nothing new. That is found out by
//!   the next row of the query and not by a clock, so an outage of all series is
//!   told when it is over. Windows are as far apart as the greatest common
//!   divisor of the distances seen says, so sliding windows and queries that are
//!   silent now and then are understood. A row far ahead of all others ends the
//!   watching of its query until time has come to it: `window --max-jump` keeps
//!   such clocks out. Windows of differing lengths are
//!   sessions, and left alone. In `window --mode update` rows come before their
//!   windows are over: use append mode. What is watched, if the rule names no
//!   keys and no query, are the built-in queries with windows, without HAVING
//!   and not by `ip_address` or `user_id`: addresses and users come and go.
//!
//! # Alerts
//!
//! One a line, in this order of keys:
//!
//! ```json
//! {"alert":"error_rate_spike","severity":"critical","window":{"start":"…Z","end":"…Z"},
//!  "service":"auth","field":"error_rate","value":31.2,"expected":4.1,"score":27.1,
//!  "reason":"error_rate 31.2 is 27.1 points above the window before (4.1), limit 10"}
//! ```
//!
//! `window` is copied from the row; a row that has none lends its time field,
//! or nothing. Then come the rule's keys, copied, before them `query` if the
//! rule is not tied to one. What `expected` and `score` are:
//!
//! | test | `expected` | `score` | `n` |
//! | --- | --- | --- | --- |
//! | deviation | mean of the rows before | z: deviations above (or, negative, below) the mean | values before |
//! | rise | the row before | points above it | |
//! | when | the constant | `value` as a multiple of it | |
//! | detector | the nearest value seen, or the mean | its score; of `zscore`, the size of z | values before |
//! | silence | 1 (row) | windows without a row so far | windows with one before |
//!
//! Of a condition, the numbers are those of the first comparison with a constant
//! that holds, among those joined by AND and OR; `field` is then its other side,
//! a field or an expression. `score` is null where there is no such number. `n`
//! stands behind `score`. `reason` says all numbers that count, so that a person
//! can check the alert by hand.
//!
//! [`cooldown`](Rule::cooldown) keeps back further alerts of a rule and series
//! that are less than that away from the last one written, in event time, and
//! [`allow`](Rule::allow) those of rows with certain values; neither changes
//! what is remembered. Rows that are allowed are not expected by `silence`.
//!
//! # Scores
//!
//! [`Emit::Scores`] writes every row, and nothing else, with `anomaly_score` in
//! [0, 1] as its last member, or in place of all members of that name. It is the
//! greatest of what its rules say: a detector's score, and of all others 1 for
//! an alert and 0 for none; a cooldown does not matter, an allow-list does but
//! for detectors. A silence is no property of a row and does not count. Alerts in
//! the input are passed on as they are; blank lines and lines that are rejected
//! give none. So there is a line for each record that was not rejected, in order.
//!
//! # Memory
//!
//! | test | bytes a series, about, with a short key |
//! | --- | --- |
//! | deviation over 10 rows, detector `zscore` | 400 |
//! | rise | 300 |
//! | `surprise` | 1,300 after 20 values, 4,200 after 100, 8,300 at 250; from then on 5,200 |
//! | `novelty` | at 250 values 6,600; from then on 4,600 |
//! | `ewma` | at 250 values 2,400; from then on 400 |
//! | silence | 200, and its keys as JSON; 100 for each key that was ever told |
//!
//! A state grows with what it has seen. [`SeriesBounds`] limits the number of
//! series, and says when those that sleep are forgotten: by event time, so that
//! it does not depend on the clock.

mod account;
mod alert;
mod allow;
mod allow_file;
mod annotate;
mod builtin;
mod compare;
mod condition;
mod cooldown;
mod detected;
pub mod detector;
mod expected;
mod history;
mod judge;
mod number;
mod operator;
mod row;
mod rule;
mod rules_file;
mod series;
mod silence;
mod told;
mod unseen;
mod watch;

pub use allow::{Allow, AllowError, Allowed, Network};
pub use allow_file::AllowFileError;
pub use builtin::{BARE, BUILTIN, REFERENCE, UnknownRule, builtin_rules, select_rules};
pub use condition::Condition;
pub use operator::{Detect, DetectOptions, Emit};
pub use rule::{Rule, Severity, Test, UnknownSeverity};
pub use rules_file::read_rules;
pub use series::SeriesBounds;
