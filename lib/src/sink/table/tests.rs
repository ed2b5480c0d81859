use super::*;

fn draw(size: Option<(usize, usize)>, redraws: bool, batches: &[&str]) -> String {
    let size = size.map(|(columns, rows)| TerminalSize { columns, rows });
    let mut sink = TableSink::new(true, redraws, Box::new(move || size), Vec::new());
    for batch in batches {
        sink.write_all(batch.as_bytes()).unwrap();
        sink.flush().unwrap();
    }
    String::from_utf8(sink.out).unwrap()
}

const ROWS: &str = r#"{"query":"q","window":{"start":"2025-09-12T00:00:00.000Z","end":"2025-09-12T00:01:00.000Z"},"service":"auth","n":1,"x":2.50,"set":["a","b"]}
{"query":"q","window":{"start":"2025-09-11T23:59:30.250Z","end":"2025-09-12T00:00:30.250Z"},"service":"結果","n":1000,"x":null,"set":[],"overflow":true}
"#;

#[test]
fn columns_are_aligned() {
    assert_eq!(
        draw(None, false, &[ROWS]),
        "q
window                                             service     n     x  set        overflow
─────────────────────────────────────────────────  ───────  ────  ────  ─────────  ────────
2025-09-12 00:00:00 – 00:01:00                     auth        1  2.50  [\"a\",\"b\"]
2025-09-11 23:59:30.250 – 2025-09-12 00:00:30.250  結果     1000  null  []         true
"
    );
}

#[test]
fn a_narrow_terminal_cuts_text_before_numbers() {
    let drawn = draw(Some((90, 24)), false, &[ROWS]);
    assert!(drawn.lines().all(|line| cell::width(line) <= 90), "{drawn}");
    assert!(
        drawn.contains("1000  null  []") && drawn.contains(":30.250  ") && drawn.contains("b…"),
        "{drawn}"
    );
}

#[test]
fn terminals_are_safe_from_the_data() {
    let drawn = draw(
        None,
        false,
        &[
            "{\"k\":\"\\u001b[2Jx\\ny\u{85}\u{202e}\\t\",\"a\\u001bb\":1,\"list\":[\"\u{9b}31m\"]}\n",
        ],
    );
    assert!(drawn.contains(r"\u001b[2Jx\ny\u0085\u202e\t"), "{drawn}");
    assert!(drawn.contains(r"a\u001bb") && drawn.contains(r#"["\u009b31m"]"#), "{drawn}");
    assert!(!drawn.chars().any(|char| char.is_control() && char != '\n'));
}

#[test]
fn batches_follow_one_another_or_are_drawn_over() {
    let (a, b) = ("{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n");
    assert_eq!(draw(Some((80, 24)), false, &[a, b]), "n\n─\n1\n2\n\nn\n─\n3\n");
    assert_eq!(draw(None, true, &[a, b]), "n\n─\n1\n2\n\nn\n─\n3\n");
    assert_eq!(draw(Some((80, 24)), true, &[a, b]), "n\n─\n1\n2\n\x1b[4F\x1b[Jn\n─\n3\n");
    // What has scrolled away cannot be drawn over.
    assert_eq!(draw(Some((80, 4)), true, &[a, b]), "n\n─\n1\n2\n\nn\n─\n3\n");
    assert_eq!(draw(Some((80, 24)), true, &[a, "", b]), draw(Some((80, 24)), true, &[a, b]));
}

#[test]
fn each_query_has_its_table() {
    let rows = "{\"query\":\"a\",\"n\":1}\n{\"query\":\"b\",\"m\":2}\n{\"query\":\"a\",\"n\":3}\n";
    assert_eq!(draw(None, false, &[rows]), "a\nn\n─\n1\n3\n\nb\nm\n─\n2\n");
}

#[test]
fn long_batches_are_drawn_in_blocks() {
    let rows: Vec<_> = (0..BLOCK_ROWS + 3).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let drawn = draw(None, false, &[&rows.concat()]);
    assert_eq!(drawn.matches("─\n").count(), 2);
    assert!(drawn.ends_with("\n\n   n\n────\n5000\n5001\n5002\n"));
}

#[test]
fn widths_fit_the_terminal() {
    let column = |width, is_number| layout::Column { width, is_number, is_text: !is_number };
    for (available, widths, expected) in [
        (40, [(10, false), (10, false), (5, true)], [10, 10, 5]),
        (29, [(30, false), (10, false), (5, true)], [10, 10, 5]),
        (27, [(30, false), (10, false), (5, true)], [9, 9, 5]),
        (20, [(30, false), (10, false), (9, true)], [5, 5, 5]),
        (3, [(30, false), (10, false), (9, true)], [1, 1, 1]),
    ] {
        let mut columns = widths.map(|(width, is_number)| column(width, is_number));
        layout::fit(&mut columns, available);
        assert_eq!(columns.map(|column| column.width), expected, "{available}");
    }
}

#[test]
fn cut_text_is_never_too_wide() {
    for (text, columns, expected) in [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("結果結果", 5, "結果…"),
        ("結果結果", 4, "結…"),
        ("結", 1, "…"),
        ("e\u{301}e\u{301}e", 2, "e\u{301}…"),
    ] {
        assert_eq!(cell::cut(text, columns), expected, "{text} {columns}");
    }
}
