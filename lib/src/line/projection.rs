//! Which fields a stage reads.

/// The fields that a stage reads.
///
/// A name is looked up as a literal key first (`log.level`), then as a path of
/// keys (`log`, then `level`).
#[derive(Clone, Debug, Default)]
pub struct Projection {
    names: Vec<Box<[u8]>>,
}

/// A name with dots, read as a path.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The name's slot.
    pub(super) slot: u16,
    /// The slot of its first step, behind those of the names.
    pub(super) head: u16,
    /// The keys on the way, the head's among them.
    pub(super) steps: Vec<Box<[u8]>>,
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

    /// The slot of a name that stands in the line as a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<u16> {
        self.names.iter().position(|name| **name == *key).map(|slot| slot as u16)
    }

    /// The names that may be paths, and the keys that they begin with, which
    /// have slots behind those of the names.
    pub(super) fn paths(&self) -> (Vec<Path>, Vec<Box<[u8]>>) {
        let mut heads: Vec<Box<[u8]>> = Vec::new();
        let mut paths = Vec::new();
        for (slot, name) in self.names.iter().enumerate() {
            let steps: Vec<Box<[u8]>> = name.split(|&byte| byte == b'.').map(Into::into).collect();
            if steps.len() < 2 {
                continue;
            }
            let head = heads.iter().position(|head| *head == steps[0]).unwrap_or_else(|| {
                heads.push(steps[0].clone());
                heads.len() - 1
            });
            let head = (self.names.len() + head) as u16;
            paths.push(Path { slot: slot as u16, head, steps });
        }
        (paths, heads)
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
