//! Which budgets apply to a request: found by the shapes of all subjects, made by templates where they are not
//! there yet.

use std::sync::{Arc, PoisonError};

use tollgate_core::budget::ledger::{Denied, LeaseRules, Line};
use tollgate_core::budget::{Enforcement, Facts, Period, Shape, Subject, Window};
use tollgate_core::time::UnixMillis;
use tollgate_core::wire::{AppliedBudget, Exhausted, LeaseAnswer};

use super::account_rows::{AccountRow, NewAccount};
use super::books::Books;
use super::budgets::StoredBudget;
use super::{Ledger, LedgerError};

/// What must be known of all budgets to find those that apply to a request.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    /// Of all budgets' definitions.
    version: u64,
    /// Of all that are live.
    shapes: Vec<Shape>,
    /// All that are live.
    templates: Vec<StoredBudget>,
}

/// The budgets that apply to a request.
#[derive(Debug, Default)]
pub(super) struct Applying {
    /// Those that are there, by id; templates among them only where they cap single requests.
    pub(super) budgets: Vec<StoredBudget>,
    /// Those that templates have yet to make.
    unmade: Vec<Unmade>,
}

/// A budget that a template has yet to make.
#[derive(Debug, Clone)]
pub(super) struct Unmade {
    pub(super) template: StoredBudget,
    pub(super) subject: Subject,
}

/// What has to be made before a request can be paid.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub(super) budgets: Vec<Unmade>,
    pub(super) accounts: Vec<NewAccount>,
}

/// The budgets that apply, with the window of now where they have an account.
#[derive(Debug)]
pub(super) struct Wanted<'a>(Vec<(&'a StoredBudget, Option<Window>)>);

/// What an answer to a gateway is made of.
#[derive(Debug)]
pub(super) struct Answering<'a> {
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) books: &'a Books,
    /// Accounts of soft budgets.
    pub(super) counted: &'a [AccountRow],
    pub(super) rules: &'a LeaseRules,
    pub(super) now: UnixMillis,
}

// === impl Ledger ===

impl Ledger {
    /// What is remembered of all budgets, if it is of this version.
    pub(super) fn catalogue_at(&self, version: u64) -> Option<Arc<Catalogue>> {
        let remembered = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        (remembered.version == version).then(|| Arc::clone(&remembered))
    }

    /// Remembers what was read of all budgets.
    pub(super) fn remember(
        &self,
        version: u64,
        shapes: &[i64],
        templates: Vec<StoredBudget>,
    ) -> Arc<Catalogue> {
        let shapes = shapes.iter().filter_map(|shape| u8::try_from(*shape).ok());
        let catalogue = Arc::new(Catalogue {
            version,
            shapes: shapes.map(Shape).collect(),
            templates,
        });
        let mut remembered = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        *remembered = Arc::clone(&catalogue);
        catalogue
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// The budgets that apply to a request, out of those that were found for its subjects.
    pub(super) fn applying(&self, facts: &Facts, found: Vec<StoredBudget>) -> Applying {
        let mut budgets = found;
        let mut unmade = Vec::new();
        for template in &self.templates {
            if template.budget.period == Period::Request {
                // A cap has no account, so nothing has to be made of it.
                if template.budget.subject.fits(facts) {
                    budgets.push(template.clone());
                }
                continue;
            }
            for subject in template.budget.subject.applied_to(facts) {
                if !budgets.iter().any(|budget| budget.stands_for(template, &subject)) {
                    unmade.push(Unmade {
                        template: template.clone(),
                        subject,
                    });
                }
            }
        }
        budgets.sort_by(|a, b| a.id.cmp(&b.id));
        Applying { budgets, unmade }
    }

    /// The keys of all subjects that a request belongs to and that a budget may have.
    pub(super) fn subjects(&self, facts: &Facts) -> Vec<String> {
        let subjects = self.shapes.iter().flat_map(|shape| facts.subjects(*shape));
        subjects.map(|subject| subject.key()).collect()
    }
}

// === impl Applying ===

impl Applying {
    /// What templates have yet to make, those that are full left out.
    pub(super) fn unmade(&self, full: &[String]) -> Option<Missing> {
        let unmade = self
            .unmade
            .iter()
            .filter(|unmade| !full.contains(&unmade.template.id));
        let budgets: Vec<Unmade> = unmade.cloned().collect();
        (!budgets.is_empty()).then(|| Missing {
            budgets,
            accounts: Vec::new(),
        })
    }

