//! The scanner: validates a line as a JSON object and finds the wanted fields,
//! in one pass.
//!
//! Log lines of one program have the same keys in the same order. The scanner
//! therefore remembers the text between the values of the line before (its
//! *shape*), compares that first, and reads keys one by one only from the first
//! difference on.

use super::grammar::{
    Field, Kind, ScanError, expect_end, invalid, next_member, no_object, scan_string, scan_value,
};
use super::json::{self, StringEnd};
use super::projection::{Path, Projection};
use super::reject::Reason;

/// A member of the record's object: key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Offset of the key's opening quote.
    pub key: u32,
    /// The value.
    pub value: Field,
    /// The projected name that the key is, if any.
    pub slot: Option<u16>,
}

/// The text in front of one value, from the end of the value before.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// End of the text in [`Shape::text`]; it begins where the last step ends.
    text_end: u32,
    /// Offset of the key's opening quote within the text.
    key: u32,
    slot: Option<u16>,
    head: Option<u16>,
}

#[derive(Clone, Debug, Default)]
struct Shape {
    text: Vec<u8>,
    steps: Vec<Step>,
}

impl Shape {
    fn truncate(&mut self, steps: usize) {
        self.steps.truncate(steps);
        self.text.truncate(self.steps.last().map_or(0, |step| step.text_end as usize));
    }
}

/// A shape longer than this is not worth remembering.
const MAX_STEPS: usize = 256;
const MAX_STEP_TEXT: usize = 1_024;

/// Scans the lines of one stream for the fields of a [`Projection`].
#[derive(Clone, Debug)]
pub struct Scanner {
    projection: Projection,
    /// Values of the names, then of the path heads.
    fields: Vec<Field>,
    paths: Vec<Path>,
    /// The keys that paths begin with.
    heads: Vec<Box<[u8]>>,
    members: Vec<Member>,
    keep_members: bool,
    shape: Shape,
    scratch: Vec<u8>,
}

impl Scanner {
    /// A scanner for these fields.
    pub fn new(projection: Projection) -> Self {
        let (paths, heads) = projection.paths();
        Self {
            fields: vec![Field::default(); projection.len() + heads.len()],
            projection,
            paths,
            heads,
            members: Vec::new(),
            keep_members: false,
            shape: Shape::default(),
            scratch: Vec::new(),
        }
    }

    /// Also keeps the place of every member, for stages that rewrite records.
    #[must_use]
    pub fn with_members(mut self) -> Self {
        self.keep_members = true;
        self
    }

    /// The fields this scanner looks for.
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The value of a slot in the line scanned last.
    #[inline]
    pub fn field(&self, slot: usize) -> Field {
        self.fields[slot]
    }

    /// All members of the line scanned last, in order, if
    /// [`with_members`](Self::with_members) was asked for.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Validates `line` (UTF-8, without its newline) and finds the fields.
    ///
    /// Of several equal keys the last one's value is found.
    ///
    /// # Errors
    ///
    /// Returns why and where the line is not one JSON object, or that it has
    /// the key `"@"`, which only control lines may have. The fields are then
    /// meaningless.
    #[inline]
    pub fn scan(&mut self, line: &[u8]) -> Result<(), ScanError> {
        self.fields.fill(Field::default());
        self.members.clear();
        let mut at = 0;
        let mut text_start = 0;
        for index in 0..self.shape.steps.len() {
            let step = self.shape.steps[index];
            let text_end = step.text_end as usize;
            if !begins_with(&line[at..], &self.shape.text[text_start..text_end]) {
                return self.scan_members(line, at, index);
            }
            let start = json::skip_blanks(line, at + text_end - text_start);
            let value = if line.get(start) == Some(&b'"') {
                // The commonest kind, kept out of the call.
                let StringEnd { end, escaped } = scan_string(line, start)?;
                let kind = if escaped { Kind::EscapedStr } else { Kind::Str };
                Field { kind, start: start as u32, end: end as u32 }
            } else {
                scan_value(line, start, 1)?
            };
            self.found(at as u32 + step.key, value, step.slot, step.head);
            at = value.end as usize;
            text_start = text_end;
        }
        if line[at..] == *b"}" && at > 0 {
            return self.resolve_paths(line);
        }
        self.scan_members(line, at, self.shape.steps.len())
    }

    #[inline]
    fn found(&mut self, key: u32, value: Field, slot: Option<u16>, head: Option<u16>) {
        if let Some(slot) = slot {
            self.fields[usize::from(slot)] = value;
        }
        if let Some(head) = head {
            self.fields[usize::from(head)] = value;
        }
        if self.keep_members {
            self.members.push(Member { key, value, slot });
        }
    }

