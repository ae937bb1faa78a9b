//! What all streams of one root context share: the configuration, the journal, metrics, the sidecar.

use std::cell::RefCell;
use std::rc::Rc;

use log::{info, warn};
use tollgate_core::auth::Identity;
use tollgate_core::config::{Config, Fault, Jwt, Written};
use tollgate_core::conversation::Outbox;
use tollgate_core::exchange::{Ask, Env, Exchange, Finished, Ids, Money, Outside};
use tollgate_core::journal::Writer;
use tollgate_core::policy::{Follower, Paused, Policy};
use tollgate_core::time::UnixNanos;
use tollgate_core::trace_context::TraceContext;
use tollgate_core::wire::ResolveKey;

use crate::access_log;
use crate::entropy::Entropy;
use crate::host::{self, SharedData};
use crate::metrics::Metrics;
use crate::sidecar::{NotSent, Sidecar};

/// One generation of the configuration at work, in one worker.
pub(crate) struct Gateway {
    written: Written,
    /// Compiled anew whenever the ledger's policy changes; exchanges keep the one that they began with.
    config: RefCell<Rc<Config>>,
    policy: RefCell<Follower>,
    /// Whom the ledger's policy holds. Beside `config`, because it applies even where the rest of the policy does not
    /// fit.
    paused: RefCell<Paused>,
    pub(crate) cells: SharedData,
    pub(crate) sidecar: Option<Sidecar>,
    pub(crate) journal: RefCell<Writer>,
    pub(crate) money: RefCell<Money>,
    pub(crate) metrics: RefCell<Metrics>,
    /// Texts that the sidecar is to keep.
    pub(crate) outbox: RefCell<Outbox>,
    entropy: Entropy,
    /// This worker's name in metrics.
    worker: String,
}

// === impl Gateway ===

impl Gateway {
    /// Compiles a configuration. The ledger's policy is in it as soon as [`Self::follow_policy`] was called.
    pub(crate) fn new(written: Written) -> Result<Self, Vec<Fault>> {
        let config = written.compile(&Policy::default())?;
        let sidecar = config.sidecar.as_ref().map(Sidecar::new);
        let entropy = Entropy::default();
        let worker = entropy.next();
        let journal = RefCell::new(Writer::new(worker, config.max_events_per_worker));
        let money = RefCell::new(Money::new(&config.budgets, worker));
        let metrics = RefCell::new(Metrics::new(config.max_label_values));
        Ok(Self {
            worker: short_name(worker),
            written,
            config: RefCell::new(Rc::new(config)),
            policy: RefCell::default(),
            paused: RefCell::default(),
            cells: SharedData::default(),
            sidecar,
            journal,
            money,
            metrics,
            outbox: RefCell::default(),
            entropy,
        })
    }

    /// The configuration of now.
    pub(crate) fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// Takes the ledger's policy over where it has changed. One that does not fit is refused, and the one before goes
    /// on; whom it holds is held all the same.
    pub(crate) fn follow_policy(&self) {
        let looked = self.policy.borrow_mut().look(&self.cells);
        let policy = match looked {
            Ok(None) => return,
            Ok(Some(policy)) => policy,
            Err(error) => {
                return self.policy_refused([format!("the ledger's policy cannot be read: {error}")]);
            }
        };
        self.paused.replace(policy.paused.clone());
        match self.written.compile(&policy) {
            Ok(config) => {
                let before = self.config.replace(Rc::new(config));
                before.limits.close(&self.cells, host::now().millis());
                self.metrics
                    .borrow_mut()
                    .policy_version(&self.worker, policy.version);
                info!(
                    "policy {} of the ledger is in force: {} limits",
                    policy.version,
                    policy.limits.len()
                );
            }
            Err(faults) => {
                let version = policy.version;
                let refused = |fault: &Fault| {
                    format!("policy {version} of the ledger is refused, and the one before goes on: {fault}")
                };
                self.policy_refused(faults.iter().map(refused));
            }
        }
    }

    /// Says and counts that a policy of the ledger is not taken.
    pub(crate) fn policy_refused(&self, reasons: impl IntoIterator<Item = String>) {
        for reason in reasons {
            warn!("{reason}");
        }
        self.metrics.borrow_mut().policy_refused();
    }

    /// An exchange that begins now.
    pub(crate) fn new_exchange(&self, now: UnixNanos) -> Exchange {
        Exchange::new(self.config(), Ids::new(now, self.entropy.next()), now)
    }

