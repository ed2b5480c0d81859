//! The merge, against a stable sort of the lines.

use super::*;
use crate::line::{Line, LineReader};
use crate::source::Position;
use crate::stream::{Event, Input, Operator, Options, Output, Place, drive};
use crate::time::Calendar;
use proptest::prelude::*;
use std::io::Write as _;
use std::time::Duration;

/// Lines of the form `12 text` have a time, others do not.
#[derive(Debug)]
struct Numbers;

impl EventTimes for Numbers {
    fn of(&mut self, record: &[u8], _calendar: &mut Calendar) -> Option<Timestamp> {
        let digits = record.split(|byte| !byte.is_ascii_digit()).next()?;
        std::str::from_utf8(digits).ok()?.parse().ok().map(Timestamp::from_micros)
    }
}

/// Reads a merge as the edge does, in pieces of these sizes over and over.
struct Pieces {
    merge: Merge,
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Input for Pieces {
    fn next(&mut self) -> Result<Next, StageError> {
        self.merge.next()
    }

    fn poll(&mut self) -> io::Result<Event> {
        Ok(Event::Readable)
    }

    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<Event> {
        Ok(Event::Readable)
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.next().unwrap_or(1).min(space.len());
        self.merge.read(&mut space[..size])
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

/// Writes down where each line came from.
struct Placed;

impl Operator for Placed {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        let place = format!("{}:{}:{}:", out.source(), out.line_number(), out.line_offset());
        out.row().extend_from_slice(place.as_bytes());
        out.row().extend_from_slice(&line.bytes.escape_ascii().collect::<Vec<u8>>());
        out.finish_row()
    }

    fn is_stateful(&self) -> bool {
        false
    }
}

/// Places and lines of the merged files.
fn merge(files: &[Vec<u8>], framing: &Framing, max_line: usize, sizes: Vec<usize>) -> Vec<String> {
    let mut merge = Merge::new(Vec::new(), framing.clone(), max_line, Box::new(Numbers));
    for (index, content) in files.iter().enumerate() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let place = Place::new(&index.to_string(), crate::stream::PlaceKind::File);
        merge.lanes.push(Lane::new(PathBuf::new(), file, place, &merge.rules));
        merge.unknown.push(index);
    }
    let mut out = Output::in_memory();
    let mut input = Pieces { merge, sizes: sizes.into_iter().cycle() };
    let options = Options { framing: framing.clone(), max_line, ..Options::default() };
    drive(&mut Placed, &mut input, &mut out, &options, None).unwrap();
    let rejected = out.stats.rejected();
    let rows = std::str::from_utf8(out.rows()).unwrap();
    rows.lines().map(str::to_owned).chain((rejected > 0).then(|| rejected.to_string())).collect()
}

/// The same by sorting: all lines of all files, each with the greatest time so
/// far in its file.
fn sorted(files: &[Vec<String>], end: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let (mut time, mut offset) = (Timestamp::from_micros(i64::MIN), 0);
        for (number, line) in file.iter().enumerate() {
            time = time.max(Numbers.of(line.as_bytes(), &mut Calendar::default()).unwrap_or(time));
            lines.push((time, format!("{index}:{}:{offset}:{line}", number + 1)));
            offset += line.len() + end.len();
        }
    }
    lines.sort_by_key(|(time, _)| *time);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn line() -> impl Strategy<Value = String> {
    let long = (0..100).prop_map(|time| format!("{time} {}", "x".repeat(70_000)));
    prop_oneof![8 => "[0-9]{1,2} [a-z]{0,3}", 2 => "[a-z]{1,5}", 1 => long]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn is_a_stable_sort(
        files in proptest::collection::vec(proptest::collection::vec(line(), 0..12), 1..6),
        sizes in proptest::collection::vec(1_usize..100_000, 1..4),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        last_ends in any::<bool>(),
    ) {
        let bytes = |lines: &Vec<String>| {
            let text = lines.iter().flat_map(|line| [line, end]).collect::<String>();
            let whole = if last_ends { &text } else { text.strip_suffix(end).unwrap_or(&text) };
            whole.as_bytes().to_vec()
        };
        let contents: Vec<Vec<u8>> = files.iter().map(bytes).collect();
        prop_assert_eq!(
            merge(&contents, &Framing::Lines, 100_000, sizes),
            sorted(&files, end)
        );
    }
}

/// Reads `merge` until so many records have come; them, and where another run
/// goes on, which is looked for between turns if it is `at_rest`.
fn part(
    merge: &mut Merge,
    sizes: &[usize],
    (count, at_rest): (usize, bool),
) -> (Vec<String>, Vec<Position>) {
    let mut reader = LineReader::new(merge.rules.framing.clone(), merge.rules.max_line);
    let (mut told, mut sizes) = (Vec::new(), sizes.iter().cycle());
    let positions = |merge: &Merge, consumed: u64| {
        let lanes = merge.lanes.iter().enumerate();
        let consumed = |index| (merge.turn == Some(index)).then_some(consumed);
        lanes.map(|(index, lane)| lane.position(consumed(index)).unwrap()).collect()
    };
    loop {
        match merge.next().unwrap() {
            Next::End => return (told, Vec::new()),
            Next::Pending if told.len() >= count => {
                let positions = positions(merge, reader.consumed());
                return (told, positions);
            }
            Next::Pending => {}
            Next::Place(place) => {
                reader.begin(place.offset, place.line);
                let mut is_over = false;
                while !is_over {
                    let size = *sizes.next().unwrap();
                    let read = |space: &mut [u8]| {
                        let size = size.min(space.len());
                        merge.read(&mut space[..size])
                    };
                    is_over = reader.fill(read).unwrap() == 0;
                    while let Some((at, line)) = reader.next_line() {
                        let (name, text) = (&place.name, line.bytes.escape_ascii());
                        told.push(format!("{name}:{}:{}:{text}", at.line, at.offset));
                        if told.len() == count && !at_rest {
                            let positions = positions(merge, reader.consumed());
                            return (told, positions);
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn goes_on_as_if_it_had_never_stopped(
        files in proptest::collection::vec(proptest::collection::vec(line(), 0..12), 1..6),
        sizes in proptest::collection::vec(1_usize..100_000, 1..4),
        counts in proptest::collection::vec((1_usize..12, any::<bool>()), 1..6),
        max_lines in 0_u64..4,
    ) {
        let framing = match max_lines {
            0 => Framing::Lines,
            max_lines => Framing::Multiline(crate::line::Multiline {
                start: regex::bytes::Regex::new("^[0-9]").unwrap(),
                max_lines,
                wait: Duration::ZERO,
            }),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = |index: usize| folder.path().join(index.to_string());
        for (index, lines) in files.iter().enumerate() {
            std::fs::write(path(index), lines.join("\n")).unwrap();
        }
        let begin = |positions: &[Position]| {
            let mut merge = Merge::new(Vec::new(), framing.clone(), 200_000, Box::new(Numbers));
            for index in 0..files.len() {
                let file = std::fs::File::open(path(index)).unwrap();
                let place = Place::new(&index.to_string(), crate::stream::PlaceKind::File);
                let mut lane = Lane::new(path(index), file, place, &merge.rules);
                if let Some(position) = positions.get(index) {
                    lane.resume(position, &merge.rules).unwrap();
                }
                merge.lanes.push(lane);
                merge.unknown.push(index);
            }
            merge
        };
        let whole = part(&mut begin(&[]), &sizes, (usize::MAX, false)).0;
        let (mut told, mut positions) = (Vec::new(), Vec::new());
        for count in counts.into_iter().chain([(usize::MAX, false)]) {
            let (more, stopped) = part(&mut begin(&positions), &sizes, count);
            told.extend(more);
            positions = stopped;
            if positions.is_empty() {
                break;
            }
        }
        prop_assert_eq!(told, whole);
    }
}

fn texts(files: &[&str]) -> Vec<Vec<u8>> {
    files.iter().map(|file| file.as_bytes().to_vec()).collect()
}

#[test]
fn records_of_several_lines_stay_whole() {
    let framing = Framing::Multiline(crate::line::Multiline {
        start: regex::bytes::Regex::new("^[0-9]").unwrap(),
        max_lines: 3,
        wait: Duration::from_secs(2),
    });
    let files = texts(&["1 a\n x\n y\n z\n4 b\n", "head\n2 c\n x\n3 d", " lost\n"]);
    for size in [1, 3, 1_000] {
        assert_eq!(
            merge(&files, &framing, 100, vec![size]),
            [
                r"1:1:0:head",
                r"2:1:0: lost",
                r"0:1:0:1 a\n x\n y",
                r"0:4:10: z",
                r"1:2:5:2 c\n x",
                r"1:4:12:3 d",
                r"0:5:13:4 b",
            ],
            "by {size}"
        );
    }
}

#[test]
fn a_line_too_long_is_rejected_where_it_stands() {
    let long = "x".repeat(300_000);
    let files = texts(&[&format!("1 a\n2 {long}\n3 b\n"), "2 c\n"]);
    for size in [1_000, 1_000_000] {
        assert_eq!(
            merge(&files, &Framing::Lines, 10, vec![size]),
            ["0:1:0:1 a", "1:1:0:2 c", "0:3:300007:3 b", "1"],
            "by {size}"
        );
    }
}

#[test]
fn a_lane_is_done_only_once_its_last_turn_has_been_read() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"1 a").unwrap();
    io::Seek::rewind(&mut file).unwrap();
    let mut merge = Merge::new(Vec::new(), Framing::Lines, 100, Box::new(Numbers));
    let place = Place::new("a", crate::stream::PlaceKind::File);
    merge.lanes.push(Lane::new(PathBuf::new(), file, place, &merge.rules));
    merge.unknown.push(0);
    while !matches!(merge.next().unwrap(), Next::Place(_)) {}
    let is_done = |consumed| merge.lanes[0].position(Some(consumed)).unwrap().is_done;
    assert_eq!([is_done(0), is_done(3)], [false, true]);
}
