//! What rules ask for and no row has: most likely it is misspelt.

use std::collections::BTreeSet;

use super::builtin::BUILTIN;
use super::rule::{Rule, Test};
use crate::line::Projection;
use crate::query::{builtin_names, nearest};
use crate::row::RowReader;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

/// No more names of fields are kept for suggestions.
const MOST_NAMES: usize = 256;

/// The fields and queries that no row had so far, and the names that rows did
/// have, of which one may be meant.
///
/// Built-in rules ask for nothing: which of their queries there are is the
/// user's choice. Of them it is told only if no rule found a row at all.
#[derive(Debug)]
pub(super) struct Unseen {
    rows: u64,
    is_looked_at: bool,
    fields: Vec<UnseenField>,
    /// Rules by their number, with the queries that they name.
    queries: Vec<(usize, String)>,
    names: BTreeSet<String>,
    queries_seen: BTreeSet<String>,
}

#[derive(Debug)]
struct UnseenField {
    name: String,
    slot: usize,
    /// The number of the rule that asks for it.
    rule: usize,
    /// Whether a row with a window can do without it.
    is_time: bool,
}

impl Unseen {
    /// What `rules` ask for; `time` is the field with the time, if it is one
    /// that somebody named.
    pub(super) fn new(rules: &[Rule], time: Option<&str>, projection: &mut Projection) -> Self {
        let mut unseen = Self {
            rows: 0,
            is_looked_at: false,
            fields: Vec::new(),
            queries: Vec::new(),
            names: BTreeSet::new(),
            queries_seen: BTreeSet::new(),
        };
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| !is_built_in(rule)) {
            unseen.queries.extend(rule.query.iter().map(|query| (number, query.clone())));
            let read = rule.keys.iter().map(String::as_str).chain(rule.test.fields());
            for name in read.chain(rule.allow.iter().map(|allow| &*allow.field)) {
                unseen.add(name, number, false, projection);
            }
        }
        if let Some(time) = time {
            unseen.add(time, rules.len(), true, projection);
        }
        unseen
    }

    fn add(&mut self, name: &str, rule: usize, is_time: bool, projection: &mut Projection) {
        let slot = projection.add(name);
        if self.fields.iter().all(|field| field.slot != slot) {
            self.fields.push(UnseenField { name: name.to_owned(), slot, rule, is_time });
        }
    }

    /// Takes in a row, which the rules of these numbers look at.
    pub(super) fn row(&mut self, rows: &RowReader, line: &[u8], looking: &[usize]) {
        self.rows += 1;
        self.is_looked_at |= !looking.is_empty();
        if self.fields.is_empty() && self.queries.is_empty() {
            return;
        }
        self.fields.retain(|field| {
            !(rows.field(field.slot).is_present() || field.is_time && rows.window().is_some())
        });
        self.queries.retain(|(rule, _)| !looking.contains(rule));
        // A few rows know the names that there are, and cost nothing.
        if self.rows.is_power_of_two() && self.names.len() < MOST_NAMES {
            self.learn(line);
        }
    }

    fn learn(&mut self, line: &[u8]) {
        let Ok(row) = serde_json::from_slice::<serde_json::Map<_, _>>(line) else { return };
        if let Some(serde_json::Value::String(query)) = row.get("query") {
            self.queries_seen.insert(query.clone());
        }
        self.names.extend(row.into_iter().map(|(name, _)| name));
    }

    /// What to tell at the end of the data, a message each. Where `passes_rows`,
    /// rows that no rule looks at are of use all the same.
    pub(super) fn messages(&self, passes_rows: bool) -> Vec<String> {
        if self.rows == 0 {
            return Vec::new();
        }
        let mut messages = Vec::new();
        for (_, query) in &self.queries {
            let mut known: Vec<&str> = builtin_names().collect();
            known.extend(self.queries_seen.iter().map(String::as_str));
            messages.push(format!("no row is of the query {query}{}", hint(query, known)));
        }
        // Where there is no row of a rule's query, its fields are not missing.
        let is_missing =
            |field: &&UnseenField| self.queries.iter().all(|(rule, _)| *rule != field.rule);
        for UnseenField { name, .. } in self.fields.iter().filter(is_missing) {
            let seen = self.names.iter().map(String::as_str);
            messages.push(format!("no row had a field {name}{}", hint(name, seen)));
        }
        if messages.is_empty() && !self.is_looked_at && !passes_rows {
            messages.push(format!(
                "no rule looks at any of the {} rows; put window --query log-analysis before, or \
                 say what to watch: --detector surprise --field FIELD",
                self.rows
            ));
        }
        messages
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.u64(self.rows);
        state.bool(self.is_looked_at);
        state.list(self.fields.iter(), |state, field| state.u64(field.slot as u64));
        state.list(self.queries.iter(), |state, (rule, _)| state.u64(*rule as u64));
    }

    /// Reads back what [`snapshot`](Self::snapshot) wrote of the same rules.
    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.rows = state.u64()?;
        self.is_looked_at = state.bool()?;
        let (slots, rules) = (state.list(SnapshotReader::u64)?, state.list(SnapshotReader::u64)?);
        self.fields.retain(|field| slots.contains(&(field.slot as u64)));
        self.queries.retain(|(rule, _)| rules.contains(&(*rule as u64)));
        Ok(())
    }
}

/// Whether the rule is one of those with names: flags lend the same names, but
/// to rules about rows of any query.
fn is_built_in(rule: &Rule) -> bool {
    let is_of_queries =
        rule.query.is_some() || rule.keys.is_empty() && matches!(rule.test, Test::Silence { .. });
    BUILTIN.contains(&&*rule.name) && is_of_queries
}

/// Which of the names `name` may be a slip of, in words.
fn hint<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    nearest(name, names).map_or(String::new(), |meant| format!("; did you mean {meant}?"))
}
