use proptest::prelude::*;

use super::*;

const RECORD: &str = r#"{"i":7,"z":0,"d":2.5,"s":"Söme Text","n":"12","bad":"x1","t":true,"f":false,"nul":null,
    "e":"a\"b","list":[1,[2,3],"a,b",{"c":1}],"obj":{"a":1,"b":{"c":"deep"}},"empty":[],"log.level":"warn",
    "timestamp":"2025-09-12T10:20:30.456Z","big":99999999999999999999999999999999999999}"#;

/// Asserts each expression's value over [`RECORD`], and that no cast fails.
fn check(cases: &[(&str, &str)]) {
    for (expr, expected) in cases {
        assert_eq!(evaluate(expr, RECORD), ((*expected).to_owned(), 0), "{expr}");
    }
}

/// Asserts that each expression is null over [`RECORD`] for a cast that failed.
fn check_failed(exprs: &[&str]) {
    for expr in exprs {
        assert_eq!(evaluate(expr, RECORD), ("null".to_owned(), 1), "{expr}");
    }
}

#[test]
fn fields_and_constants() {
    check(&[
        ("i", "7"),
        ("d", "2.5"),
        ("s", r#""Söme Text""#),
        ("e", r#""a\"b""#),
        ("missing", "null"),
        ("obj.b.c", r#""deep""#),
        ("log.level", r#""warn""#),
        ("`log.level`", r#""warn""#),
        ("obj", r#"{"a":1,"b":{"c":"deep"}}"#),
        ("1", "1"),
        ("-1", "-1"),
        ("1.50", "1.5"),
        ("1e3", "1000.0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("NULL", "null"),
        ("TRUE", "true"),
        ("'it''s'", r#""it's""#),
        (r"'a\\b\n'", r#""a\\b\n""#),
        (r#""do""uble""#, r#""do\"uble""#),
        (r"'it\'s \d\%'", r#""it's \\d\\%""#),
        ("timestamp", r#""2025-09-12T10:20:30.456Z""#),
        ("TIMESTAMP '2025-09-12 00:00:00'", r#""2025-09-12T00:00:00.000Z""#),
    ]);
}

#[test]
fn arithmetic() {
    check(&[
        ("i + 1", "8"),
        ("i - 10", "-3"),
        ("i * d", "17.5"),
        ("i / 2", "3.5"),
        ("6 / 2", "3.0"),
        ("i % 4", "3"),
        ("-i % 4", "-3"),
        ("d % 2", "0.5"),
        ("-d", "-2.5"),
        ("-(-i)", "7"),
        ("i + nul", "null"),
        ("nul * 0", "null"),
        ("i / z", "null"),
        ("i / 0.0", "null"),
        ("i % z", "null"),
        ("d % 0", "null"),
        ("1e308 * 10", "null"),
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("n + 1", "13"),
        ("'2.5' * 2", "5.0"),
        ("n / 5", "2.4"),
        ("t + 1", "2"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("mod(-i, 4)", "-3"),
        ("-i div 2", "-3"),
        ("d div 2", "1"),
        ("i div z", "null"),
        ("d div 0.0", "null"),
        ("1 + 7 div 2 * 2", "7"),
    ]);
    check_failed(&["big + big", "big * 2", "big - -big", "bad + 1", "obj * 2", "-bad"]);
}

#[test]
fn comparison() {
    check(&[
        ("i = 7", "true"),
        ("i <> 7", "false"),
        ("i != 8", "true"),
        ("i < 8", "true"),
        ("i <= 7", "true"),
        ("i > 7", "false"),
        ("i >= 7.0", "true"),
        ("i = 7.0", "true"),
        ("d > 2", "true"),
        ("s = 'Söme Text'", "true"),
        ("s <> 'x'", "true"),
        ("s < 'T'", "true"),
        ("n = 12", "true"),
        ("12.0 = n", "true"),
        ("n > 2", "true"),
        ("n > '2'", "false"),
        ("t = true", "true"),
        ("t > f", "true"),
        ("t = 'yes'", "true"),
        ("t = 1", "true"),
        ("nul = nul", "null"),
        ("i = nul", "null"),
        ("missing < 1", "null"),
        ("nul <=> nul", "true"),
        ("i <=> nul", "false"),
        ("i <=> 7.0", "true"),
        ("nul IS NOT DISTINCT FROM missing", "true"),
        ("i IS DISTINCT FROM 8", "true"),
        ("-0.0 = 0", "true"),
        ("9007199254740993 = 9007199254740992.0", "false"),
        ("obj = obj", "true"),
        ("timestamp >= '2025-09-12'", "true"),
        ("'2025-09-12T10:20:30.457Z' > timestamp", "true"),
        ("timestamp = '2025-09-12T12:20:30.456+02:00'", "true"),
        ("timestamp < 1757635200", "false"),
        ("timestamp = n", "false"),
    ]);
    check_failed(&["bad = 1", "bad > 1.5", "t = bad", "obj = 1", "timestamp > s", "t = obj"]);
    assert_eq!(evaluate("bad <=> 1", RECORD), ("false".into(), 1));
}

#[test]
fn three_valued_logic() {
    let words = [("t", Some(true)), ("f", Some(false)), ("nul", None)];
    let text = |truth: Option<bool>| truth.map_or("null".to_owned(), |truth| truth.to_string());
    for (a, left) in words {
        assert_eq!(evaluate(&format!("NOT {a}"), RECORD).0, text(left.map(|truth| !truth)));
        assert_eq!(evaluate(&format!("{a} IS TRUE"), RECORD).0, (left == Some(true)).to_string());
        assert_eq!(
            evaluate(&format!("{a} IS NOT FALSE"), RECORD).0,
            (left != Some(false)).to_string()
        );
        assert_eq!(evaluate(&format!("{a} IS UNKNOWN"), RECORD).0, left.is_none().to_string());
        for (b, right) in words {
            let and = if left == Some(false) || right == Some(false) {
                Some(false)
            } else {
                left.and(right)
            };
            let or = if left == Some(true) || right == Some(true) {
                Some(true)
            } else {
                left.and(right)
            };
            assert_eq!(evaluate(&format!("{a} AND {b}"), RECORD).0, text(and), "{a} AND {b}");
            assert_eq!(evaluate(&format!("{a} OR {b}"), RECORD).0, text(or), "{a} OR {b}");
        }
    }
    check(&[("i AND 'yes'", "true"), ("z OR 'no'", "false"), ("! t", "false")]);
    check_failed(&["NOT s", "obj AND t"]);
}

#[test]
fn tests_of_membership_range_and_pattern() {
    check(&[
        ("i IN (1, 7)", "true"),
        ("i IN (1, 2)", "false"),
        ("i IN (1, NULL)", "null"),
        ("i IN (7, NULL)", "true"),
        ("nul IN (1)", "null"),
        ("i NOT IN (1, 2)", "true"),
        ("s IN ('a', 'Söme Text')", "true"),
        ("n IN (12, 13)", "true"),
        ("i BETWEEN 7 AND 8", "true"),
        ("i BETWEEN 8 AND 9", "false"),
        ("i BETWEEN nul AND 6", "false"),
        ("i BETWEEN nul AND 8", "null"),
        ("i BETWEEN 1 AND nul", "null"),
        ("i NOT BETWEEN 1 AND 5", "true"),
        ("timestamp BETWEEN '2025-09-12' AND '2025-09-13'", "true"),
        ("nul IS NULL", "true"),
        ("missing IS NULL", "true"),
        ("i IS NOT NULL", "true"),
        ("isnull(nul)", "true"),
        ("isnotnull(nul)", "false"),
        ("s LIKE 'S_me%'", "true"),
        ("s LIKE '%text'", "false"),
        ("s ILIKE '%TEXT'", "true"),
        ("s NOT LIKE 'x%'", "true"),
        ("s NOT ILIKE '%TEXT'", "false"),
        ("s NOT LIKE '%!%' ESCAPE '!'", "true"),
        ("i NOT IN (1, NULL)", "null"),
        ("s LIKE '%!%%' ESCAPE '!'", "false"),
        ("nul LIKE '%'", "null"),
        (r"'5%' LIKE '_\%'", "true"),
        (r"'5x' LIKE '_\%'", "false"),
        ("i LIKE '7'", "true"),
        ("s RLIKE '^S.me'", "true"),
        (r"n RLIKE '^\d+$'", "true"),
        (r"n RLIKE '^\\d+$'", "true"),
        ("n REGEXP '3'", "false"),
        ("n NOT RLIKE '3'", "true"),
    ]);
}

#[test]
fn choice() {
    check(&[
        ("CASE WHEN i > 5 THEN 'big' ELSE 'small' END", r#""big""#),
        ("CASE WHEN nul THEN 1 WHEN f THEN 2 END", "null"),
        ("CASE i WHEN 6 THEN 'six' WHEN 7.0 THEN 'seven' END", r#""seven""#),
        ("CASE nul WHEN nul THEN 1 ELSE 2 END", "2"),
        ("CASE WHEN t THEN 1 ELSE 2.5 END", "1.0"),
        ("CASE WHEN t THEN i + 1 ELSE 2.5 END", "8.0"),
        ("CASE WHEN t THEN 1 ELSE 2 END", "1"),
        ("CASE WHEN t THEN 1 ELSE 'x' END", r#""1""#),
        ("CASE WHEN f THEN 'x' ELSE i END", r#""7""#),
        ("CASE WHEN f THEN 'x' ELSE nul END", "null"),
        ("CASE WHEN f THEN 'x' ELSE t = t END", "true"),
        ("coalesce(nul, i, 'none')", r#""7""#),
        ("coalesce(NULL, 1, 2.5)", "1.0"),
        ("greatest(1, 2.5, 3)", "3.0"),
        ("greatest(i, 2.5)", "7"),
        ("if(i > 5, 'a', 'b')", r#""a""#),
        ("if(nul, 'a', 'b')", r#""b""#),
        ("coalesce(nul, missing, i, d)", "7"),
        ("coalesce(nul)", "null"),
        ("ifnull(nul, 1)", "1"),
        ("nvl(i, 1)", "7"),
        ("nullif(i, 7)", "null"),
        ("nullif(i, 8)", "7"),
        ("nullif(i, nul)", "7"),
        ("greatest(1, nul, i, d)", "7"),
        ("least(3, i, d)", "2.5"),
        ("greatest(nul, missing)", "null"),
        ("nvl2(i, 'is', 'is not')", r#""is""#),
        ("nvl2(nul, 1, 2.5)", "2.5"),
    ]);
}

#[test]
fn text() {
    check(&[
        ("lower(s)", r#""söme text""#),
        ("upper(s)", r#""SÖME TEXT""#),
        ("upper('abc')", r#""ABC""#),
        ("lower(nul)", "null"),
        ("length(s)", "9"),
        ("length(i * 100)", "3"),
        ("substring(s, 2, 3)", r#""öme""#),
        ("substring(s, 6)", r#""Text""#),
        ("substr(s, -4, 2)", r#""Te""#),
        ("substring('abc', 0, 2)", r#""ab""#),
        ("substring('abc', -5, 3)", r#""a""#),
        ("substring('abc', 9)", r#""""#),
        ("substring('abc', 2, -1)", r#""""#),
        ("substring('abc', nul)", "null"),
        ("concat(s, '/', i, '/', d, '/', t)", r#""Söme Text/7/2.5/true""#),
        ("concat('a', nul)", "null"),
        ("'a' || 1", r#""a1""#),
        ("concat('at ', timestamp)", r#""at 2025-09-12T10:20:30.456Z""#),
        ("trim('  a b ')", r#""a b""#),
        ("contains(s, 'me T')", "true"),
        ("startswith(s, 'Sö')", "true"),
        ("endswith(s, 'x')", "false"),
        ("ltrim('  a b ')", r#""a b ""#),
        ("rtrim('  a b ')", r#""  a b""#),
        ("left(s, 2)", r#""Sö""#),
        ("left(s, 99)", r#""Söme Text""#),
        ("left(s, -1)", r#""""#),
        ("left(s, nul)", "null"),
        ("right(s, 4)", r#""Text""#),
        ("right(s, 99)", r#""Söme Text""#),
        ("right(s, 0)", r#""""#),
        ("replace(s, 'e', '3')", r#""Söm3 T3xt""#),
        ("replace('aaa', 'aa')", r#""a""#),
        ("replace(s, '')", r#""Söme Text""#),
        ("replace(s, nul)", "null"),
        ("split_part('/api/users/7', '/', 2)", r#""api""#),
        ("split_part('/api/users/7', '/', 1)", r#""""#),
        ("split_part('/api/users/7', '/', -1)", r#""7""#),
        ("split_part('/api/users/7', '/', -4)", r#""""#),
        ("split_part('/api/users/7', '/', 5)", r#""""#),
        ("split_part('abc', '', 1)", r#""abc""#),
        ("split_part('abc', 'x', -1)", r#""abc""#),
        ("split_part(nul, '/', 1)", "null"),
        ("concat_ws('-', 'a', nul, i, d)", r#""a-7-2.5""#),
        ("concat_ws('-', list)", r#""1-[2,3]-a,b-{\"c\":1}""#),
        ("concat_ws('-', empty, nul)", r#""""#),
        ("concat_ws(nul, 'a')", "null"),
        ("concat_ws('-')", r#""""#),
        ("regexp_extract(s, '(.)xt')", r#""e""#),
        ("regexp_extract(s, '(T)(e)', 2)", r#""e""#),
        ("regexp_extract(s, 'T.', 0)", r#""Te""#),
        ("regexp_extract(s, '(Z)')", r#""""#),
        ("regexp_extract('ab', 'a(x)?b')", r#""""#),
        ("regexp_extract(nul, '(a)')", "null"),
        (r"regexp_extract(n, '^(\d)')", r#""1""#),
        (r"regexp_replace('/users/12/items/7', '\d+', 'N')", r#""/users/N/items/N""#),
        ("regexp_replace('ab', '(a)(b)', '$2$1x$$')", r#""bax$$""#),
        (r"regexp_replace('ab', 'a', '\$1')", r#""$1b""#),
        ("regexp_replace(nul, 'a', 'b')", "null"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("abs(-i)", "7"),
        ("abs(-2.5)", "2.5"),
        ("round(d)", "3.0"),
        ("round(-2.5)", "-3.0"),
        ("round(2.675, 2)", "2.68"),
        ("round(1.005, 2)", "1.01"),
        ("round(1234.5, -2)", "1200.0"),
        ("round(1e300, 2)", "1e+300"),
        ("round(5e-324, 10)", "0.0"),
        ("round(99.995, 2)", "100.0"),
        ("round(25, -1)", "30"),
        ("round(-25, -1)", "-30"),
        ("round(i, 3)", "7"),
        ("round(i, -50)", "0"),
        ("floor(-d)", "-3"),
        ("ceil(d)", "3"),
        ("floor(i)", "7"),
        ("sqrt(9)", "3.0"),
        ("sqrt(-1)", "null"),
        ("power(2, 10)", "1024.0"),
        ("size(list)", "4"),
        ("size(obj)", "2"),
        ("size(empty)", "0"),
        ("size(nul)", "null"),
        ("sign(-d)", "-1.0"),
        ("signum(z)", "0.0"),
        ("exp(0)", "1.0"),
        ("ln(1)", "0.0"),
        ("log10(1000)", "3.0"),
        ("log2(8)", "3.0"),
        ("ln(z)", "null"),
        ("ln(nul)", "null"),
    ]);
    check_failed(&["abs(bad)", "size(s)", "floor(1e39)"]);
}

#[test]
fn casts() {
    check(&[
        ("CAST(i AS string)", r#""7""#),
        ("CAST(d AS string)", r#""2.5""#),
        ("CAST(t AS string)", r#""true""#),
        ("CAST(n AS int)", "12"),
        ("CAST(' 12 ' AS bigint)", "12"),
        ("CAST('1.9' AS int)", "1"),
        ("CAST(-2.9 AS int)", "-2"),
        ("CAST(t AS int)", "1"),
        ("CAST(i AS double)", "7.0"),
        ("CAST('1e3' AS double)", "1000.0"),
        ("CAST('.5' AS double)", "0.5"),
        ("CAST('T' AS boolean)", "true"),
        ("CAST('no' AS boolean)", "false"),
        ("CAST(z AS boolean)", "false"),
        ("CAST(nul AS int)", "null"),
        ("i::string", r#""7""#),
        ("try_cast(n AS int)", "12"),
        ("double(n)", "12.0"),
        ("CAST('2025-09-12 01:02:03' AS timestamp)", r#""2025-09-12T01:02:03.000Z""#),
        ("CAST('2025-09-12' AS timestamp)", r#""2025-09-12T00:00:00.000Z""#),
        ("to_timestamp('1757635200')", r#""2025-09-12T00:00:00.000Z""#),
        ("CAST(1757635200123 AS timestamp)", r#""2025-09-12T00:00:00.123Z""#),
        ("CAST(1757635200.5 AS timestamp)", r#""2025-09-12T00:00:00.500Z""#),
        ("CAST(timestamp AS bigint)", "1757672430"),
        ("CAST(timestamp AS double)", "1757672430.456"),
    ]);
    check_failed(&[
        "CAST(bad AS int)",
        "CAST('' AS double)",
        "CAST('inf' AS double)",
        "CAST('1e999' AS double)",
        "CAST(3000000000 AS int)",
        "CAST(9223372036854775808 AS bigint)",
        "CAST(1e300 AS bigint)",
        "CAST('maybe' AS boolean)",
        "CAST('yesterday' AS timestamp)",
        "CAST(t AS timestamp)",
        "CAST(obj AS double)",
    ]);
}

#[test]
fn times() {
    check(&[
        ("timestamp + INTERVAL 5 MINUTES", r#""2025-09-12T10:25:30.456Z""#),
        ("timestamp - INTERVAL '1' DAY", r#""2025-09-11T10:20:30.456Z""#),
        ("INTERVAL '90 seconds' + timestamp", r#""2025-09-12T10:22:00.456Z""#),
        ("timestamp > timestamp - INTERVAL 1 SECOND", "true"),
        ("missing + INTERVAL 1 DAY", "null"),
        ("date_trunc('second', timestamp)", r#""2025-09-12T10:20:30.000Z""#),
        ("date_trunc('MINUTE', timestamp)", r#""2025-09-12T10:20:00.000Z""#),
        ("date_trunc('hour', timestamp)", r#""2025-09-12T10:00:00.000Z""#),
        ("date_trunc('day', timestamp)", r#""2025-09-12T00:00:00.000Z""#),
        ("date_trunc('week', timestamp)", r#""2025-09-08T00:00:00.000Z""#),
        ("date_trunc('month', timestamp)", r#""2025-09-01T00:00:00.000Z""#),
        ("date_trunc('quarter', timestamp)", r#""2025-07-01T00:00:00.000Z""#),
        ("date_trunc('year', timestamp)", r#""2025-01-01T00:00:00.000Z""#),
        ("date_trunc('week', TIMESTAMP '1969-12-28 12:00:00')", r#""1969-12-22T00:00:00.000Z""#),
        ("date_trunc('hour', nul)", "null"),
        ("year(timestamp)", "2025"),
        ("month(timestamp)", "9"),
        ("day(timestamp)", "12"),
        ("dayofweek(timestamp)", "6"),
        ("dayofweek(TIMESTAMP '1969-12-28 12:00:00')", "1"),
        ("hour(timestamp)", "10"),
        ("minute(timestamp)", "20"),
        ("second(timestamp)", "30"),
        ("hour(TIMESTAMP '1969-12-31 23:59:59.5')", "23"),
        ("second(TIMESTAMP '1969-12-31 23:59:59.5')", "59"),
        ("EXTRACT(HOUR FROM timestamp)", "10"),
        ("extract(day from timestamp)", "12"),
        ("hour('2025-09-12 07:00:00')", "7"),
        ("hour(nul)", "null"),
        ("unix_timestamp(timestamp)", "1757672430"),
        ("unix_millis(timestamp)", "1757672430456"),
        ("unix_millis(TIMESTAMP '1969-12-31 23:59:59.9999')", "-1"),
        ("now()", r#""1970-01-01T00:00:00.000Z""#),
        ("current_timestamp", r#""1970-01-01T00:00:00.000Z""#),
        ("current_timestamp() - INTERVAL 1 SECOND", r#""1969-12-31T23:59:59.000Z""#),
        ("timestamp > now()", "true"),
    ]);
    check_failed(&[
        "TIMESTAMP '9999-12-31 23:59:59' + INTERVAL 1 DAY",
        "bad + INTERVAL 1 DAY",
        "date_trunc('day', bad)",
        "hour(bad)",
    ]);
}

#[test]
fn the_time_field_is_a_time_whatever_its_spelling() {
    for time in ["\"2025-09-12 00:00:00\"", "1757635200", "1757635200000", "1757635200.0"] {
        let record = format!("{{\"timestamp\":{time}}}");
        let expected = ("\"2025-09-12T00:00:00.000Z\"".to_owned(), 0);
        assert_eq!(evaluate("timestamp", &record), expected, "{time}");
    }
    assert_eq!(evaluate("timestamp", "{\"timestamp\":\"soon\"}"), ("null".into(), 1));
}

#[test]
fn provenance_needs_no_quotes() {
    let record = r#"{"@source":{"partition":3},"a":1}"#;
    for expr in ["@source.partition", "`@source.partition`", "`@source`.partition"] {
        assert_eq!(evaluate(expr, record).0, "3", "{expr}");
    }
}

proptest! {
    #[test]
    fn integers_compute_as_in_rust(a in any::<i64>(), b in any::<i64>()) {
        let record = format!("{{\"a\":{a},\"b\":{b}}}");
        let (x, y) = (i128::from(a), i128::from(b));
        prop_assert_eq!(evaluate("a + b", &record).0, (x + y).to_string());
        prop_assert_eq!(evaluate("a - b", &record).0, (x - y).to_string());
        prop_assert_eq!(evaluate("a * b", &record).0, (x * y).to_string());
        prop_assert_eq!(evaluate("a < b", &record).0, (x < y).to_string());
        prop_assert_eq!(evaluate("greatest(a, b)", &record).0, x.max(y).to_string());
        if b != 0 {
            prop_assert_eq!(evaluate("a % b", &record).0, (x % y).to_string());
        }
    }

    #[test]
    fn rounding_is_by_printed_digits(whole in -1_000_000_i64..1_000_000, thousandths in 0_u32..1_000) {
        let number = format!("{whole}.{thousandths:03}");
        // To two places, half away from zero, on the digits themselves.
        let digits = whole.abs() * 1_000 + i64::from(thousandths);
        let cents = (digits + 5) / 10;
        let sign = if number.starts_with('-') { "-" } else { "" };
        let expected: f64 = format!("{sign}{}.{:02}", cents / 100, cents % 100).parse().unwrap();
        let rounded_bits = |text: &str| text.parse::<f64>().unwrap().to_bits();
        let (rounded, _) = evaluate("round(x, 2)", &format!("{{\"x\":{number}}}"));
        prop_assert_eq!(rounded_bits(&rounded), expected.to_bits(), "{}", number);
    }

    #[test]
    fn substrings_are_as_by_chars(text in "[aéz€😀 ]{0,8}", from in -10_i64..10, length in -2_i64..10) {
        let chars: Vec<char> = text.chars().collect();
        let start = match from { 1.. => from - 1, 0 => 0, _ => chars.len() as i64 + from };
        let within = |at: i64| at.clamp(0, chars.len() as i64) as usize;
        let (start, end) = (within(start), within(start + length));
        let expected: String = chars.get(start..end).unwrap_or_default().iter().collect();
        let (found, _) = evaluate(&format!("substring(x, {from}, {length})"), &format!("{{\"x\":\"{text}\"}}"));
        prop_assert_eq!(found, format!("\"{expected}\""));
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "(SELECT|window|count|\\(|\\)|\\*|,|AS|x|1|'a'|FROM|WHERE|GROUP BY|WATERMARK|INTERVAL|CASE|@| |é|\"|`|\n){0,12}") {
        if let Err(error) = compile(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
        let _ = Expr::compile(&text, "--where", "timestamp", &mut Projection::default());
    }
}