    /// Calls `act` with what it needs from outside.
    pub(crate) fn with_env<T>(&self, act: impl FnOnce(&mut Env<'_>) -> T) -> T {
        self.with_env_at(host::now(), act)
    }

    /// As [`Self::with_env`], at a moment that is known.
    pub(crate) fn with_env_at<T>(&self, now: UnixNanos, act: impl FnOnce(&mut Env<'_>) -> T) -> T {
        let mut journal = self.journal.borrow_mut();
        let mut money = self.money.borrow_mut();
        act(&mut Env {
            now,
            cells: &self.cells,
            journal: &mut journal,
            money: &mut money,
            paused: &self.paused.borrow(),
        })
    }

    /// What Envoy knows about a request beside its headers, where the configuration asks for it.
    pub(crate) fn outside(&self) -> Outside {
        let config = self.config.borrow();
        Outside {
            ip: config.limits.counts_by_ip().then(client_ip).flatten(),
            jwt: config.jwt.as_ref().and_then(jwt_identity),
        }
    }

    /// Sends an exchange's question to the sidecar, as part of the exchange's trace.
    pub(crate) fn ask(&self, ask: &Ask, trace: Option<&TraceContext>) -> Result<u32, NotSent> {
        let sidecar = self.sidecar.as_ref().ok_or(NotSent::NotConfigured)?;
        let (call, sent) = match ask {
            Ask::ResolveKey(sha256) => {
                let question = ResolveKey { sha256: *sha256 };
                let sent = sidecar.ask("/v1/keys/resolve", &question, trace, sidecar.timeout());
                ("key", sent)
            }
            Ask::Lease(question) => {
                let timeout = sidecar.lease_timeout(question.wait_ms);
                let sent = sidecar.ask("/v1/leases", question, trace, timeout);
                ("lease", sent)
            }
            Ask::Moderate(question) => {
                let sent = sidecar.ask("/v1/moderations", &question.request, trace, question.timeout);
                ("moderation", sent)
            }
        };
        if sent.is_ok() {
            self.metrics.borrow_mut().question(call);
        }
        sent
    }

    /// Takes note of whether the sidecar has answered what a request asked.
    pub(crate) fn was_answered(&self, answered: bool) {
        if !answered {
            self.unanswered("question");
        }
        if let Some(sidecar) = &self.sidecar {
            sidecar.was_answered(answered);
        }
    }

    /// Counts a question that the sidecar did not answer.
    pub(crate) fn unanswered(&self, call: &'static str) {
        self.metrics.borrow_mut().sidecar_error(call);
    }

    /// Says how many events of this worker wait for the sidecar.
    pub(crate) fn report_pending(&self) {
        let pending = self.journal.borrow().pending();
        self.metrics
            .borrow_mut()
            .pending_events(&self.worker, pending as u64);
    }

    /// Records a finished exchange in metrics and in filter state for the access log.
    pub(crate) fn record(&self, finished: &Finished) {
        self.metrics.borrow_mut().record(finished);
        if finished.lost {
            warn!("the event {} could not be kept", finished.event.event_id);
        }
        access_log::show(&self.config.borrow().access_log, &finished.event);
        if let Some(said) = &finished.said
            && !self.outbox.borrow_mut().push(said)
        {
            self.lost_texts("queue_full", 1);
        }
    }

    /// Counts exchanges whose texts are not kept, though policy says so.
    pub(crate) fn lost_texts(&self, reason: &'static str, exchanges: usize) {
        self.metrics.borrow_mut().lost_texts(reason, exchanges as u64);
    }
}

/// Enough of a worker's name to tell it from the others of its Envoy.
fn short_name(worker: [u8; 16]) -> String {
    worker.iter().take(3).map(|byte| format!("{byte:02x}")).collect()
}

/// The client's address as Envoy determined it (`use_remote_address`, `xff_num_trusted_hops`), without the port.
fn client_ip() -> Option<String> {
    let address = String::from_utf8(host::property(&["source", "address"])?).ok()?;
    let (ip, _port) = address.rsplit_once(':')?;
    Some(ip.trim_matches(['[', ']']).to_owned())
}

/// The identity in the claims that `jwt_authn` has verified; `None` without a workspace.
fn jwt_identity(jwt: &Jwt) -> Option<Identity> {
    let claim = |name: &str| {
        let path = [
            "metadata",
            "filter_metadata",
            "envoy.filters.http.jwt_authn",
            &jwt.payload,
            name,
        ];
        host::property(&path)
            .and_then(|value| String::from_utf8(value).ok())
            .filter(|value| !value.is_empty())
    };
    Some(Identity {
        workspace: claim(&jwt.workspace)?,
        user: claim(&jwt.user),
        session: jwt.session.as_deref().and_then(claim),
        ..Identity::default()
    })
}
