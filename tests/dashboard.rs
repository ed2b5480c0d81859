//! The page of `dashboard`: what its server answers, what a real Chromium makes
//! of it, and the report.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::chromium::{Chromium, Tab, is_wanted};
use support::http::{Answer, ask, get};
use support::pipeline::{Line, append};
use support::process::{End, Live};
use support::stages::DASHBOARD;
use support::workplace::synthetic;

const PATIENCE: Duration = Duration::from_secs(20);

fn dashboard(args: &[&str]) -> Command {
    support::command(DASHBOARD.path, args)
}

/// A running one that serves its page, and where.
fn serve(args: &[&str]) -> (Live, String) {
    serve_at("127.0.0.1:0", args)
}

fn serve_at(place: &str, args: &[&str]) -> (Live, String) {
    let live = Live::spawn(dashboard(&[&["--listen", place], args].concat()));
    let said = live.message();
    let url = said.strip_prefix("dashboard: ").unwrap_or_else(|| panic!("{said}"));
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    (live, address)
}

/// The window of a minute that ends `minute` minutes after midnight.
fn window(minute: u32) -> String {
    let at = |minute: u32| format!("2025-09-12T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    format!(r#""window":{{"start":"{}","end":"{}"}}"#, at(minute - 1), at(minute))
}

fn row(query: &str, minute: u32, rest: &str) -> String {
    format!("{{\"query\":\"{query}\",{},{rest}}}\n", window(minute))
}

fn alert(name: &str, minute: u32, rest: &str) -> String {
    format!("{{\"alert\":\"{name}\",\"severity\":\"critical\",{},{rest}}}\n", window(minute))
}

/// A client of `/events`.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).unwrap();
        (count > 0).then_some(line)
    }

    /// The next thing told: `None` for the end event.
    fn next(&mut self) -> Option<Value> {
        let mut name = String::new();
        loop {
            let line = self.line().expect("the stream breaks off");
            if let Some(event) = line.strip_prefix("event: ") {
                event.trim().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                match std::mem::take(&mut name).as_str() {
                    "" => return Some(serde_json::from_str(data).unwrap()),
                    "end" => return None,
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn the_server_answers_while_the_input_stalls_and_tells_what_is_new() {
    let (mut live, address) = serve(&[]);
    assert_eq!(get(&address, "/healthz"), "ok\n");
    assert!(get(&address, "/").contains("<title>Highwater</title>"));
    let mut events = Events::open(&address);
    assert_eq!(events.next().unwrap()["status"]["rows"], 0);
    for rows in 1..=2 {
        live.write(row("error_rate", rows, "\"service\":\"auth\",\"error_rate\":1.5"));
        let told = events.next().unwrap();
        assert_eq!(told["status"]["rows"], rows);
        assert_eq!(told["series"][0]["v"], json!([1.5]));
        assert_eq!(told["series"][0]["labels"], json!([["service", "auth"]]));
    }
    // Another one is told everything.
    let told = Events::open(&address).next().unwrap();
    assert_eq!(told["series"][0]["v"], json!([1.5, 1.5]));
    live.write(row("error_rate", 3, "\"error_rate\":2.5"));
    live.close();
    // Nothing is lost at the end, and the end is told.
    let mut last = Value::Null;
    while let Some(told) = events.next() {
        last = told;
    }
    assert_eq!(last["status"]["rows"], 3);
    assert_eq!(last["status"]["ended"], "done");
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn answers_are_for_this_machine_and_bring_nothing_from_outside() {
    let (live, address) = serve(&[]);
    let port = address.rsplit_once(':').unwrap().1;
    for path in ["/", "/page.css", "/uplot.css", "/uplot.js", "/model.js", "/charts.js", "/page.js"]
    {
        let host = format!("localhost:{port}");
        let Answer { status, head, body } = ask(&address, "GET", path, &host, "").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!(status, 200, "{path}: {head}");
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(header), "{path}: {head}");
        }
        for outside in ["src=\"http", "href=\"http", "url(http", "@import"] {
            assert!(!body.contains(outside), "{path}: {outside}");
        }
    }
    for (method, path, host, status) in [
        ("GET", "/", "example.com", 421),
        ("GET", "/events", &*format!("dashboard.example.com:{port}"), 421),
        ("POST", "/", &address, 405),
        ("GET", "/../Cargo.toml", &address, 404),
        ("GET", "/favicon.ico", &address, 404),
        ("HEAD", "/", &address, 200),
    ] {
        let answer = ask(&address, method, path, host, "").unwrap();
        assert_eq!(answer.status, status, "{method} {path} {host}: {answer:?}");
    }
    drop(live);
}

/// Rows of a hundred services with twenty numbers each.
fn many(minutes: impl Iterator<Item = u32>) -> String {
    let numbers: Vec<String> =
        (0..20).map(|number| format!(",\"n{number}\":{number}.12345")).collect();
    let numbers = numbers.concat();
    minutes
        .flat_map(|minute| (0..100).map(move |service| (minute, service)))
        .map(|(minute, service)| row("q", minute, &format!("\"service\":\"{service}\"{numbers}")))
        .collect()
}

/// Waits until so many rows have been taken in, as a client sees it.
fn wait_for_rows(address: &str, rows: u64) {
    let deadline = Instant::now() + PATIENCE;
    while Events::open(address).next().unwrap()["status"]["rows"] != rows {
        assert!(Instant::now() < deadline, "the input is held up");
    }
}

#[test]
fn the_input_goes_on_while_clients_stall() {
    let (mut live, address) = serve(&[]);
    live.write(many(1..=200));
    wait_for_rows(&address, 20_000);
    // They never read the megabytes that they are told.
    let stalled: Vec<Events> = (0..30).map(|_| Events::open(&address)).collect();
    live.write(many(201..=300));
    wait_for_rows(&address, 30_000);
    let memory = fs::read_to_string(format!("/proc/{}/status", live.id())).unwrap();
    let resident = memory.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 150_000, "{resident}");
    live.close();
    // Answers that have begun have a second more.
    assert_eq!(live.end_within(Duration::from_secs(10)), (End::Code(0), vec![], vec![]));
    drop(stalled);
}

#[test]
fn it_stays_if_told_to_until_a_signal() {
    let (mut live, address) = serve(&["--stay"]);
    live.write(row("error_rate", 1, "\"error_rate\":1.5"));
    live.close();
    assert_eq!(live.message(), "dashboard: the input has ended; the page stays until Ctrl-C");
    let mut events = Events::open(&address);
    let told = events.next().unwrap();
    assert_eq!((&told["status"]["rows"], &told["status"]["ended"]), (&json!(1), &json!("done")));
    assert_eq!(events.next(), None);
    live.signal(Signal::INT);
    assert_eq!(live.end_within(Duration::from_secs(5)), (End::Code(0), vec![], vec![]));
}

#[test]
fn a_place_that_is_taken_is_one_clear_error() {
    let (_live, address) = serve(&[]);
    let ran = support::run(DASHBOARD.path, ["--listen", &*address], b"").exited(1);
    let message = format!(
        "dashboard: no page; choose another place with --listen HOST:PORT: cannot listen on {address}: \
         Address already in use\n"
    );
    assert_eq!((&*ran.stdout, &*ran.stderr), ("", &*message), "{ran}");
}

#[test]
fn wrong_usage() {
    for (args, message) in [
        (&["--history", "0s"][..], "--history 0s: write a length of time, like 6h"),
        (&["--report", "x.html", "--stay"], "--stay keeps a page served"),
        (&["--listen", "8080"], "is no HOST:PORT"),
    ] {
        let ran = support::run(DASHBOARD.path, args, b"").exited(2);
        assert!(ran.stderr.contains(message) && ran.stderr.starts_with("dashboard: "), "{ran}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows");
    fs::write(&file, "{}\n").unwrap();
    let file = file.to_str().unwrap();
    let ran = support::run(DASHBOARD.path, ["--report", file, file], b"").exited(2);
    assert!(ran.stderr.contains("is to be read"), "{ran}");
}

/// What a report embeds.
fn embedded(report: &str) -> Value {
    let (_, rest) = report.split_once("<script type=\"application/json\" id=\"report\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Text that breaks pages that are not careful.
const HOSTILE: [&str; 6] = [
    "<script>document.title='x'</script>",
    "</script><img src=x onerror=alert(1)>",
    "\\\"'`\\n\\r\\t\\u0000",
    "\\u2028\\u2029<!--",
    "__proto__",
    "ünïcödé 😀 \\u202e",
];

fn hostile() -> String {
    let mut rows = String::new();
    for (index, text) in HOSTILE.iter().enumerate() {
        let (minute, long) = (index as u32 + 1, "y".repeat(1 << 20));
        rows.push_str(&row(text, minute, &format!("\"service\":\"{text}\",\"error_rate\":1.5")));
        rows.push_str(&row("q", minute, &format!("\"{text}\":1,\"service\":\"{long}\"")));
        let rest =
            format!("\"service\":\"{text}\",\"value\":\"{text}\",\"reason\":\"{text}{long}\"");
        rows.push_str(&alert(text, minute, &rest));
    }
    rows.push_str(&row("q", 7, "\"error_rate\":1e400,\"health_score\":-1e308,\"n\":1e308"));
    for index in 0..100_000 {
        rows.push_str(&row("q", 7, &format!("\"service\":\"s{index}\",\"request_count\":1")));
    }
    rows
}

#[test]
fn a_report_is_one_file_of_bounded_size_whatever_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let path = file.to_str().unwrap();
    let ran = support::run(DASHBOARD.path, ["--report", path], hostile().as_bytes()).success();
    assert_eq!(ran.stdout, "");
    let report = fs::read_to_string(&file).unwrap();
    assert!(report.len() < 1 << 20, "{} bytes", report.len());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    // Nothing of what was fed ends the element that holds it.
    assert_eq!(report.matches("</script>").count(), 5);
    for outside in [" src=\"", "<link rel=\"stylesheet\"", "url("] {
        assert!(!report.contains(outside), "{outside}");
    }
    let told = embedded(&report);
    assert_eq!(told["status"]["refused"], 99_900);
    let names: Vec<&str> = told["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["alert"].as_str().unwrap())
        .collect();
    let expected: Vec<String> =
        HOSTILE.iter().map(|text| serde_json::from_str(&format!("\"{text}\"")).unwrap()).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_number_that_is_a_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let rows =
        row("q", 1, "\"status_code\":200,\"n\":7") + &row("q", 1, "\"status_code\":500,\"n\":1");
    let args = ["--report", file.to_str().unwrap(), "--by", "status_code"];
    support::run(DASHBOARD.path, args, rows.as_bytes()).success();
    let told = embedded(&fs::read_to_string(&file).unwrap());
    let series = told["series"].as_array().unwrap();
    let shown = series.iter().map(|series| (&series["labels"], &series["v"]));
    let (ok, failed) = (json!([["status_code", "200"]]), json!([["status_code", "500"]]));
    assert_eq!(shown.collect::<Vec<_>>(), [(&ok, &json!([7.0])), (&failed, &json!([1.0]))]);
}

#[test]
fn a_report_can_go_into_a_pipe() {
    let ran = support::run(
        DASHBOARD.path,
        ["--report", "/dev/stdout"],
        row("q", 1, "\"n\":1").as_bytes(),
    );
    let ran = ran.success();
    assert_eq!(embedded(&ran.stdout)["status"]["rows"], 1);
}

#[test]
fn under_a_checkpoint_the_next_run_goes_on_with_what_was_shown() {
    let log = synthetic(4_000);
    let middle = log.len() / 2;
    let half = middle + log[middle..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let line = Line::new(
        "ingest log --checkpoint state | parse --checkpoint state |
         window --query log-analysis --at-end keep --checkpoint state |
         detect --rules reference --pass-through --checkpoint state |
         dashboard --report report.html --checkpoint state",
    );
    let [whole, cut] = [&[&log[..]][..], &[&log[..half], &log[half..]]].map(|parts| {
        let folder = tempfile::tempdir().unwrap();
        for part in parts {
            append(folder.path().join("log"), part);
            line.run(folder.path()).success();
        }
        embedded(&fs::read_to_string(folder.path().join("report.html")).unwrap())
    });
    assert!(whole["status"]["rows"].as_u64().unwrap() > 20, "{}", whole["status"]);
    assert!(cut == whole, "{}\n{}", cut["status"], whole["status"]);
}

/// Rows of one minute of two services, by two queries that both count requests.
fn minute(minute: u32, auth: &str, cart: &str) -> String {
    let both = |query: &str, rest: [String; 2]| -> String {
        ["auth", "cart"]
            .iter()
            .zip(rest)
            .map(|(service, rest)| row(query, minute, &format!("\"service\":\"{service}\",{rest}")))
            .collect()
    };
    both("response_time", [auth, cart].map(|time| {
        format!("\"request_count\":1{minute}0,\"avg_response_time\":{time},\"max_response_time\":9.5")
    })) + &both("service_popularity", [auth, cart].map(|_| format!("\"request_count\":1{minute}0")))
        + &both("error_rate", [auth, cart].map(|rate| format!("\"error_rate\":{rate}")))
        + &row("system_health", minute, "\"health_score\":80,\"error_rate\":2.5")
}

fn legend(tab: &mut Tab, panel: &str) -> Vec<String> {
    tab.texts(&format!("#{panel} .legend button"))
}

#[test]
fn the_panels_show_the_numbers_fed_and_follow_them() {
    if !is_wanted("the_panels_show_the_numbers_fed_and_follow_them") {
        return;
    }
    let browser = Chromium::start();
    let (mut live, address) = serve(&[]);
    let mut tab = browser.open(&format!("http://{address}/"));
    tab.wait_for("document.getElementById('state').textContent === 'Live'");
    assert_eq!(tab.get("document.querySelectorAll('.empty:not([hidden])').length"), 6);

    live.write(minute(1, "0.25", "0.5"));
    live.write(row("latency", 1, "\"service\":\"auth\",\"p95_response_time\":1.25"));
    tab.wait_for("document.getElementById('rows').textContent === '8'");
    assert_eq!(tab.texts("#score, #verdict"), ["80", "● Degraded"]);
    assert_eq!(legend(&mut tab, "response"), ["auth0.25 s", "cart0.5 s"]);
    assert_eq!(legend(&mut tab, "errors"), ["auth0.25 %", "cart0.5 %", "system_health2.5 %"]);
    // Two services of 110 requests each, which two queries have counted.
    assert_eq!(legend(&mut tab, "volume"), ["requests220"]);
    assert_eq!(legend(&mut tab, "latency"), ["auth1.25 s"]);
    assert_eq!(tab.texts("#newest"), ["2025-09-12 00:01:00 UTC"]);
    assert_eq!(tab.get("document.querySelectorAll('canvas').length"), 5);

    // The same page goes on.
    tab.get("window.isStill = true");
    live.write(minute(2, "0.75", "1.5").replace(":80,", ":40,"));
    live.write(alert(
        "ddos",
        2,
        "\"ip_address\":\"192.0.2.7\",\"field\":\"n\",\"value\":300,\"reason\":\"n is over 100\"",
    ));
    live.write(alert("late_data", 1, "\"reason\":\"late\""));
    tab.wait_for("document.getElementById('alert-count').textContent === '2'");
    assert_eq!(tab.get("window.isStill"), true);
    assert_eq!(tab.texts("#score, #verdict"), ["40", "▲ Critical"]);
    assert_eq!(legend(&mut tab, "response"), ["auth0.75 s", "cart1.5 s"]);
    assert_eq!(legend(&mut tab, "volume"), ["requests240"]);
    // Newest first.
    assert_eq!(
        tab.texts("#alert-table tbody td"),
        [
            "2025-09-12 00:02:00",
            "▲ Critical",
            "ddos",
            "ip_address=192.0.2.7",
            "n 300",
            "n is over 100",
            "2025-09-12 00:01:00",
            "▲ Critical",
            "late_data",
            "",
            "",
            "late",
        ]
    );
    assert_eq!(tab.texts("#counts li"), ["ddos 1", "late_data 1"]);
    tab.wait_for(
        "document.getElementById('announce').textContent.startsWith('New alerts: critical')",
    );

    // Each chart has its values as text.
    tab.get("document.querySelector('#errors details').open = true");
    tab.wait_for("document.querySelectorAll('#errors tbody tr').length === 3");
    assert_eq!(
        tab.texts("#errors tbody tr")[..2],
        ["auth0.752025-09-12 00:02:00", "cart1.52025-09-12 00:02:00"]
    );
    let label = tab.get("document.querySelector('#errors .plot').getAttribute('aria-label')");
    assert_eq!(label, "Error Rate, newest values: auth 0.75 %, cart 1.5 %, system_health 2.5 %");
    // Other numbers are below.
    assert_eq!(tab.texts("#more-count"), ["1"]);
    tab.get("document.getElementById('more').open = true");
    tab.wait_for("document.querySelectorAll('#more canvas').length === 1");
    assert_eq!(legend(&mut tab, "more"), ["auth9.5", "cart9.5"]);

    live.close();
    tab.wait_for("document.getElementById('state').textContent === 'The input has ended'");
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_lost_connection_is_told_and_taken_up_again() {
    if !is_wanted("a_lost_connection_is_told_and_taken_up_again") {
        return;
    }
    let browser = Chromium::start();
    let (mut live, address) = serve(&[]);
    let mut tab = browser.open(&format!("http://{address}/"));
    live.write(row("error_rate", 1, "\"service\":\"auth\",\"error_rate\":1.5"));
    tab.wait_for("document.querySelector('#errors .legend')?.textContent === 'auth1.5 %'");
    assert_eq!(tab.complaints(), Vec::<String>::new());
    live.signal(Signal::KILL);
    assert_eq!(live.end().0, End::Signal(Signal::KILL.as_raw()));
    tab.wait_for("document.getElementById('state').dataset.state === 'lost'");
    let (mut live, _) = serve_at(&address, &[]);
    // What the other one has told is gone.
    live.write(row("error_rate", 2, "\"service\":\"cart\",\"error_rate\":2.5"));
    tab.wait_for("document.querySelector('#errors .legend').textContent === 'cart2.5 %'");
    assert_eq!(tab.texts("#state"), ["Live"]);
    // That the server was not there has rightly been complained about.
    tab.forgive();
    live.write(row("error_rate", 3, "\"service\":\"cart\",\"error_rate\":3.5"));
    tab.wait_for("document.querySelector('#errors .legend').textContent === 'cart3.5 %'");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn hostile_text_stays_text() {
    if !is_wanted("hostile_text_stays_text") {
        return;
    }
    let browser = Chromium::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let (mut live, address) = serve(&["--report", file.to_str().unwrap()]);
    let mut tab = browser.open(&format!("http://{address}/"));
    live.write(hostile());
    tab.wait_for("document.getElementById('rows').textContent === '100,013'");
    check_hostile(&mut tab, "Highwater");
    live.close();
    assert_eq!(live.end().0, End::Code(0));
    let mut tab = browser.tab();
    tab.go_offline();
    tab.go(&format!("file://{}", file.display()));
    check_hostile(&mut tab, "Highwater report");
}

fn check_hostile(tab: &mut Tab, title: &str) {
    tab.resize(360, 800);
    tab.get("document.getElementById('more').open = true");
    tab.wait_for("document.querySelectorAll('#more canvas').length > 0");
    assert_eq!(tab.get("document.title"), title);
    assert_eq!(tab.get("document.images.length"), 0);
    assert_eq!(tab.get("document.querySelectorAll('#alert-table tbody tr').length"), HOSTILE.len());
    let names = tab.texts("#alert-table tbody td:nth-child(3)");
    for (name, text) in names.iter().rev().zip(HOSTILE) {
        let text: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        assert_eq!(name, text.trim());
    }
    let legends = legend(tab, "errors");
    assert!(legends.iter().any(|name| name.starts_with("<script>document.title")), "{legends:?}");
    assert!(tab.texts("#notes li").iter().any(|note| note.starts_with("99,900 values")));
    assert_eq!(tab.get("document.documentElement.scrollWidth <= innerWidth"), true);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

/// The text on the page whose contrast with what is behind it is less than 4.5,
/// and the lines of legends whose contrast is less than 3.
const FAINT: &str = r"(() => {
    const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = (colour) => {
        const linear = parts(colour).slice(0, 3).map((part) => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if ((parts(colour)[3] ?? 1) === 1) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = (a, b) => {
        const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
    const faint = [];
    let checked = 0;
    for (const element of document.body.querySelectorAll('*')) {
        const isLine = element.localName === 'line';
        const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!isLine && !hasText || element.closest('script, style, noscript')) continue;
        const style = getComputedStyle(element);
        const ratio = contrast(isLine ? style.stroke : style.color, behind(element));
        checked += 1;
        if (ratio < (isLine ? 3 : 4.5)) faint.push(`${element.outerHTML.slice(0, 80)} ${ratio}`);
    }
    return checked > 50 ? faint : ['hardly anything was checked'];
})()";

#[test]
fn the_page_is_for_everyone() {
    if !is_wanted("the_page_is_for_everyone") {
        return;
    }
    let browser = Chromium::start();
    let (mut live, address) = serve(&[]);
    for service in 0..12 {
        let rest = format!(
            "\"service\":\"service-{service}\",\"error_rate\":1.5,\"avg_response_time\":1.5"
        );
        live.write(row("error_rate", 1, &rest));
    }
    live.write(minute(2, "0.75", "1.5"));
    for severity in ["critical", "warning", "info", "other"] {
        let told =
            alert("ddos", 2, "\"reason\":\"a reason of some length\",\"ip_address\":\"192.0.2.7\"");
        live.write(told.replace("critical", severity));
    }
    let mut tab = browser.open(&format!("http://{address}/"));
    tab.wait_for("document.getElementById('alert-count').textContent === '4'");
    tab.get("document.querySelectorAll('details').forEach((found) => { found.open = true; })");
    tab.wait_for("document.querySelectorAll('#more canvas').length === 1");
    for scheme in ["light", "dark"] {
        tab.prefer(scheme);
        assert_eq!(tab.get(FAINT), json!([]), "{scheme}");
        let dark = tab.get("matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, scheme == "dark");
    }
    // No two series of a chart look alike, even without colour for neighbours.
    let looks = tab.get(
        "[...document.querySelectorAll('#errors .legend line')]
            .map((line) => `${getComputedStyle(line).stroke} ${line.getAttribute('stroke-dasharray')}`)",
    );
    let looks = looks.as_array().unwrap();
    assert_eq!(looks.len(), 15);
    assert!(
        looks.iter().enumerate().all(|(index, look)| !looks[..index].contains(look)),
        "{looks:?}"
    );

    for (width, height) in [(360, 740), (768, 1024), (1280, 900)] {
        tab.resize(width, height);
        tab.wait_for("document.querySelector('#errors canvas').clientWidth <= document.querySelector('#errors').clientWidth");
        tab.wait_for("document.documentElement.scrollWidth <= innerWidth");
        let columns = tab.get("getComputedStyle(document.querySelector('main')).gridTemplateColumns.split(' ').length");
        assert_eq!(columns, if width > 1_000 { 2 } else { 1 }, "{width}");
    }

    let structure = tab.get(
        "[document.documentElement.lang, document.querySelectorAll('main, header, footer').length,
          document.querySelectorAll('h1').length,
          [...document.querySelectorAll('main > section')].every((section) =>
              document.getElementById(section.getAttribute('aria-labelledby')).textContent !== ''),
          [...document.querySelectorAll('.plot')].every((plot) => plot.getAttribute('aria-label').length > 10)]",
    );
    assert_eq!(structure, json!(["en", 3, 1, true, true]));

    // By keyboard: the first stop leads to the alerts, later ones to every series.
    tab.get("document.body.focus()");
    tab.press("Tab", 9);
    assert_eq!(tab.get("document.activeElement.className"), "skip");
    let mut stops = Vec::new();
    for _ in 0..60 {
        tab.press("Tab", 9);
        stops.push(tab.get(
            "[document.activeElement.localName, document.activeElement.textContent,
              getComputedStyle(document.activeElement).outlineStyle]",
        ));
        if stops.last().unwrap()[1] == "system_health2.5 %" {
            break;
        }
    }
    assert_eq!(
        stops.last().unwrap(),
        &json!(["button", "system_health2.5 %", "solid"]),
        "{stops:?}"
    );
    assert!(stops.iter().all(|stop| stop[2] != "none"), "{stops:?}");
    tab.press("Enter", 13);
    tab.wait_for("document.activeElement.getAttribute('aria-pressed') === 'false'");
    tab.press("Enter", 13);
    tab.wait_for("document.activeElement.getAttribute('aria-pressed') === 'true'");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_report_opens_from_disk_without_a_network() {
    if !is_wanted("a_report_opens_from_disk_without_a_network") {
        return;
    }
    let browser = Chromium::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    let rows = minute(1, "0.25", "0.5") + &alert("ddos", 1, "\"reason\":\"why\"");
    support::run(DASHBOARD.path, ["--report", file.to_str().unwrap()], rows.as_bytes()).success();
    let mut tab = browser.tab();
    tab.go_offline();
    tab.go(&format!("file://{}", file.display()));
    assert_eq!(tab.texts("#state"), ["Report"]);
    assert_eq!(tab.texts("#score"), ["80"]);
    assert_eq!(legend(&mut tab, "response"), ["auth0.25 s", "cart0.5 s"]);
    assert_eq!(legend(&mut tab, "volume"), ["requests220"]);
    assert_eq!(tab.get("document.querySelectorAll('#alert-table tbody tr').length"), 1);
    assert_eq!(tab.get("document.querySelectorAll('canvas').length"), 4);
    assert_eq!(tab.get("performance.getEntriesByType('resource').length"), 0);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

/// `scripts/screenshots` runs this: pictures of the page over the rows in
/// `HIGHWATER_ROWS`, into the folder `HIGHWATER_PICTURES`.
#[test]
#[ignore = "writes pictures"]
fn pictures() {
    let variable = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let folder = variable("HIGHWATER_PICTURES");
    let rows = fs::read(variable("HIGHWATER_ROWS")).unwrap();
    let browser = Chromium::start();
    let (mut live, address) = serve(&["--history", "1d"]);
    live.write(rows);
    let mut tab = browser.open(&format!("http://{address}/"));
    tab.wait_for("document.getElementById('state').dataset.state === 'live'");
    tab.wait_for("document.getElementById('alert-count').textContent !== '0'");
    tab.call("Emulation.setScrollbarsHidden", &json!({"hidden": true}));
    for (name, scheme, width, height) in [
        ("dashboard", "light", 1_200, 1_580),
        ("dashboard-dark", "dark", 1_200, 1_020),
        ("dashboard-phone", "light", 360, 1_040),
    ] {
        tab.prefer(scheme);
        tab.resize(width, height);
        // A moment for the charts to take their new size.
        std::thread::sleep(Duration::from_secs(1));
        tab.screenshot(&Path::new(&folder).join(format!("{name}.png")));
    }
    assert_eq!(tab.complaints(), Vec::<String>::new());
}
