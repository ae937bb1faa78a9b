//! The rules that Envoy's proxy-wasm host demands of a filter, each on the real Envoy: what the client sees, what
//! the provider received, and what the ledger says of it.

mod client_headers;
mod crash;
mod duplicate_headers;
mod empty_answers;
mod hang_up;
mod invalid_bytes;
mod paths;
mod pending_callout;
mod provider_answers;
mod sizes;
mod stale_length;
mod trailers;
mod upgrades;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tollgate_stack::{Stack, wait};
use tollgate_tests::raw::{self, Raw};
use tollgate_tests::{Answer, SETTLED, received_header};

pub(super) const CHAT: &str = "/v1/chat/completions";

/// The demo with everything open that Envoy could close before the filter sees it, and a slow sidecar's reach.
pub(super) async fn shared() -> &'static Stack {
    static STACK: OnceCell<Stack> = OnceCell::const_new();
    let start = async || {
        let builder = Stack::builder()
            .data(data("shared"))
            .envoy_config(open_everything);
        builder.start().await.unwrap()
    };
    STACK.get_or_init(start).await
}

/// A fresh folder for a stack that lives as long as the process, so that nothing is left elsewhere.
pub(super) fn data(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rules-{name}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

/// Lets trailers and upgrades through Envoy, and has it pass on what it would refuse itself.
pub(super) fn open_everything(envoy: &mut Value) {
    let manager = envoy
        .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap();
    manager["http_protocol_options"] = json!({"enable_trailers": true});
    manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
    manager["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
    manager["normalize_path"] = json!(false);
    manager["merge_slashes"] = json!(false);
    let clusters = envoy.pointer_mut("/static_resources/clusters").unwrap();
    for cluster in clusters.as_array_mut().unwrap() {
        let protocol = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions/explicit_http_config/http_protocol_options";
        if let Some(options) = cluster.pointer_mut(protocol) {
            *options = json!({"enable_trailers": true});
        }
    }
}

/// A client whose exchanges can be told from all others: at the provider by a header, in the ledger by the session.
pub(super) struct Client<'a> {
    pub(super) stack: &'a Stack,
    mark: &'static str,
    key: String,
}

// === impl Client ===

impl<'a> Client<'a> {
    pub(super) fn new(stack: &'a Stack, mark: &'static str) -> Self {
        let key = stack.key("unlimited").to_owned();
        Self { stack, mark, key }
    }

    pub(super) fn with_key(stack: &'a Stack, mark: &'static str, key: String) -> Self {
        Self { stack, mark, key }
    }

    pub(super) async fn connect(&self) -> Raw {
        Raw::connect(&self.stack.gateway).await.unwrap()
    }

    /// The start of a `POST`: request line, the marks, the key, and these headers.
    pub(super) fn start(&self, path: &str, headers: &[(&str, &[u8])]) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.key);
        let marks: [(&str, &[u8]); 4] = [
            ("x-test-mark", self.mark.as_bytes()),
            ("x-tollgate-session", self.mark.as_bytes()),
            ("content-type", b"application/json"),
            ("authorization", bearer.as_bytes()),
        ];
        raw::start("POST", path, &[&marks[..], headers].concat())
    }

    /// A whole `POST` with its length.
    pub(super) fn request(&self, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
        let mut request = self.start(path, headers);
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        request.extend_from_slice(body);
        request
    }

    /// A whole `POST` with a chunked body: what is sent before the trailers.
    pub(super) fn chunked(&self, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<u8> {
        let mut request = self.start(path, headers);
        request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        for piece in body.chunks(7) {
            request.extend(raw::chunk(piece));
        }
        request.extend(raw::chunk(b""));
        request
    }

    /// The answer to a request on a connection of its own.
    pub(super) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect().await;
        connection.send(request).await.unwrap();
        connection.answer().await.unwrap()
    }

    /// The answer to a chat completion.
    pub(super) async fn chat(&self, headers: &[(&str, &[u8])], body: &Value) -> Answer {
        self.ask(self.request(CHAT, headers, body.to_string().as_bytes()))
            .await
    }

    /// What the provider has received from this client.
    pub(super) async fn received(&self) -> Vec<Value> {
        let all = self.stack.mock.requests().await.unwrap();
        let is_ours = |request: &Value| received_header(request, "x-test-mark").unwrap() == [self.mark];
        all.into_iter().filter(is_ours).collect()
    }

    /// This client's events by the time of their requests, once there are `count` of them.
    pub(super) async fn events(&self, count: usize) -> Vec<Value> {
        let what = format!("no {count} events of the session {}", self.mark);
        let look = async || {
            let ours = self.events_now().await;
            Ok((ours.len() >= count).then_some(ours))
        };
        let events = wait::until(SETTLED, &what, look).await.unwrap();
        assert_eq!(events.len(), count, "{events:#?}");
        events
    }

    /// The one event of this client. That there is no second one is known when a later exchange has its event.
    pub(super) async fn only_event(&self) -> Value {
        let event = self.events(1).await.remove(0);
        let later = tollgate_tests::post(self.stack, CHAT, &self.key, &json!({}))
            .await
            .unwrap();
        tollgate_tests::event(self.stack, &later).await.unwrap();
        assert_eq!(
            self.events_now().await.len(),
            1,
            "{}: more than one event",
            self.mark
        );
        event
    }

    async fn events_now(&self) -> Vec<Value> {
        let mut all = self.stack.admin.events("").await.unwrap();
        all.retain(|event| event["session"] == self.mark);
        // In the order in which the requests came: batches of two workers may cross.
        all.sort_by_key(|event| {
            event["time"]
                .as_str()
                .map(|time| time.trim_end_matches('Z').to_owned())
        });
        all
    }

    /// Fails unless other clients are served by every worker.
    pub(super) async fn others_are_served(&self) {
        for _ in 0..8 {
            let body = tollgate_tests::chat("echo still here");
            let answer = tollgate_tests::post(self.stack, CHAT, self.stack.key("unlimited"), &body)
                .await
                .unwrap();
            assert_eq!(answer.status, 200, "after {}: {}", self.mark, answer.text());
        }
        assert!(
            !self.stack.envoy_log().contains("panicked"),
            "{}: a VM has panicked",
            self.mark
        );
    }
}
