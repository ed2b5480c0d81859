//! A real Apache Kafka, by `scripts/kafka-up`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use super::Ran;

/// A broker in a folder of its own, ended with the test.
pub struct Broker {
    folder: TempDir,
    /// `127.0.0.1:PORT`.
    pub bootstrap: String,
    /// Ends the broker if the test's process is killed: it waits for the end
    /// of its stdin.
    guard: Child,
}

/// Whether tests may start a broker. If not, says what is left out.
pub fn is_wanted(test: &str) -> bool {
    super::servers_are_wanted(test, "Apache Kafka")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

impl Broker {
    /// Starts one; `args` are those of `kafka-up`.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("kafka");
        let guard = Command::new("sh")
            .args(["-c", "read -r line; [ \"$line\" = done ] || \"$0\" --dir \"$1\""])
            .args([script("kafka-down"), dir.clone()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut broker = Self { folder, bootstrap: String::new(), guard };
        broker.up(args);
        broker
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("kafka")
    }

    /// Starts it unless it runs, and makes topics.
    #[track_caller]
    pub fn up(&mut self, args: &[&str]) {
        let mut command = Command::new(script("kafka-up"));
        // The console tools for Java come with that way.
        command.arg("--dir").arg(self.dir()).args(["--with", "maven"]).args(args);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kafka-up: {said}");
        let line = String::from_utf8(output.stdout).unwrap();
        line.trim().strip_prefix("bootstrap=").unwrap().clone_into(&mut self.bootstrap);
    }

    fn id(&self) -> Pid {
        let id = fs::read_to_string(self.dir().join("pid")).unwrap();
        Pid::from_raw(id.trim().parse().unwrap()).unwrap()
    }

    /// Kills it with -9.
    pub fn kill(&self) {
        let id = self.id();
        kill_process(id, Signal::KILL).unwrap();
        while test_kill_process(id).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// It answers nothing from now on, but its connections stay.
    pub fn hold_up(&self) {
        kill_process(self.id(), Signal::STOP).unwrap();
    }

    /// Runs a tool of Kafka's by the name of its class, with its bootstrap
    /// server given.
    #[track_caller]
    pub fn tool(&self, class: &str, args: &[&str], stdin: &str) -> Ran {
        let jars = fs::read_to_string(self.dir().join("jars")).unwrap();
        let class_path = format!("{}/*", jars.trim());
        let mut all =
            vec!["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &class_path, class];
        all.extend(["--bootstrap-server", &self.bootstrap]);
        all.extend(args);
        super::run("java", all, stdin.as_bytes())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let down = Command::new(script("kafka-down")).arg("--dir").arg(self.dir()).status();
        if down.is_ok_and(|status| status.success())
            && let Some(stdin) = &mut self.guard.stdin
        {
            let _ = std::io::Write::write_all(stdin, b"done\n");
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
