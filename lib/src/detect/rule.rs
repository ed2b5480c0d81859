//! Rules: what is looked at, and what makes an alert.

use std::fmt;

use super::alert::Short;

/// A rule: which rows it looks at, what makes series of them, what is tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What alerts are called.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// The one query whose rows it looks at, beside rows without `query` that
    /// have all its fields and keys. `None`: any row that has them.
    pub query: Option<String>,
    /// The fields that tell one series from another, copied into alerts.
    pub keys: Vec<String>,
    /// What is tested.
    pub test: Test,
}

/// What a rule tests. A null, or a value that is no number, never alerts.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The z-score of a field: its distance from the mean of the rows before
    /// in sample deviations. No alert with fewer than two rows before, or if
    /// they do not deviate.
    Deviation {
        /// The field.
        field: String,
        /// How many rows before count, at most; at least 2.
        history: usize,
        /// Alert if the z-score's size is above this.
        threshold: f64,
    },
    /// The rise of a field above the row before.
    Rise {
        /// The field.
        field: String,
        /// Alert if the rise is above this.
        change: f64,
    },
    /// Limits to one row; alert if all are passed. The first one's field is
    /// what the alert shows. Not empty.
    Limits(Vec<Limit>),
}

/// A limit to a number of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// The number.
    pub measure: Measure,
    /// Which side of the bound is passed.
    pub side: Side,
    /// The bound, itself not passed.
    pub bound: f64,
}

/// A number of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A field's value.
    Field(String),
    /// The number of items of a field that is a list.
    Size(String),
}

/// A side of a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    Over,
    /// Below it.
    Under,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Only the data are odd.
    Info,
    /// A person should look.
    Warning,
    /// Users are failing, or the service is under attack.
    Critical,
}

/// There is no rule of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule {0:?}; the rules are {list}", list = REFERENCE.join(", "))]
pub struct UnknownRule(pub String);

/// The names of the reference's rules.
pub const REFERENCE: [&str; 6] = [
    "response_time_anomaly",
    "error_rate_spike",
    "suspicious_ip",
    "ddos",
    "user_burst",
    "late_data",
];

/// What `detect` runs if nothing is asked for. The z-score is not among it: it
/// fires on one in eleven values of pure noise.
pub const BARE: [&str; 5] =
    ["error_rate_spike", "suspicious_ip", "ddos", "user_burst", "late_data"];

/// The reference's rules, in the order of [`REFERENCE`].
pub fn reference_rules() -> [Rule; 6] {
    [
        Rule {
            name: "response_time_anomaly".into(),
            severity: Severity::Warning,
            query: Some("response_time".into()),
            keys: vec!["service".into()],
            test: Test::Deviation {
                field: "avg_response_time".into(),
                history: 10,
                threshold: 2.0,
            },
        },
        Rule {
            name: "error_rate_spike".into(),
            severity: Severity::Critical,
            query: Some("error_rate".into()),
            keys: vec!["service".into()],
            test: Test::Rise { field: "error_rate".into(), change: 10.0 },
        },
        Rule {
            name: "suspicious_ip".into(),
            severity: Severity::Warning,
            query: Some("ip_patterns".into()),
            keys: vec!["ip_address".into()],
            test: Test::Limits(vec![
                Limit::over(Measure::Field("request_count".into()), 1_000.0),
                Limit::over(Measure::Size("services_used".into()), 5.0),
            ]),
        },
        Rule {
            name: "ddos".into(),
            severity: Severity::Critical,
            query: Some("ddos".into()),
            keys: vec!["ip_address".into()],
            test: Test::Limits(vec![
                Limit::over(Measure::Field("request_count".into()), 100.0),
                Limit::under(Measure::Field("unique_users".into()), 5.0),
            ]),
        },
        Rule {
            name: "user_burst".into(),
            severity: Severity::Warning,
            query: Some("user_burst".into()),
            keys: vec!["user_id".into()],
            test: Test::Limits(vec![Limit::over(Measure::Field("event_count".into()), 50.0)]),
        },
        Rule {
            name: "late_data".into(),
            severity: Severity::Info,
            query: Some("late_alert".into()),
            keys: vec!["user_id".into()],
            test: Test::Limits(vec![Limit::over(Measure::Field("late_event_count".into()), 5.0)]),
        },
    ]
}

/// The built-in rules with these names, each once, in the order of
/// [`REFERENCE`].
///
/// # Errors
///
/// Fails on a name that is no rule's.
pub fn select_rules<S: AsRef<str>>(names: &[S]) -> Result<Vec<Rule>, UnknownRule> {
    if let Some(unknown) = names.iter().find(|name| !REFERENCE.contains(&name.as_ref())) {
        return Err(UnknownRule(unknown.as_ref().to_owned()));
    }
    let is_named = |rule: &Rule| names.iter().any(|name| name.as_ref() == rule.name);
    Ok(reference_rules().into_iter().filter(is_named).collect())
}

