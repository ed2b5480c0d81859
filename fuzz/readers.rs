//! Fuzzes the reader that `HIGHWATER_FUZZ` names. `HIGHWATER_FUZZ_CORPUS` is a folder to which the
//! lines of `testdata/` are written first, each in a file of its own.

#![no_main]

#[path = "../lib/tests/fuzz/mod.rs"]
mod fuzz;

use std::env;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

static READER: OnceLock<fn(&[u8])> = OnceLock::new();

fn begin() {
    let name = env::var("HIGHWATER_FUZZ").expect("HIGHWATER_FUZZ is the reader's name");
    READER.get_or_init(|| fuzz::target(&name));
    if let Some(folder) = env::var_os("HIGHWATER_FUZZ_CORPUS") {
        for (index, input) in fuzz::corpus(&name).iter().enumerate() {
            fs::write(Path::new(&folder).join(format!("testdata-{index:05}")), input)
                .expect("the corpus can be written");
        }
    }
}

libfuzzer_sys::fuzz_target!(init: begin(), |input: &[u8]| {
    if let Some(reader) = READER.get() {
        reader(input);
    }
});
