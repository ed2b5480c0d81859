//! Files of rules, in TOML.
//!
//! ```toml
//! [[rule]]
//! name = "checkout_slow"
//! query = "response_time"                      # else any row with the keys
//! by = ["service"]
//! when = "avg_response_time > 2 AND request_count >= 20"
//! severity = "critical"                        # info, warning (if nothing is said), critical
//! cooldown = "10m"
//! allow = { service = ["batch", "canary"] }
//! ```
//!
//! In place of `when`: `zscore = FIELD` with `history` and `threshold`; `spike =
//! FIELD` with `change`; `detector = NAME` with `field`, `threshold`, `memory`
//! and `min_gap`; `silence = WINDOWS`. All mean what the flags of that name do.

mod document;

use toml::Spanned;
use toml::de::DeTable;

use self::document::{File, Place, Table, plain};
use super::allow::{Allow, Allowed};
use super::detector::{DetectorKind, Settings};
use super::rule::{Rule, Test};
use crate::query::{QueryError, nearest};
use crate::time::TimeDelta;

/// Tests, of which a rule has one, and the settings that belong to each.
const TESTS: [(&str, &[&str]); 5] = [
    ("when", &[]),
    ("zscore", &["history", "threshold"]),
    ("spike", &["change"]),
    ("detector", &["field", "threshold", "memory", "min_gap"]),
    ("silence", &[]),
];

/// What any rule may say.
const COMMON: [&str; 6] = ["name", "query", "by", "severity", "cooldown", "allow"];

/// Reads the rules of a file, which `origin` names in errors; `time_field` is
/// the field that is a time in conditions.
///
/// # Errors
///
/// Fails at the first mistake; the error shows its place in the file.
pub fn read_rules(text: &str, origin: &str, time_field: &str) -> Result<Vec<Rule>, QueryError> {
    let file = File { text, origin, time_field };
    let root = DeTable::parse(text)
        .map_err(|error| file.error(error.span().unwrap_or(0..0), error.message(), ""))?;
    let mut rules: Vec<Rule> = Vec::new();
    for (key, value) in root.get_ref() {
        if key.get_ref() != "rule" {
            let message = format!("there is no `{}` in a file of rules", key.get_ref());
            return Err(file.error(key.span(), message, "expected [[rule]]"));
        }
        let tables = value
            .get_ref()
            .as_array()
            .ok_or_else(|| file.error(key.span(), "a file has several rules", "write [[rule]]"))?;
        for table in tables {
            let rule = file.table(table)?.rule()?;
            if rules.iter().any(|known| known.name == rule.name) {
                let message = format!("there are two rules called {:?}", rule.name);
                return Err(file.error(table.span(), message, "give this one another name"));
            }
            rules.push(rule);
        }
    }
    if rules.is_empty() {
        return Err(file.error(0..0, "there is no rule in this file", "expected [[rule]]"));
    }
    Ok(rules)
}

