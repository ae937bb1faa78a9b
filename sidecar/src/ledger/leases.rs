//! Leases: a gateway gets a part of every budget that its request is paid from, or of none; and says what it did
//! with it.

use std::collections::HashMap;

use tollgate_core::budget::Enforcement;
use tollgate_core::budget::ledger::{Ask, Denied, LeaseRules, Stage, grant};
use tollgate_core::budget::{Amounts, Facts, MAX_AMOUNT, Unit};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{
    LeaseAnswer, LeaseHold, LeaseId, LeaseReport, LeaseReportAnswer, LeaseRequest, LeaseState, ReportedLease,
};

use super::account_rows::LeaseRow;
use super::accounts::AccountRows;
use super::applying::{Answering, Missing};
use super::books::{Books, UNNUMBERED};
use super::budgets::{BudgetRows, budgets};
use super::{Ledger, LedgerError};

/// A budget that has refused a request, however large, counts as spent from this part of its amount on, in percent.
const NEARLY_SPENT: u128 = 80;

/// How often what a request needs is made before it is given up: somebody may be archiving it meanwhile.
const MAKE_TRIES: u32 = 5;

/// What the ledger says to a gateway, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased<T> {
    /// The answer.
    pub answer: T,
    /// Budgets to which money came back: who waits for it may try again.
    pub returned: Vec<String>,
}

/// Requests with the same facts that ask together.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// What all of them are paid by.
    pub facts: &'a Facts,
    /// Each of them, in the order in which they are given something.
    pub asked: &'a [Asked<'a>],
    /// How leases are cut.
    pub rules: &'a LeaseRules,
    /// How many live budgets one template may have made.
    pub max_per_template: u64,
    /// When they ask.
    pub now: UnixMillis,
}

/// How a request asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What it asks for.
    pub request: &'a LeaseRequest,
    /// It has asked before: what it says of its leases is old.
    pub is_repeated: bool,
}

/// What a transaction came to.
enum Attempt {
    Done(Leased<Vec<LeaseAnswer>>),
    /// Something has to be made first.
    Missing(Missing),
}

// === impl Ledger ===

impl Ledger {
    /// Grows the leases of gateways so that their requests can be paid, each from all of its budgets or from none.
    /// Makes the budgets that a template makes of them. One transaction, and one answer a request.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn lease(&self, asking: &Asking<'_>) -> Result<Leased<Vec<LeaseAnswer>>, LedgerError> {
        let mut full = Vec::new();
        for _ in 0..MAKE_TRIES {
            match retry!(self.try_lease(asking, &full))? {
                Attempt::Done(leased) => return Ok(leased),
                Attempt::Missing(missing) => {
                    full.extend(self.make(&missing, asking.max_per_template, asking.now).await?);
                }
            }
        }
        Err(LedgerError::Unmade)
    }

    async fn try_lease(&self, asking: &Asking<'_>, full: &[String]) -> Result<Attempt, LedgerError> {
        let Asking {
            facts,
            asked,
            rules,
            now,
            ..
        } = *asking;
        transact!(self, conn => {
            let moment = AccountRows::moment(&mut *conn, now).await?;
            let catalogue = match self.catalogue_at(moment.version) {
                Some(catalogue) => catalogue,
                None => {
                    let shapes = BudgetRows::shapes(&mut *conn).await?;
                    let templates = BudgetRows::templates(&mut *conn).await?;
                    self.remember(moment.version, &shapes, budgets(templates)?)
                }
            };
            let subjects = catalogue.subjects(facts);
            let found = BudgetRows::budgets_of(&mut *conn, &subjects).await?;
            let applying = catalogue.applying(facts, budgets(found)?);
            if let Some(missing) = applying.unmade(full) {
                return Ok(Attempt::Missing(missing));
            }
            if let Some(answer) = applying.refused(moment.version) {
                let answer = vec![answer; asked.len()];
                return Ok(Attempt::Done(Leased { answer, returned: Vec::new() }));
            }
            let wanted = applying.wanted(now)?;
            let rows = AccountRows::lock_accounts_at(&mut *conn, &wanted.keys(Enforcement::Hard)).await?;
            let counted = AccountRows::accounts_at(&mut *conn, &wanted.keys(Enforcement::Soft)).await?;
            if let Some(missing) = wanted.missing(&rows, &counted) {
                return Ok(Attempt::Missing(missing));
            }
            let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
            let leases = AccountRows::open_leases(&mut *conn, &ids).await?;
            let mut books = Books::open(rows, leases, &applying.budgets, now)?;
            let mut told = books.reclaim(now, &moment.clock, rules)?;
            let mut denied = Vec::with_capacity(asked.len());
            for asked in asked {
                denied.push(grant_on(&mut books, asked, rules, now));
            }
            if asked.iter().zip(&denied).all(|(asked, denied)| asked.is_repeated && denied.is_some()) {
                books.forget_renewals();
            }
            told.extend(books.cross(None, now)?);
            for (asked, denied) in asked.iter().zip(&denied) {
                let Some(denied) = denied else { continue };
                let refused = spent_line(&books, denied, bounded(asked.request.least));
                told.extend(books.cross(refused, now)?);
            }
            AccountRows::write_books(&mut *conn, &mut books, &told).await?;
            let answering = Answering { wanted: &wanted, books: &books, counted: &counted, rules, now };
            let answers = asked.iter().zip(&denied).map(|(asked, denied)| {
                answering.answer(moment.version, &asked.request.instance, denied.as_ref())
            });
            Ok(Attempt::Done(Leased {
                answer: answers.collect(),
                returned: books.returned(),
            }))
        })
    }

    /// Takes over what a gateway says of its leases, and answers each.
    ///
    /// # Errors
    /// [`LedgerError`] where the database fails.
    pub async fn report_leases(
        &self,
        report: &LeaseReport,
        rules: &LeaseRules,
        now: UnixMillis,
    ) -> Result<Leased<LeaseReportAnswer>, LedgerError> {
        retry!(self.try_report(report, rules, now))
    }

    async fn try_report(
        &self,
        report: &LeaseReport,
        rules: &LeaseRules,
        now: UnixMillis,
    ) -> Result<Leased<LeaseReportAnswer>, LedgerError> {
        let ids: Vec<LeaseId> = report.holds.iter().map(|hold| hold.lease_id).collect();
        transact!(self, conn => {
            let moment = AccountRows::moment(&mut *conn, now).await?;
            let named = AccountRows::leases_by_id(&mut *conn, &ids).await?;
            let accounts: Vec<i64> = named.iter().map(|lease| lease.account_id).collect();
            let rows = AccountRows::lock_accounts(&mut *conn, &accounts).await?;
            let leases = AccountRows::open_leases(&mut *conn, &accounts).await?;
            let budget_ids: Vec<&str> = rows.iter().map(|row| row.budget_id.as_str()).collect();
            let found = BudgetRows::budgets_by_id(&mut *conn, &budget_ids).await?;
            let mut books = Books::open(rows, leases, &budgets(found)?, now)?;
            let told = books.reclaim(now, &moment.clock, rules)?;
            let leases = report_on(&mut books, &named, report, rules, now);
            AccountRows::write_books(&mut *conn, &mut books, &told).await?;
            Ok(Leased {
                answer: LeaseReportAnswer { version: moment.version, leases },
                returned: books.returned(),
            })
        })
    }
}

