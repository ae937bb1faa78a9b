//! Bytes as they come, in whatever chunks.

use proptest::prelude::*;

use super::*;

proptest! {
    /// Wherever the network cuts a stream, the client gets the same bytes and the ledger the same usage.
    #[test]
    fn no_chunk_boundary_matters(cuts in proptest::collection::btree_set(1_usize..200, 0..12)) {
        let (expected, provider) = stream();
        let mut chunks = Vec::new();
        let mut rest = provider.as_slice();
        let mut at = 0;
        for cut in cuts.into_iter().filter(|cut| *cut < provider.len()) {
            let (chunk, behind) = rest.split_at(cut - at);
            chunks.push(chunk);
            (rest, at) = (behind, cut);
        }
        chunks.push(rest);
        let mut bench = Bench::new(&config(&json!({})));
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, "/v1/chat/completions", STREAM);
        prop_assert_eq!(bench.answer(&mut exchange, "text/event-stream", &chunks), expected);
        let event = bench.finish(&mut exchange, Some(200)).event;
        prop_assert_eq!((event.usage.input_tokens, event.usage.output_tokens), (9, 3));
        prop_assert_eq!(event.response_bytes, provider.len() as u64);
    }

    /// Nothing that a client sends panics, and whatever it sends ends in one event.
    #[test]
    fn no_request_panics(
        path in "(/v1)?/(chat/completions|messages|responses|models/x:generateContent|x)",
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), Just(CHAT.to_vec())],
    ) {
        let mut bench = Bench::new(&limited());
        let mut exchange = bench.exchange();
        bench.send(&mut exchange, &path, &body);
        bench.finish(&mut exchange, None);
        prop_assert_eq!(bench.events().len(), 1);
    }
}