impl<'t> Table<'_, 't> {
    fn rule(&self) -> Result<Rule, QueryError> {
        let tested = self.check_keys()?;
        let (name, text) = self.text("name")?.ok_or_else(|| self.missing("a rule needs a name"))?;
        if text.trim().is_empty() {
            return Err(self.file.error(name.span(), "a name is not empty", ""));
        }
        Ok(Rule {
            severity: self.parsed("severity")?.unwrap_or_default(),
            query: self.text("query")?.map(|(_, query)| query.to_owned()),
            keys: self.texts("by")?,
            cooldown: self.cooldown()?,
            allow: self.allow()?,
            ..Rule::new(text, self.test(tested)?)
        })
    }

    /// Checks that there are only known keys, and those that belong together;
    /// returns which test it is.
    fn check_keys(&self) -> Result<&'static str, QueryError> {
        let mut tests = TESTS.iter().filter(|(test, _)| self.entries.contains_key(*test));
        let (test, settings) = match (tests.next(), tests.next()) {
            (Some(test), None) => *test,
            (None, _) => {
                return Err(
                    self.missing("a rule needs one of when, zscore, spike, detector, silence")
                );
            }
            (Some((one, _)), Some((other, _))) => {
                let message = format!("a rule tests one thing, not {one} and {other}");
                return Err(self.missing(&message));
            }
        };
        for key in self.entries.keys() {
            let name = &**key.get_ref();
            if name == test || COMMON.contains(&name) || settings.contains(&name) {
                continue;
            }
            let owner = TESTS.iter().find(|(_, settings)| settings.contains(&name));
            let (message, expected) = match owner {
                Some((owner, _)) => (
                    format!("`{name}` does not belong to {test}"),
                    format!("it belongs to {owner}"),
                ),
                None => (format!("a rule has no `{name}`"), suggestion(name, test, settings)),
            };
            return Err(self.file.error(key.span(), message, expected));
        }
        Ok(test)
    }

    fn test(&self, tested: &str) -> Result<Test, QueryError> {
        let threshold = self.number("threshold", 0.0..=f64::MAX)?;
        Ok(match tested {
            "when" => {
                let (value, text) = self.required("when")?;
                Test::When(self.file.condition(value, text)?)
            }
            "zscore" => Test::Deviation {
                field: self.required("zscore")?.1.to_owned(),
                history: self.integer("history", 2..=1_000_000)?.unwrap_or(10) as usize,
                threshold: threshold.unwrap_or(2.0),
            },
            "spike" => Test::Rise {
                field: self.required("spike")?.1.to_owned(),
                change: self.number("change", 0.0..=f64::MAX)?.unwrap_or(10.0),
            },
            "detector" => {
                let kind: DetectorKind = self.parsed("detector")?.unwrap_or_default();
                let usual = Settings::default();
                let settings = Settings {
                    memory: self
                        .integer("memory", 0..=i64::MAX)?
                        .map_or(usual.memory, |n| n as u64),
                    min_gap: self.number("min_gap", 0.0..=1.0)?.unwrap_or(usual.min_gap),
                    ..usual
                };
                let field = self.required("field")?.1.to_owned();
                let threshold = threshold.unwrap_or(kind.default_threshold());
                Test::Detector { field, kind, settings, threshold }
            }
            _ => Test::Silence {
                windows: self.integer("silence", 1..=1_000_000)?.unwrap_or(3) as u32,
            },
        })
    }

    fn cooldown(&self) -> Result<Option<TimeDelta>, QueryError> {
        let cooldown: Option<TimeDelta> = self.parsed("cooldown")?;
        match (cooldown, self.entries.get("cooldown")) {
            (Some(cooldown), Some(value)) if cooldown <= TimeDelta::ZERO => {
                Err(self.file.error(value.span(), "a cooldown is longer than nothing", "as in 10m"))
            }
            _ => Ok(cooldown),
        }
    }

    fn allow(&self) -> Result<Vec<Allow>, QueryError> {
        let Some(value) = self.entries.get("allow") else { return Ok(Vec::new()) };
        let expected = "expected { FIELD = [VALUE, …] }";
        let table = value.get_ref().as_table();
        let table = table
            .ok_or_else(|| self.file.error(value.span(), "an allow-list is by field", expected))?;
        let of_field = |(field, values): (&Spanned<_>, &'t Place<'t>)| {
            let parse = |value: &Place<'_>| {
                let text = plain(value.get_ref()).ok_or_else(|| {
                    self.file.error(value.span(), "this is no value of a field", expected)
                })?;
                Allowed::parse(&text)
                    .map_err(|error| self.file.error(value.span(), error.to_string(), ""))
            };
            let values = match values.get_ref().as_array() {
                Some(values) => values.iter().map(parse).collect::<Result<_, _>>()?,
                None => vec![parse(values)?],
            };
            let field: &std::borrow::Cow<'_, str> = field.get_ref();
            Ok(Allow { field: field.clone().into_owned(), values })
        };
        table.iter().map(of_field).collect()
    }
}

