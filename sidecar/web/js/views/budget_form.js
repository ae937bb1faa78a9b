// The forms in which a budget is created, changed and paid into.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { attempt, patch, post } from '../api.js';
import { amount as shownAmount } from '../format.js';
import { choiceField, field, openForm, textField } from '../parts/form.js';
import { tell } from '../parts/toast.js';
import { workspaces } from '../workspaces.js';

const FACETS = [
  ['', 'Every request'],
  ['workspace', 'Workspace'],
  ['user', 'User'],
  ['key', 'Key (id)'],
  ['model', 'Model'],
  ['session', 'Session'],
  ['tag', 'Tag'],
  ['gateway', 'Gateway'],
];
const PERIODS = [
  ['month', 'Month'],
  ['week', 'Week'],
  ['day', 'Day'],
  ['total', 'In total (prepaid)'],
  ['request', 'Each request'],
  ['session', 'Each session'],
];
const UNITS = [
  ['usd', 'Dollars'],
  ['tokens', 'Tokens'],
  ['requests', 'Requests'],
];

/** Creates a budget. Undefined where the person thought better of it. */
export async function createBudget() {
  // What is of no workspace needs the role everywhere.
  const facets = access.everywhere('admin') ? FACETS : FACETS.filter(([facet]) => facet === 'workspace');
  const likely = workspaces.likely('admin');
  const first = likely ? 'workspace' : facets[0][0];
  const created = await openForm({
    title: 'Create a budget',
    action: 'Create',
    fields: (faults, values) => html`
      ${choiceField({
        name: 'facet',
        label: 'For',
        value: first,
        options: facets,
        fault: faults.subject,
      })}
      ${subjectField(values.facet ?? first, likely)}
      ${choiceField({ name: 'unit', label: 'Counts', value: 'usd', options: UNITS, fault: faults.unit })}
      ${textField({ name: 'amount', label: 'Amount', isRequired: true, placeholder: '100.00', fault: faults.amount })}
      ${choiceField({ name: 'period', label: 'Period', value: 'month', options: PERIODS, fault: faults.period })}
      ${textField({
        name: 'time_zone',
        label: 'Time zone',
        value: 'UTC',
        fault: faults.time_zone,
        hint: 'Whose calendar counts, e.g. Europe/Berlin',
      })}
      ${choiceField({
        name: 'enforcement',
        label: 'When it is used up',
        value: 'hard',
        options: [
          ['hard', 'Refuse (402)'],
          ['soft', 'Only count and tell'],
        ],
        fault: faults.enforcement,
      })}
      ${textField({ name: 'name', label: 'Name', fault: faults.name, hint: 'Empty: made of subject and period' })}
    `,
    submit: ({ facet, subject, name, ...rest }) =>
      post('budgets', { ...rest, name: name || undefined, subject: facet ? { [facet]: subject } : {} }),
  });
  if (created !== undefined) tell(`${created.name}: created.`);
  return created;
}

const subjectField = (facet, likely) =>
  facet === ''
    ? html`<div class="field"></div>`
    : field({
        name: 'subject',
        label: 'Which',
        hint: access.everywhere('admin') ? '* makes one for each when it is first seen' : 'One in which you are an admin',
        control: ({ id, describedBy, invalid }) => html`<input
            class="input"
            id=${id}
            name="subject"
            list=${facet === 'workspace' ? 'budget-workspaces' : nothing}
            value=${facet === 'workspace' ? likely : ''}
            required
            autocomplete="off"
            aria-describedby=${describedBy}
            aria-invalid=${invalid}
          />
          <datalist id="budget-workspaces">
            ${workspaces.where('admin').map((name) => html`<option value=${name}></option>`)}
          </datalist>`,
      });

/** Changes a budget. Undefined where the person thought better of it. */
export async function editBudget(budget) {
  const changed = await openForm({
    title: `Change ${budget.name}`,
    action: 'Save',
    fields: (faults) => html`
      ${textField({ name: 'name', label: 'Name', value: budget.name, fault: faults.name, isWhole: true })}
      ${textField({
        name: 'amount',
        label: `Amount (${budget.unit})`,
        value: budget.own_amount ?? budget.amount,
        isRequired: true,
        fault: faults.amount,
        hint: 'Counts at once, in this period too',
      })}
      ${textField({
        name: 'thresholds',
        label: 'Tell at (percent)',
        value: budget.thresholds.join(', '),
        fault: faults.thresholds,
      })}
      ${choiceField({
        name: 'enforcement',
        label: 'When it is used up',
        value: budget.enforcement,
        options: [
          ['hard', 'Refuse (402)'],
          ['soft', 'Only count and tell'],
        ],
        fault: faults.enforcement,
      })}
      ${choiceField({
        name: 'on_unavailable',
        label: 'While the sidecar is away',
        value: budget.on_unavailable,
        options: [
          ['deny', 'Refuse once the lease is spent'],
          ['allow', 'Go on, and charge it later'],
        ],
        fault: faults.on_unavailable,
      })}
    `,
    submit: ({ thresholds, ...rest }) => {
      const percents = thresholds.split(/[\s,]+/).filter(Boolean).map(Number);
      return patch(`budgets/${budget.id}`, { ...rest, thresholds: percents });
    },
  });
  if (changed !== undefined) tell(`${changed.name}: saved.`);
  return changed;
}

const RAISE_DAYS = [
  ['0.0417', 'One hour'],
  ['1', 'One day'],
  ['7', 'One week'],
  ['30', '30 days'],
];

/** Raises a budget for a while. Undefined where the person thought better of it. */
export async function raiseBudget(budget) {
  const once = attempt();
  let until;
  const made = await openForm({
    title: `Raise ${budget.name}`,
    action: 'Raise',
    fields: (faults) => html`
      ${textField({
        name: 'amount',
        label: `By (${budget.unit})`,
        isRequired: true,
        fault: faults.amount,
        hint: `It is ${shownAmount(budget.amount, budget.unit)} now`,
      })}
      ${choiceField({ name: 'days', label: 'For', value: '1', options: RAISE_DAYS, fault: faults.until })}
      ${textField({
        name: 'reason',
        label: 'Reason',
        isRequired: true,
        isWhole: true,
        fault: faults.reason,
        hint: 'For whoever reads the audit log',
      })}
    `,
    submit: ({ amount, days, reason }) => {
      // The same for every try of this form: a raise whose answer was lost is not made twice.
      until ??= Date.now();
      const body = { amount, reason, until: new Date(until + Number(days) * 86_400_000).toISOString() };
      return post(`budgets/${budget.id}/raises`, body, { headers: once(body) });
    },
  });
  if (made !== undefined) tell(`${budget.name}: raised by ${shownAmount(made.amount, budget.unit)}.`);
  return made;
}

/** Pays into a budget. Undefined where the person thought better of it. */
export async function deposit(budget) {
  // The same for every try of this form: a deposit whose answer was lost is not made twice.
  const key = idempotencyKey();
  const made = await openForm({
    title: `Deposit to ${budget.name}`,
    action: 'Deposit',
    fields: (faults) =>
      textField({
        name: 'amount',
        label: `Amount (${budget.unit})`,
        isRequired: true,
        isWhole: true,
        fault: faults.amount,
        hint: `It is ${shownAmount(budget.amount, budget.unit)} now`,
      }),
    submit: ({ amount }) =>
      post(`budgets/${budget.id}/deposits`, { amount }, { headers: { 'idempotency-key': `${key}-${amount}` } }),
  });
  if (made !== undefined) tell(`${budget.name}: now ${shownAmount(made.budget_amount, budget.unit)}.`);
  return made;
}

function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
