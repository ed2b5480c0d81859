//! Detection: alerts from windowed rows.
//!
//! A [`Rule`] judges the rows of one query, or of any. Two kinds of test look
//! at the rows before as well: [`Test::Deviation`] (a z-score) and
//! [`Test::Rise`]. [`Test::Limits`] looks at one row alone. The rules of the
//! reference are instances of these; see [`REFERENCE`].
//!
//! | rule | rows of | by | alert if | severity |
//! | --- | --- | --- | --- | --- |
//! | `response_time_anomaly` | `response_time` | service | the z-score of `avg_response_time` among up to 10 rows before, at least 2, is beyond ±2 | warning |
//! | `error_rate_spike` | `error_rate` | service | `error_rate` is more than 10 points above the row before | critical |
//! | `suspicious_ip` | `ip_patterns` | `ip_address` | `request_count` > 1000 and `size(services_used)` > 5 | warning |
//! | `ddos` | `ddos` | `ip_address` | `request_count` > 100 and `unique_users` < 5 | critical |
//! | `user_burst` | `user_burst` | `user_id` | `event_count` > 50 | warning |
//! | `late_data` | `late_alert` | `user_id` | `late_event_count` > 5 | info |
//!
//! Severity says what is at stake: `critical` if users are failing or the
//! service is under attack, `warning` if a person should look, `info` if only
//! the data are odd.
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
//! | test | `expected` | `score` |
//! | --- | --- | --- |
//! | deviation | mean of the rows before | z: deviations above (or, negative, below) the mean |
//! | rise | the row before | points above it |
//! | limits | the first limit | `value` as a multiple of it |
//!
//! `reason` also says the number of rows before, their deviation, and the
//! limits, so that a person can check the alert by hand.

mod alert;
pub mod detector;
mod history;
mod judge;
mod number;
mod operator;
mod rule;

pub use history::{History, Moments, SeriesTable};
pub use operator::Detect;
pub use rule::{
    BARE, Limit, Measure, REFERENCE, Rule, Severity, Side, Test, UnknownRule, reference_rules,
    select_rules,
};
