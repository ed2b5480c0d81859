//! The reader, fed in pieces of all sizes.

use super::*;
use crate::line::Multiline;
use proptest::prelude::*;

/// All lines of `input`, read in pieces of the given sizes, over and over.
fn lines(input: &[u8], sizes: &[usize], max_line: usize) -> Vec<(Vec<u8>, Option<Reason>)> {
    let cut = |(position, bytes, fault): Placed| {
        assert!(input[position.offset as usize..].starts_with(&bytes), "{position:?}");
        (bytes, fault)
    };
    placed_lines(input, sizes, max_line).into_iter().map(cut).collect()
}

type Placed = (Position, Vec<u8>, Option<Reason>);

fn placed_lines(input: &[u8], sizes: &[usize], max_line: usize) -> Vec<Placed> {
    records(Framing::Lines, input, sizes, max_line)
}

/// All records of `input`, read in pieces of the given sizes, over and over.
fn records(framing: Framing, input: &[u8], sizes: &[usize], max_line: usize) -> Vec<Placed> {
    let mut reader = LineReader::new(framing, max_line);
    let mut rest = input;
    let mut sizes = sizes.iter().cycle();
    let mut out = Vec::new();
    loop {
        while let Some((position, line)) = reader.next_line() {
            out.push((position, line.bytes.to_vec(), line.fault));
        }
        let count = reader
            .fill(|space| {
                let count = rest.len().min(*sizes.next().unwrap()).min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                Ok(count)
            })
            .unwrap();
        if count == 0 {
            while let Some((position, line)) = reader.next_line() {
                out.push((position, line.bytes.to_vec(), line.fault));
            }
            assert_eq!(reader.consumed(), input.len() as u64);
            return out;
        }
    }
}

fn multiline(start: &str, max_lines: u64) -> Framing {
    let start = regex::bytes::Regex::new(start).unwrap();
    Framing::Multiline(Multiline { start, max_lines, wait: Duration::from_secs(2) })
}

#[test]
fn line_ends() {
    for (input, expected) in [
        (&b""[..], &[][..]),
        (b"a", &[&b"a"[..]]),
        (b"a\n", &[b"a"]),
        (b"a\r\nb\n\n", &[b"a", b"b", b""]),
        (b"\n\r\n\r", &[b"", b"", b""]),
        (b"a\0b\nc", &[b"a\0b", b"c"]),
    ] {
        for sizes in [1, 2, 7, 4096] {
            let got: Vec<Vec<u8>> =
                lines(input, &[sizes], 100).into_iter().map(|line| line.0).collect();
            assert_eq!(got, expected, "{input:?} by {sizes}");
        }
    }
}

#[test]
fn a_line_may_be_longer_than_a_chunk() {
    let mut input = vec![b'x'; 3 * CHUNK + 5];
    input.extend_from_slice(b"\nshort\n");
    let got = lines(&input, &[100_000], usize::MAX);
    assert_eq!((got[0].0.len(), &got[1].0[..]), (3 * CHUNK + 5, &b"short"[..]));
}

#[test]
fn too_long_is_told_and_passed_over() {
    let mut input = vec![b'x'; 3 * CHUNK];
    input.extend_from_slice(b"\nshort\n");
    for size in [1_000, CHUNK, 10 * CHUNK] {
        let got = lines(&input, &[size], 2_000);
        assert_eq!(got.len(), 2);
        assert_eq!(got[0], (vec![b'x'; KEPT_OF_TOO_LONG], Some(Reason::TooLong)));
        assert_eq!(got[1], (b"short".to_vec(), None));
    }
}

#[test]
fn a_line_too_long_ends_with_its_input() {
    let mut reader = LineReader::new(Framing::Lines, 10);
    let mut lines = Vec::new();
    for input in [&[b'x'; 5_000][..], b"", b"short", b""] {
        reader
            .fill(|space| {
                space[..input.len()].copy_from_slice(input);
                Ok(input.len())
            })
            .unwrap();
        while let Some((_, line)) = reader.next_line() {
            lines.push((line.bytes.len(), line.fault));
        }
    }
    assert_eq!(lines, [(KEPT_OF_TOO_LONG, Some(Reason::TooLong)), (5, None)]);
}

