//! `export-prom` as a target of scrapes.

use super::http::get;
use super::process::Live;
use super::prometheus::wait_for;
use super::stages::EXPORT;

/// `export-prom --listen`.
pub struct Listening {
    pub live: Live,
    /// Where.
    pub address: String,
}

impl Listening {
    /// Starts it with more arguments.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let mut command = EXPORT.command();
        command.args(["--listen", "127.0.0.1:0"]).args(args);
        let live = Live::spawn(command);
        let said = live.message();
        let address = said
            .strip_prefix("export-prom: listening on http://")
            .and_then(|rest| rest.strip_suffix("/metrics"))
            .unwrap_or_else(|| panic!("should say where it listens, not {said}"))
            .to_owned();
        assert_eq!(get(&address, "/healthz"), "ok\n");
        Self { live, address }
    }

    /// What a scrape gets.
    pub fn metrics(&self) -> String {
        get(&self.address, "/metrics")
    }

    /// Waits until the metrics have a line.
    #[track_caller]
    pub fn wait_for_line(&self, line: &str) {
        wait_for(line, || self.metrics().lines().any(|other| other == line).then_some(()));
    }
}
