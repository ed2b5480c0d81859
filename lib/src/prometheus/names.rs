//! What the metrics are called.

use super::text;
use crate::row::MAX_LABEL;

/// Names of metrics, of fields and those of our own. One is used again and
/// again.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// With its underscore.
    prefix: Vec<u8>,
    pub(super) anomaly_count: Vec<u8>,
    pub(super) last_window_end: Vec<u8>,
    name: Vec<u8>,
}

impl Names {
    /// Names that begin with `prefix`; an underscore is put between unless it
    /// ends in one.
    pub(super) fn new(prefix: &str) -> Self {
        let mut written = Vec::new();
        if !prefix.is_empty() {
            text::write_metric_name(prefix.as_bytes(), &mut written);
            if !written.ends_with(b"_") {
                written.push(b'_');
            }
        }
        let own = if written.is_empty() { &b"highwater_"[..] } else { &written };
        Self {
            anomaly_count: [&written, &b"anomaly_count"[..]].concat(),
            last_window_end: [own, b"last_window_end_seconds"].concat(),
            prefix: written,
            name: Vec::new(),
        }
    }

    /// Takes up the name of a field's metric. Returns whether there is one: not
    /// if the field is called as a metric of our own, or its name is free text.
    pub(super) fn take_field(&mut self, field: &[u8]) -> bool {
        self.name.clear();
        if field.len() > MAX_LABEL {
            return false;
        }
        self.name.extend_from_slice(&self.prefix);
        text::write_metric_name(field, &mut self.name);
        if is_of_prometheus(&self.name) {
            self.name.splice(..0, *b"field_");
        }
        self.name != self.anomaly_count && self.name != self.last_window_end
    }

    /// Takes up a name that was made before.
    pub(super) fn take(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    /// The name taken up last.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Whether Prometheus or a Pushgateway has metrics of that name itself, about
/// targets, alerts and pushes: one of ours would take their place, or be refused.
fn is_of_prometheus(name: &[u8]) -> bool {
    matches!(name, b"up" | b"push_time_seconds" | b"push_failure_time_seconds")
        || name.starts_with(b"scrape_")
        || name.starts_with(b"ALERTS")
}