fn grant_on(books: &mut Books, asked: &Asked<'_>, rules: &LeaseRules, now: UnixMillis) -> Option<Denied> {
    let request = asked.request;
    let holds = if asked.is_repeated {
        renewed(books, &request.holds)
    } else {
        request.holds.clone()
    };
    let ask = Ask {
        instance: &request.instance,
        need: bounded(request.need),
        least: bounded(request.least),
        holds: &holds,
    };
    let mut unnumbered = UNNUMBERED + books.unnumbered();
    let granted = grant(&mut books.lines, &ask, now, rules, &mut || {
        unnumbered += 1;
        LeaseId(unnumbered - 1)
    });
    books.sign(&request.gateway_id);
    granted.err()
}

/// What a gateway held when it asked, as the ledger knows it now: a report may have come since.
fn renewed(books: &Books, holds: &[LeaseHold]) -> Vec<LeaseHold> {
    let mut holds = holds.to_vec();
    for hold in &mut holds {
        let mut leases = books.lines.iter().flat_map(|line| &line.leases);
        if let Some(lease) = leases.find(|lease| lease.id == hold.lease_id) {
            hold.used = lease.used;
            hold.returned = lease.returned;
            hold.done = lease.stage == Stage::Done;
        }
    }
    holds
}

/// Amounts that can be reckoned with.
fn bounded(mut amounts: Amounts) -> Amounts {
    for unit in [Unit::Usd, Unit::Tokens, Unit::Requests] {
        amounts.cap(unit, MAX_AMOUNT);
    }
    amounts
}

/// The line that refused a request because it is spent: next to nothing is left, or not enough for a request that is
/// no larger than what it has paid for so far. A larger one says nothing about the budget: others may still be paid.
fn spent_line(books: &Books, denied: &Denied, least: Amounts) -> Option<usize> {
    let line = books.lines.get(denied.line)?;
    let account = &line.account;
    let is_nearly_spent = u128::from(account.spent) * 100 >= u128::from(account.amount) * NEARLY_SPENT;
    let has_paid_as_much = account.spent > 0 && least.of(line.unit) <= account.spent;
    (!denied.may_return && (is_nearly_spent || has_paid_as_much)).then_some(denied.line)
}

fn report_on(
    books: &mut Books,
    named: &[LeaseRow],
    report: &LeaseReport,
    rules: &LeaseRules,
    now: UnixMillis,
) -> Vec<ReportedLease> {
    let accounts: HashMap<LeaseId, i64> = named
        .iter()
        .map(|lease| (lease.lease_id(), lease.account_id))
        .collect();
    let mut answers = Vec::with_capacity(report.holds.len());
    for hold in &report.holds {
        let account_id = accounts.get(&hold.lease_id);
        let Some((head, line)) = account_id.and_then(|id| books.entry_mut(*id)) else {
            answers.push(ReportedLease {
                budget_id: hold.budget_id.clone(),
                amount: 0,
                spent: 0,
                period_ends_in_ms: None,
                lease: LeaseState::closed(hold),
            });
            continue;
        };
        let rules = if head.budget.is_leased() {
            *rules
        } else {
            // It is archived, or has become soft: no lease of it is young enough.
            LeaseRules {
                max_age_ms: 0,
                ..*rules
            }
        };
        let lease = line.report(&report.instance, hold, now, &rules);
        answers.push(ReportedLease {
            budget_id: hold.budget_id.clone(),
            amount: line.account.amount,
            spent: line.account.spent,
            period_ends_in_ms: line.account.window.left_ms(now),
            lease,
        });
    }
    answers
}
