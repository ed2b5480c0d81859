//! Prometheus, its Pushgateway and node_exporter, as Debian packages them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use super::Ran;
use super::http::ask;

/// How long anything may take that happens within a scrape or two.
const PATIENCE: Duration = Duration::from_secs(30);

/// Labels without those that a scrape adds, as `name=value,…`; and the value.
pub type Samples = BTreeMap<String, f64>;

/// Whether tests may start these servers. If not, says what is left out.
pub fn is_wanted(test: &str) -> bool {
    super::servers_are_wanted(test, "Prometheus")
}

/// The folder of what is deployed.
pub fn deployed(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "deploy", path].iter().collect()
}

/// Tries until there is something.
///
/// # Panics
///
/// If there is not for long.
#[track_caller]
pub fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// Runs promtool to its end.
#[track_caller]
pub fn promtool(args: &[&str], stdin: &str) -> Ran {
    super::run("promtool", args, stdin.as_bytes())
}

/// A server in the background, killed when dropped and when the test's process
/// is.
pub struct Server {
    /// Where it listens: `127.0.0.1:PORT`.
    pub address: String,
    /// Kills it when its own stdin ends.
    guard: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a server that listens at the address that `args` is given, with
    /// its log in `folder`, and waits until it answers.
    #[track_caller]
    fn start(
        program: &str,
        folder: &Path,
        ready: &str,
        args: impl FnOnce(&str) -> Vec<String>,
    ) -> Self {
        let address = free_address();
        let log = folder.join(format!("{program}.log"));
        let guard = Command::new("sh")
            .args(["-c", "\"$@\" & read -r _; kill -9 $!; wait", "sh", program])
            .args(args(&address))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let server = Self { address, guard, log };
        let deadline = Instant::now() + PATIENCE;
        while !is_ready(&server.address, ready) {
            assert!(Instant::now() < deadline, "{program} does not answer:\n{}", server.log());
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What it wrote to stderr.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// An address of this machine at which nothing listens.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn is_ready(address: &str, path: &str) -> bool {
    ask(address, "GET", path, address, "").is_ok_and(|answer| answer.status == 200)
}

/// A Pushgateway.
#[track_caller]
pub fn pushgateway(folder: &Path) -> Server {
    Server::start("prometheus-pushgateway", folder, "/-/ready", |address| {
        vec![format!("--web.listen-address={address}")]
    })
}

/// A `node_exporter` that serves the `.prom` files of a folder and nothing else.
#[track_caller]
pub fn node_exporter(folder: &Path, files: &Path) -> Server {
    Server::start("prometheus-node-exporter", folder, "/metrics", |address| {
        vec![
            format!("--web.listen-address={address}"),
            "--web.disable-exporter-metrics".to_owned(),
            "--collector.disable-defaults".to_owned(),
            "--collector.textfile".to_owned(),
            format!("--collector.textfile.directory={}", files.display()),
        ]
    })
}

/// The addresses that Prometheus scrapes, in place of those in
/// `deploy/prometheus.yml`.
#[derive(Clone, Copy, Default)]
pub struct Targets<'a> {
    pub listen: &'a [&'a str],
    pub textfile: &'a [&'a str],
    pub pushgateway: &'a [&'a str],
}

/// A Prometheus.
pub struct Prometheus {
    server: Server,
    /// Of its configuration and data.
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with the configuration and the rules that are deployed, but
    /// for the targets, a second between scrapes and evaluations, and alerts
    /// that do not wait.
    #[track_caller]
    pub fn deployed(targets: Targets<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = fs::read_to_string(deployed("prometheus.yml")).unwrap();
        let mut replace = |old: &str, new: &str| {
            assert_eq!(config.matches(old).count(), 1, "{old} in\n{config}");
            config = config.replace(old, new);
        };
        replace("scrape_interval: 10s", "scrape_interval: 1s");
        replace("evaluation_interval: 10s", "evaluation_interval: 1s");
        for (old, new) in [
            ("host.docker.internal:9101", targets.listen),
            ("node-exporter:9100", targets.textfile),
            ("pushgateway:9091", targets.pushgateway),
        ] {
            replace(&format!("[{old:?}]"), &format!("{new:?}"));
        }
        fs::create_dir(folder.path().join("rules")).unwrap();
        for file in fs::read_dir(deployed("rules")).unwrap() {
            let file = file.unwrap();
            let rules = fs::read_to_string(file.path()).unwrap();
            let at_once = |line: &str| match line.split_once("for: ") {
                Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: 0s"),
                _ => line.to_owned(),
            };
            let rules: Vec<String> = rules.lines().map(at_once).collect();
            fs::write(folder.path().join("rules").join(file.file_name()), rules.join("\n"))
                .unwrap();
        }
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        Self::start(folder)
    }

    /// Starts one that scrapes nothing and has the blocks of `folder/data`.
    #[track_caller]
    pub fn of_blocks(folder: TempDir) -> Self {
        fs::write(folder.path().join("prometheus.yml"), "").unwrap();
        Self::start(folder)
    }

