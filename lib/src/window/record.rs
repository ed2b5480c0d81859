//! A record as queries see it.

use crate::line::Scanner;
use crate::query::Context;

/// A record that has been scanned and is in time's order of arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// Its values, by the plans' slots.
    pub(super) context: Context<'a>,
    /// Where those stand in its line, by the same slots.
    pub(super) scanner: &'a Scanner,
    pub(super) line: &'a [u8],
    /// Event time in microseconds; of no matter where there are no windows.
    pub(super) time: i64,
    /// Its number, counted over the whole input.
    pub(super) sequence: u64,
}
