//! `export-prom` and those who want its metrics: scrapers, a Pushgateway, files.
//! Here the gateway is a few lines of the test's own, so that it can be slow,
//! rude or away; the real one is in `prometheus.rs`.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use support::http::{ask, get};
use support::listening::Listening;
use support::process::{End, Live};
use support::prometheus::wait_for;
use support::stages::{DASHBOARD, EXPORT};

const ROW: &str = concat!(
    r#"{"query":"error_rate","window":{"start":"2025-09-12T00:00:00Z","end":"2025-09-12T00:01:00Z"},"#,
    r#""service":"auth","error_rate":2.5}"#,
    "\n"
);
const PATIENCE: Duration = Duration::from_secs(20);

fn start(args: &[&str]) -> Live {
    let mut command = EXPORT.command();
    command.args(args);
    Live::spawn(command)
}

/// Scrapes until there is `text`.
#[track_caller]
fn scrape_until(address: &str, text: &str) -> String {
    wait_for(text, || Some(get(address, "/metrics")).filter(|metrics| metrics.contains(text)))
}

/// One request that a gateway got.
#[derive(Debug)]
struct Request {
    line: String,
    head: String,
    body: String,
}

/// A gateway that gives each request the next answer, the last one again and
/// again.
fn gateway(answers: &'static [&'static str]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut answers = answers.iter().copied();
        let mut answer = "";
        for stream in listener.incoming() {
            answer = answers.next().unwrap_or(answer);
            let mut stream = stream.unwrap();
            let request = read_request(&stream);
            let _ = write!(
                stream,
                "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nwhat?"
            );
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    (url, requests)
}

fn read_request(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    Request {
        line: lines.remove(0),
        head: lines.join("\n"),
        body: String::from_utf8(body).unwrap(),
    }
}

#[test]
fn metrics_are_scraped_while_the_input_stalls() {
    let Listening { mut live, address } = Listening::start(&[]);
    let empty = ask(&address, "GET", "/metrics", &address, "").unwrap();
    assert_eq!((empty.status, empty.body.as_str()), (200, ""));
    assert!(empty.head.contains("\r\ncontent-type: text/plain; version=0.0.4"), "{empty:?}");
    live.write(ROW);
    scrape_until(&address, "\nerror_rate{query=\"error_rate\",service=\"auth\"} 2.5\n");
    assert_eq!(ask(&address, "GET", "/nothing", &address, "").unwrap().status, 404);
    live.write(ROW.replace("2.5", "3.5"));
    scrape_until(&address, "service=\"auth\"} 3.5\n");
    live.close();
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
    assert!(TcpStream::connect(&address).is_err(), "it ends with its input");
}

