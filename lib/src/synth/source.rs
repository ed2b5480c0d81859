//! The provenance of records that seem to come from Kafka.

use super::encode::{write_time, write_user};
use super::partition::Layout;
use super::replay::Placed;
use crate::line::json;

/// Writes `@source`, and counts the offsets of each partition.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    name: &'static str,
    partitions: Vec<Log>,
}

/// One partition: an append-only log.
#[derive(Clone, Copy, Debug)]
struct Log {
    next_offset: u64,
    /// When its last record was appended, in milliseconds since the epoch.
    appended: i64,
}

impl Topic {
    pub(super) fn new(name: &'static str, layout: &Layout) -> Self {
        let empty = Log { next_offset: 0, appended: i64::MIN };
        Self { name, partitions: vec![empty; usize::from(layout.partitions())] }
    }

    /// Appends `{"@source":{…},`, the beginning of a record.
    ///
    /// Its time is when the broker appended the record, by the stream's clock:
    /// the greatest event time on its arrival.
    pub(super) fn write(&mut self, placed: &Placed, out: &mut Vec<u8>) {
        let log = &mut self.partitions[usize::from(placed.partition)];
        log.appended = log.appended.max(placed.arrival.clock);
        out.extend_from_slice(br#"{"@source":{"topic":""#);
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(br#"","partition":"#);
        json::write_int(placed.partition.into(), out);
        out.extend_from_slice(br#","offset":"#);
        json::write_int(log.next_offset.into(), out);
        out.extend_from_slice(br#","timestamp":""#);
        write_time(log.appended, out);
        out.extend_from_slice(br#"","key":""#);
        write_user(placed.arrival.record.user(), out);
        out.extend_from_slice(br#""},"#);
        log.next_offset += 1;
    }
}
