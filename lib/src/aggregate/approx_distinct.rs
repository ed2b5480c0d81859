//! `approx_count_distinct`: `HyperLogLog` sketches.
//!
//! Values are hashed by what they are, not by how they are spelled, with a
//! seed that is always the same. The estimate depends on the set of values
//! alone: neither their order nor the way panes were merged shows in it.
//!
//! Source: Flajolet, Fusy, Gandouet and Meunier, *`HyperLogLog`: the analysis of
//! a near-optimal cardinality estimation algorithm* (2007).

use datasketches::hash::value::raw_bytes;
use datasketches::hll::{HllSketch, HllType, HllUnion};

use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};

#[derive(Clone, Debug)]
pub(crate) struct ApproxDistinct {
    /// Binary logarithm of the number of registers.
    lg_k: u8,
    /// `None` for a group without values. A sketch of few values is a list of
    /// them, and takes its full room only from some dozen on.
    sketches: Vec<Option<HllSketch>>,
    key: Vec<u8>,
}

impl ApproxDistinct {
    pub(super) fn new(lg_k: u8) -> Self {
        Self { lg_k, sketches: Vec::new(), key: Vec::new() }
    }

    pub(super) fn add_group(&mut self) {
        self.sketches.push(None);
    }

    pub(super) fn groups(&self) -> usize {
        self.sketches.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.sketches[group] = None;
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) {
        self.key.clear();
        value.write_key(&mut self.key);
        let sketch = &mut self.sketches[group];
        if sketch.is_none() {
            *sketch = HllSketch::new(self.lg_k, HllType::Hll8).ok();
        }
        if let Some(sketch) = sketch {
            sketch.update(raw_bytes::from_slice(&self.key));
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        let Some(theirs) = &other.sketches[theirs] else { return };
        let ours = &mut self.sketches[group];
        let union = ours.as_ref().and_then(|ours| {
            let mut union = HllUnion::new(self.lg_k).ok()?;
            union.update(ours);
            union.update(theirs);
            Some(union.to_sketch(HllType::Hll8))
        });
        *ours = Some(union.unwrap_or_else(|| theirs.clone()));
    }

    /// The estimate, a whole number.
    pub(super) fn evaluate(&self, group: usize) -> Value<'static> {
        // The sketch's other estimate is a little closer, but depends on the
        // order of the values.
        let estimate = self.sketches[group].as_ref().map_or(0.0, HllSketch::composite_estimate);
        Value::Int(estimate.round() as i128)
    }

    pub(super) fn size(&self) -> usize {
        self.sketches.capacity() * size_of::<Option<HllSketch>>()
            + self.sketches.iter().flatten().map(HllSketch::estimated_size).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.sketches.iter(), |state, sketch| {
            state.option(sketch.as_ref(), |state, sketch| state.bytes(&sketch.serialize()));
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let lg_k = self.lg_k;
        self.sketches = state.list(|state| {
            state.option(|state| {
                let sketch = HllSketch::deserialize(state.bytes()?).ok();
                sketch
                    .filter(|sketch| sketch.lg_config_k() == lg_k)
                    .ok_or(RestoreError::Damaged("a sketch of distinct values cannot be read"))
            })
        })?;
        Ok(())
    }
}