#[test]
fn input_goes_on_while_scrapers_stall() {
    let Listening { mut live, address } = Listening::start(&[]);
    // Ten that ask and never read, ten that never finish asking.
    let stalled: Vec<TcpStream> = (0..20)
        .map(|index| {
            let mut stream = TcpStream::connect(&address).unwrap();
            let request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
            let asked = if index % 2 == 0 { request } else { &request[..20] };
            stream.write_all(asked.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Far more than the sockets of one scraper hold.
    for series in 0..9_000 {
        live.write(ROW.replace("auth", &format!("{series:0250}")));
    }
    let mut stalled = stalled;
    for stream in stalled.iter_mut().step_by(2) {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    live.write(ROW);
    scrape_until(&address, "service=\"auth\"} 2.5\n");
    live.close();
    let (end, _, _) = live.end_within(Duration::from_secs(10));
    assert_eq!(end, End::Code(0));
}

#[test]
fn the_whole_group_is_put_and_deleted_at_the_end() {
    let (url, requests) = gateway(&["200 OK"]);
    let args = ["--push", &url, "--job", "spark_streaming", "--grouping", "instance=web 1"];
    let mut live = start(&[&args[..], &["--every", "100ms", "--delete-on-exit"]].concat());
    live.write(ROW);
    let put = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(put.line, "put /metrics/job/spark_streaming/instance/web%201 http/1.1");
    assert!(put.head.contains("content-type: text/plain; version=0.0.4"), "{put:?}");
    let sample = "\nerror_rate{query=\"error_rate\",service=\"auth\"} 2.5\n";
    assert!(put.body.contains(sample), "{put:?}");
    // The same again, though nothing has changed: a gateway forgets.
    assert_eq!(requests.recv_timeout(PATIENCE).unwrap().body, put.body);
    live.close();
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
    let last = loop {
        let request = requests.recv_timeout(PATIENCE).expect("a delete should have come");
        if request.line != put.line {
            break request;
        }
    };
    assert_eq!(last.line, "delete /metrics/job/spark_streaming/instance/web%201 http/1.1");
}

#[test]
fn the_last_state_is_pushed_once_more() {
    let (url, requests) = gateway(&["200 OK"]);
    let ran = EXPORT.run(&["--push", &url], ROW).success();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let put = requests.recv_timeout(PATIENCE).unwrap();
    assert!(put.line.starts_with("put /metrics/job/highwater "), "{put:?}");
    assert!(put.body.contains("\nerror_rate{"), "{put:?}");
}

#[test]
fn an_outage_is_told_once_and_mended() {
    let (url, requests) = gateway(&["503 Busy", "503 Busy", "200 OK"]);
    let mut live = start(&["--push", &url, "--every", "100ms"]);
    live.write(ROW);
    let host = url.strip_prefix("http://").unwrap();
    let told = live.message();
    let expected = format!(
        "export-prom: the Pushgateway at {host} answered 503: what?; trying again every 0.1s"
    );
    assert_eq!(told, expected);
    assert_eq!(live.message(), format!("export-prom: pushing to {host} again"));
    drop(requests);
    live.close();
}

#[test]
fn what_could_not_be_pushed_at_the_end_fails_the_run() {
    let (url, _requests) = gateway(&["400 Bad Request"]);
    let ran = EXPORT.run(&["--push", &url], ROW).exited(1);
    let host = url.strip_prefix("http://").unwrap();
    assert_eq!(ran.stderr, format!("export-prom: the Pushgateway at {host} answered 400: what?\n"));
}

#[test]
fn input_goes_on_while_the_gateway_stalls() {
    // It takes connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let Listening { mut live, address } = Listening::start(&["--push", &url, "--every", "50ms"]);
    live.write(ROW);
    scrape_until(&address, "\nerror_rate{");
    let (_stalled, _) = listener.accept().unwrap();
    for value in 0..100 {
        live.write(ROW.replace("2.5", &value.to_string()));
    }
    scrape_until(&address, "service=\"auth\"} 99\n");
    // What it has not got at the end is tried for once more, and not for ever.
    live.close();
    let (end, _, said) = live.end_within(Duration::from_secs(15));
    assert_eq!(end, End::Code(1));
    assert!(said.last().unwrap().ends_with(": no answer within 5 s"), "{said:?}");
}

#[test]
fn a_redirect_is_no_success() {
    for answer in ["301 Moved", "302 Found\r\nLocation: http://example.com/login", "307 So"] {
        let (url, requests) = gateway(Box::leak(Box::new([answer])));
        let ran = EXPORT.run(&["--push", &url], ROW).exited(1);
        assert!(ran.stderr.contains(&format!(" answered {}", &answer[..3])), "{ran}");
        assert_eq!(ran.stderr.contains(": go to http://example.com/login"), &answer[..3] == "302");
        let requests: Vec<Request> = requests.try_iter().collect();
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.line.starts_with("put ")), "{requests:?}");
    }
}

#[test]
fn a_user_is_named_to_the_gateway() {
    let (url, requests) = gateway(&["200 OK"]);
    EXPORT.run(&["--push", &url.replace("://", "://u:p%40s@")], ROW).success();
    let put = requests.recv_timeout(PATIENCE).unwrap();
    assert!(put.head.contains("authorization: basic dtpwqhm="), "{put:?}");
}

#[test]
fn a_stream_that_goes_on_behind_its_suspension_is_pushed() {
    let (url, requests) = gateway(&["200 OK"]);
    let start = "{\"@\":\"start\",\"v\":1}\n";
    let suspend = "{\"@\":\"suspend\"}\n";
    let later = ROW.replace("2.5", "9.5");
    let end = "{\"@\":\"end\"}\n";
    let stream = [start, ROW, suspend, start, &later, end].concat();
    EXPORT.run(&["--push", &url, "--every", "1h"], stream).success();
    let last = requests.try_iter().last().unwrap();
    assert!(last.body.contains("service=\"auth\"} 9.5\n"), "{last:?}");
}

#[test]
fn one_sink_that_fails_starves_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.prom");
    let (url, requests) = gateway(&["200 OK"]);
    let args = ["--textfile", file.to_str().unwrap(), "--push", &url, "--every", "100ms"];
    let Listening { mut live, address } = Listening::start(&args);
    std::fs::remove_dir(folder.path()).unwrap();
    live.write(ROW);
    let told = live.message();
    assert!(told.contains("cannot write to") && told.ends_with("; trying again"), "{told}");
    scrape_until(&address, "\nerror_rate{");
    assert!(requests.recv_timeout(PATIENCE).unwrap().body.contains("\nerror_rate{"));
    live.write(ROW.replace("2.5", "9.5"));
    live.close();
    assert_eq!(live.end().0, End::Code(1), "the file could not be written at the end");
    let last = requests.try_iter().last().unwrap();
    assert!(last.body.contains("service=\"auth\"} 9.5\n"), "{last:?}");
}

#[test]
fn a_run_that_never_began_leaves_the_last_values() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.prom");
    let (url, requests) = gateway(&["200 OK"]);
    std::fs::write(&file, "old 1\n").unwrap();
    let state = folder.path().join("state");
    let args = ["--textfile", file.to_str().unwrap(), "--push", &url, "--delete-on-exit"];
    // What it reads is no stream of stages.
    let checkpoint = ["--checkpoint", state.to_str().unwrap()];
    EXPORT.run(&[&args[..], &checkpoint].concat(), ROW).exited(1);
    let mut idle = start(&[&args[..], &["--every", "50ms"]].concat());
    thread::sleep(Duration::from_millis(300));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old 1\n");
    assert!(requests.try_recv().is_err(), "nothing should have been pushed or deleted");
    idle.close();
    assert_eq!(idle.end().0, End::Code(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "", "there was nothing to the end");
}

#[test]
fn connections_are_accepted_again_after_there_were_too_many() {
    let mut command = std::process::Command::new("sh");
    let script = "ulimit -n 20; exec \"$0\" --listen 127.0.0.1:0";
    command.args(["-c", script, EXPORT.path]);
    let mut live = Live::spawn(command);
    let message = live.message();
    let address = message.strip_prefix("export-prom: listening on http://").unwrap();
    let address = address.strip_suffix("/metrics").unwrap().to_owned();
    live.write(ROW);
    scrape_until(&address, "\nerror_rate{");
    let crowd: Vec<_> = (0..30).map(|_| TcpStream::connect(&address).unwrap()).collect();
    thread::sleep(Duration::from_millis(300));
    drop(crowd);
    live.write(ROW.replace("2.5", "9.5"));
    scrape_until(&address, "service=\"auth\"} 9.5\n");
}

#[test]
fn labels_of_any_size_take_little_memory() {
    let long = "q".repeat(1 << 20);
    let wide: Vec<String> = (0..20_000).map(|index| format!("\"k{index}\":\"v\"")).collect();
    let window = r#""window":{"start":0,"end":60}"#;
    let input = [
        format!("{{\"query\":\"{long}\",{window},\"n\":1}}\n"),
        format!("{{{window},{},\"n\":2}}\n", wide.join(",")),
        format!("{{{window},\"{long}\":3,\"a\":\"{long}\",\"m\":4}}\n"),
    ]
    .concat();
    for args in [&[][..], &["--format", "openmetrics"]] {
        let (ran, stats) = EXPORT.run_counting(args, &input);
        let ran = ran.success();
        assert!(ran.stdout.len() < 2_000, "{ran}");
        assert!(ran.stdout.contains("\nm 4"), "{ran}");
        assert_eq!(stats["refused"], 2, "the row with too many labels, and the name too long");
    }
}

#[test]
fn all_sinks_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.prom");
    let (url, requests) = gateway(&["200 OK"]);
    let args = ["--push", &url, "--textfile", file.to_str().unwrap(), "--every", "50ms"];
    let Listening { mut live, address } = Listening::start(&args);
    live.write(ROW);
    let scraped = scrape_until(&address, "\nerror_rate{");
    let pushed = requests.recv_timeout(PATIENCE).unwrap().body;
    live.close();
    assert_eq!(live.end().0, End::Code(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), pushed);
    assert_eq!(scraped, pushed);
}

