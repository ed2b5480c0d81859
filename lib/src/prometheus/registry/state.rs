//! The registry's state as bytes.

use std::hash::BuildHasher;

use super::{Group, Options, Registry, Sample};
use crate::row::{self, Place};
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

impl Options {
    /// What tells the state of these options from that of others.
    pub(in super::super) fn fingerprint(&self) -> String {
        let Self { prefix, labels, taken_labels, max_series, stale_after } = self;
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let stale = stale_after.map_or_else(|| "never".to_owned(), |after| after.to_string());
        // Not there without a gateway, as in states of before.
        let grouping = match taken_labels.as_slice() {
            [] => String::new(),
            taken => format!(", grouped by {}", taken.join(",")),
        };
        format!(
            "prefix {prefix:?}, labels {:?}, at most {max_series} series, stale after {stale}{grouping}",
            labels.join(",")
        )
    }

    /// Fails if a state with that fingerprint is of other options.
    pub(in super::super) fn check_fingerprint(&self, theirs: &[u8]) -> Result<(), RestoreError> {
        let ours = self.fingerprint();
        if theirs == ours.as_bytes() {
            return Ok(());
        }
        let theirs = String::from_utf8_lossy(theirs);
        Err(RestoreError::Mismatch(format!("it has {theirs}; here it is {ours}")))
    }
}

impl Registry {
    /// Writes all series, in an order that does not depend on hashes.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(self.options.fingerprint().as_bytes());
        state.list(self.families.iter(), |state, family| {
            state.bytes(&family.name);
            state.bytes(&family.field);
        });
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|group| &group.labels);
        state.list(groups.into_iter(), |state, group| {
            state.bytes(&group.labels);
            state.list(group.samples.iter(), |state, sample| {
                state.u64(sample.family as u64);
                state.option(sample.place, |state, place| place.snapshot(state));
                state.f64(sample.value);
            });
        });
        state.list(self.alerts.iter(), |state, (labels, count)| {
            state.bytes(labels);
            state.u64(*count);
        });
        state.list(self.ends.iter(), |state, (labels, end)| {
            state.bytes(labels);
            row::snapshot_time(*end, state);
        });
        state.option(self.newest_end, |state, end| row::snapshot_time(end, state));
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote, in place of its own
    /// state, which must be fresh.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged, or of other options.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.options.check_fingerprint(state.bytes()?)?;
        for (name, field) in state.list(|state| Ok((state.bytes()?, state.bytes()?)))? {
            self.names.take(name);
            self.add_family(field);
        }
        for group in state.list(|state| self.read_group(state))? {
            self.count += group.samples.len();
            let hash = self.hasher.hash_one(&*group.labels);
            let hasher = &self.hasher;
            self.groups.insert_unique(hash, group, |group| hasher.hash_one(&*group.labels));
        }
        let alerts = state.list(|state| Ok((state.bytes()?.into(), state.u64()?)))?;
        let ends = state.list(|state| Ok((state.bytes()?.into(), row::restore_time(state)?)))?;
        self.newest_end = state.option(row::restore_time)?;
        self.count += alerts.len();
        self.alerts.extend(alerts);
        self.ends.extend(ends);
        self.revision += 1;
        Ok(())
    }

    fn read_group(&self, state: &mut SnapshotReader<'_>) -> Result<Group, RestoreError> {
        let labels = state.bytes()?.into();
        let samples = state.list(|state| {
            let family = state.len()?;
            if family >= self.families.len() {
                return Err(RestoreError::Damaged("a series is of no family"));
            }
            let place = state.option(Place::restore)?;
            Ok(Sample { family, place, value: state.f64()? })
        })?;
        Ok(Group { labels, samples })
    }
}
