// Workspaces and their users: what they cost, when they were seen, and whether their keys may be used.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { everything, patch, removeAsItIs, tagged } from '../api.js';
import { money, nanos } from '../format.js';
import { badge, moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, emptyHere, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { createUser, createWorkspace, editUser, editWorkspace } from './workspace_form.js';

const EVERY_MS = 10_000;

export class WorkspacesView extends View {
  static title = 'Workspaces';

  start() {
    const follow = (collection) => {
      const load = (signal) => everything(collection, collection, { workspace: workspaces.filter }, signal);
      return this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
    };
    this.workspaces = follow('workspaces');
    this.users = follow('users');
  }

  /** Has a form do something, and looks again if it did. */
  async #with(form) {
    if ((await form) === undefined) return;
    workspaces.load().catch(() => {});
    this.refresh();
  }

  #pause(path, name, status) {
    const isPaused = status === 'paused';
    const run = async () => {
      const { etag } = await tagged(path);
      await patch(path, { status: isPaused ? 'active' : 'paused' }, { headers: { 'if-match': etag } });
      tell(`${name}: ${isPaused ? 'active again' : 'paused'}.`);
      this.refresh();
    };
    if (isPaused) {
      run().catch((error) => tell(`${name}: ${error.message}.`));
      return;
    }
    confirmed({
      title: `Pause ${name}?`,
      text: 'Every gateway refuses it within two seconds, whether it comes with a key or a JWT, until it is active again.',
      action: 'Pause',
      run,
    });
  }

  #delete(workspace) {
    confirmed({
      title: `Delete ${workspace.id}?`,
      text: 'Only a workspace that has neither keys, events nor budgets can be deleted. Its users go with it.',
      action: 'Delete',
      run: async () => {
        await removeAsItIs(pathOf(workspace));
        tell(`${workspace.id}: deleted.`);
        await this.#with(true);
      },
    });
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Workspaces</h1>
        <div class="actions">
          ${workspaces.allows('admin')
            ? html`<button class="button" @click=${() => this.#with(createUser())}>${icons.plus} Create user</button>`
            : nothing}
          ${access.everywhere('admin')
            ? html`<button class="button primary" @click=${() => this.#with(createWorkspace())}>
                ${icons.plus} Create workspace
              </button>`
            : nothing}
        </div>
      </div>
      <div class="stack">
        <section class="panel" aria-label="Workspaces">
          ${shown(this.workspaces, 'workspaces', (all) =>
            all.length === 0
              ? empty('No workspaces yet', 'One is there as soon as a key, a budget or a request names it.')
              : this.#table(all),
          )}
        </section>
        <section class="panel" aria-labelledby="users">
          <div class="panel-head"><h2 id="users">Users</h2></div>
          ${shown(this.users, 'users', (all) =>
            all.length === 0
              ? emptyHere('users', 'No users yet', 'One is there as soon as a key or a request names it.')
              : this.#userTable(all),
          )}
        </section>
      </div>`;
  }

  #table(all) {
    return table(all, (workspace) => this.#row(workspace), [
      ['Workspace'],
      ['Status'],
      ['This month', 'right'],
      ['Moderation', 'wide'],
      ['First seen', 'wide'],
      ['Last seen', 'wide'],
      ACTIONS,
    ]);
  }

  #row(workspace) {
    const { id, status } = workspace;
    return html`<tr>
      <th scope="row">
        ${workspace.display_name ?? id}
        ${workspace.display_name ? html`<div class="sub mono muted">${id}</div>` : nothing}
      </th>
      <td>${badge(status, status === 'active' ? 'ok' : 'warn')}</td>
      <td class="right number">${money(nanos(workspace.month_cost_usd))}</td>
      <td class="wide">${workspace.moderation ?? workspace.declared_moderation ?? '–'}</td>
      <td class="wide nowrap">${moment(workspace.first_seen_at)}</td>
      <td class="wide nowrap">${moment(workspace.last_seen_at)}</td>
      <td>
        ${rowActions(
          id,
          access.within(id, 'admin')
            ? [
                { label: 'Change', run: () => this.#with(editWorkspace(workspace)) },
                { label: pauseOrResume(status), run: () => this.#pause(pathOf(workspace), id, status) },
                access.everywhere('admin') &&
                  workspace.first_seen_at === null && {
                    label: 'Delete',
                    run: () => this.#delete(workspace),
                    isDanger: true,
                  },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }

  #userTable(all) {
    return table(all, (user) => this.#userRow(user), [
      ['User'],
      ['Status'],
      ['This month', 'right'],
      ['Workspace', 'wide'],
      ['First seen', 'wide'],
      ['Last seen', 'wide'],
      ACTIONS,
    ]);
  }

  #userRow(user) {
    const { status } = user;
    const name = `${user.user} of ${user.workspace}`;
    return html`<tr>
      <th scope="row">
        ${user.display_name ?? user.user}
        ${user.display_name ? html`<div class="sub mono muted">${user.user}</div>` : nothing}
      </th>
      <td>${badge(status, status === 'active' ? 'ok' : 'warn')}</td>
      <td class="right number">${money(nanos(user.month_cost_usd))}</td>
      <td class="wide">${user.workspace}</td>
      <td class="wide nowrap">${moment(user.first_seen_at)}</td>
      <td class="wide nowrap">${moment(user.last_seen_at)}</td>
      <td>
        ${rowActions(
          name,
          access.within(user.workspace, 'admin')
            ? [
                { label: 'Change', run: () => this.#with(editUser(user)) },
                { label: pauseOrResume(status), run: () => this.#pause(`users/${user.id}`, name, status) },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

const pathOf = (workspace) => `workspaces/${encodeURIComponent(workspace.id)}`;

const pauseOrResume = (status) => (status === 'paused' ? 'Resume' : 'Pause');
