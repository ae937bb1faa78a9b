// Budgets: how much is used, and where that leads.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { repeat } from '../../vendor/lit/directives/repeat.js';
import { access } from '../access.js';
import { everything, get, remove } from '../api.js';
import { amount, bare, date, nanos, percent } from '../format.js';
import { badge, moment } from '../parts/badge.js';
import { bar, level, shares } from '../parts/bar.js';
import { confirmed } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { emptyHere, framed } from '../parts/states.js';
import { tell } from '../parts/toast.js';
import { projection } from '../projection.js';
import { Resource } from '../resource.js';
import { router } from '../router.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { createBudget, deposit, editBudget, raiseBudget } from './budget_form.js';

const EVERY_MS = 3_000;
const PAGES = 5;

export class BudgetsView extends View {
  static title = 'Budgets';
  #order = 'used';
  #withArchived = false;

  start() {
    this.#order = this.params.get('order') ?? 'used';
    this.#withArchived = this.params.get('archived') === 'true';
    const fetch = (signal) => loadBudgets(signal, this.#withArchived);
    this.budgets = this.owns(new Resource(fetch, () => this.update(), { every: EVERY_MS }));
  }

  #create = async () => {
    if ((await createBudget()) !== undefined) this.budgets.refresh();
  };

  async #edit(budget) {
    if ((await editBudget(budget)) !== undefined) this.budgets.refresh();
  }

  async #deposit(budget) {
    if ((await deposit(budget)) !== undefined) this.budgets.refresh();
  }

  async #raise(budget) {
    if ((await raiseBudget(budget)) !== undefined) this.budgets.refresh();
  }

  #endRaises(budget) {
    confirmed({
      title: `End the raise of ${budget.name}?`,
      text: 'The budget is at once what it was before. What was spent meanwhile stays spent.',
      action: 'End the raise',
      run: async () => {
        const path = `budgets/${budget.id}/raises`;
        const raises = await everything(path, 'raises', {});
        for (const raise of raises.filter(({ active }) => active)) await remove(`${path}/${raise.id}`);
        tell(`${budget.name}: no longer raised.`);
        await this.budgets.refresh();
      },
    });
  }

  #archive(budget) {
    confirmed({
      title: `Archive ${budget.name}?`,
      text: budget.template
        ? 'All budgets that this template has made are archived with it. Requests are no longer held against them.'
        : 'Requests are no longer held against it. What it was charged stays in the ledger.',
      action: 'Archive',
      run: async () => {
        await remove(`budgets/${budget.id}`);
        tell(`${budget.name}: archived.`);
        await this.budgets.refresh();
      },
    });
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Budgets</h1>
        <div class="actions">
          <label class="filters" for="order"><span class="muted">Order</span></label>
          <select
            id="order"
            @change=${(event) => {
              this.#order = event.target.value;
              router.remember({ order: this.#order });
              this.update();
            }}
          >
            ${[
              ['used', 'Most used first'],
              ['name', 'Name'],
              ['newest', 'Newest first'],
            ].map(([key, text]) => html`<option value=${key} ?selected=${key === this.#order}>${text}</option>`)}
          </select>
          <label class="check">
            <input
              type="checkbox"
              .checked=${this.#withArchived}
              @change=${(event) => {
                this.#withArchived = event.target.checked;
                router.remember({ archived: this.#withArchived ? 'true' : '' });
                this.budgets.reset();
              }}
            />
            Archived ones too
          </label>
          ${this.#createButton()}
        </div>
      </div>
      ${framed(this.budgets, 'budgets', (all) => this.#groups(all))}`;
  }

  #createButton() {
    return workspaces.allows('admin')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Create budget</button>`
      : nothing;
  }

  #groups(all) {
    const budgets = ordered(ofWorkspace(all), this.#order);
    if (budgets.length === 0) {
      const text = 'A budget caps what requests may cost, in dollars, tokens or calls, and is never overspent.';
      return html`<div class="panel">${emptyHere('budgets', 'No budgets', text, this.#createButton())}</div>`;
    }
    const plain = budgets.filter((budget) => !budget.template);
    const templates = budgets.filter((budget) => budget.template);
    return html`<div class="stack">
      <section aria-labelledby="plain">
        <h2 class="hidden-visually" id="plain">Budgets</h2>
        <div class="budgets">${repeat(
          plain,
          (budget) => budget.id,
          (budget) => this.#card(budget),
        )}</div>
      </section>
      ${templates.length > 0
        ? html`<section class="stack" aria-labelledby="templates">
            <h2 id="templates">Templates <span class="muted">make a budget for each subject when it is first seen</span></h2>
            <div class="budgets">
              ${repeat(
                templates,
                (budget) => budget.id,
                (budget) => this.#card(budget),
              )}
            </div>
          </section>`
        : nothing}
    </div>`;
  }

  #card(budget) {
    const isCounted = !budget.template && budget.period !== 'request';
    return html`<article class="panel budget" data-budget=${budget.id} aria-label=${budget.name}>
      <div class="budget-head">
        <h3>${budget.name}</h3>
        ${budget.archived_at
          ? badge('archived')
          : budget.enforcement === 'soft'
            ? badge('soft', 'accent')
            : nothing}
      </div>
      ${isCounted
        ? html`<div class="budget-amount">
              <span class="value">${bare(budget.spent, budget.unit)}</span>
              <span class="muted">of ${amount(budget.amount, budget.unit)}</span>
              <span class="share tone-${level(shares(budget).spent)}">${percent(shares(budget).spent)}</span>
            </div>
            ${bar(budget)}`
        : html`<div class="budget-amount">
            <span class="value">${amount(budget.amount, budget.unit)}</span>
            <span class="muted">${PERIODS[budget.period]}</span>
          </div>`}
      <div class="tags">
        ${Object.entries(budget.subject).map(([facet, value]) => badge(`${facet} ${value === '*' ? '(each)' : value}`))}
        ${Object.keys(budget.subject).length === 0 ? badge('every request') : nothing}
        ${badge(PERIODS[budget.period])}
      </div>
      <div class="tail">${isCounted ? tail(budget) : nothing}</div>
      ${!budget.archived_at && access.over(budget.subject.workspace, 'admin')
        ? html`<div class="budget-actions">
            <button class="button small" @click=${() => this.#edit(budget)} aria-label="Change ${budget.name}">Change</button>
            ${isCounted
              ? html`<button class="button small" @click=${() => this.#raise(budget)} aria-label="Raise ${budget.name}">
                  Raise
                </button>`
              : nothing}
            ${budget.raised_until
              ? html`<button class="button small" @click=${() => this.#endRaises(budget)} aria-label="End the raise of ${budget.name}">
                  End raise
                </button>`
              : nothing}
            ${budget.period === 'total' && !budget.template
              ? html`<button class="button small" @click=${() => this.#deposit(budget)} aria-label="Deposit to ${budget.name}">
                  Deposit
                </button>`
              : nothing}
            <button class="button small" @click=${() => this.#archive(budget)} aria-label="Archive ${budget.name}">
              Archive
            </button>
          </div>`
        : nothing}
    </article>`;
  }
}

const PERIODS = {
  request: 'each request',
  session: 'each session',
  day: 'per day',
  week: 'per week',
  month: 'per month',
  total: 'in total',
};

/** Where it leads, what gateways hold, and what went wrong. */
function tail(budget) {
  const lines = [];
  const ahead = projection(budget, Date.now());
  if (ahead?.kind === 'exhausted') lines.push(html`<strong>Exhausted</strong>${until(budget)}.`);
  if (ahead?.kind === 'runs-out') lines.push(html`At this pace it <strong>runs out on ${date(ahead.at)}</strong>${until(budget)}.`);
  if (ahead?.kind === 'lasts') {
    lines.push(html`At this pace ${amount(ahead.amount, budget.unit)} by ${date(budget.period_end)} (${percent(ahead.share)}).`);
  }
  if (ahead === null && budget.period_end) lines.push(html`Whole again on ${date(budget.period_end)}.`);
  if (budget.raised_until) {
    lines.push(html`Raised from ${amount(budget.own_amount, budget.unit)} until ${moment(budget.raised_until)}.`);
  }
  const some = (decimal) => nanos(decimal) > 0n;
  if (some(budget.leased)) lines.push(html`Gateways hold ${amount(budget.leased, budget.unit)}.`);
  if (some(budget.overrun)) lines.push(html`Charged beyond the amount: ${amount(budget.overrun, budget.unit)}.`);
  if (some(budget.debt)) lines.push(html`Debt from while the sidecar was away: ${amount(budget.debt, budget.unit)}.`);
  return lines.map((line) => html`<p>${line}</p>`);
}

const until = (budget) => (budget.period_end ? html`, whole again on ${date(budget.period_end)}` : nothing);

/** All budgets, page by page. */
export async function loadBudgets(signal, withArchived = false) {
  const all = [];
  let after;
  for (let page = 0; page < PAGES; page += 1) {
    const query = { archived: withArchived || undefined, limit: 1_000, after };
    const answer = await get('budgets', query, { signal });
    all.push(...answer.budgets);
    if (answer.next === null) break;
    after = answer.next;
  }
  return all;
}

/** Those that requests of the chosen workspace are held against. */
export function ofWorkspace(budgets) {
  const { chosen } = workspaces;
  if (chosen === '') return budgets;
  return budgets.filter(({ subject: { workspace } }) => workspace === undefined || workspace === '*' || workspace === chosen);
}

/** The most used first, or in another order. */
export function ordered(budgets, order) {
  const by = {
    used: (a, b) => shares(b).spent - shares(a).spent || a.name.localeCompare(b.name),
    name: (a, b) => a.name.localeCompare(b.name),
    newest: (a, b) => (a.id < b.id ? 1 : -1),
  };
  return [...budgets].sort(by[order] ?? by.used);
}

/** A budget in two lines, for the overview. */
export const brief = (budget) => html`<li class="brief-budget">
  <span class="clip">${budget.name}</span>
  <span class="number"
    ><span class="muted">${bare(budget.spent, budget.unit)} of ${amount(budget.amount, budget.unit)} ·</span>
    <span class="tone-${level(shares(budget).spent)}">${percent(shares(budget).spent)}</span></span
  >
  <span class="bar-cell">${bar(budget)}</span>
</li>`;
