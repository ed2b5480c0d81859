//! `emit`: records go to Kafka.

mod message;

use std::time::Duration;

use self::message::MessageReader;
use crate::line::{Control, Line};
use crate::sink::KafkaSink;
use crate::stream::{Figure, Operator, Output, StageError, Stats, Transaction};

/// So many records are sent before looking at what the client has to say.
const TURN: u32 = 4_096;

/// Sends each record to a topic, byte for byte but for its `@source`.
///
/// The key is the value of a field: a string's text, anything else as it is
/// written; null and missing are no key. A record with a key and nothing beside
/// its `@source` deletes what stands under the key (a tombstone), as
/// [`Ingest`](super::Ingest) reads one.
#[derive(Debug)]
pub struct Emit {
    reader: MessageReader,
    sink: KafkaSink,
    /// The field of the key, until a record has one.
    unseen_key: Option<String>,
    turn: u32,
    is_by_epoch: bool,
}

impl Emit {
    /// Sends to `sink`, under the value of the field `key`, with or without
    /// `@source`.
    pub fn new(sink: KafkaSink, key: Option<&str>, keeps_source: bool) -> Self {
        let reader = MessageReader::new(key, keeps_source);
        let is_by_epoch = sink.commits_by_epoch();
        Self { reader, sink, unseen_key: key.map(str::to_owned), turn: 0, is_by_epoch }
    }

    fn tell(&self, out: &mut Output) {
        for message in self.sink.messages() {
            out.message(&message);
        }
    }

    /// Waits for all that has been sent, and ends the transaction.
    fn settle(&mut self, out: &mut Output) -> Result<(), StageError> {
        let settled = self.sink.settle(|message| out.message(message));
        self.tell(out);
        Ok(settled?)
    }
}

impl Operator for Emit {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if let Some(reason) = line.fault {
            return out.reject(reason, "not UTF-8", line);
        }
        let message = match self.reader.read(line.bytes) {
            Ok(message) => message,
            Err(error) => return out.reject(error.reason, error, line),
        };
        if message.key.is_some() {
            self.unseen_key = None;
        }
        self.sink.send(message.key, message.payload, |message| out.message(message))?;
        self.turn += 1;
        if self.turn >= TURN {
            self.turn = 0;
            self.attend(out)?;
        }
        Ok(())
    }

    fn on_control(&mut self, control: &Control, out: &mut Output) -> Result<(), StageError> {
        match control {
            // Nothing is flushed then, but what has been read has to arrive.
            Control::Suspend | Control::Barrier { .. } => self.settle(out),
            _ => Ok(()),
        }
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        if let Some(field) = self.unseen_key.as_ref().filter(|_| out.stats.records_in > 0) {
            out.message(&format!("no record had a field {field}: none has a key"));
        }
        self.settle(out)
    }

    fn attend(&mut self, out: &mut Output) -> Result<Option<Duration>, StageError> {
        if self.sink.is_due() {
            self.settle(out)?;
        }
        self.sink.hand_over(|message| out.message(message))?;
        self.tell(out);
        self.sink.check()?;
        Ok(Some(self.sink.wait()))
    }

    fn on_failure(&mut self, out: &mut Output) {
        self.sink.give_up();
        self.tell(out);
    }

    fn is_stateful(&self) -> bool {
        false
    }

    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        let sink: &mut dyn Transaction = &mut self.sink;
        self.is_by_epoch.then_some(sink)
    }

    fn stats(&self, stats: &mut Stats) {
        (stats.records_out, stats.bytes_out) = self.sink.written();
        stats.own.push(Figure::loss("undelivered", self.sink.undelivered()));
    }
}
