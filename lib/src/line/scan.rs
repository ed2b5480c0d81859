//! The scanner: validates a line as a JSON object and finds the wanted fields,
//! in one pass.
//!
//! Log lines of one program have the same keys in the same order. The scanner
//! therefore remembers the text between the values of the line before (its
//! *shape*), compares that first, and reads keys one by one only from the first
//! difference on.

use super::json::{self, StringEnd};
use super::reject::Reason;

/// What a value is, as far as its text shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The record has no such field.
    #[default]
    Missing,
    /// `null`
    Null,
    /// `false`
    False,
    /// `true`
    True,
    /// A number without point and exponent.
    Int,
    /// A number with a point or an exponent.
    Float,
    /// A string without escapes.
    Str,
    /// A string with at least one backslash escape.
    EscapedStr,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// A field's value: what it is and where it stands in the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// What the value is.
    pub kind: Kind,
    /// Offset of the value's first byte (of a string: its opening quote).
    pub start: u32,
    /// Offset behind the value's last byte.
    pub end: u32,
}

impl Field {
    /// The value as it stands in the line; empty if the field is missing.
    #[inline]
    pub fn text(self, line: &[u8]) -> &[u8] {
        &line[self.start as usize..self.end as usize]
    }

    /// The text between the quotes of a string, escapes and all.
    ///
    /// Only for [`Kind::Str`] and [`Kind::EscapedStr`].
    #[inline]
    pub fn inner(self, line: &[u8]) -> &[u8] {
        &line[self.start as usize + 1..self.end as usize - 1]
    }

    /// Whether the record has the field, be it null.
    #[inline]
    pub fn is_present(self) -> bool {
        self.kind != Kind::Missing
    }
}

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

/// Why a line is no usable record, and where that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {}", .at + 1)]
pub struct ScanError {
    /// The word for it.
    pub reason: Reason,
    /// Byte offset in the line.
    pub at: usize,
    /// What was expected or found, such as `expected ':'`.
    pub what: &'static str,
}

/// Objects and arrays may nest this deep; the record itself is level 1.
const MAX_DEPTH: u32 = 128;

/// The fields that a stage reads.
///
/// A name is looked up as a literal key first (`log.level`), then as a path of
/// keys (`log`, then `level`).
#[derive(Clone, Debug, Default)]
pub struct Projection {
    names: Vec<Box<[u8]>>,
    paths: Vec<Path>,
}

/// A name with dots, read as a path.
#[derive(Clone, Debug)]
struct Path {
    /// The name's slot.
    slot: u16,
    /// The slot of its first step, behind those of the names.
    head: u16,
    steps: Vec<Box<[u8]>>,
}

impl Projection {
    /// The slot of a name, adding it if it is new.
    ///
    /// # Panics
    ///
    /// Panics past 65,000 names.
    pub fn add(&mut self, name: &str) -> usize {
        if let Some(slot) = self.names.iter().position(|known| **known == *name.as_bytes()) {
            slot
        } else {
            assert!(self.names.len() < 65_000, "too many field names");
            self.names.push(name.as_bytes().into());
            self.names.len() - 1
        }
    }

