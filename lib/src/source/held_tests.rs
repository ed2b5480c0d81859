//! What is held, against a source that is read in one go.

use std::io::Read as _;
use std::time::Duration;

use super::*;
use crate::line::{LineReader, Multiline, Reason};
use proptest::prelude::*;
use regex::bytes::Regex;

/// A record as it comes out: its line, offset, bytes, and what is wrong.
type Told = (u64, u64, Vec<u8>, Option<Reason>);

fn at(offset: u64, line: u64) -> At {
    At { offset, line, is_in_line: false }
}

fn multiline(max_lines: u64, wait: Duration) -> Framing {
    Framing::Multiline(Multiline { start: Regex::new("^a").unwrap(), max_lines, wait })
}

fn drain(reader: &mut LineReader, told: &mut Vec<Told>) {
    while let Some((at, found)) = reader.next_line() {
        told.push((at.line, at.offset, found.bytes.to_vec(), found.fault));
    }
}

/// The records of a source that is read in one go.
fn directly(input: &[u8], framing: &Framing, max_line: usize) -> Vec<Told> {
    let (mut reader, mut told) = (LineReader::new(framing.clone(), max_line), Vec::new());
    for mut rest in [input, &[]] {
        reader.fill(|space| rest.read(space)).unwrap();
        drain(&mut reader, &mut told);
    }
    told
}

/// Gives out what has been taken, in pieces of so many bytes; where it can be
/// gone on with if that is stopped behind so many of them.
fn turn(
    held: &mut Held,
    reader: &mut LineReader,
    (space, mut pieces): (usize, usize),
    told: &mut Vec<Told>,
) -> Option<At> {
    let At { offset, line, .. } = held.begin();
    reader.begin(offset, line);
    while reader.fill(|s| Ok(held.give(&mut s[..space]))).unwrap() > 0 {
        drain(reader, told);
        let consumed = held.resume_at(Some(reader.consumed()));
        let is_cut = told.last().is_some_and(|last| last.3 == Some(Reason::TooLong));
        let last_line = told.last().map_or(line, |last| last.0);
        assert!(is_cut || consumed.line >= last_line, "{consumed:?} behind line {last_line}");
        if pieces == 0 {
            return Some(consumed);
        }
        pieces -= 1;
    }
    drain(reader, told);
    held.forget_given();
    None
}

/// The records of a source that is come back to for each piece, and begun anew
/// where it can be gone on with, before the piece with this number, and once
/// more while the one with that number is given out.
fn in_turns(
    input: &[u8],
    framing: &Framing,
    sizes: &[usize],
    (max_line, space): (usize, usize),
    (cut, cut_within): (usize, (usize, usize)),
) -> Vec<Told> {
    let mut held = Held::new(framing.clone(), max_line, At::default());
    let mut reader = LineReader::new(framing.clone(), max_line);
    let (mut told, mut rest) = (Vec::<Told>::new(), input);
    let (mut is_open, mut piece_number) = (true, 0);
    let largest = sizes.iter().max().copied().unwrap_or_default();
    let mut sizes = sizes.iter().cycle();
    while is_open {
        if piece_number == cut {
            let at = held.resume_at(None);
            assert!(told.iter().all(|(_, offset, ..)| *offset < at.offset), "comes twice");
            rest = &input[at.offset as usize..];
            held = Held::new(framing.clone(), max_line, at);
        }
        piece_number += 1;
        let (piece, behind) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
        rest = behind;
        is_open = !piece.is_empty();
        if is_open {
            held.push(piece);
        } else {
            held.end();
        }
        held.take_whole();
        let pieces = if piece_number == cut_within.0 { cut_within.1 } else { usize::MAX };
        if let Some(at) = turn(&mut held, &mut reader, (space, pieces), &mut told) {
            assert!(told.iter().all(|(_, offset, ..)| *offset < at.offset), "comes twice");
            rest = &input[at.offset as usize..];
            held = Held::new(framing.clone(), max_line, at);
            reader = LineReader::new(framing.clone(), max_line);
            is_open = true;
            continue;
        }
        assert_eq!(held.read_to(), (input.len() - rest.len()) as u64);
        // What is given out stays until more comes.
        let most = (max_line + 1).max(SHOWN_OF_TOO_LONG) + largest;
        assert!(held.bytes.len() <= most, "{} of {most}", held.bytes.len());
    }
    assert!(!held.has_rest());
    told
}