    /// Reads on from `at`, behind `known` members (the line's start if none),
    /// and learns the shape from there.
    #[cold]
    fn scan_members(&mut self, line: &[u8], at: usize, known: usize) -> Result<(), ScanError> {
        self.shape.truncate(known);
        let mut learning = true;
        let mut text_start = at;
        let mut at = json::skip_blanks(line, at);
        if known == 0 {
            if line.get(at) != Some(&b'{') {
                return Err(no_object(line, at));
            }
            at = json::skip_blanks(line, at + 1);
            if line.get(at) == Some(&b'}') {
                return expect_end(line, at + 1);
            }
        } else if let Some(next) = next_member(line, at)? {
            at = next;
        } else {
            self.resolve_paths(line)?;
            return expect_end(line, at + 1);
        }
        loop {
            let key = at;
            let (slot, head, end) = self.scan_key(line, key)?;
            at = json::skip_blanks(line, end);
            if line.get(at) != Some(&b':') {
                return Err(invalid(at, "expected ':' after a key"));
            }
            let start = json::skip_blanks(line, at + 1);
            let value = scan_value(line, start, 1)?;
            self.found(key as u32, value, slot, head);
            learning = learning
                && self.learn(&line[text_start..start], (key - text_start) as u32, slot, head);
            text_start = value.end as usize;
            at = json::skip_blanks(line, text_start);
            match next_member(line, at)? {
                Some(next) => at = next,
                None => break,
            }
        }
        self.resolve_paths(line)?;
        expect_end(line, at + 1)
    }

    /// Remembers what stands in front of a value, unless that is not worth it:
    /// then nothing behind it may be remembered either.
    fn learn(&mut self, text: &[u8], key: u32, slot: Option<u16>, head: Option<u16>) -> bool {
        if self.shape.steps.len() >= MAX_STEPS || text.len() >= MAX_STEP_TEXT {
            return false;
        }
        self.shape.text.extend_from_slice(text);
        let text_end = self.shape.text.len() as u32;
        self.shape.steps.push(Step { text_end, key, slot, head });
        true
    }

    /// Reads the key at `at`; returns its slots and the offset behind it.
    fn scan_key(
        &mut self,
        line: &[u8],
        at: usize,
    ) -> Result<(Option<u16>, Option<u16>, usize), ScanError> {
        if line.get(at) != Some(&b'"') {
            return Err(invalid(at, "expected a key in double quotes"));
        }
        let StringEnd { end, escaped } = scan_string(line, at)?;
        let mut key = &line[at + 1..end - 1];
        if escaped {
            self.scratch.clear();
            json::unescape(key, &mut self.scratch);
            key = &self.scratch;
        }
        if key == b"@" {
            return Err(ScanError {
                reason: Reason::ReservedKey,
                at,
                what: "the key \"@\" belongs to control lines",
            });
        }
        let slot = self.projection.find(key);
        let head = self.heads.iter().position(|head| **head == *key);
        Ok((slot, head.map(|head| (self.projection.len() + head) as u16), end))
    }

    #[inline]
    fn resolve_paths(&mut self, line: &[u8]) -> Result<(), ScanError> {
        for path in &self.paths {
            if self.fields[usize::from(path.slot)].is_present() {
                continue;
            }
            let mut value = self.fields[usize::from(path.head)];
            if value.kind != Kind::Object {
                continue;
            }
            for step in &path.steps[1..] {
                value = match value.kind {
                    Kind::Object => find_member(line, value, step, &mut self.scratch)?,
                    _ => Field::default(),
                };
            }
            self.fields[usize::from(path.slot)] = value;
        }
        Ok(())
    }
}

/// As `starts_with`; a call to `memcmp` would cost more than most of the short
/// texts between values take to compare.
#[inline]
fn begins_with(line: &[u8], text: &[u8]) -> bool {
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u64::from_le_bytes(*word))
    };
    let length = text.len();
    if length > line.len() || length > 24 {
        return line.starts_with(text);
    }
    if length < 8 {
        return line[..length].iter().eq(text);
    }
    // Two or three words, the last two of which may overlap.
    (length <= 16 || word(line, 8) == word(text, 8))
        && word(line, 0) == word(text, 0)
        && word(line, length - 8) == word(text, length - 8)
}

/// The last member called `key` of an object that has been validated.
fn find_member(
    line: &[u8],
    object: Field,
    key: &[u8],
    scratch: &mut Vec<u8>,
) -> Result<Field, ScanError> {
    let mut found = Field::default();
    let mut at = json::skip_blanks(line, object.start as usize + 1);
    if line[at] == b'}' {
        return Ok(found);
    }
    loop {
        let StringEnd { end, escaped } = scan_string(line, at)?;
        let mut name = &line[at + 1..end - 1];
        if escaped {
            scratch.clear();
            json::unescape(name, scratch);
            name = scratch;
        }
        let colon = json::skip_blanks(line, end);
        // The object has passed the scanner once, at a depth of at most 128.
        let value = scan_value(line, json::skip_blanks(line, colon + 1), 1)?;
        if name == key {
            found = value;
        }
        match next_member(line, json::skip_blanks(line, value.end as usize))? {
            Some(next) => at = next,
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests;