    /// The answer where a hard budget cannot be made, because its template has made as many as it may.
    pub(super) fn refused(&self, version: u64) -> Option<LeaseAnswer> {
        let is_hard = |unmade: &&Unmade| unmade.template.budget.enforcement == Enforcement::Hard;
        let template = &self.unmade.iter().find(is_hard)?.template;
        Some(LeaseAnswer {
            version,
            budgets: vec![template.applied(0)],
            exhausted: Some(Exhausted {
                budget_id: template.id.clone(),
                available: 0,
                may_return: false,
            }),
        })
    }

    /// The accounts that the request needs.
    ///
    /// # Errors
    /// [`LedgerError::Calendar`].
    pub(super) fn wanted(&self, now: UnixMillis) -> Result<Wanted<'_>, LedgerError> {
        let mut wanted = Vec::with_capacity(self.budgets.len());
        for budget in &self.budgets {
            let window = budget.has_account().then(|| budget.window(now)).transpose()?;
            wanted.push((budget, window));
        }
        Ok(Wanted(wanted))
    }
}

// === impl Wanted ===

impl Wanted<'_> {
    /// The accounts of hard budgets, or of soft ones.
    pub(super) fn keys(&self, enforcement: Enforcement) -> Vec<(&str, UnixMillis)> {
        self.windows()
            .filter(|(budget, _)| budget.budget.enforcement == enforcement)
            .map(|(budget, window)| (budget.id.as_str(), window.start))
            .collect()
    }

    /// The accounts that were not found.
    pub(super) fn missing(&self, hard: &[AccountRow], soft: &[AccountRow]) -> Option<Missing> {
        let mut accounts: Vec<NewAccount> = self
            .windows()
            .filter(|(budget, window)| {
                let is_it = |row: &AccountRow| row.is_at(&budget.id, window.start);
                !hard.iter().chain(soft).any(is_it)
            })
            .map(|(budget, window)| NewAccount::new(budget, window))
            .collect();
        accounts.sort();
        (!accounts.is_empty()).then(|| Missing {
            budgets: Vec::new(),
            accounts,
        })
    }

    fn windows(&self) -> impl Iterator<Item = (&StoredBudget, Window)> {
        self.0
            .iter()
            .filter_map(|(budget, window)| Some((*budget, (*window)?)))
    }
}

// === impl Answering ===

impl Answering<'_> {
    /// The answer: every budget that applies, with the gateway's lease where there is one.
    pub(super) fn answer(&self, version: u64, instance: &str, denied: Option<&Denied>) -> LeaseAnswer {
        let budgets = self
            .wanted
            .0
            .iter()
            .map(|(budget, window)| self.applied(budget, *window, instance));
        let exhausted = denied.and_then(|denied| {
            let line = self.books.lines.get(denied.line)?;
            Some(Exhausted {
                budget_id: line.budget_id.clone(),
                available: denied.available,
                may_return: denied.may_return,
            })
        });
        LeaseAnswer {
            version,
            budgets: budgets.collect(),
            exhausted,
        }
    }

    fn applied(&self, budget: &StoredBudget, window: Option<Window>, instance: &str) -> AppliedBudget {
        let Some(window) = window else {
            return budget.applied(0);
        };
        let is_it = |line: &&Line| line.budget_id == budget.id && line.account.window.start == window.start;
        if let Some(line) = self.books.lines.iter().find(is_it) {
            return AppliedBudget {
                amount: line.account.amount,
                period_ends_in_ms: window.left_ms(self.now),
                lease: line.state_for(instance, self.now, self.rules),
                ..budget.applied(line.account.spent)
            };
        }
        let counted = self
            .counted
            .iter()
            .find(|row| row.is_at(&budget.id, window.start));
        AppliedBudget {
            amount: budget.amount_at(self.now),
            period_ends_in_ms: window.left_ms(self.now),
            ..budget.applied(counted.map_or(0, AccountRow::spent))
        }
    }
}

// === impl StoredBudget ===

impl StoredBudget {
    /// As a gateway reads it.
    fn applied(&self, spent: u64) -> AppliedBudget {
        let budget = &self.budget;
        AppliedBudget {
            id: self.id.clone(),
            name: budget.name.clone(),
            scope: budget.subject.scope(),
            unit: budget.unit,
            period: budget.period,
            amount: budget.amount,
            spent,
            period_ends_in_ms: None,
            enforcement: budget.enforcement,
            on_unavailable: budget.on_unavailable,
            thresholds: budget.thresholds.clone(),
            lease: None,
        }
    }
}

// === impl NewAccount ===

impl NewAccount {
    /// Of which budget and which window it is.
    pub(super) fn key(&self) -> (&str, UnixMillis) {
        (&self.budget_id, self.window.start)
    }

    /// The account of a budget in a window.
    pub(super) fn new(budget: &StoredBudget, window: Window) -> Self {
        Self {
            budget_id: budget.id.clone(),
            window,
        }
    }
}
