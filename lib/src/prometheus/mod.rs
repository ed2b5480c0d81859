//! Rows and alerts as Prometheus metrics, in the text exposition format, or with
//! all windows in the OpenMetrics format.
//!
//! - Numeric fields of rows become gauges named after the field, string fields
//!   (the query among them) their labels. The newest window of a series wins:
//!   a row of the same window replaces it, a null takes it away, an older row
//!   is passed over and counted. Rows without a window go by arrival.
//! - Alerts become the counter `anomaly_count`.
//! - `…last_window_end_seconds`, by query, is the end of the newest window
//!   seen; it shows whether the pipeline in front still moves. It is called
//!   `highwater_last_window_end_seconds` without a prefix, since the bare name
//!   would say nothing of where it is from.
//!
//! What is never a label, since it would make a new series of every row:
//! windows, lists, objects, free text (`reason`, `message`, or anything longer
//! than [`MAX_LABEL`] bytes), times, and how a row came to be (`closed_by`,
//! `revision`, `partial`). Alerts also leave out `ip_address` and `user_id`.
//! Of truth values only `overflow` is one, where it is true, so that the row
//! of all other groups is told from the row of the null key.
//!
//! Names are made fit: whatever Prometheus does not take in a name becomes an
//! underscore, a run of it one; `count(*)` is `count`.
//!
//! [`Registry`] and [`Backfill`] are pure: rows in, text out. Files, connections
//! and clocks are behind [`Sink`].

mod backfill;
mod labels;
mod names;
mod operator;
mod registry;
mod text;

pub use crate::row::MAX_LABEL;
pub use backfill::{Backfill, BackfillUpdate};
pub use labels::{LabelSet, parse_label};
pub use operator::{ExportProm, Sink};
pub use registry::{Options, Registry, SeriesUpdate};
