//! What the line of progress says.

use super::quantity::{bytes, duration, grouped, rounded};
use crate::time::Timestamp;

/// The narrowest and the widest bar.
const BAR: (usize, usize) = (10, 30);

/// A watermark that is further behind the clock is of old data: then only
/// where it is means something.
const LIVE: f64 = 86_400.0;

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct View<'a> {
    /// The stage.
    pub(super) name: &'a str,
    /// Bytes taken from the source, packed as they are there.
    pub(super) taken: u64,
    /// How many there are, if that is known.
    pub(super) total: Option<u64>,
    /// How much of the whole run has been done, from 0 to 1, if that is known.
    pub(super) share: Option<f64>,
    /// How much of it is done in a second, of late.
    pub(super) share_per_second: f64,
    /// Bytes taken in a second, of late.
    pub(super) bytes_per_second: f64,
    /// Records taken in.
    pub(super) records: u64,
    /// Records taken in in a second, of late.
    pub(super) records_per_second: f64,
    /// For how many seconds nothing has come, if that is worth a word.
    pub(super) silent_for: Option<f64>,
    /// Lines rejected.
    pub(super) rejected: u64,
    /// Records that were late for the query that was strictest.
    pub(super) late: u64,
    /// The least watermark, and how many seconds it is behind the clock.
    pub(super) watermark: Option<(Timestamp, f64)>,
}

/// A piece of the line, and how soon it is left out for want of room.
struct Piece {
    text: String,
    rank: u8,
}

impl View<'_> {
    /// The line, which leaves the last one of so many columns free: a terminal
    /// may go to the next line once it is full.
    pub(super) fn line(&self, columns: usize, is_utf8: bool) -> String {
        let room = columns.saturating_sub(1);
        let head = format!("{}: ", self.name);
        let first = match self.share {
            Some(share) => format!("{:>2.0} %", (share * 100.0).floor()),
            None => bytes(self.taken as f64),
        };
        let mut rest = room.saturating_sub(width(&head) + width(&first));
        let mut pieces: Vec<Piece> =
            self.pieces().into_iter().filter(|piece| !piece.text.is_empty()).collect();
        let mut ranks: Vec<u8> = pieces.iter().map(|piece| piece.rank).collect();
        ranks.sort_unstable();
        let mut kept = Vec::new();
        for rank in ranks {
            let piece = pieces.iter().find(|piece| piece.rank == rank);
            if let Some(left) = piece.and_then(|piece| rest.checked_sub(width(&piece.text))) {
                rest = left;
                kept.push(rank);
            }
        }
        pieces.retain(|piece| kept.contains(&piece.rank));
        let tail: String = pieces.into_iter().map(|piece| piece.text).collect();
        let bar = self.share.filter(|_| rest > BAR.0).map(|share| bar(share, rest - 1, is_utf8));
        let line = format!("{head}{}{first}{tail}", bar.unwrap_or_default());
        line.chars().take(room).collect()
    }

    /// Everything behind the first number, in the order in which it is shown.
    fn pieces(&self) -> [Piece; 8] {
        let piece = |rank, text| Piece { text, rank };
        let some = |count: u64, what: &str| {
            if count > 0 { format!(", {} {what}", grouped(count)) } else { String::new() }
        };
        let is_silent = self.silent_for.is_some();
        let rate = |text: String| if is_silent { String::new() } else { text };
        [
            piece(3, self.of_total()),
            piece(4, rate(format!(", {}/s", bytes(self.bytes_per_second)))),
            piece(
                5,
                if self.share.is_none() { some(self.records, "records") } else { String::new() },
            ),
            piece(6, rate(format!(", {} records/s", rounded(self.records_per_second)))),
            piece(1, some(self.rejected, "rejected")),
            piece(2, some(self.late, "late")),
            piece(7, self.watermark.map(behind).unwrap_or_default()),
            piece(0, self.silent_for.map_or_else(|| self.time_left(), silence)),
        ]
    }

    fn of_total(&self) -> String {
        let total = self.total.filter(|_| self.share.is_some());
        total.map_or_else(String::new, |total| format!(" of {}", bytes(total as f64)))
    }

    /// How long it takes at the present rate.
    fn time_left(&self) -> String {
        let share = self.share.filter(|_| self.share_per_second > 0.0);
        share.map_or_else(String::new, |share| {
            format!(", {} left", duration((1.0 - share) / self.share_per_second))
        })
    }
}