/// What was meant, perhaps, by a key that there is not.
fn suggestion(name: &str, test: &'static str, settings: &[&'static str]) -> String {
    let known = || COMMON.iter().chain([&test]).chain(settings).copied();
    match nearest(name, known()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("it may have {}", known().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Rule>, QueryError> {
        read_rules(text, "rules.toml", "timestamp")
    }

    #[test]
    fn every_kind_of_rule() {
        let rules = read(
            r#"
            [[rule]]
            name = "checkout_slow"
            query = "response_time"
            by = ["service"]
            when = "avg_response_time > 2 AND request_count >= 20"
            severity = "critical"
            cooldown = "10m"
            allow = { ip_address = ["192.0.2.0/24", "2001:db8::/32"], status = 404 }

            [[rule]]
            name = "z"
            zscore = "load"
            history = 20
            threshold = 3

            [[rule]]
            name = "s"
            by = "host"
            spike = "load"

            [[rule]]
            name = "d"
            detector = "novelty"
            field = "load"
            memory = 1_000
            min_gap = 0.01
            threshold = 0.5

            [[rule]]
            name = "gone"
            by = ["host"]
            silence = 5
            "#,
        )
        .unwrap();
        let rules: Vec<String> = rules.iter().map(Rule::to_string).collect();
        assert_eq!(
            rules,
            [
                "checkout_slow: avg_response_time > 2 AND request_count >= 20 by service in \
                 response_time, every 10m at most, but not ip_address=192.0.2.0/24,2001:db8::/32, \
                 but not status=404",
                "z: z-score of load over 20 rows beyond 3",
                "s: load over the row before + 10 by host",
                "d: novelty of load from 0.5 (memory 1000, min_gap 0.01)",
                "gone: no row after 5 windows with one by host",
            ]
        );
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (text, line, message) in [
            ("", 1, "there is no rule in this file"),
            ("[[rule]\n", 1, ""),
            ("[[rul]]\nname = 'x'", 1, "there is no `rul` in a file of rules"),
            ("[rule]\nname = 'x'", 1, "a file has several rules"),
            ("[[rule]]\nwhen = 'a > 1'", 1, "a rule needs a name"),
            ("[[rule]]\nname = 'x'", 1, "a rule needs one of when, zscore"),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\nspike = 'a'",
                1,
                "a rule tests one thing, not when and spike",
            ),
            ("[[rule]]\nname = 'x'\nwhn = 'a'\nspike = 'a'", 3, "a rule has no `whn`"),
            ("[[rule]]\nname = 'x'\nwhen = 'a'\nsevertiy = 'info'", 4, "did you mean `severity`?"),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\nhistory = 3",
                4,
                "`history` does not belong to when",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\nseverity = 'bad'",
                4,
                "there is no severity \"bad\"",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\ncooldown = '0s'",
                4,
                "a cooldown is longer than nothing",
            ),
            ("[[rule]]\nname = 'x'\nwhen = 'a'\ncooldown = '5'", 4, "no known unit"),
            ("[[rule]]\nname = 'x'\nwhen = 'a >'", 3, ""),
            ("[[rule]]\nname = 'x'\nwhen = '''a\n > cuont(b)'''", 4, "unknown function `cuont`"),
            (
                "[[rule]]\nname = 'x'\nwhen = \"a = '\\u0041' + cuont(b)\"",
                1,
                "unknown function `cuont`",
            ),
            ("[[rule]]\nname = 7\nwhen = 'a'", 2, "`name` is text in quotes"),
            (
                "[[rule]]\nname = 'x'\nzscore = 'a'\nhistory = 1",
                4,
                "`history` is a whole number from 2 up",
            ),
            (
                "[[rule]]\nname = 'x'\nzscore = 'a'\nthreshold = nan",
                4,
                "`threshold` is a number from 0 up",
            ),
            ("[[rule]]\nname = 'x'\ndetector = 'surprise'", 1, "this rule needs `field`"),
            (
                "[[rule]]\nname = 'x'\ndetector = 'suprise'\nfield = 'a'",
                3,
                "there is no detector \"suprise\"",
            ),
            ("[[rule]]\nname = 'x'\nwhen = 'a'\nallow = ['b']", 4, "an allow-list is by field"),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\nallow.ip = ['192.0.2.1/24']",
                4,
                "the network with this",
            ),
            (
                "[[rule]]\nname = 'x'\nwhen = 'a'\n[[rule]]\nname = 'x'\nwhen = 'b'",
                4,
                "there are two rules called \"x\"",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text}\n{error}");
            assert!(error.contains(&format!("rules.toml:{line}:")), "{text}\n{error}");
        }
    }
}
