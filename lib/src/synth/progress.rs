//! How far event time has come, as a reader of the lines would say.

use super::partition::Layout;

/// The greatest event time of the lines so far, those of clocks ahead apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    greatest: Option<i64>,
    skewed: Option<Skewed>,
}

/// Where partitions lag, the slowest one says what is late.
#[derive(Clone, Debug)]
struct Skewed {
    /// Greatest event time of each partition that has one.
    greatest: Vec<Option<i64>>,
    /// Whether a partition counts: others would hold time up for ever.
    lasting: Vec<bool>,
}

impl Progress {
    pub(super) fn new(layout: Option<&Layout>) -> Self {
        let skewed = layout.filter(|layout| layout.is_skewed()).map(|layout| Skewed {
            greatest: vec![None; usize::from(layout.partitions())],
            lasting: layout.lasting(),
        });
        Self { greatest: None, skewed }
    }

    /// Takes note of a line's event time.
    #[inline]
    pub(super) fn observe(&mut self, partition: u16, millis: i64) {
        self.greatest = self.greatest.max(Some(millis));
        if let Some(skewed) = &mut self.skewed {
            let greatest = &mut skewed.greatest[usize::from(partition)];
            *greatest = (*greatest).max(Some(millis));
        }
    }

    /// The greatest event time of all lines.
    pub(super) fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    /// The event time against which a record is late: the greatest one, or
    /// with skew the least of those of the partitions.
    pub(super) fn reached(&self) -> Option<i64> {
        let Some(Skewed { greatest, lasting }) = &self.skewed else { return self.greatest };
        let counted = greatest.iter().zip(lasting).filter(|(_, lasting)| **lasting);
        counted.filter_map(|(greatest, _)| *greatest).min()
    }
}
