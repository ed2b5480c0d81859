//! Rows and alerts as a page: live, by a server beside the stage, or as one
//! file.
//!
//! - Numeric fields of rows become series, told apart by field, query and
//!   labels (string fields). Series of several queries are kept apart even where
//!   field and labels are the same, since their windows may not be. A row of the
//!   same window replaces the value of the one before.
//! - Alerts become a table, and counts by name.
//! - A row stands at its window's end, else at its `timestamp`, else at the
//!   newest time seen, and if none has been, at processing time.
//!
//! [`History`] is what is remembered, pure and bounded: rows in, JSON out. A
//! client of the live page holds a [`Cursor`] into it and reads on from there
//! when it has time to, so that one that stalls costs nothing.

mod history;
mod operator;
mod page;
mod server;
mod text;

pub use history::{Bounds, Cursor, Figures, History, RowUpdate};
pub use operator::{Dashboard, ReportWriter, Shared};
pub use page::report;
pub use server::router;
pub use text::Labels;