impl Rule {
    /// The z-score of any field: alerts called `zscore`.
    pub fn zscore(field: &str, keys: &[String], history: usize, threshold: f64) -> Self {
        let field = field.to_owned();
        Self {
            name: "zscore".into(),
            severity: Severity::Warning,
            query: None,
            keys: keys.to_vec(),
            test: Test::Deviation { field, history, threshold },
        }
    }

    /// The rise of any field: alerts called `spike`.
    pub fn spike(field: &str, keys: &[String], change: f64) -> Self {
        Self {
            name: "spike".into(),
            severity: Severity::Warning,
            query: None,
            keys: keys.to_vec(),
            test: Test::Rise { field: field.to_owned(), change },
        }
    }
}

impl Test {
    /// How many rows before the one at hand it looks at, at most.
    pub fn history(&self) -> usize {
        match self {
            Self::Deviation { history, .. } => *history,
            Self::Rise { .. } => 1,
            Self::Limits(_) => 0,
        }
    }

    /// The fields that it reads, the alert's first.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Deviation { field, .. } | Self::Rise { field, .. } => vec![field],
            Self::Limits(limits) => limits.iter().map(|limit| limit.measure.field()).collect(),
        }
    }
}

impl Limit {
    /// Passed above `bound`.
    pub const fn over(measure: Measure, bound: f64) -> Self {
        Self { measure, side: Side::Over, bound }
    }

    /// Passed below `bound`.
    pub const fn under(measure: Measure, bound: f64) -> Self {
        Self { measure, side: Side::Under, bound }
    }

    /// Whether `number` passes the limit.
    pub fn is_passed_by(&self, number: f64) -> bool {
        match self.side {
            Side::Over => number > self.bound,
            Side::Under => number < self.bound,
        }
    }
}

impl Measure {
    /// The field that is read.
    pub fn field(&self) -> &str {
        match self {
            Self::Field(field) | Self::Size(field) => field,
        }
    }
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field),
            Self::Size(field) => write!(f, "size({field})"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => ">",
            Self::Under => "<",
        })
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deviation { field, history, threshold } => {
                write!(f, "z-score of {field} over {history} rows beyond {}", Short(*threshold))
            }
            Self::Rise { field, change } => {
                write!(f, "{field} over the row before + {}", Short(*change))
            }
            Self::Limits(limits) => {
                for (index, Limit { measure, side, bound }) in limits.iter().enumerate() {
                    let and = if index == 0 { "" } else { " and " };
                    write!(f, "{and}{measure} {side} {}", Short(*bound))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Rule {
    /// Prints the whole rule on one line, for people and to tell rules apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.test)?;
        if !self.keys.is_empty() {
            write!(f, " by {}", self.keys.join(", "))?;
        }
        match &self.query {
            Some(query) => write!(f, " in {query}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_rules_say_what_they_do() {
        let rules = reference_rules().map(|rule| rule.to_string());
        assert_eq!(
            rules,
            [
                "response_time_anomaly: z-score of avg_response_time over 10 rows beyond 2 by service in response_time",
                "error_rate_spike: error_rate over the row before + 10 by service in error_rate",
                "suspicious_ip: request_count > 1000 and size(services_used) > 5 by ip_address in ip_patterns",
                "ddos: request_count > 100 and unique_users < 5 by ip_address in ddos",
                "user_burst: event_count > 50 by user_id in user_burst",
                "late_data: late_event_count > 5 by user_id in late_alert",
            ]
        );
        for (rule, name) in reference_rules().iter().zip(REFERENCE) {
            assert_eq!(rule.name, name);
        }
    }

    #[test]
    fn rules_are_selected_once_and_in_order() {
        let names = |names: &[&str]| {
            select_rules(names)
                .map(|rules| rules.into_iter().map(|rule| rule.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["late_data", "ddos", "ddos"]).unwrap(), ["ddos", "late_data"]);
        assert_eq!(names(&BARE).unwrap(), BARE);
        let error = names(&["ddos", "dos"]).unwrap_err().to_string();
        assert!(error.starts_with("there is no rule \"dos\"; the rules are resp"), "{error}");
    }

    #[test]
    fn limits_are_not_passed_by_their_bound() {
        let size = || Measure::Size("x".into());
        for (limit, number, passed) in [
            (Limit::over(size(), 5.0), 5.0, false),
            (Limit::over(size(), 5.0), 6.0, true),
            (Limit::under(size(), 5.0), 5.0, false),
            (Limit::under(size(), 5.0), 4.0, true),
        ] {
            assert_eq!(limit.is_passed_by(number), passed, "{number} {limit:?}");
        }
    }
}