#[test]
fn records_of_several_lines() {
    let input = b" lost\na\r\n 1\r\n 2\n\nb\n{\n\"c\":\n1}\nd\n 1\n 2\n 3\n 4";
    let expected = [
        (0, 1, " lost"),
        (6, 2, "a\n 1\n 2\n"),
        (17, 6, "b"),
        (19, 7, "{ \"c\": 1}"),
        (29, 10, "d\n 1\n 2\n 3"),
        (40, 14, " 4"),
    ];
    for size in [1, 2, 7, 4096] {
        let got = records(multiline("^[a-z{]", 4), input, &[size], 100);
        let got = got.iter().map(|(position, bytes, fault)| {
            assert_eq!(*fault, None);
            (position.offset, position.line, std::str::from_utf8(bytes).unwrap())
        });
        assert_eq!(got.collect::<Vec<_>>(), expected, "by {size}");
    }
}

#[test]
fn an_unfinished_record_is_kept_until_it_is_released() {
    let mut reader = LineReader::new(multiline("^[a-z]", 4), 100);
    let fill = |reader: &mut LineReader, input: &[u8]| {
        let read = reader.fill(|space| {
            space[..input.len()].copy_from_slice(input);
            Ok(input.len())
        });
        read.unwrap();
    };
    let next = |reader: &mut LineReader| {
        let text = |line: Line<'_>| String::from_utf8(line.bytes.to_vec()).unwrap();
        reader.next_line().map(|(position, line)| (position.line, text(line)))
    };
    fill(&mut reader, b"a\n 1\nb\n 2\n cu");
    assert_eq!(next(&mut reader), Some((1, "a\n 1".to_owned())));
    assert_eq!(next(&mut reader), None);
    assert_eq!((reader.consumed(), reader.wait()), (5, Some(Duration::from_secs(2))));
    reader.release();
    assert_eq!(next(&mut reader), Some((3, "b\n 2".to_owned())));
    assert_eq!(next(&mut reader), None);
    assert_eq!((reader.consumed(), reader.wait()), (10, None));
    // What comes too late begins a record of its own.
    fill(&mut reader, b"t\n 3\n");
    assert_eq!(next(&mut reader), None);
    fill(&mut reader, b"");
    assert_eq!(next(&mut reader), Some((5, " cut\n 3".to_owned())));
    assert_eq!(next(&mut reader), None);
}

/// Joins lines by the book: no buffers, no reads.
fn joined(lines: &[String], max_lines: usize, max_line: usize) -> Vec<(u64, u64, String)> {
    let mut records: Vec<(u64, u64, Vec<&str>)> = Vec::new();
    let mut offset = 0;
    for (number, line) in lines.iter().enumerate() {
        match records.last_mut() {
            Some((_, _, record))
                if !line.starts_with('a')
                    && record.len() < max_lines
                    && record.iter().map(|line| line.len() + 1).sum::<usize>() + line.len()
                        <= max_line =>
            {
                record.push(line);
            }
            _ => records.push((offset, number as u64 + 1, vec![line])),
        }
        offset += line.len() as u64 + 1;
    }
    let text =
        |(offset, number, record): (u64, u64, Vec<&str>)| (offset, number, record.join("\n"));
    records.into_iter().map(text).collect()
}

proptest! {
    #[test]
    fn sizes_of_reads_do_not_matter(
        input in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0xc3), Just(0xa9), any::<u8>()
        ], 0..300),
        sizes in proptest::collection::vec(1_usize..20, 1..5),
        max_line in 0_usize..20,
    ) {
        prop_assert_eq!(
            placed_lines(&input, &sizes, max_line),
            placed_lines(&input, &[1_000_000], max_line)
        );
    }

    #[test]
    fn sizes_of_reads_do_not_matter_to_records(
        input in proptest::collection::vec(prop_oneof![
            2 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(b'a'), 1 => Just(b'{'), 1 => Just(b'}'),
            1 => Just(b'"'), 1 => any::<u8>()
        ], 0..300),
        sizes in proptest::collection::vec(1_usize..20, 1..5),
        max_lines in 1_u64..5,
        max_line in 0_usize..40,
    ) {
        let framing = multiline("^[a{]", max_lines);
        prop_assert_eq!(
            records(framing.clone(), &input, &sizes, max_line),
            records(framing, &input, &[1_000_000], max_line)
        );
    }

    #[test]
    fn records_are_joined_lines(
        lines in proptest::collection::vec("[a-c]{0,6}", 1..40),
        sizes in proptest::collection::vec(1_usize..20, 1..5),
        max_lines in 1_usize..5,
        max_line in 6_usize..30,
    ) {
        let input = lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let framing = multiline("^a", max_lines as u64);
        let got = records(framing, input.as_bytes(), &sizes, max_line);
        let got: Vec<_> = got.into_iter().map(|(position, bytes, _)| {
            (position.offset, position.line, String::from_utf8(bytes).unwrap())
        }).collect();
        let expected = joined(&lines, max_lines, max_line);
        prop_assert_eq!(got, expected);
    }
}
