use proptest::prelude::*;

use super::*;

/// The data of each event; the last may be incomplete.
#[derive(Debug, Default, PartialEq, Eq)]
struct Events {
    complete: Vec<String>,
    current: Vec<u8>,
}

impl Handler for Events {
    fn data(&mut self, part: &[u8]) {
        self.current.extend_from_slice(part);
    }

    fn end_of_event(&mut self) {
        let data = std::mem::take(&mut self.current);
        self.complete.push(String::from_utf8_lossy(&data).into_owned());
    }
}

fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut parser = Parser::default();
    let mut events = Events::default();
    for piece in pieces {
        parser.push(piece, &mut events);
    }
    parser.finish(&mut events);
    events.complete
}

/// Where events end, by the first byte after them.
fn ends(pieces: &[&[u8]]) -> Vec<usize> {
    let mut boundaries = Boundaries::default();
    let mut ends: Vec<usize> = Vec::new();
    let mut offset = 0;
    for piece in pieces {
        let late = boundaries.late_lf(piece);
        if let (1, Some(last)) = (late, ends.last_mut()) {
            *last += 1;
        }
        let mut at = late;
        while let Some(length) = boundaries.next_end(&piece[at..]) {
            at += length;
            ends.push(offset + at);
        }
        offset += piece.len();
    }
    ends
}

#[test]
fn all_line_endings_are_one() {
    for stream in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\rdata: b\r\r",
        "data: a\r\n\r\ndata: b\r\n\r\n",
    ] {
        assert_eq!(parse([stream.as_bytes()]), ["a", "b"], "{stream:?}");
        assert_eq!(parse(stream.as_bytes().chunks(1)), ["a", "b"], "{stream:?}");
    }
}

#[test]
fn one_space_after_the_colon_is_no_data() {
    assert_eq!(
        parse([b"data:a\n\ndata: b\n\ndata:  c\n\n".as_slice()]),
        ["a", "b", " c"]
    );
}

#[test]
fn several_data_lines_are_one_event() {
    assert_eq!(parse([b"data: {\ndata\ndata: }\n\n".as_slice()]), ["{\n\n}"]);
}

#[test]
fn other_lines_are_no_data() {
    let stream = b": ping\n\nevent: x\nid: 1\nretry: 5\ndatax: 1\ndat: 2\n data: 3\ndata: 4\n\n";
    assert_eq!(parse([stream.as_slice()]), ["4"]);
}

#[test]
fn a_bom_may_stand_first() {
    let stream = "\u{feff}data: a\n\n".as_bytes();
    assert_eq!(parse([stream]), ["a"]);
    assert_eq!(parse(stream.chunks(1)), ["a"]);
    assert!(parse([b"\xef\xbbdata: a\n\n".as_slice()]).is_empty());
}

#[test]
fn an_event_may_lack_its_empty_line_at_the_end() {
    assert_eq!(parse([b"data: a\n\ndata: b\nevent: x\n".as_slice()]), ["a", "b"]);
    assert_eq!(parse([b"data: a".as_slice()]), ["a"]);
}

#[test]
fn events_end_after_their_empty_line() {
    assert_eq!(ends(&[b"data: a\n\ndata: b\r\n\r\n"]), [9, 20]);
    assert_eq!(
        ends(&[b"data: a\r\n\r", b"\n", b"data: b\r", b"\r", b"x"]),
        [11, 20]
    );
}

/// Streams of all kinds of lines and endings.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("data: {\"a\":1}"),
        Just("data:x"),
        Just("data"),
        Just("event: y"),
        Just(": c"),
        Just(""),
        Just("data: ä")
    ];
    prop::collection::vec((line, prop_oneof![Just("\n"), Just("\r"), Just("\r\n")]), 0..20).prop_map(
        |lines| {
            lines
                .into_iter()
                .flat_map(|(text, ending)| [text.as_bytes(), ending.as_bytes()].concat())
                .collect()
        },
    )
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(stream in streams(), size in 1usize..9) {
        prop_assert_eq!(parse([stream.as_slice()]), parse(stream.chunks(size)));
    }

    #[test]
    fn any_cut_has_the_same_boundaries(stream in streams(), size in 1usize..9) {
        prop_assert_eq!(ends(&[&stream]), ends(&stream.chunks(size).collect::<Vec<_>>()));
    }

    #[test]
    fn boundaries_agree_with_the_parser(stream in streams()) {
        let mut from = 0;
        let mut pieces = Vec::new();
        for end in ends(&[&stream]) {
            pieces.extend(parse([&stream[from..end]]));
            from = end;
        }
        pieces.extend(parse([&stream[from..]]));
        prop_assert_eq!(pieces, parse([stream.as_slice()]));
    }
}
