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
            if lines.is_empty() { "nothing of this".to_owned() } else { lines.join(", ") }
        };
        if now == then {
            return Some(format!("{} has its arguments in another order", self.stage()));
        }
        Some(format!("{} had {}, and has {}", self.stage(), only(&then, &now), only(&now, &then)))
    }
}
