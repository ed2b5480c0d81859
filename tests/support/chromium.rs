//! A real Chromium without a window, driven by its protocol for developers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// How long anything may take that happens at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether tests may start a browser. If not, says what is left out.
pub fn is_wanted(test: &str) -> bool {
    super::servers_are_wanted(test, "Chromium")
}

/// A browser with a profile of its own, ended with the test.
pub struct Chromium {
    child: Child,
    port: u16,
    _profile: TempDir,
}

impl Chromium {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it is not there, or does not start.
    #[track_caller]
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--no-proxy-server"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium should be there: scripts/test installs it");
        let file = profile.path().join("DevToolsActivePort");
        let deadline = Instant::now() + PATIENCE;
        let port = loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if let Some(port) = text.lines().next().and_then(|port| port.parse().ok()) {
                break port;
            }
            assert_eq!(child.try_wait().unwrap(), None, "chromium has ended");
            assert!(Instant::now() < deadline, "chromium has not started");
            thread::sleep(Duration::from_millis(20));
        };
        Self { child, port, _profile: profile }
    }

    /// Opens `url` in a tab of its own, whose every message is kept.
    ///
    /// # Panics
    ///
    /// If the tab cannot be opened.
    #[track_caller]
    pub fn open(&self, url: &str) -> Tab {
        let mut tab = self.tab();
        tab.go(url);
        tab
    }

    /// An empty tab.
    #[track_caller]
    pub fn tab(&self) -> Tab {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("PUT /json/new?about:blank HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port);
        stream.write_all(request.as_bytes()).unwrap();
        let target: Value = serde_json::from_slice(&body(&mut stream)).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let socket = target["webSocketDebuggerUrl"].as_str().unwrap();
        let (socket, _) = tungstenite::client(socket, stream).unwrap();
        let mut tab = Tab { socket, next: 0, events: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of an answer of known length.
fn body(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lower = text.to_ascii_lowercase();
        if let Some(at) = text.find("\r\n\r\n")
            && let Some(length) = lower.split("content-length:").nth(1)
        {
            let length: usize = length.split("\r\n").next().unwrap().trim().parse().unwrap();
            if bytes.len() >= at + 4 + length {
                return bytes[at + 4..at + 4 + length].to_vec();
            }
        }
        let count = stream.read(&mut block).unwrap();
        assert!(count > 0, "the answer ends too early: {text}");
        bytes.extend_from_slice(&block[..count]);
    }
}

/// A page in the browser.
pub struct Tab {
    socket: WebSocket<TcpStream>,
    next: u64,
    /// All that it has told of by itself.
    events: Vec<Value>,
}

impl Tab {
    /// Calls a method of the protocol.
    ///
    /// # Panics
    ///
    /// If the browser refuses it or does not answer.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let request = json!({"id": id, "method": method, "params": parameters});
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let message = self.socket.read().unwrap_or_else(|error| panic!("{method}: {error}"));
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] != id {
                self.events.push(message);
                continue;
            }
            assert!(message["error"].is_null(), "{method}: {message}");
            return message["result"].clone();
        }
    }

    /// Goes to a page and waits until it is loaded.
    #[track_caller]
    pub fn go(&mut self, url: &str) {
        let result = self.call("Page.navigate", &json!({ "url": url }));
        assert!(result["errorText"].is_null(), "{url}: {result}");
        self.wait_for("document.readyState === 'complete'");
    }

    /// The value of an expression, of which a promise is awaited.
    ///
    /// # Panics
    ///
    /// If it throws.
    #[track_caller]
    pub fn get(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// The text of the elements that a selector finds, without blanks around.
    #[track_caller]
    pub fn texts(&mut self, selector: &str) -> Vec<String> {
        let selector = Value::from(selector);
        let list = self.get(&format!(
            "[...document.querySelectorAll({selector})].map((found) => found.textContent.trim())"
        ));
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Waits until an expression holds.
    ///
    /// # Panics
    ///
    /// If it does not come to hold.
    #[track_caller]
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.get(expression) != Value::Bool(true) {
            if Instant::now() >= deadline {
                let text = self.get("document.body.innerText");
                panic!("never holds: {expression}\n{text}\n{:?}", self.complaints());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses and lets go of a key.
    pub fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "text": if kind == "keyDown" { text } else { "" },
            });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Gives the page this size, in CSS pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Has the page believe that the user prefers this colour scheme.
    pub fn prefer(&mut self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Cuts the page off from any network.
    pub fn go_offline(&mut self) {
        let conditions = json!({
            "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0,
        });
        self.call("Network.emulateNetworkConditions", &conditions);
    }

    /// Writes what is to be seen as a PNG file.
    pub fn screenshot(&mut self, file: &Path) {
        let picture = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        fs::write(file, base64(picture["data"].as_str().unwrap())).unwrap();
    }

    /// What went wrong on the page so far: exceptions, errors and warnings on
    /// the console, requests to anywhere but this machine.
    pub fn complaints(&mut self) -> Vec<String> {
        // What has happened before the answer to this is here by then.
        self.call("Runtime.evaluate", &json!({"expression": "0"}));
        self.events.iter().filter(|event| is_complaint(event)).map(Value::to_string).collect()
    }

    /// Forgets what went wrong so far.
    pub fn forgive(&mut self) {
        self.complaints();
        self.events.clear();
    }
}

fn is_complaint(event: &Value) -> bool {
    let parameters = &event["params"];
    match event["method"].as_str().unwrap_or_default() {
        "Runtime.exceptionThrown" => true,
        "Runtime.consoleAPICalled" => {
            matches!(parameters["type"].as_str(), Some("error" | "warning" | "assert"))
        }
        "Log.entryAdded" => {
            matches!(parameters["entry"]["level"].as_str(), Some("error" | "warning"))
        }
        "Network.requestWillBeSent" => {
            let url = parameters["request"]["url"].as_str().unwrap_or_default();
            !["http://127.0.0.1:", "file:///", "data:", "about:"]
                .iter()
                .any(|local| url.starts_with(local))
        }
        _ => false,
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let text = text.trim_end_matches('=').as_bytes();
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for (index, byte) in group.iter().enumerate() {
            bits |= u32::from(digit(*byte)) << (18 - 6 * index);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
