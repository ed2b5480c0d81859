//! The state of an operator as bytes.
//!
//! Little-endian, lengths before contents, no padding. Each part of the state
//! writes itself and reads itself back in the same order.

/// Writes state.
#[derive(Clone, Debug, Default)]
pub struct SnapshotWriter {
    bytes: Vec<u8>,
}

/// Reads state back.
#[derive(Clone, Debug)]
pub struct SnapshotReader<'a> {
    rest: &'a [u8],
}

/// Why a state cannot be read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The state ends too early or holds what it cannot hold.
    #[error("the saved state is damaged: {0}")]
    Damaged(&'static str),
    /// The state is whole, but of another operator.
    #[error("the saved state is of another command line: {0}")]
    Mismatch(String),
}

impl SnapshotWriter {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// The state so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes an unsigned number.
    pub fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes a signed number.
    pub fn i64(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes a wide signed number.
    pub fn i128(&mut self, number: i128) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Writes a double, bit for bit.
    pub fn f64(&mut self, number: f64) {
        self.u64(number.to_bits());
    }

    /// Writes a truth value.
    pub fn bool(&mut self, truth: bool) {
        self.bytes.push(truth.into());
    }

    /// Writes a byte.
    pub fn u8(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Writes bytes, with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes whether there is a value, and the value by `write` if so.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// Writes the items' number, then each by `write`.
    pub fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.u64(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

impl<'a> SnapshotReader<'a> {
    /// Reads from `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or(RestoreError::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads an unsigned number.
    ///
    /// # Errors
    ///
    /// This and the other readers fail if the state ends too early or holds
    /// something else.
    pub fn u64(&mut self) -> Result<u64, RestoreError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a signed number.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn i64(&mut self) -> Result<i64, RestoreError> {
        self.array().map(i64::from_le_bytes)
    }

    /// Reads a wide signed number.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn i128(&mut self) -> Result<i128, RestoreError> {
        self.array().map(i128::from_le_bytes)
    }

    /// Reads a double.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn f64(&mut self) -> Result<f64, RestoreError> {
        self.u64().map(f64::from_bits)
    }

    /// Reads a byte.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn u8(&mut self) -> Result<u8, RestoreError> {
        self.array().map(|[byte]| byte)
    }

    /// Reads a truth value.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn bool(&mut self) -> Result<bool, RestoreError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RestoreError::Damaged("a truth value is neither 0 nor 1")),
        }
    }

    /// Reads a length or an index.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn len(&mut self) -> Result<usize, RestoreError> {
        usize::try_from(self.u64()?).map_err(|_| RestoreError::Damaged("a length is too large"))
    }

    /// Reads bytes.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn bytes(&mut self) -> Result<&'a [u8], RestoreError> {
        let length = self.len()?;
        let (bytes, rest) =
            self.rest.split_at_checked(length).ok_or(RestoreError::Damaged("it ends too early"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads a value that may be absent.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RestoreError>,
    ) -> Result<Option<T>, RestoreError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Reads a list.
    #[allow(clippy::missing_errors_doc, reason = "see u64")]
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, RestoreError>,
    ) -> Result<Vec<T>, RestoreError> {
        let length = self.len()?;
        // A damaged length must not make the allocation fail.
        let mut items = Vec::with_capacity(length.min(self.rest.len()));
        for _ in 0..length {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
