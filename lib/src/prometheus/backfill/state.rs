//! The history's state as bytes.

use super::{Backfill, Family, Sample};
use crate::row::Place;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

impl Backfill {
    /// Writes all samples.
    pub fn snapshot(&self, state: &mut SnapshotWriter) {
        state.bytes(self.options.fingerprint().as_bytes());
        state.list(self.families.iter(), |state, (name, family)| {
            state.bytes(name);
            state.bytes(&family.field);
            state.list(family.series.iter(), |state, (labels, samples)| {
                state.bytes(labels);
                state.list(samples.iter(), |state, sample| {
                    sample.place.snapshot(state);
                    state.option(sample.value, SnapshotWriter::f64);
                });
            });
        });
        state.list(self.alerts.iter(), |state, (labels, places)| {
            state.bytes(labels);
            state.list(places.iter(), |state, place| place.snapshot(state));
        });
    }

    /// Takes on what [`snapshot`](Self::snapshot) wrote, in place of its own
    /// state, which must be fresh.
    ///
    /// # Errors
    ///
    /// Fails if the state is damaged, or of other options.
    pub fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.options.check_fingerprint(state.bytes()?)?;
        let families = state.list(|state| {
            let name: Box<[u8]> = state.bytes()?.into();
            let field = state.bytes()?.into();
            let series = state.list(|state| Ok((state.bytes()?.into(), read_samples(state)?)))?;
            Ok((name, Family { field, series: series.into_iter().collect() }))
        })?;
        let alerts =
            state.list(|state| Ok((state.bytes()?.into(), state.list(Place::restore)?)))?;
        self.families.extend(families);
        self.alerts.extend(alerts);
        let series = self.families.values().map(|family| family.series.len());
        self.count = series.sum::<usize>() + self.alerts.len();
        Ok(())
    }
}

fn read_samples(state: &mut SnapshotReader<'_>) -> Result<Vec<Sample>, RestoreError> {
    state.list(|state| {
        Ok(Sample { place: Place::restore(state)?, value: state.option(SnapshotReader::f64)? })
    })
}