proptest! {
    #[test]
    fn records_are_the_same_in_turns(
        lengths in proptest::collection::vec((0_usize..6, 0_usize..3_000), 0..12),
        first in 0_usize..5,
        ends in any::<bool>(),
        sizes in proptest::collection::vec(1_usize..1_500, 1..6),
        max_line in 1_u32..2_500,
        space in 1_usize..2_000,
        max_lines in 0_u64..4,
        cut in 0_usize..20,
        cut_within in (0_usize..20, 0_usize..4),
    ) {
        let mut input = Vec::new();
        for (index, (short, long)) in lengths.iter().enumerate() {
            let length = if index % 2 == 0 { *short } else { *long };
            input.extend((0..length).map(|at| b"ab\xc3\xa9\r"[(at + first * index) % 5]));
            input.push(b'\n');
        }
        if !ends {
            input.pop();
        }
        let max_line = max_line as usize;
        let framing = match max_lines {
            0 => Framing::Lines,
            lines => multiline(lines, Duration::MAX),
        };
        prop_assert_eq!(
            in_turns(&input, &framing, &sizes, (max_line, space), (cut, cut_within)),
            directly(&input, &framing, max_line)
        );
    }
}

fn given(held: &mut Held) -> String {
    let mut space = [0; 7];
    let mut all = Vec::new();
    loop {
        match held.give(&mut space) {
            0 => break,
            count => all.extend_from_slice(&space[..count]),
        }
    }
    held.forget_given();
    String::from_utf8(all).unwrap()
}

#[test]
fn a_line_in_two_halves_arrives_whole() {
    let mut held = Held::new(Framing::Lines, 100, At::default());
    for (piece, has_more, out) in
        [("a\nb", true, "a\n"), ("c", false, ""), ("d\n\ne", true, "bcd\n\n")]
    {
        held.push(piece.as_bytes());
        assert_eq!((held.take_whole(), given(&mut held).as_str()), (has_more, out));
        assert!(held.has_rest() && held.due().is_none());
    }
    assert_eq!((held.next(), held.read_to()), (at(7, 3), 8));
    held.end();
    assert_eq!((held.take_whole(), given(&mut held).as_str()), (true, "e"));
    assert_eq!(held.next(), at(8, 4));
}

#[test]
fn a_record_is_held_until_the_next_one_begins_or_it_is_released() {
    let mut held = Held::new(multiline(10, Duration::ZERO), 100, At::default());
    held.push(b"a\n 1\n");
    assert!(!held.take_whole() && held.due().is_some());
    held.push(b" 2\na\n cu");
    assert_eq!((held.take_whole(), given(&mut held).as_str()), (true, "a\n 1\n 2\n"));
    assert_eq!(held.resume_at(None), at(8, 3));
    // The line begun stays behind, and begins a record of its own.
    assert_eq!((held.release(), given(&mut held).as_str()), (true, "a\n"));
    assert_eq!((held.due(), held.release()), (None, false));
    held.push(b"t\n 3\nb\n");
    held.end();
    assert_eq!((held.take_whole(), given(&mut held).as_str()), (true, " cut\n 3\nb\n"));
    assert_eq!((held.due(), held.has_rest()), (None, false));
}

#[test]
fn an_endless_line_takes_bounded_memory_and_is_gone_back_to() {
    let mut held = Held::new(Framing::Lines, 10_000, At::default());
    held.push(b"short\n");
    let mut count = 0;
    for _ in 0..1_000 {
        held.take_whole();
        count += given(&mut held).len();
        held.push(&[b'x'; 999]);
    }
    assert!((10_001..12_000).contains(&count), "{count}");
    assert!(held.bytes.capacity() < 40_000);
    assert_eq!((held.next().line, held.read_to()), (2, 6 + 999_000));
    assert_eq!(held.resume_at(None), At { is_in_line: true, ..held.next() });
    held.push(b"\nnext");
    assert_eq!(held.resume_at(None), at(6 + 999_001, 2));
}
