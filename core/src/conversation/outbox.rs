//! What a worker keeps for the sidecar until it has been told.

use std::collections::VecDeque;

use crate::time::UnixMillis;
use crate::wire::SaidExchange;

/// Bytes that a worker keeps.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of one message, unless a single exchange is larger.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// Exchanges in one message.
const MAX_BATCH: usize = 500;
/// How long the sidecar is left alone after it has not answered.
const PAUSE_MS: u64 = 2_000;

const HEAD: &[u8] = b"{\"exchanges\":[";
const TAIL: &[u8] = b"]}";

/// A bounded queue in the worker's own memory. What does not fit is dropped: text is worth less than the memory of
/// a proxy.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Each as JSON.
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many from the front are on their way.
    under_way: usize,
    /// The sidecar is left alone until then.
    paused_until: UnixMillis,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The sidecar has it.
    Taken,
    /// The sidecar will never take it.
    Refused,
    /// Nobody knows: it is sent again.
    Unanswered,
}

// === impl Outbox ===

impl Outbox {
    /// Keeps an exchange's texts for the sidecar; `false` where there is no room for them.
    pub fn push(&mut self, exchange: &SaidExchange) -> bool {
        let Ok(json) = serde_json::to_vec(exchange) else {
            return false;
        };
        if self.bytes.saturating_add(json.len()) > MAX_BYTES {
            return false;
        }
        self.bytes += json.len();
        self.queue.push_back(json);
        true
    }

    /// The next message for the sidecar; `None` while one is under way, or there is nothing to say, or the sidecar has
    /// just not answered.
    pub fn batch(&mut self, now: UnixMillis) -> Option<Vec<u8>> {
        if self.queue.is_empty() || self.under_way > 0 || now < self.paused_until {
            return None;
        }
        let mut body = HEAD.to_vec();
        for json in self.queue.iter().take(MAX_BATCH) {
            if self.under_way > 0 {
                if body.len() + json.len() > MAX_BATCH_BYTES {
                    break;
                }
                body.push(b',');
            }
            body.extend_from_slice(json);
            self.under_way += 1;
        }
        body.extend_from_slice(TAIL);
        Some(body)
    }

    /// The message that was under way is over; says how many exchanges it has lost.
    pub fn settle(&mut self, delivery: Delivery, now: UnixMillis) -> usize {
        let sent = std::mem::take(&mut self.under_way);
        if delivery == Delivery::Unanswered {
            self.paused_until = UnixMillis(now.0.saturating_add(PAUSE_MS));
            return 0;
        }
        for json in self.queue.drain(..sent.min(self.queue.len())) {
            self.bytes = self.bytes.saturating_sub(json.len());
        }
        if delivery == Delivery::Refused { sent } else { 0 }
    }

    /// Whether nothing waits: asking costs nothing.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

// === impl Delivery ===

impl Delivery {
    /// What an answer means: its status, if the sidecar itself gave one.
    pub const fn of(status: Option<u16>) -> Self {
        match status {
            Some(200) => Self::Taken,
            // It does not keep texts, does not know them, or cannot read these: it never will.
            Some(400 | 404 | 405 | 409 | 413 | 415 | 422) => Self::Refused,
            Some(_) | None => Self::Unanswered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{ConversationBatch, TextKind, TextPart, TextRole};

    fn exchange(id: u32, bytes: usize) -> SaidExchange {
        SaidExchange {
            event_id: format!("evt_{id}"),
            request_id: "req_1".to_owned(),
            conversation: None,
            time: jiff::Timestamp::UNIX_EPOCH,
            workspace: "acme".to_owned(),
            user: None,
            session: None,
            key_id: None,
            model: None,
            status: 200,
            error_code: None,
            prompt: vec![TextPart {
                index: Some(0),
                role: TextRole::User,
                kind: TextKind::Text,
                text: "x".repeat(bytes),
                cut: false,
            }],
            prompt_cut: false,
            answer: Vec::new(),
        }
    }

    fn ids(batch: &[u8]) -> Vec<String> {
        let batch: ConversationBatch = serde_json::from_slice(batch).unwrap();
        batch.exchanges.into_iter().map(|one| one.event_id).collect()
    }

    #[test]
    fn what_is_not_answered_is_sent_again_after_a_while() {
        let mut outbox = Outbox::default();
        assert!(outbox.push(&exchange(1, 10)) && outbox.push(&exchange(2, 10)));
        let first = outbox.batch(UnixMillis(0)).unwrap();
        assert_eq!(ids(&first), ["evt_1", "evt_2"]);
        assert!(outbox.push(&exchange(3, 10)));
        assert_eq!(outbox.batch(UnixMillis(0)), None, "one message at a time");
        assert_eq!(outbox.settle(Delivery::Unanswered, UnixMillis(10)), 0);
        assert_eq!(outbox.batch(UnixMillis(PAUSE_MS)), None);
        let again = outbox.batch(UnixMillis(PAUSE_MS + 10)).unwrap();
        assert_eq!(ids(&again), ["evt_1", "evt_2", "evt_3"]);
        assert_eq!(outbox.settle(Delivery::Taken, UnixMillis(PAUSE_MS + 10)), 0);
        assert!(outbox.is_empty() && outbox.bytes == 0);
    }

    #[test]
    fn what_the_sidecar_will_not_have_is_counted_and_forgotten() {
        let mut outbox = Outbox::default();
        assert!(outbox.push(&exchange(1, 10)));
        assert!(outbox.batch(UnixMillis(0)).is_some());
        assert_eq!(outbox.settle(Delivery::of(Some(409)), UnixMillis(0)), 1);
        assert!(outbox.is_empty());
        assert_eq!(Delivery::of(Some(503)), Delivery::Unanswered);
        assert_eq!(Delivery::of(None), Delivery::Unanswered);
    }

    #[test]
    fn the_queue_and_its_messages_are_bounded() {
        let mut outbox = Outbox::default();
        let kept = (0..10).filter(|id| outbox.push(&exchange(*id, 700_000))).count();
        assert_eq!(kept, 5);
        let batch = outbox.batch(UnixMillis(0)).unwrap();
        assert_eq!(
            ids(&batch),
            ["evt_0"],
            "two of them would be too much for one message"
        );
        outbox.settle(Delivery::Taken, UnixMillis(0));
        assert!(outbox.push(&exchange(11, 700_000)), "there is room again");
    }
}
