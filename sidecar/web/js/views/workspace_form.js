// The forms in which workspaces and users are created and changed.

import { html } from '../../vendor/lit/lit-html.js';
import { attempt, patch, post } from '../api.js';
import { choiceField, current, openForm, textField } from '../parts/form.js';
import { tell } from '../parts/toast.js';
import { workspaces } from '../workspaces.js';

/** Creates a workspace. Undefined where the person thought better of it. */
export function createWorkspace() {
  const headers = attempt();
  return openForm({
    title: 'Create a workspace',
    action: 'Create',
    fields: (faults) => html`
      ${textField({ name: 'id', label: 'Id', isRequired: true, fault: faults.id, hint: 'What keys name it by, for good' })}
      ${displayName(faults)} ${policy(faults)}
    `,
    submit: ({ id, display_name, moderation }) => {
      const body = { id, display_name: display_name || null, moderation: moderation || null };
      return post('workspaces', body, { headers: headers(body) });
    },
  });
}

/** Changes a workspace. Undefined where the person thought better of it. */
export const editWorkspace = ({ id }) =>
  edit(`workspaces/${encodeURIComponent(id)}`, id, (faults, now) => html`${displayName(faults, now)} ${policy(faults, now)}`);

/** Creates a user. Undefined where the person thought better of it. */
export function createUser() {
  const headers = attempt();
  const places = workspaces.where('admin').map((name) => [name, name]);
  return openForm({
    title: 'Create a user',
    action: 'Create',
    fields: (faults) => html`
      ${choiceField({
        name: 'workspace',
        label: 'Workspace',
        value: workspaces.chosen,
        options: places,
        fault: faults.workspace,
      })}
      ${textField({ name: 'user', label: 'User', isRequired: true, fault: faults.user, hint: 'What keys name them by' })}
      ${displayName(faults)}
    `,
    submit: ({ workspace, user, display_name }) => {
      const body = { workspace, user, display_name: display_name || null };
      return post('users', body, { headers: headers(body) });
    },
  });
}

/** Changes a user. Undefined where the person thought better of it. */
export const editUser = ({ id, user }) => edit(`users/${id}`, user, displayName);

async function edit(path, name, fields) {
  const found = await current(path);
  if (found === null) return undefined;
  const changed = await openForm({
    title: `Change ${name}`,
    action: 'Save',
    fields: (faults) => fields(faults, found.value),
    submit: (values) => {
      const cleared = Object.entries(values).map(([field, value]) => [field, value || null]);
      return patch(path, Object.fromEntries(cleared), { headers: { 'if-match': found.etag } });
    },
  });
  if (changed !== undefined) tell(`${name}: saved.`);
  return changed;
}

const displayName = (faults, now = {}) =>
  textField({
    name: 'display_name',
    label: 'Display name',
    value: now.display_name ?? '',
    isWhole: true,
    fault: faults.display_name,
    hint: 'What people call it',
  });

const policy = (faults, now = {}) =>
  textField({
    name: 'moderation',
    label: 'Moderation policy',
    value: now.moderation ?? '',
    isWhole: true,
    fault: faults.moderation,
    hint: `For its keys that name none. Empty means ${now.declared_moderation ?? 'the one of the configuration, if any'}`,
  });
