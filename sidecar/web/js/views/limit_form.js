// The forms in which a limit is created, changed and reset.

import { html } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { attempt, patch, post } from '../api.js';
import { choiceField, current, faultOf, openForm, textField } from '../parts/form.js';
import { tell } from '../parts/toast.js';
import { workspaces } from '../workspaces.js';

const COUNTS = [
  ['requests', 'Requests'],
  ['tokens', 'Tokens'],
  ['input_tokens', 'Input tokens'],
  ['output_tokens', 'Output tokens'],
  ['concurrent', 'Requests at a time'],
];
const PERS = [
  ['key', 'Key'],
  ['user', 'User'],
  ['workspace', 'Workspace'],
  ['session', 'Session'],
  ['ip', 'Address'],
  ['model', 'Model'],
  ['', 'All together'],
];
const MODES = [
  ['enforce', 'Refuse (429)'],
  ['shadow', 'Only say that it would have'],
];

/** Creates a limit. Undefined where the person thought better of it. */
export async function createLimit() {
  const once = attempt();
  const created = await openForm({
    title: 'Create a limit',
    action: 'Create',
    fields: (faults, values) => html`
      ${textField({
        name: 'name',
        label: 'Name',
        isRequired: true,
        fault: faults.name,
        hint: 'What refusals call it, e.g. research-per-key',
      })}
      ${textField({
        name: 'workspace',
        label: 'Workspace',
        value: workspaces.likely('admin'),
        fault: faults.match,
        hint: access.everywhere('admin') ? 'Empty: every workspace' : 'One in which you are an admin',
      })}
      ${choiceField({ name: 'count', label: 'Counts', value: 'requests', options: COUNTS, fault: faults.count })}
      ${textField({ name: 'amount', label: 'Amount', isRequired: true, placeholder: '60', fault: faults.amount })}
      ${values.count === 'concurrent'
        ? html`<div class="field"></div>`
        : textField({ name: 'period', label: 'Period', value: '1m', fault: faults.period, hint: '30s, 1m, 24h, 7d' })}
      ${choiceField({ name: 'per', label: 'Each', value: 'key', options: PERS, fault: faults.per })}
      ${choiceField({ name: 'mode', label: 'When it is reached', value: 'enforce', options: MODES, fault: faults.mode })}
    `,
    submit: ({ workspace, period, per, amount, ...rest }) => {
      const body = {
        ...rest,
        amount: whole(amount),
        period: period || undefined,
        per: per === '' ? [] : [per],
        match: workspace === '' ? {} : { workspaces: [workspace] },
      };
      return post('limits', body, { headers: once(body) });
    },
  });
  if (created !== undefined) tell(`${created.name}: created.`);
  return created;
}

/** Changes a limit. Undefined where the person thought better of it. */
export async function editLimit(limit) {
  const path = `limits/${limit.id}`;
  const found = await current(path);
  if (found === null) return undefined;
  const { value, etag } = found;
  const changed = await openForm({
    title: `Change ${value.name}`,
    action: 'Save',
    fields: (faults) => html`
      ${textField({
        name: 'amount',
        label: 'Amount',
        value: String(value.amount),
        isRequired: true,
        fault: faults.amount,
        hint: 'Holds on every gateway within two seconds',
      })}
      ${value.period === null
        ? html`<div class="field"></div>`
        : textField({ name: 'period', label: 'Period', value: value.period, isRequired: true, fault: faults.period })}
      ${choiceField({ name: 'mode', label: 'When it is reached', value: value.mode, options: MODES, fault: faults.mode })}
    `,
    submit: ({ amount, ...rest }) => patch(path, { ...rest, amount: whole(amount) }, { headers: { 'if-match': etag } }),
  });
  if (changed !== undefined) tell(`${changed.name}: saved.`);
  return changed;
}

/** Gives back what a limit has counted. */
export async function resetLimit(limit) {
  const per = limit.per.filter((one) => one !== 'global');
  const done = await openForm({
    title: `Reset ${limit.name}`,
    action: 'Reset',
    fields: (faults) =>
      per.length === 0
        ? html`<p class="whole">What it has counted is given back to all.</p>`
        : per.map((one, at) =>
            textField({
              name: one,
              label: one === 'key' ? 'key (id)' : one,
              fault: at === 0 ? faults.subject : undefined,
              hint: at === 0 ? 'Empty: to everybody' : '',
              isWhole: true,
            }),
          ),
    submit: (values) => post(`limits/${limit.id}/reset`, body(values)),
  });
  if (done !== undefined) tell(`${limit.name}: reset on every gateway within two seconds.`);
}

/** Gives back what a limit has counted that only gateways' configurations have. */
export async function resetByName() {
  const done = await openForm({
    title: 'Reset a limit of the configuration',
    action: 'Reset',
    fields: (faults) => html`
      ${textField({
        name: 'limit',
        label: 'Name of the limit',
        isRequired: true,
        isWhole: true,
        fault: faults.limit,
        hint: 'As gateways have it in their configuration',
      })}
      ${choiceField({ name: 'facet', label: 'Whose', value: '', options: [['', 'Everybody’s'], ...PERS.slice(0, -1)] })}
      ${textField({ name: 'value', label: 'Which', fault: faults.subject, hint: 'Of a key, its id' })}
    `,
    submit: async ({ limit, facet, value }) => {
      if (limit === '') throw faultOf('limit', 'a name is missing');
      await post(`limits/by-name/${encodeURIComponent(limit)}/reset`, facet === '' ? {} : { subject: { [facet]: value } });
      return limit;
    },
  });
  if (done !== undefined) tell(`${done}: reset on every gateway within two seconds.`);
}

/** Nobody named is everybody. */
function body(values) {
  const subject = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''));
  return Object.keys(subject).length === 0 ? {} : { subject };
}

/** What is no number is sent as it was written, and refused with the reason. */
const whole = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text);
