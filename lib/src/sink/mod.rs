//! Other shapes of a stage's rows than NDJSON.
//!
//! Rows are made as NDJSON. A sink stands between [`Output`] and stdout, takes
//! whole lines and writes them as something else, so that the engine knows of
//! one shape only. [`flush`](std::io::Write::flush) says that the rows so far
//! belong together: a batch.
//!
//! What takes records instead of stdout is here too: topics of Kafka. So is
//! what takes metrics: those who scrape them, and a Pushgateway.
//!
//! [`Output`]: crate::stream::Output

mod csv;
#[cfg(feature = "kafka")]
mod kafka;
pub mod prometheus;
mod table;

pub use csv::{CsvColumn, CsvColumnsError, CsvSink, csv_columns};
#[cfg(feature = "kafka")]
pub use kafka::{KafkaSink, KafkaSinkOptions, Transactions};
pub use table::{TableSink, TerminalSize};

use std::io;

use crate::line::ScanError;

/// The error of a line that is no row. Stages write none.
fn no_row(error: ScanError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a row is no JSON object: {error}"))
}

/// The lines of what a stage writes, without control lines' empty ones.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}
