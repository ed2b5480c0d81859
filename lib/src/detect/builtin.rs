//! The rules that have names.

use super::condition::Condition;
use super::detector::{DetectorKind, Settings};
use super::rule::{Rule, Severity, Test};
use crate::line::Projection;
use crate::query::{Plan, builtin, builtin_names};

/// What the rule `surprise` takes for an alert.
///
/// It is more than a [detector's](DetectorKind::default_threshold), which was
/// chosen for series of thousands of values: in its first hours a series keeps
/// making records, and a rule that watches many of them from their beginning
/// tells of each. Alerts in 1,000 rows of noise, about: 2.6 from 0.22 on, 1.3
/// from 0.3, 0.9 from 0.35, 0.65 from 0.4. Response times that rise by half, of
/// 40 requests a minute, are all found by any of them (`scripts/bench-detect`).
const SURPRISE_THRESHOLD: f64 = 0.4;

/// There is no rule of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule {0:?}; the rules are {list}", list = BUILTIN.join(", "))]
pub struct UnknownRule(pub String);

/// The names of all built-in rules.
pub const BUILTIN: [&str; 8] = [
    "response_time_anomaly",
    "error_rate_spike",
    "suspicious_ip",
    "ddos",
    "user_burst",
    "late_data",
    "surprise",
    "silence",
];

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
/// fires on one in eleven values of pure noise. `surprise` is in its place.
pub const BARE: [&str; 7] =
    ["error_rate_spike", "suspicious_ip", "ddos", "user_burst", "late_data", "surprise", "silence"];

/// The built-in rules with these names, each once, in the order of
/// [`BUILTIN`].
///
/// # Errors
///
/// Fails on a name that is no rule's.
pub fn select_rules<S: AsRef<str>>(names: &[S]) -> Result<Vec<Rule>, UnknownRule> {
    if let Some(unknown) = names.iter().find(|name| !BUILTIN.contains(&name.as_ref())) {
        return Err(UnknownRule(unknown.as_ref().to_owned()));
    }
    let is_named = |rule: &Rule| names.iter().any(|name| name.as_ref() == rule.name);
    Ok(builtin_rules().into_iter().filter(is_named).collect())
}

/// The built-in rules, in the order of [`BUILTIN`].
pub fn builtin_rules() -> [Rule; 8] {
    let response_time =
        Test::Deviation { field: "avg_response_time".into(), history: 10, threshold: 2.0 };
    let surprise = Rule::detector(
        DetectorKind::Surprise,
        "avg_response_time",
        &["service".to_owned()],
        Settings::default(),
        Some(SURPRISE_THRESHOLD),
    );
    [
        rule("response_time_anomaly", Severity::Warning, "response_time", "service", response_time),
        rule(
            "error_rate_spike",
            Severity::Critical,
            "error_rate",
            "service",
            Test::Rise { field: "error_rate".into(), change: 10.0 },
        ),
        rule(
            "suspicious_ip",
            Severity::Warning,
            "ip_patterns",
            "ip_address",
            when("request_count > 1000 AND size(services_used) > 5"),
        ),
        rule(
            "ddos",
            Severity::Critical,
            "ddos",
            "ip_address",
            when("request_count > 100 AND unique_users < 5"),
        ),
        rule("user_burst", Severity::Warning, "user_burst", "user_id", when("event_count > 50")),
        rule("late_data", Severity::Info, "late_alert", "user_id", when("late_event_count > 5")),
        Rule { query: Some("response_time".into()), ..surprise },
        Rule::silence(3, &[]),
    ]
}

fn rule(name: &str, severity: Severity, query: &str, key: &str, test: Test) -> Rule {
    let keys = vec![key.to_owned()];
    Rule { severity, query: Some(query.to_owned()), keys, ..Rule::new(name, test) }
}

/// A condition that is known to be one.
fn when(text: &str) -> Test {
    let condition = Condition::parse(text, "a built-in rule", "timestamp");
    Test::When(condition.expect("the conditions of built-in rules are expressions"))
}

/// The built-in queries whose rows are expected to come window after window,
/// with the names of their keys: not those by address or user, who come and go,
/// and not those with a HAVING, for which absence is the usual.
pub(super) fn steady_queries() -> impl Iterator<Item = (&'static str, Vec<String>)> {
    builtin_names().filter_map(|name| {
        let text = builtin(name)?;
        let plan = Plan::compile(text, Some(name), "timestamp", &mut Projection::default()).ok()?;
        let keys: Vec<String> = plan.keys.into_iter().map(|key| key.name).collect();
        let comes_and_goes = keys.iter().any(|key| matches!(&**key, "ip_address" | "user_id"));
        let is_steady = plan.window.is_some() && plan.having.is_none() && !comes_and_goes;
        is_steady.then_some((name, keys))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_say_what_they_do() {
        let rules = builtin_rules().map(|rule| rule.to_string());
        assert_eq!(
            rules,
            [
                "response_time_anomaly: z-score of avg_response_time over 10 rows beyond 2 by service in response_time",
                "error_rate_spike: error_rate over the row before + 10 by service in error_rate",
                "suspicious_ip: request_count > 1000 AND size(services_used) > 5 by ip_address in ip_patterns",
                "ddos: request_count > 100 AND unique_users < 5 by ip_address in ddos",
                "user_burst: event_count > 50 by user_id in user_burst",
                "late_data: late_event_count > 5 by user_id in late_alert",
                "surprise: surprise of avg_response_time from 0.4 (memory 10080, min_gap 0) by service in response_time",
                "silence: no row after 3 windows with one",
            ]
        );
        for (rule, name) in builtin_rules().iter().zip(BUILTIN) {
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
        assert_eq!(names(&REFERENCE).unwrap(), REFERENCE);
        let error = names(&["ddos", "dos"]).unwrap_err().to_string();
        assert!(error.starts_with("there is no rule \"dos\"; the rules are resp"), "{error}");
    }

    #[test]
    fn rows_are_expected_of_queries_by_service_and_the_like() {
        let queries: Vec<_> = steady_queries().map(|(name, _)| name).collect();
        assert_eq!(
            queries,
            [
                "response_time",
                "error_rate",
                "sla",
                "service_popularity",
                "system_health",
                "action_metrics",
                "watermarked_counts",
                "latency"
            ]
        );
    }
}
