// The forms in which a key is created, changed and rotated.

import { html } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { patch, post } from '../api.js';
import { areaField, choiceField, field, openForm, textField } from '../parts/form.js';
import { showSecret } from '../parts/secret.js';
import { tell } from '../parts/toast.js';
import { workspaces } from '../workspaces.js';

/** Creates a key and shows it, once. Undefined where the person thought better of it. */
export async function createKey() {
  const created = await openForm({
    title: 'Create a key',
    action: 'Create',
    fields: (faults) => html`
      ${textField({ name: 'name', label: 'Name', isRequired: true, fault: faults.name, hint: 'What people call it' })}
      ${workspaceField(faults)}
      ${textField({ name: 'user', label: 'User', fault: faults.user, hint: 'The person or service behind it' })}
      ${choiceField({
        name: 'environment',
        label: 'Environment',
        value: 'live',
        fault: faults.environment,
        hint: 'Part of the key’s text',
        options: [
          ['live', 'live'],
          ['test', 'test'],
        ],
      })}
      ${sharedFields(faults)}
    `,
    submit: ({ name, workspace, user, environment, ...rest }) =>
      post('keys', { name, workspace, user: user || null, environment, ...shared(rest) }),
  });
  if (created === undefined) return undefined;
  await showSecret({
    title: 'The key',
    label: created.name,
    secret: created.key,
    text: 'Store it now: it is not shown again, and Tollgate keeps no more than its hash.',
  });
  return created;
}

/** Changes a key. Undefined where the person thought better of it. */
export async function editKey(key) {
  const changed = await openForm({
    title: `Change ${key.name}`,
    action: 'Save',
    fields: (faults) => html`
      ${textField({ name: 'name', label: 'Name', value: key.name, isRequired: true, fault: faults.name, isWhole: true })}
      ${sharedFields(faults, key)}
    `,
    submit: ({ name, ...rest }) => patch(`keys/${key.id}`, { name, ...shared(rest) }),
  });
  if (changed !== undefined) tell(`${changed.name}: saved.`);
  return changed;
}

/** Rotates a key and shows its new secret, once. Undefined where the person thought better of it. */
export async function rotateKey(key) {
  const rotated = await openForm({
    title: `Rotate ${key.name}`,
    action: 'Rotate',
    fields: (faults) =>
      choiceField({
        name: 'grace_seconds',
        label: 'The secret of now works for',
        value: '86400',
        isWhole: true,
        fault: faults.grace_seconds,
        hint: 'Beside the new one. Choose none where it has leaked. Spend, limits and budgets go on as they are',
        options: [
          ['0', 'no longer'],
          ['3600', 'an hour'],
          ['86400', 'a day'],
          ['604800', 'a week'],
        ],
      }),
    submit: ({ grace_seconds }) => post(`keys/${key.id}/rotate`, { grace_seconds: Number(grace_seconds) }),
  });
  if (rotated === undefined) return undefined;
  await showSecret({
    title: 'The new key',
    label: rotated.name,
    secret: rotated.key,
    text: 'Store it now: it is not shown again, and Tollgate keeps no more than its hash.',
  });
  return rotated;
}

const workspaceField = (faults) =>
  field({
    name: 'workspace',
    label: 'Workspace',
    fault: faults.workspace,
    hint: access.everywhere('member') ? 'An existing one, or a new one' : 'One in which you are a member',
    control: ({ id, describedBy, invalid }) => html`<input
        class="input"
        id=${id}
        name="workspace"
        list="known-workspaces"
        value=${workspaces.likely('member')}
        required
        autocomplete="off"
        aria-describedby=${describedBy}
        aria-invalid=${invalid}
      />
      <datalist id="known-workspaces">${workspaces.where('member').map((name) => html`<option value=${name}></option>`)}</datalist>`,
  });

const sharedFields = (faults, key = {}) => html`
  ${areaField({
    name: 'models',
    label: 'Models',
    value: (key.models ?? []).join('\n'),
    rows: 3,
    isWhole: true,
    fault: faults.models,
    hint: 'One a line, * stands for anything: gpt-4o*. Empty means all',
  })}
  ${textField({
    name: 'expires_at',
    label: 'Expires',
    type: 'datetime-local',
    value: key.expires_at ? local(key.expires_at) : '',
    fault: faults.expires_at,
    hint: 'Empty means never; in your time zone',
  })}
  ${textField({
    name: 'moderation',
    label: 'Moderation policy',
    value: key.moderation ?? '',
    fault: faults.moderation,
    hint: 'Empty means the workspace’s',
  })}
`;

function shared({ models, expires_at, moderation }) {
  const globs = models
    .split(/[\n,]/)
    .map((model) => model.trim())
    .filter(Boolean);
  return {
    models: globs.length > 0 ? globs : null,
    expires_at: expires_at ? new Date(expires_at).toISOString() : null,
    moderation: moderation || null,
  };
}

/** A time as a field of type `datetime-local` has it. */
function local(iso) {
  const date = new Date(iso);
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
