//! Stub.
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::TimeDelta;
#[derive(Clone, Debug)]
pub(super) struct Deduper {}
impl Deduper {
    pub(super) fn new(_within: TimeDelta) -> Self {
        Self {}
    }
    pub(super) fn is_duplicate(&mut self, _key: &[u8], _time: i64, _until: Option<i64>) -> bool {
        false
    }
    pub(super) fn size(&self) -> usize {
        0
    }
    pub(super) fn snapshot(&self, _state: &mut SnapshotWriter) {}
    pub(super) fn restore(&mut self, _state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}
