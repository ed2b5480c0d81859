//! What a stage computes, so that state is not taken on by another.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CheckpointError;
use super::file::{read_json, write_json};

const FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    format: u64,
    plan: Vec<String>,
}

/// What a stage computes, a property a line: its name, then each argument that
/// bears on its output.
///
/// State is of one plan: a stage with another one would take it for something
/// that it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    lines: Vec<String>,
}

impl Plan {
    /// A stage with these properties.
    pub fn new(stage: &str, properties: impl IntoIterator<Item = String>) -> Self {
        Self { lines: std::iter::once(stage.to_owned()).chain(properties).collect() }
    }

    /// Adds a property.
    pub fn push(&mut self, property: &str) {
        self.lines.push(property.to_owned());
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        write_json(path, &Saved { format: FORMAT, plan: self.lines.clone() })
    }

    /// Reads one that was saved.
    pub(super) fn load(path: &Path) -> Result<Self, CheckpointError> {
        read_json(path, FORMAT).map(|saved: Saved| Self { lines: saved.plan })
    }

    /// The stage's name.
    pub(super) fn stage(&self) -> &str {
        self.lines.first().map_or("", |name| name)
    }

    /// How this plan differs from an earlier one, in words; `None` if it does
    /// not.
    pub(super) fn difference(&self, earlier: &Self) -> Option<String> {
        if self == earlier {
            return None;
        }
        if self.stage() != earlier.stage() {
            return Some(format!("it was {}, and is {}", earlier.stage(), self.stage()));
        }
        let (now, then): (BTreeSet<_>, BTreeSet<_>) =
            (self.lines.iter().collect(), earlier.lines.iter().collect());
        let only = |these: &BTreeSet<&String>, others: &BTreeSet<&String>| {
            let lines: Vec<_> = these.difference(others).map(|line| line.as_str()).collect();
            lines.join(", ")
        };
        let (stage, had, has) = (self.stage(), only(&then, &now), only(&now, &then));
        Some(match (had.is_empty(), has.is_empty()) {
            (true, true) => format!("{stage} has its arguments in another order"),
            (true, false) => format!("{stage} has {has}, which it had not"),
            (false, true) => format!("{stage} had {had}, and has it no longer"),
            (false, false) => format!("{stage} had {had}, and has {has}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_differs() {
        let plan = |lines: &[&str]| Plan::new("window", lines.iter().map(ToString::to_string));
        let earlier = plan(&["--size 1m", "--by service"]);
        for (lines, said) in [
            (&["--size 1m", "--by service"][..], None),
            (&["--size 5m", "--by service"], Some("window had --size 1m, and has --size 5m")),
            (&["--size 1m"], Some("window had --by service, and has it no longer")),
            (
                &["--size 1m", "--by service", "--start 5s"],
                Some("window has --start 5s, which it had not"),
            ),
            (&["--by service", "--size 1m"], Some("window has its arguments in another order")),
        ] {
            assert_eq!(plan(lines).difference(&earlier).as_deref(), said);
        }
        let other = Plan::new("parse", []).difference(&earlier).unwrap();
        assert_eq!(other, "it was window, and is parse");
    }
}
