// The forms in which an operator is created and changed, and in which one changes one's own password.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access, ROLES } from '../access.js';
import { attempt, patch, post, replaceSession } from '../api.js';
import { choiceField, current, openForm, textField } from '../parts/form.js';
import { icons } from '../parts/icons.js';
import { sentence } from '../parts/states.js';
import { tell } from '../parts/toast.js';
import { workspaces } from '../workspaces.js';

const PASSWORD = { type: 'password', autocomplete: 'new-password', isRequired: true, hint: '12 to 256 characters' };

/** Creates an operator. Undefined where the person thought better of it. */
export async function createOperator() {
  const roles = new Roles({ [workspaces.chosen || '*']: 'viewer' });
  const headers = attempt();
  const created = await openForm({
    title: 'Create an operator',
    action: 'Create',
    fields: (faults, _, update) => html`
      ${textField({ name: 'name', label: 'Name', isRequired: true, fault: faults.name, hint: 'Signs in by it, for good' })}
      ${textField({
        ...PASSWORD,
        isRequired: false,
        name: 'password',
        label: 'Password',
        fault: faults.password,
        hint: '12 to 256 characters; without one there is no sign-in by password',
      })}
      ${roles.fields(faults.roles, update)}
    `,
    submit: ({ name, password }) => {
      const body = { name, password: password || null, roles: roles.value };
      return post('operators', body, { headers: headers(body) });
    },
  });
  if (created !== undefined) tell(`${created.name}: created.`);
  return created;
}

/** Changes what an operator may do. Undefined where the person thought better of it. */
export async function editOperator({ id, name }) {
  const found = await current(`operators/${id}`);
  if (found === null) return undefined;
  const roles = new Roles(found.value.roles);
  const changed = await openForm({
    title: `Change ${name}`,
    action: 'Save',
    fields: (faults, _, update) => html`
      ${choiceField({
        name: 'status',
        label: 'Status',
        value: found.value.status,
        isWhole: true,
        fault: faults.status,
        hint: 'Who is disabled is signed out, and their tokens hold no more',
        options: [
          ['active', 'active'],
          ['disabled', 'disabled'],
        ],
      })}
      ${roles.fields(faults.roles, update)}
    `,
    submit: ({ status }) =>
      patch(`operators/${id}`, { status, roles: roles.value }, { headers: { 'if-match': found.etag } }),
  });
  if (changed !== undefined) tell(`${name}: saved.`);
  return changed;
}

/** Gives an operator another password. Undefined where the person thought better of it. */
export async function resetPassword({ id, name }) {
  const found = await current(`operators/${id}`);
  if (found === null) return undefined;
  const changed = await openForm({
    title: `Another password for ${name}`,
    action: 'Reset',
    fields: (faults) => textField({ ...PASSWORD, name: 'password', label: 'Password', isWhole: true, fault: faults.password }),
    submit: ({ password }) => patch(`operators/${id}`, { password }, { headers: { 'if-match': found.etag } }),
  });
  if (changed !== undefined) tell(`${name}: the password is another one, and their sessions have ended.`);
  return changed;
}

/** Changes one's own password: this session goes on, one's others end. */
export async function changeOwnPassword() {
  const changed = await openForm({
    title: 'Change your password',
    action: 'Change',
    fields: (faults) => html`
      ${textField({
        name: 'current_password',
        label: 'Current password',
        type: 'password',
        autocomplete: 'current-password',
        isRequired: true,
        isWhole: true,
        fault: faults.current_password,
      })}
      ${textField({ ...PASSWORD, name: 'new_password', label: 'New password', isWhole: true, fault: faults.new_password })}
    `,
    submit: (passwords) => replaceSession(() => post('session/password', passwords)),
  });
  if (changed !== undefined) tell('Your password is changed. Everywhere else you are signed out.');
}

/** Roles while they are edited: one row each. */
class Roles {
  #rows;

  constructor(roles) {
    this.#rows = Object.entries(roles).map(([workspace, role]) => ({ workspace, role }));
  }

  get value() {
    return Object.fromEntries(
      this.#rows.filter(({ workspace }) => workspace.trim()).map(({ workspace, role }) => [workspace.trim(), role]),
    );
  }

  fields(fault, update) {
    const add = () => {
      this.#rows.push({ workspace: '', role: 'viewer' });
      update();
    };
    return html`<fieldset class="field whole">
      <legend class="field-label">Roles</legend>
      ${this.#rows.map((row, index) => this.#row(row, index, update))}
      <datalist id="role-workspaces">
        <option value="*"></option>
        ${workspaces.names.map((name) => html`<option value=${name}></option>`)}
      </datalist>
      <div><button class="button small" type="button" @click=${add}>${icons.plus} Add role</button></div>
      <span class="hint">A role for each workspace, and with * for all of them</span>
      ${fault ? html`<span class="fault">${sentence(fault)}</span>` : nothing}
    </fieldset>`;
  }

  #row(row, index, update) {
    const drop = () => {
      this.#rows.splice(index, 1);
      update();
    };
    return html`<div class="role-row">
      <input
        class="input"
        aria-label="Workspace of role ${index + 1}"
        list="role-workspaces"
        autocomplete="off"
        .value=${row.workspace}
        @input=${(event) => (row.workspace = event.target.value)}
      />
      <select aria-label="Role ${index + 1}" @change=${(event) => (row.role = event.target.value)}>
        ${ROLES.filter(([role]) => access.within(row.workspace.trim(), role)).map(([role]) => html`<option value=${role} .selected=${role === row.role}>${role}</option>`)}
      </select>
      <button class="quiet" type="button" @click=${drop} aria-label="Remove role ${index + 1}">${icons.close}</button>
    </div>`;
  }
}