    #[track_caller]
    fn start(folder: TempDir) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let args = |address: &str| {
            vec![
                format!("--config.file={}", path("prometheus.yml")),
                format!("--storage.tsdb.path={}", path("data")),
                // Blocks of any age stay.
                "--storage.tsdb.retention.time=100y".to_owned(),
                format!("--web.listen-address={address}"),
            ]
        };
        let server = Server::start("prometheus", folder.path(), "/-/ready", args);
        Self { server, _folder: folder }
    }

    #[track_caller]
    fn api(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let method = if form.is_empty() { "GET" } else { "POST" };
        let (address, path) = (&self.server.address, format!("/api/v1/{path}"));
        let said = ask(address, method, &path, address, &form.join("&")).unwrap();
        assert_eq!(said.status, 200, "{form:?}: {said:?}\n{}", self.server.log());
        let mut answer: Value = serde_json::from_str(&said.body).unwrap();
        assert_eq!(answer["status"], "success", "{form:?}: {said:?}");
        answer["data"].take()
    }

    /// What an expression is at `time`, with all labels.
    #[track_caller]
    pub fn results(&self, expression: &str, time: f64) -> Vec<(BTreeMap<String, String>, f64)> {
        let form = [("query", expression), ("time", &format!("{time:.3}"))];
        let data = self.api("query", &form);
        let sample = |sample: &Value| {
            let labels = serde_json::from_value(sample["metric"].clone()).unwrap();
            (labels, sample["value"][1].as_str().unwrap().parse().unwrap())
        };
        data["result"].as_array().unwrap().iter().map(sample).collect()
    }

    /// What an expression is at `time`, without the labels of scrapes.
    #[track_caller]
    pub fn samples_at(&self, expression: &str, time: f64) -> Samples {
        let mut samples = Samples::new();
        for (mut labels, value) in self.results(expression, time) {
            labels.retain(|name, _| !matches!(name.as_str(), "__name__" | "job" | "instance"));
            let clash = samples.insert(described(&labels), value);
            assert!(clash.is_none(), "{expression}: two of {labels:?}");
        }
        samples
    }

    /// What an expression is now, without the labels of scrapes.
    #[track_caller]
    pub fn samples(&self, expression: &str) -> Samples {
        self.samples_at(expression, now())
    }

    /// All samples that there ever were of a selector: labels and seconds to
    /// value.
    #[track_caller]
    pub fn history(&self, selector: &str) -> BTreeMap<(String, i64), f64> {
        let ever = format!("{selector}[10y]");
        let data = self.api("query", &[("query", &ever)]);
        let mut history = BTreeMap::new();
        for series in data["result"].as_array().unwrap() {
            let mut labels: BTreeMap<String, String> =
                serde_json::from_value(series["metric"].clone()).unwrap();
            labels.remove("__name__");
            for sample in series["values"].as_array().unwrap() {
                let value = sample[1].as_str().unwrap().parse().unwrap();
                history.insert((described(&labels), sample[0].as_f64().unwrap() as i64), value);
            }
        }
        history
    }

    /// Waits until an expression has some value now, with no labels.
    #[track_caller]
    pub fn wait_for_value(&self, expression: &str, value: f64) {
        let mut last = Samples::new();
        let deadline = Instant::now() + PATIENCE;
        while last.get("") != Some(&value) {
            assert!(
                Instant::now() < deadline,
                "{expression} is {last:?}, not {value}\n{}",
                self.targets()
            );
            thread::sleep(Duration::from_millis(100));
            last = self.samples(expression);
        }
    }

    /// All rules: name, expression, and whether it is an alert.
    #[track_caller]
    pub fn rules(&self) -> Vec<(String, String, bool)> {
        let groups = self.api("rules", &[]);
        let groups = groups["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rules
            .map(|rule| (text(&rule["name"]), text(&rule["query"]), rule["type"] == "alerting"))
            .collect()
    }

    /// The alerts that fire: their names, and all labels but those of scrapes.
    #[track_caller]
    pub fn firing(&self) -> Vec<(String, String)> {
        let alerts = self.api("alerts", &[]);
        let alerts = alerts["alerts"].as_array().unwrap().iter();
        alerts
            .filter(|alert| alert["state"] == "firing")
            .map(|alert| {
                let mut labels: BTreeMap<String, String> =
                    serde_json::from_value(alert["labels"].clone()).unwrap();
                labels.retain(|name, _| !matches!(name.as_str(), "job" | "instance"));
                (labels.remove("alertname").unwrap(), described(&labels))
            })
            .collect()
    }

    /// What it says of its targets, for people.
    pub fn targets(&self) -> String {
        let data = self.api("targets?state=active", &[]);
        let targets = data["activeTargets"].as_array().unwrap().iter();
        let told: Vec<String> = targets
            .map(|target| {
                format!("{}: {} {}", target["scrapeUrl"], target["health"], target["lastError"])
            })
            .collect();
        told.join("\n")
    }
}

/// Labels as `name=value,…`.
pub fn described(labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(",")
}

fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encoded).collect()
}
