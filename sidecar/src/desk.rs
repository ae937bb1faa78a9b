//! Where gateways' questions for money are answered: those with the same facts that are there at the same time, in
//! one transaction. When a lease is spent, every request of a busy gateway asks at once, and they would wait for
//! each other's transactions longer than a gateway waits for an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tollgate_core::budget::Facts;
use tollgate_core::wire::{LeaseAnswer, LeaseRequest};

use crate::http::problem::Problem;
use crate::ledger::leases::{Asked, Asking};
use crate::state::App;

/// Most questions in one transaction: others wait for the accounts that it has locked.
const MAX_QUESTIONS: usize = 256;

type Answer = Result<LeaseAnswer, Problem>;

/// The questions that wait, by their facts. There is an entry while a task answers them.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: Mutex<HashMap<Facts, Vec<Question>>>,
}

#[derive(Debug)]
struct Question {
    request: Arc<LeaseRequest>,
    is_repeated: bool,
    reply: oneshot::Sender<Answer>,
}

// === impl Desk ===

impl Desk {
    /// Asks, and waits for the answer. Who leaves before it comes has asked all the same.
    ///
    /// # Errors
    ///
    /// Where the ledger is not available.
    pub async fn ask(&self, app: &App, request: &Arc<LeaseRequest>, is_repeated: bool) -> Answer {
        let (reply, answer) = oneshot::channel();
        let question = Question {
            request: Arc::clone(request),
            is_repeated,
            reply,
        };
        if self.is_first(question) {
            // A task of its own: it answers others too, who must not depend on this caller's patience.
            tokio::spawn(answer_all(app.clone(), request.facts.clone()));
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Problem::unavailable("the ledger gave no answer, try again")))
    }

    /// Adds a question; says whether there is nobody yet to answer those of its facts.
    fn is_first(&self, question: Question) -> bool {
        let mut waiting = self.lock();
        let is_first = !waiting.contains_key(&question.request.facts);
        waiting
            .entry(question.request.facts.clone())
            .or_default()
            .push(question);
        is_first
    }

    /// Takes questions of some facts. Where there are none, nobody answers them from now on.
    fn take(&self, facts: &Facts) -> Vec<Question> {
        let mut waiting = self.lock();
        let Some(questions) = waiting.get_mut(facts) else {
            return Vec::new();
        };
        if questions.is_empty() {
            waiting.remove(facts);
            return Vec::new();
        }
        let count = questions.len().min(MAX_QUESTIONS);
        questions.drain(..count).collect()
    }

    /// Nobody answers questions of these facts any more: those that wait are told so.
    fn give_up(&self, facts: &Facts) {
        self.lock().remove(facts);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Facts, Vec<Question>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that answers questions. Where it ends before its time, nobody waits for it.
struct Answering<'a> {
    desk: &'a Desk,
    facts: &'a Facts,
    is_over: bool,
}

// === impl Answering ===

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.desk.give_up(self.facts);
        }
    }
}

/// Answers all questions of some facts, also those that come meanwhile.
async fn answer_all(app: App, facts: Facts) {
    let mut answering = Answering {
        desk: app.desk(),
        facts: &facts,
        is_over: false,
    };
    loop {
        let questions = app.desk().take(&facts);
        if questions.is_empty() {
            answering.is_over = true;
            return;
        }
        let asked: Vec<Asked<'_>> = questions
            .iter()
            .map(|question| Asked {
                request: &question.request,
                is_repeated: question.is_repeated,
            })
            .collect();
        let asking = Asking {
            facts: &facts,
            asked: &asked,
            rules: &app.config().budgets.leases,
            max_per_template: app.config().budgets.max_per_template,
            now: app.clock().now().into(),
        };
        match app.ledger().lease(&asking).await {
            Ok(leased) => {
                app.returns().announce(&leased.returned);
                for (question, answer) in questions.into_iter().zip(leased.answer) {
                    // Who has left needs no answer: the gateway reports what it does not know of as unused.
                    let _ = question.reply.send(Ok(answer));
                }
            }
            Err(error) => {
                let problem = Problem::from(error);
                for question in questions {
                    let _ = question.reply.send(Err(problem.clone()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(workspace: &str) -> Question {
        let request = LeaseRequest {
            request_id: "r".to_owned(),
            gateway_id: "g".to_owned(),
            instance: "i".to_owned(),
            facts: Facts {
                workspace: Some(workspace.to_owned()),
                ..Facts::default()
            },
            need: Default::default(),
            least: Default::default(),
            wait_ms: 0,
            holds: Vec::new(),
        };
        Question {
            request: Arc::new(request),
            is_repeated: false,
            reply: oneshot::channel().0,
        }
    }

    #[test]
    fn one_of_those_that_ask_the_same_answers_for_all_until_nobody_asks() {
        let desk = Desk::default();
        let facts = question("a").request.facts.clone();
        assert!(desk.is_first(question("a")));
        assert!(desk.is_first(question("b")));
        assert!(!desk.is_first(question("a")));
        assert_eq!(desk.take(&facts).len(), 2);
        assert!(!desk.is_first(question("a")), "its task takes it next");
        assert_eq!(desk.take(&facts).len(), 1);
        assert!(desk.take(&facts).is_empty());
        assert!(desk.is_first(question("a")));
    }

    #[test]
    fn a_transaction_is_bounded() {
        let desk = Desk::default();
        let facts = question("a").request.facts.clone();
        for _ in 0..MAX_QUESTIONS + 1 {
            desk.is_first(question("a"));
        }
        assert_eq!(desk.take(&facts).len(), MAX_QUESTIONS);
        assert_eq!(desk.take(&facts).len(), 1);
    }
}
