//! Files that grow, step by step.

use super::*;
use std::io::Write as _;

/// What the next place gives, if there is one.
fn given(source: &mut GrowingFiles) -> Option<String> {
    loop {
        match source.next().unwrap() {
            Next::End => return None,
            Next::Pending => {}
            Next::Place(_) => break,
        }
    }
    let (mut all, mut space) = (Vec::new(), [0; 100]);
    loop {
        match source.read(&mut space).unwrap() {
            0 => return Some(String::from_utf8(all).unwrap()),
            count => all.extend_from_slice(&space[..count]),
        }
    }
}

#[test]
fn nothing_is_read_behind_an_end_that_was_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    fs::write(&path, "one\ntwo").unwrap();
    let mut source = GrowingFiles::new(vec![path.clone()], Pace::Once, Framing::Lines, 100);
    assert_eq!(given(&mut source).as_deref(), Some("one\n"));
    assert_eq!(given(&mut source).as_deref(), Some("two"));
    File::options().append(true).open(&path).unwrap().write_all(b"three\nfour\n").unwrap();
    assert_eq!(given(&mut source), None, "what came later is the next run's");
}