fn silence(seconds: f64) -> String {
    format!(", nothing for {}", duration(seconds))
}

fn behind((watermark, lag): (Timestamp, f64)) -> String {
    if (0.0..LIVE).contains(&lag) {
        format!(", watermark {} behind", duration(lag))
    } else {
        let second =
            Timestamp::from_micros(watermark.micros - watermark.micros.rem_euclid(1_000_000));
        format!(", watermark {}", second.to_string().replace(".000Z", "Z"))
    }
}

/// A bar and the blank behind it.
fn bar(share: f64, room: usize, is_utf8: bool) -> String {
    let length = room.min(BAR.1);
    let full = (share * length as f64) as usize;
    let (on, off) = if is_utf8 { ("█", "░") } else { ("#", "-") };
    format!("{}{} ", on.repeat(full), off.repeat(length - full))
}

/// Columns that a text takes: each of its characters takes one.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn known() -> View<'static> {
        View {
            name: "ingest",
            taken: GIB * 43 / 100,
            total: Some(GIB),
            share: Some(0.43),
            share_per_second: 0.3,
            bytes_per_second: 310.0 * 1_048_576.0,
            records: 5_000_000,
            records_per_second: 1.2e6,
            ..View::default()
        }
    }

    #[test]
    fn a_known_size_has_a_bar_and_an_end() {
        let known = known();
        assert_eq!(
            known.line(120, true),
            "ingest: ████████████░░░░░░░░░░░░░░░░░░ 43 % of 1.0 GiB, 310 MiB/s, 1.2 M records/s, 2 s left"
        );
        assert_eq!(
            known.line(80, false),
            "ingest: #######---------- 43 % of 1.0 GiB, 310 MiB/s, 1.2 M records/s, 2 s left"
        );
        assert_eq!(known.line(40, true), "ingest: 43 % of 1.0 GiB, 2 s left");
        assert_eq!(known.line(20, true), "ingest: 43 %");
        let whole = View { share: Some(1.0), ..known };
        assert_eq!(whole.line(40, true), "ingest: 100 % of 1.0 GiB, 0 s left");
        let made = View { total: None, ..known };
        assert!(made.line(100, true).ends_with("░ 43 %, 310 MiB/s, 1.2 M records/s, 2 s left"));
    }

    #[test]
    fn an_unknown_size_has_counts() {
        let unknown = View { total: None, share: None, rejected: 12, ..known() };
        assert_eq!(
            unknown.line(100, true),
            "ingest: 440 MiB, 310 MiB/s, 5,000,000 records, 1.2 M records/s, 12 rejected"
        );
        assert_eq!(unknown.line(40, true), "ingest: 440 MiB, 310 MiB/s, 12 rejected");
        let silent = View { silent_for: Some(75.0), ..unknown };
        assert_eq!(
            silent.line(100, true),
            "ingest: 440 MiB, 5,000,000 records, 12 rejected, nothing for 1:15"
        );
        assert_eq!(View { total: Some(0), ..unknown }.line(40, true), unknown.line(40, true));
    }

    #[test]
    fn a_watermark_is_live_or_a_place_in_old_data() {
        let at = Timestamp::from_micros(1_757_635_200_500_000);
        let window = View { name: "window", late: 3, total: None, share: None, ..known() };
        let live = View { watermark: Some((at, 12.3)), ..window };
        assert!(live.line(200, true).ends_with(", 3 late, watermark 12 s behind"));
        for lag in [86_400.0, -1.0] {
            let old = View { watermark: Some((at, lag)), ..window };
            assert!(old.line(200, true).ends_with(", 3 late, watermark 2025-09-12T00:00:00Z"));
        }
    }

    #[test]
    fn no_line_fills_its_terminal() {
        let at = Timestamp::from_micros(i64::MAX);
        let all = View {
            rejected: u64::MAX,
            late: u64::MAX,
            watermark: Some((at, f64::MAX)),
            taken: u64::MAX,
            bytes_per_second: f64::INFINITY,
            ..known()
        };
        for view in [all, View { share: None, silent_for: Some(f64::MAX), ..all }, known()] {
            for columns in 0..300 {
                let line = view.line(columns, true);
                assert!(width(&line) < columns.max(1), "{columns}: {line}");
            }
        }
    }
}