#[test]
fn a_back_fill_ends_with_its_mark() {
    let ran = EXPORT.run(&["--format", "openmetrics"], ROW).success();
    let sample = "error_rate{query=\"error_rate\",service=\"auth\"} 2.5 1757635260\n# EOF\n";
    assert!(ran.stdout.ends_with(sample), "{ran}");
    assert_eq!(EXPORT.run(&["--format", "openmetrics"], "").success().stdout, "# EOF\n");
}

#[test]
fn a_number_that_is_a_key_is_named() {
    let line = |status, n| {
        format!("{{\"window\":{{\"start\":0,\"end\":60}},\"status_code\":{status},\"n\":{n}}}\n")
    };
    let rows = line(200, 7) + &line(500, 1);
    let ran = EXPORT.run(&["--by", "status_code"], &rows).success();
    let samples: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("n{")).collect();
    assert_eq!(samples, ["n{status_code=\"200\"} 7", "n{status_code=\"500\"} 1"]);
    assert!(!ran.stdout.contains("\nstatus_code "), "{ran}");
    assert_eq!(ran.stderr, "");
}

#[test]
fn what_no_row_has_is_named_at_the_end() {
    let args = ["--query", "eror_rate", "--query", "error_rate", "--by", "sevice"];
    let said = "export-prom: no row is of the query eror_rate (--query)\n\
                export-prom: no row has the field sevice (--by)\n";
    assert_eq!(EXPORT.run(&args, ROW).success().stderr, said);
    assert_eq!(EXPORT.run(&args, "").success().stderr, "");
    let args = ["--query", "eror_rate"];
    let said = "dashboard: no row is of the query eror_rate (--query)\n";
    assert_eq!(DASHBOARD.run(&args, ROW).success().stderr, said);
}

