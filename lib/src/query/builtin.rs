//! The queries that come with the program.

/// The built-in queries with their texts, in the order of their listing.
const QUERIES: [(&str, &str); 16] = [
    ("response_time", include_str!("../../queries/response_time.sql")),
    ("error_rate", include_str!("../../queries/error_rate.sql")),
    ("ip_patterns", include_str!("../../queries/ip_patterns.sql")),
    ("sla", include_str!("../../queries/sla.sql")),
    ("user_activity", include_str!("../../queries/user_activity.sql")),
    ("service_popularity", include_str!("../../queries/service_popularity.sql")),
    ("system_health", include_str!("../../queries/system_health.sql")),
    ("ddos", include_str!("../../queries/ddos.sql")),
    ("user_events", include_str!("../../queries/user_events.sql")),
    ("events_user_activity", include_str!("../../queries/events_user_activity.sql")),
    ("action_metrics", include_str!("../../queries/action_metrics.sql")),
    ("user_burst", include_str!("../../queries/user_burst.sql")),
    ("watermarked_counts", include_str!("../../queries/watermarked_counts.sql")),
    ("user_latest", include_str!("../../queries/user_latest.sql")),
    ("late_alert", include_str!("../../queries/late_alert.sql")),
    ("latency", include_str!("../../queries/latency.sql")),
];

/// The name that stands for all queries of [`LOG_ANALYSIS`].
const GROUP: &str = "log-analysis";

/// The queries of a whole log analysis: seven metrics and `ddos`.
const LOG_ANALYSIS: [&str; 8] = [
    "response_time",
    "error_rate",
    "ip_patterns",
    "sla",
    "user_activity",
    "service_popularity",
    "system_health",
    "ddos",
];

/// There is no built-in query of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no query is called {0:?}; expected a file's name, {group}, or one of {names}",
    group = GROUP,
    names = builtin_names().collect::<Vec<_>>().join(", ")
)]
pub struct UnknownQuery(pub String);

/// The text of the built-in query of this name.
pub fn builtin(name: &str) -> Option<&'static str> {
    QUERIES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the built-in queries.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().map(|(name, _)| *name)
}

/// The built-in queries that a name stands for, as name and text: one, or all
/// of the group `log-analysis`.
///
/// # Errors
///
/// Fails if there is none; the error lists the names.
pub fn builtins(name: &str) -> Result<Vec<(&'static str, &'static str)>, UnknownQuery> {
    let is_wanted = |query: &str| {
        if name == GROUP { LOG_ANALYSIS.contains(&query) } else { query == name }
    };
    let found: Vec<_> = QUERIES.into_iter().filter(|(query, _)| is_wanted(query)).collect();
    if found.is_empty() { Err(UnknownQuery(name.to_owned())) } else { Ok(found) }
}
