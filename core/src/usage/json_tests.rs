use proptest::prelude::*;

use super::super::tree::Slot;
use super::*;

static ROOT: Node = Node::object(&[
    ("usage", &Node::whole(Slot::Usage)),
    ("model", &Node::whole(Slot::Model)),
    ("text", &TEXT),
    ("list", &Node::array(&Node::object(&[("text", &TEXT)]))),
]);
static TEXT: Node = Node::counted();

/// Everything that a scan hands over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    values: Vec<(String, String)>,
    text: u64,
}

impl Sink for Found {
    fn value(&mut self, slot: Slot, json: &[u8]) {
        let json = String::from_utf8_lossy(json).into_owned();
        self.values.push((format!("{slot:?}"), json));
    }

    fn text(&mut self, bytes: u64) {
        self.text += bytes;
    }
}

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Found, bool) {
    let mut scanner = Scanner::new(&ROOT);
    let mut found = Found::default();
    for piece in pieces {
        scanner.push(piece, &mut found);
    }
    (found, scanner.is_done())
}

fn usage_of(document: &str) -> Vec<String> {
    let (found, _) = scan([document.as_bytes()]);
    found
        .values
        .into_iter()
        .filter(|(slot, _)| slot == "Usage")
        .map(|(_, json)| json)
        .collect()
}

#[test]
fn a_value_is_found_by_its_path() {
    assert_eq!(
        usage_of(r#"{"id":"x" , "usage" : {"a":[1,{"b":"}"}]} ,"z":1}"#),
        [r#"{"a":[1,{"b":"}"}]}"#]
    );
}

#[test]
fn a_usage_elsewhere_is_not_taken_for_it() {
    for document in [
        r#"{"text":"\"usage\":{\"a\":1}"}"#,
        r#"{"other":{"usage":{"a":1}}}"#,
        r#"{"list":[{"usage":{"a":1}}]}"#,
        r#"{"x":["usage",{"a":1}]}"#,
        r#"[{"usage":{"a":1}}]"#,
        r#""usage""#,
    ] {
        assert!(usage_of(document).is_empty(), "{document}");
    }
}

#[test]
fn a_key_may_be_written_with_escapes() {
    assert_eq!(usage_of(r#"{"us\u0061ge":1}"#), ["1"]);
    assert_eq!(usage_of(r#"{"\u0075\u0073\u0061\u0067\u0065":1}"#), ["1"]);
    assert!(usage_of(r#"{"us\age":1,"us\u00e4ge":2,"usage\\":3}"#).is_empty());
}

#[test]
fn a_value_over_its_limit_is_handed_over_empty() {
    let long = format!(r#"{{"model":"{}"}}"#, "x".repeat(600));
    let (whole, _) = scan([long.as_bytes()]);
    let (pieces, _) = scan(long.as_bytes().chunks(7));
    assert_eq!(whole.values, [("Model".to_owned(), String::new())]);
    assert_eq!(whole, pieces);
}

#[test]
fn text_is_counted_as_the_utf8_that_it_stands_for() {
    for (json, bytes) in [
        (r#""abc""#, 3),
        (r#""""#, 0),
        (r#""a\nb\"\\""#, 5),
        ("\"\\u00e4\\u4e2d\\ud83d\\ude00\"", 2 + 3 + 4),
        ("\"ä中😀\"", 2 + 3 + 4),
        ("null", 0),
        (r#"{"a":1}"#, 7),
    ] {
        let document = format!(r#"{{"text":{json}}}"#);
        let (found, done) = scan([document.as_bytes()]);
        assert_eq!((found.text, done), (bytes, true), "{json}");
    }
}

#[test]
fn what_is_no_json_ends_in_silence() {
    for document in [
        "",
        "hello",
        "{]",
        "{\"a\" 1}",
        "{\"usage\"}",
        "}",
        "{\"usage\":,}",
        "{1:2}",
        "{\"a\":1]",
    ] {
        let (found, done) = scan([document.as_bytes()]);
        assert_eq!((found, done), (Found::default(), false), "{document}");
    }
}

#[test]
fn a_scanner_that_was_reset_in_the_middle_of_an_escape_starts_afresh() {
    let mut scanner = Scanner::new(&ROOT);
    let mut found = Found::default();
    scanner.push(br#"{"other":"x\"#, &mut found);
    scanner.reset();
    scanner.push(br#"{"usage":1}"#, &mut found);
    assert_eq!(found.values, [("Usage".to_owned(), "1".to_owned())]);
}

#[test]
fn deep_nesting_takes_no_memory() {
    let deep = "[".repeat(1_000_000);
    let (found, done) = scan([br#"{"x":"#, deep.as_bytes()]);
    assert_eq!((found, done), (Found::default(), false));
}

/// Documents around the tree: its keys, other keys, strings with escapes, nesting.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "[ -~äß中😀\"\\\\\n]{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec(("usage|model|text|list|[a-zä\"\\\\]{0,8}", inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, tail) = rest.split_at((*size).clamp(1, rest.len()));
        pieces.push(piece.to_vec());
        rest = tail;
    }
    pieces
}

proptest! {
    #[test]
    fn any_cut_finds_the_same(document in documents(), sizes in prop::collection::vec(1usize..9, 1..20), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
        let pieces = cut(&text, &sizes);
        prop_assert_eq!(scan([text.as_slice()]), scan(pieces.iter().map(Vec::as_slice)));
    }

    #[test]
    fn what_is_found_is_what_a_document_has(document in documents()) {
        let text = serde_json::to_vec(&document).unwrap();
        let (found, _) = scan([text.as_slice()]);
        let usage = found.values.iter().find(|(slot, _)| slot == "Usage").map(|(_, json)| {
            serde_json::from_str::<serde_json::Value>(json).unwrap()
        });
        prop_assert_eq!(usage.as_ref(), document.get("usage"));
        let own = document.get("text").map_or(0, counted);
        let items = document.get("list").and_then(|list| list.as_array()).into_iter().flatten();
        let listed: u64 = items.filter_map(|item| item.get("text")).map(counted).sum();
        prop_assert_eq!(found.text, own + listed);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), sizes in prop::collection::vec(1usize..9, 1..9)) {
        let pieces = cut(&bytes, &sizes);
        prop_assert_eq!(scan([bytes.as_slice()]), scan(pieces.iter().map(Vec::as_slice)));
    }

    #[test]
    fn no_bytes_of_json_panic(text in "[\\[\\]{}\":,\\\\u0usagextl 1n-]{0,80}", sizes in prop::collection::vec(1usize..9, 1..9)) {
        let pieces = cut(text.as_bytes(), &sizes);
        prop_assert_eq!(scan([text.as_bytes()]), scan(pieces.iter().map(Vec::as_slice)));
    }
}

fn counted(value: &serde_json::Value) -> u64 {
    match value {
        serde_json::Value::String(text) => text.len() as u64,
        serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
            serde_json::to_vec(value).unwrap().len() as u64
        }
        _ => 0,
    }
}