    /// The name of a slot, as bytes of UTF-8.
    pub fn name(&self, slot: usize) -> &[u8] {
        &self.names[slot]
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Projection {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let mut projection = Self::default();
        for name in names {
            projection.add(name.as_ref());
        }
        projection
    }
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

/// Scans the lines of one stream for the fields of a [`Projection`].
#[derive(Clone, Debug)]
pub struct Scanner {
    projection: Projection,
    /// Values of the names, then of the path heads.
    fields: Vec<Field>,
    heads: Vec<Box<[u8]>>,
    members: Vec<Member>,
    keep_members: bool,
    shape: Shape,
    scratch: Vec<u8>,
}

impl Scanner {
    /// A scanner for these fields.
    pub fn new(mut projection: Projection) -> Self {
        let mut heads: Vec<Box<[u8]>> = Vec::new();
        for slot in 0..projection.names.len() {
            let steps: Vec<Box<[u8]>> =
                projection.names[slot].split(|&byte| byte == b'.').map(Into::into).collect();
            if steps.len() < 2 {
                continue;
            }
            let head = heads.iter().position(|head| *head == steps[0]).unwrap_or_else(|| {
                heads.push(steps[0].clone());
                heads.len() - 1
            });
            let head = (projection.names.len() + head) as u16;
            projection.paths.push(Path { slot: slot as u16, head, steps });
        }
        Self {
            fields: vec![Field::default(); projection.names.len() + heads.len()],
            projection,
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
            self.learn(&line[text_start..start], (key - text_start) as u32, slot, head);
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

    fn learn(&mut self, text: &[u8], key: u32, slot: Option<u16>, head: Option<u16>) {
        if self.shape.steps.len() < MAX_STEPS && text.len() < 1_024 {
            self.shape.text.extend_from_slice(text);
            let text_end = self.shape.text.len() as u32;
            self.shape.steps.push(Step { text_end, key, slot, head });
        }
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
        let names = &self.projection.names;
        let slot = names.iter().position(|name| **name == *key).map(|slot| slot as u16);
        let head = self.heads.iter().position(|head| **head == *key);
        Ok((slot, head.map(|head| (names.len() + head) as u16), end))
    }

    #[inline]
    fn resolve_paths(&mut self, line: &[u8]) -> Result<(), ScanError> {
        for path in &self.projection.paths {
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

/// Behind a member: the offset of the next one's key, or `None` at the `}`.
fn next_member(line: &[u8], at: usize) -> Result<Option<usize>, ScanError> {
    match line.get(at) {
        Some(b',') => Ok(Some(json::skip_blanks(line, at + 1))),
        Some(b'}') => Ok(None),
        Some(_) => Err(invalid(at, "expected ',' or '}' after a value")),
        None => Err(invalid(at, "the line ends within the record")),
    }
}

fn expect_end(line: &[u8], at: usize) -> Result<(), ScanError> {
    let at = json::skip_blanks(line, at);
    if at == line.len() { Ok(()) } else { Err(invalid(at, "expected nothing after the record")) }
}

/// Tells JSON that is no object from what is no JSON.
fn no_object(line: &[u8], at: usize) -> ScanError {
    match scan_value(line, at, 0).and_then(|value| expect_end(line, value.end as usize)) {
        Ok(()) => ScanError { reason: Reason::NotObject, at, what: "expected an object" },
        Err(error) if at < line.len() && matches!(line[at], b'[' | b'"') => error,
        Err(_) => invalid(at, "expected '{'"),
    }
}

const fn invalid(at: usize, what: &'static str) -> ScanError {
    ScanError { reason: Reason::InvalidJson, at, what }
}

/// Reads the value at `start`, inside of `depth` objects and arrays.
#[inline]
fn scan_value(line: &[u8], start: usize, depth: u32) -> Result<Field, ScanError> {
    let (kind, end) = match line.get(start) {
        Some(b'"') => {
            let StringEnd { end, escaped } = scan_string(line, start)?;
            (if escaped { Kind::EscapedStr } else { Kind::Str }, end)
        }
        Some(b'-' | b'0'..=b'9') => scan_number(line, start)?,
        Some(b't') => (Kind::True, scan_word(line, start, b"true")?),
        Some(b'f') => (Kind::False, scan_word(line, start, b"false")?),
        Some(b'n') => (Kind::Null, scan_word(line, start, b"null")?),
        Some(b'{') => (Kind::Object, scan_object(line, start, depth + 1)?),
        Some(b'[') => (Kind::Array, scan_array(line, start, depth + 1)?),
        Some(_) => return Err(invalid(start, "expected a value")),
        None => return Err(invalid(start, "the line ends where a value is expected")),
    };
    Ok(Field { kind, start: start as u32, end: end as u32 })
}

#[inline]
fn scan_string(line: &[u8], at: usize) -> Result<StringEnd, ScanError> {
    json::string_end(line, at + 1).map_err(|(at, what)| invalid(at, what))
}

#[inline]
fn scan_word(line: &[u8], at: usize, word: &'static [u8]) -> Result<usize, ScanError> {
    if line[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(invalid(at, "expected true, false or null"))
    }
}

#[inline]
fn scan_number(line: &[u8], start: usize) -> Result<(Kind, usize), ScanError> {
    let digits = |mut at: usize| {
        while line.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let whole = start + usize::from(line[start] == b'-');
    let mut at = digits(whole);
    if at == whole {
        return Err(invalid(at, "expected a digit"));
    }
    if line[whole] == b'0' && at > whole + 1 {
        return Err(invalid(whole, "a number may not begin with 0"));
    }
    let mut kind = Kind::Int;
    if line.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(invalid(at, "expected a digit after '.'"));
        }
        kind = Kind::Float;
    }
    if matches!(line.get(at), Some(b'e' | b'E')) {
        let sign = at + 1;
        let exponent = sign + usize::from(matches!(line.get(sign), Some(b'+' | b'-')));
        at = digits(exponent);
        if at == exponent {
            return Err(invalid(at, "expected a digit in the exponent"));
        }
        kind = Kind::Float;
    }
    Ok((kind, at))
}

fn scan_object(line: &[u8], start: usize, depth: u32) -> Result<usize, ScanError> {
    too_deep(start, depth)?;
    let mut at = json::skip_blanks(line, start + 1);
    if line.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        if line.get(at) != Some(&b'"') {
            return Err(invalid(at, "expected a key in double quotes"));
        }
        at = json::skip_blanks(line, scan_string(line, at)?.end);
        if line.get(at) != Some(&b':') {
            return Err(invalid(at, "expected ':' after a key"));
        }
        let value = scan_value(line, json::skip_blanks(line, at + 1), depth)?;
        at = json::skip_blanks(line, value.end as usize);
        match next_member(line, at)? {
            Some(next) => at = next,
            None => return Ok(at + 1),
        }
    }
}

fn scan_array(line: &[u8], start: usize, depth: u32) -> Result<usize, ScanError> {
    too_deep(start, depth)?;
    let mut at = json::skip_blanks(line, start + 1);
    if line.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    loop {
        let value = scan_value(line, at, depth)?;
        at = json::skip_blanks(line, value.end as usize);
        match line.get(at) {
            Some(b',') => at = json::skip_blanks(line, at + 1),
            Some(b']') => return Ok(at + 1),
            Some(_) => return Err(invalid(at, "expected ',' or ']' after a value")),
            None => return Err(invalid(at, "the line ends within an array")),
        }
    }
}

fn too_deep(at: usize, depth: u32) -> Result<(), ScanError> {
    if depth > MAX_DEPTH {
        return Err(ScanError {
            reason: Reason::TooDeep,
            at,
            what: "nested deeper than 128 levels",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(names: &[&str], line: &str) -> Result<Vec<String>, ScanError> {
        let mut scanner = Scanner::new(names.iter().collect());
        scanner.scan(line.as_bytes())?;
        let fields: Vec<String> = (0..names.len())
            .map(|slot| {
                String::from_utf8(scanner.field(slot).text(line.as_bytes()).into()).unwrap()
            })
            .collect();
        // The second time the shape is known; the answer must be the same.
        scanner.scan(line.as_bytes()).unwrap();
        for (slot, field) in fields.iter().enumerate() {
            assert_eq!(scanner.field(slot).text(line.as_bytes()), field.as_bytes());
        }
        Ok(fields)
    }

    #[test]
    fn finds_fields_by_key_then_by_path() {
        let line = r#" { "a" : 1 , "b.c":"x","b":{"c":2,"d":{"e":[3,{}]}}, "a":4.5 } "#;
        assert_eq!(
            scan(&["a", "b.c", "b.d.e", "b.x", "zz", "a.b"], line).unwrap(),
            ["4.5", "\"x\"", "[3,{}]", "", "", ""]
        );
        assert_eq!(scan(&["abc"], r#"{"\u0061bc":true}"#).unwrap(), ["true"]);
        assert_eq!(scan(&["a.b"], r#"{"a":{"\u0062":1,"b":2}}"#).unwrap(), ["2"]);
        assert_eq!(scan(&["a"], "{}").unwrap(), [""]);
    }

    #[test]
    fn changing_shapes_are_followed() {
        let mut scanner = Scanner::new(["a", "b", "c"].iter().collect()).with_members();
        for (line, expected, members) in [
            (r#"{"a":1,"b":2}"#, ["1", "2", ""], 2),
            (r#"{"a":3,"b":4}"#, ["3", "4", ""], 2),
            (r#"{"a":5,"c":6,"b":7}"#, ["5", "7", "6"], 3),
            (r#"{"a":8}"#, ["8", "", ""], 1),
            (r#"{"a":9,"c":0}"#, ["9", "", "0"], 2),
            (r"{}", ["", "", ""], 0),
            (r#"{"b":1 }"#, ["", "1", ""], 1),
            (r#"{"b":1}"#, ["", "1", ""], 1),
            (r#"{"b": 1}"#, ["", "1", ""], 1),
        ] {
            scanner.scan(line.as_bytes()).unwrap();
            for (slot, text) in expected.iter().enumerate() {
                assert_eq!(scanner.field(slot).text(line.as_bytes()), text.as_bytes(), "{line}");
            }
            assert_eq!(scanner.members().len(), members, "{line}");
            for member in scanner.members() {
                assert_eq!(line.as_bytes()[member.key as usize], b'"', "{line}");
            }
        }
    }

    #[test]
    fn mistakes_are_located() {
        for (line, reason, at) in [
            ("", Reason::InvalidJson, 0),
            ("hello", Reason::InvalidJson, 0),
            ("[1]", Reason::NotObject, 0),
            ("\"a\"", Reason::NotObject, 0),
            ("null", Reason::NotObject, 0),
            (r#"{"a":1"#, Reason::InvalidJson, 6),
            (r#"{"a":01}"#, Reason::InvalidJson, 5),
            (r#"{"a":1.}"#, Reason::InvalidJson, 7),
            (r#"{"a":nul}"#, Reason::InvalidJson, 5),
            (r#"{"a":"\x"}"#, Reason::InvalidJson, 6),
            (r#"{"a":"\u12g4"}"#, Reason::InvalidJson, 6),
            ("{\"a\":\"\t\"}", Reason::InvalidJson, 6),
            (r#"{"a":1,}"#, Reason::InvalidJson, 7),
            (r#"{"a":1}x"#, Reason::InvalidJson, 7),
            (r#"{"@":"end"}"#, Reason::ReservedKey, 1),
            (r#"{"a":1,"\u0040":2}"#, Reason::ReservedKey, 7),
        ] {
            let error = scan(&["a"], line).unwrap_err();
            assert_eq!((error.reason, error.at), (reason, at), "{line}: {error}");
        }
    }

    #[test]
    fn short_texts_are_compared_whole() {
        let text = b"abcdefghijklmnopqrstuvwxyz012345";
        for length in 0..text.len() {
            assert!(begins_with(text, &text[..length]));
            assert!(!begins_with(&text[..length], &text[..=length]));
            for changed in 0..length {
                let mut other = *text;
                other[changed] ^= 1;
                assert!(!begins_with(&other, &text[..length]), "{changed} of {length}");
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(scan(&["a"], &nested(128)).is_ok());
        assert_eq!(scan(&["a"], &nested(129)).unwrap_err().reason, Reason::TooDeep);
        assert_eq!(scan(&["a"], &nested(1_000_000)).unwrap_err().reason, Reason::TooDeep);
    }

    /// Text that is JSON, or nearly.
    fn near_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| serde_json::to_string(&n).unwrap()),
            "[-+0-9.eE]{1,6}",
            any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
            r#""[ -~]{0,40}""#,
            r#""(\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[a-zé€]){0,20}""#,
        ];
        let value = leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| format!("[{}]", items.join(","))),
                proptest::collection::vec(("[a-c]", inner), 0..4).prop_map(|members| {
                    let members: Vec<String> =
                        members.into_iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                    format!("{{{}}}", members.join(" , "))
                }),
            ]
        });
        (value, proptest::option::of((any::<proptest::sample::Index>(), any::<char>()))).prop_map(
            |(value, damage)| {
                let mut text = format!("{{\"a\":{value},\"b\":1}}");
                if let Some((index, with)) = damage {
                    let at = index.index(text.len());
                    if text.is_char_boundary(at) {
                        text.insert(at, with);
                    }
                }
                text
            },
        )
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(lines in proptest::collection::vec(near_json(), 1..6)) {
            let mut scanner = Scanner::new(["a", "b"].iter().collect());
            for line in lines {
                let ours = scanner.scan(line.as_bytes());
                let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&line);
                match ours {
                    Ok(()) => {
                        let theirs: Result<std::collections::HashMap<String, &serde_json::value::RawValue>, _> =
                            serde_json::from_str(&line);
                        if let Ok(theirs) = &theirs {
                            for (slot, name) in ["a", "b"].into_iter().enumerate() {
                                let ours = scanner.field(slot).text(line.as_bytes());
                                prop_assert_eq!(ours, theirs.get(name).map_or(&b""[..], |v| v.get().as_bytes()));
                            }
                        }
                        prop_assert!(theirs.is_ok(), "{}: {:?}", line, theirs);
                    }
                    Err(error) if error.reason == Reason::ReservedKey => {}
                    Err(error) => prop_assert!(theirs.is_err(), "{}: {}", line, error),
                }
            }
        }
    }
}
