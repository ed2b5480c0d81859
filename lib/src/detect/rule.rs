//! Rules: what is looked at, and what makes an alert.

use std::fmt;
use std::str::FromStr;

use super::alert::Short;
use super::allow::Allow;
use super::condition::Condition;
use super::detector::{DetectorKind, Settings};
use crate::time::TimeDelta;

/// A rule: which rows it looks at, what makes series of them, what is tested.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What alerts are called.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// The one query whose rows it looks at, beside rows without `query` that
    /// have all its fields and keys. `None`: any row that has the keys.
    pub query: Option<String>,
    /// The fields that tell one series from another, copied into alerts.
    pub keys: Vec<String>,
    /// What is tested.
    pub test: Test,
    /// No second alert of a series within this of the last in event time.
    pub cooldown: Option<TimeDelta>,
    /// Rows that are never alerted.
    pub allow: Vec<Allow>,
}

/// What a rule tests. A null, or a value that is no number, never alerts.
#[derive(Clone, Debug)]
pub enum Test {
    /// The z-score of a field: its distance from the mean of the rows before
    /// in sample deviations. No alert with fewer than two values before, or if
    /// they do not deviate.
    Deviation {
        /// The field.
        field: String,
        /// How many rows before count, at most; at least 2.
        history: usize,
        /// Alert if the z-score's size is above this.
        threshold: f64,
    },
    /// The rise of a field above the row before. No alert if that is null.
    Rise {
        /// The field.
        field: String,
        /// Alert if the rise is above this.
        change: f64,
    },
    /// A condition; alert if it is true.
    When(Condition),
    /// A [detector](super::detector) of a field.
    Detector {
        /// The field.
        field: String,
        /// Which detector.
        kind: DetectorKind,
        /// Its settings.
        settings: Settings,
        /// Alert from this level on; see [`DetectorKind::is_alert`].
        threshold: f64,
    },
    /// The absence of rows of `window`; alert if a series that had a row in each
    /// of its last windows has none in the next.
    ///
    /// Without a query and keys it looks at the rows of all built-in queries
    /// that are not keyed by addresses or users, which come and go, and have no
    /// HAVING, which makes absence the usual.
    Silence {
        /// How many windows in a row make a row expected; at least 1.
        windows: u32,
    },
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Only the data are odd.
    Info,
    /// A person should look.
    #[default]
    Warning,
    /// Users are failing, or the service is under attack.
    Critical,
}

/// There is no such severity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no severity {0:?}; there are info, warning and critical")]
pub struct UnknownSeverity(pub String);

impl Rule {
    /// A rule about any row, without keys, of medium severity.
    pub fn new(name: impl Into<String>, test: Test) -> Self {
        Self {
            name: name.into(),
            severity: Severity::default(),
            query: None,
            keys: Vec::new(),
            test,
            cooldown: None,
            allow: Vec::new(),
        }
    }

    /// The same by these keys.
    #[must_use]
    pub fn by(self, keys: &[String]) -> Self {
        Self { keys: keys.to_vec(), ..self }
    }

    /// The z-score of any field: alerts called `zscore`.
    pub fn zscore(field: &str, keys: &[String], history: usize, threshold: f64) -> Self {
        let test = Test::Deviation { field: field.to_owned(), history, threshold };
        Self::new("zscore", test).by(keys)
    }

    /// The rise of any field: alerts called `spike`.
    pub fn spike(field: &str, keys: &[String], change: f64) -> Self {
        Self::new("spike", Test::Rise { field: field.to_owned(), change }).by(keys)
    }

    /// A condition: alerts called `when`.
    pub fn when(condition: Condition, keys: &[String]) -> Self {
        Self::new("when", Test::When(condition)).by(keys)
    }

    /// The absence of rows: critical alerts called `silence`. Without keys it is
    /// the built-in rule of that name, with as many windows.
    pub fn silence(windows: u32, keys: &[String]) -> Self {
        let rule = Self::new("silence", Test::Silence { windows }).by(keys);
        Self { severity: Severity::Critical, ..rule }
    }

    /// A detector of any field: alerts called like the detector.
    pub fn detector(
        kind: DetectorKind,
        field: &str,
        keys: &[String],
        settings: Settings,
        threshold: Option<f64>,
    ) -> Self {
        let threshold = threshold.unwrap_or(kind.default_threshold());
        let test = Test::Detector { field: field.to_owned(), kind, settings, threshold };
        Self::new(kind.name(), test).by(keys)
    }
}

impl Test {
    /// Whether it looks at other rows than the one at hand.
    pub fn looks_back(&self) -> bool {
        !matches!(self, Self::When(_))
    }

    /// The fields that it reads.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Deviation { field, .. }
            | Self::Rise { field, .. }
            | Self::Detector { field, .. } => vec![field],
            Self::When(condition) => condition.fields().collect(),
            Self::Silence { .. } => Vec::new(),
        }
    }
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(name: &str) -> Result<Self, UnknownSeverity> {
        let known = [Self::Info, Self::Warning, Self::Critical];
        let found = known.into_iter().find(|severity| severity.name() == name);
        found.ok_or_else(|| UnknownSeverity(name.to_owned()))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deviation { field, history, threshold } => {
                write!(f, "z-score of {field} over {history} rows beyond {}", Short(*threshold))
            }
            Self::Rise { field, change } => {
                write!(f, "{field} over the row before + {}", Short(*change))
            }
            Self::When(condition) => f.write_str(condition.text()),
            Self::Detector { field, kind, settings, threshold } => {
                write!(f, "{kind} of {field} from {}", Short(*threshold))?;
                let Settings { memory, min_gap, .. } = *settings;
                write!(f, " (memory {memory}, min_gap {})", Short(min_gap))
            }
            Self::Silence { windows } => write!(f, "no row after {windows} windows with one"),
        }
    }
}

impl fmt::Display for Rule {
    /// Prints the whole rule on one line, for people and to tell rules apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.test)?;
        if !self.keys.is_empty() {
            write!(f, " by {}", self.keys.join(", "))?;
        }
        if let Some(query) = &self.query {
            write!(f, " in {query}")?;
        }
        if let Some(cooldown) = self.cooldown {
            write!(f, ", every {cooldown} at most")?;
        }
        self.allow.iter().try_for_each(|allow| write!(f, ", but not {allow}"))
    }
}