#[test]
fn what_cannot_be_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let ran = EXPORT.run(&["--listen", &taken], "").exited(1);
    assert_eq!(
        ran.stderr,
        format!("export-prom: cannot listen on {taken}: Address already in use\n")
    );
    for (args, message) in [
        (&["--push", "localhost:9091"][..], "the Pushgateway's URL needs http:// and a host"),
        (&["--push", "http://u:secret@a:x"], "the Pushgateway's port is no number"),
        (&["--push", "http://a", "--job", ""], "--job must not be empty"),
        (&["--push", "http://a", "--grouping", "job=x"], "named by --job, not by --grouping"),
        (&["--push", "http://a", "--grouping", "0=x"], "a label's name is made of letters"),
        (&["--every", "0s", "--textfile", "a.prom"], "--every 0s: write a length of time"),
        (&["--format", "openmetrics", "--listen", "a:1"], "cannot be used with --listen"),
        (&["--format", "openmetrics", "--stale-after", "1h"], "with --stale-after: it has all"),
        (&["--format", "openmetrics", "--checkpoint", "x"], "cannot be used with --checkpoint"),
        (&["--textfile", "/no such/a.prom"], "there is no folder /no such"),
        (&["--push", "http://a", "--grouping", "a=1", "--grouping", "a=2"], "a is given twice"),
        (&["--push", "http://a", "--label", "job=x"], "the Pushgateway has a job of its own"),
        (&["--delete-on-exit"], "--push <URL>"),
    ] {
        let ran = EXPORT.run(args, "").exited(2);
        assert!(ran.stderr.contains(message), "{ran}");
        assert!(!ran.stderr.contains("secret"), "{ran}");
    }
}
