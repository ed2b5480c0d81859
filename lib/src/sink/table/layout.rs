//! Where the cells of a table stand.

use super::cell::{Cell, CellKind, cut, width};

/// What stands between two columns.
const GAP: &str = "  ";
/// Text is not cut below this width while there is other text to cut.
const LEAST_TEXT: usize = 8;

/// The rows of one query.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) query: Option<String>,
    /// The columns, in the order in which they were first met.
    pub(super) names: Vec<String>,
    /// Rows may be shorter than the table is wide.
    pub(super) rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) width: usize,
    /// Whether it has numbers and nothing else, and so stands right.
    pub(super) is_number: bool,
    /// Whether it has texts, and so is cut first: a number or a window that is
    /// cut misleads.
    pub(super) is_text: bool,
}

impl Table {
    /// The place of a column, which may be new.
    pub(super) fn column(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    /// Draws the table, on a terminal within its width; returns how many of
    /// the terminal's lines it takes.
    pub(super) fn draw(&self, terminal: Option<usize>, out: &mut String) -> usize {
        let mut columns = self.columns();
        if let Some(available) = terminal.filter(|columns| *columns > 0) {
            fit(&mut columns, available);
        }
        let mut lines = 0;
        let mut end = |line: String, out: &mut String| {
            let line = line.trim_end();
            // A line that does not fit after all goes on in the next one.
            lines += terminal.map_or(1, |columns| width(line).max(1).div_ceil(columns.max(1)));
            out.push_str(line);
            out.push('\n');
        };
        if let Some(query) = &self.query {
            end(query.clone(), out);
        }
        end(line(&columns, self.names.iter().map(String::as_str)), out);
        let rules: Vec<_> = columns.iter().map(|column| "─".repeat(column.width)).collect();
        end(rules.join(GAP), out);
        for row in &self.rows {
            end(line(&columns, row.iter().map(|cell| cell.text.as_str())), out);
        }
        lines
    }

    fn columns(&self) -> Vec<Column> {
        let column = |(index, name): (usize, &String)| {
            let cells = || self.rows.iter().filter_map(move |row| row.get(index));
            let widest = cells().map(|cell| width(&cell.text)).max().unwrap_or(0);
            let has = |kind| cells().any(|cell| cell.kind == kind);
            Column {
                width: widest.max(width(name)),
                is_number: has(CellKind::Number) && !has(CellKind::Text),
                is_text: has(CellKind::Text),
            }
        };
        self.names.iter().enumerate().map(column).collect()
    }
}

fn line<'a>(columns: &[Column], cells: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (index, (column, text)) in columns.iter().zip(cells).enumerate() {
        if index > 0 {
            out.push_str(GAP);
        }
        let text = cut(text, column.width);
        let blanks = " ".repeat(column.width.saturating_sub(width(&text)));
        let (before, behind) = if column.is_number { (&blanks[..], "") } else { ("", &blanks[..]) };
        out.extend([before, &text, behind]);
    }
    out
}

/// Narrows the columns to the terminal: text first, the widest first.
pub(super) fn fit(columns: &mut [Column], available: usize) {
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    let available = available.saturating_sub(gaps);
    narrow(columns, available, LEAST_TEXT, |column| column.is_text);
    narrow(columns, available, 1, |_| true);
}

/// Gives those columns that may be narrowed a common greatest width, as great
/// as the space allows but not below `least`.
fn narrow(
    columns: &mut [Column],
    available: usize,
    least: usize,
    may_shrink: impl Fn(&Column) -> bool,
) {
    let total = |columns: &[Column], limit: usize| -> usize {
        let width = |column: &Column| {
            if may_shrink(column) { column.width.min(limit) } else { column.width }
        };
        columns.iter().map(width).sum()
    };
    let widest = columns.iter().filter(|column| may_shrink(column)).map(|column| column.width);
    let Some(widest) = widest.max() else { return };
    // The greatest limit that fits; totals grow with the limit.
    let limits: Vec<usize> = (least..=widest).collect();
    let fitting = limits.partition_point(|&limit| total(columns, limit) <= available);
    let limit = limits.get(fitting.saturating_sub(1)).copied().unwrap_or(widest);
    for column in columns.iter_mut().filter(|column| may_shrink(column)) {
        column.width = column.width.min(limit);
    }
}
