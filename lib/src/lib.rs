//! The engine of Highwater: log analysis in a pipe.
//!
//! ```text
//! ingest → parse → window → detect --pass-through → export-prom | dashboard
//! produce-synthetic → any of them
//! ```
//!
//! Every program is a thin `main` around an [operator](stream::Operator) of
//! this crate. The [driver](stream::drive) splits its input into lines, feeds
//! the operator, forwards control lines, and flushes before it waits; the
//! operator is a function from lines to lines with a state that can be written
//! down and taken up again.
//!
//! # Code map
//!
//! Each layer uses only those below it.
//!
//! | layer | modules | what is there |
//! | --- | --- | --- |
//! | edge | [`cli`] | shared arguments, signals, progress, statistics, exit codes |
//! | sources | [`source`] | files, stdin, TCP peers, a test source: all reading of the outside world |
//! | sinks | [`sink`], [`http`], [`explain`] | rows as tables and CSV, Kafka, a server for metrics and the live page; plans in words, and as programs for Spark |
//! | stages | [`stage`], [`window`], [`detect`], [`prometheus`], [`dashboard`], [`synth`] | one operator each, and the generator |
//! | engines | [`query`], `aggregate`, [`format`](mod@format), [`reshape`], [`row`] | SQL to plans, accumulators, log formats, steps of `parse` behind them, rows of `window` |
//! | stream | [`stream`] | operator, driver, output, statistics, snapshots |
//! | line | [`line`](mod@line) | chunked reader, scanner, values, control lines |
//! | time | [`time`] | timestamps, durations, zones, what times without a year mean |
//!
//! # Records are bytes
//!
//! A record is a borrowed line plus the places of the few fields that the
//! stage asked for. [`line::Scanner`] validates the whole line as JSON in one
//! pass and finds them; it remembers the text between the values of the line
//! before, since lines of one program look alike. Nothing else is decoded and
//! nothing is allocated per record. What passes through is copied verbatim,
//! which is both the fastest way and the reason why numbers, key order and
//! spelling survive.
//!
//! # A record's way through `window`
//!
//! A [`query::Plan`] is compiled from SQL or flags. A record is scanned once
//! for all queries of the pass; each query puts it into one *pane* (the
//! longest pieces of time that lie wholly inside or outside of each window), so
//! the work per record does not grow with size/slide. A pane is a table from
//! keys to group numbers, with one accumulator per aggregate that holds the
//! states of all groups side by side. Only then does event time move on. A
//! window that is due merges its panes in time order, sorts its groups by key,
//! and prints them. Hash order never reaches the output.
//!
//! # Invariants
//!
//! - Same input bytes, same output bytes: results do not depend on the sizes of
//!   reads, on hash seeds or on the clock.
//! - Only [`cli`], [`source`], [`http`] and the sinks of Kafka and of metrics open files or connections
//!   and read clocks; only [`cli`] writes to stderr. Operators read
//!   no clock, file or environment.
//! - Windows are half-open, `[start, end)`, and closed exactly when
//!   `end ≤ watermark`. A record never enters a closed window.
//! - For each query, records in = rejected + filtered + duplicates + late +
//!   aggregated.
//! - The end of stdin and the end of the stream are two things: a stream that
//!   was suspended is not flushed ([`stream::Outcome`]).
//! - All state goes through [`stream::SnapshotWriter`] and back; a run cut at any
//!   line and resumed gives the bytes of the uncut run.
//! - `unsafe` is one function in [`line::json`], sixteen bytes at a time, and the calls of the
//!   Kafka client's C interface in the sink's outbox.

mod aggregate;
pub mod checkpoint;
mod checksum;
pub mod cli;
pub mod dashboard;
pub mod detect;
pub mod explain;
pub mod format;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod line;
pub mod prometheus;
pub mod query;
pub mod reshape;
pub mod row;
pub mod sink;
pub mod source;
pub mod stage;
pub mod stream;
pub mod synth;
pub mod time;
pub mod window;
