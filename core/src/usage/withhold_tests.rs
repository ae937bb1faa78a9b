use proptest::prelude::*;

use super::*;

const CONTENT: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"choices\\\":[] ä\"}}],\"usage\":null}\n\n";
const USAGE: &str = "data: {\"choices\": [ ],\"usage\":{\"prompt_tokens\":1}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// What the client receives.
fn sent<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut withhold = Withhold::new();
    let mut sent = Vec::new();
    for chunk in chunks {
        match withhold.push(chunk) {
            Passed::AsIs => sent.extend_from_slice(chunk),
            Passed::Replaced(bytes) => sent.extend(bytes),
        }
    }
    sent.extend(withhold.finish());
    sent
}

#[test]
fn only_the_usage_event_is_withheld() {
    let stream = [CONTENT, CONTENT, USAGE, DONE].concat();
    let expected = [CONTENT, CONTENT, DONE].concat();
    for size in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(
            sent(stream.as_bytes().chunks(size)),
            expected.as_bytes(),
            "{size}"
        );
    }
}

#[test]
fn chunks_of_whole_events_pass_as_they_are() {
    let mut withhold = Withhold::new();
    assert_eq!(withhold.push(CONTENT.as_bytes()), Passed::AsIs);
    assert_eq!(
        withhold.push([CONTENT, CONTENT].concat().as_bytes()),
        Passed::AsIs
    );
    assert_eq!(withhold.push(USAGE.as_bytes()), Passed::Replaced(Vec::new()));
    assert_eq!(withhold.push(DONE.as_bytes()), Passed::AsIs);
}

#[test]
fn a_complete_event_is_not_delayed_by_the_start_of_the_next() {
    let mut withhold = Withhold::new();
    let chunk = [CONTENT, "data: {\"cho"].concat();
    assert_eq!(
        withhold.push(chunk.as_bytes()),
        Passed::Replaced(CONTENT.as_bytes().to_vec())
    );
}

#[test]
fn other_events_without_choices_pass() {
    for event in [
        "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
        "data: {\"choices\":[],\"usage\":null}\n\n",
        "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n",
        ": \"choices\":[] \"usage\":{}\n\n",
    ] {
        for size in [1, 1000] {
            assert_eq!(sent(event.as_bytes().chunks(size)), event.as_bytes(), "{event}");
        }
    }
}

#[test]
fn the_last_event_needs_no_empty_line() {
    assert!(sent([USAGE.trim_end().as_bytes()]).is_empty());
    assert_eq!(sent([b"data: {\"cho".as_slice()]), b"data: {\"cho");
}

#[test]
fn a_line_feed_that_comes_late_goes_with_its_event() {
    let stream = [CONTENT, USAGE, DONE].concat().replace('\n', "\r\n");
    let expected = [CONTENT, DONE].concat().replace('\n', "\r\n");
    for size in 1..200 {
        assert_eq!(
            sent(stream.as_bytes().chunks(size)),
            expected.as_bytes(),
            "{size}"
        );
    }
}

#[test]
fn a_long_event_passes_before_it_ends() {
    let mut withhold = Withhold::new();
    let start = format!("data: {}", "x".repeat(MAX_EVENT));
    assert_eq!(withhold.push(start.as_bytes()), Passed::AsIs);
    assert_eq!(withhold.push(b"more"), Passed::AsIs);
    assert_eq!(withhold.push(b"\n\n"), Passed::AsIs);
    assert_eq!(withhold.push(USAGE.as_bytes()), Passed::Replaced(Vec::new()));
}

#[test]
fn never_more_than_one_event_is_held() {
    let mut withhold = Withhold::new();
    for _ in 0..100_000 {
        let _ = withhold.push(b"data: 12");
        assert!(withhold.held.len() <= MAX_EVENT);
    }
}

proptest! {
    #[test]
    fn any_cut_passes_the_same_bytes(
        events in prop::collection::vec(prop_oneof![Just(CONTENT), Just(USAGE), Just(DONE), Just(": c\n\n"), Just("\n"), Just("ä")], 0..12),
        ending in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        size in 1usize..90,
    ) {
        let stream = events.concat().replace('\n', ending);
        prop_assert_eq!(sent(stream.as_bytes().chunks(size)), sent([stream.as_bytes()]));
    }

    #[test]
    fn what_holds_no_usage_passes_unchanged(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        prop_assert_eq!(sent(bytes.chunks(size)), bytes);
    }
}
