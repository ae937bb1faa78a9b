// Tokens of the admin API, for programs.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access, ROLES } from '../access.js';
import { attempt, everything, get, post } from '../api.js';
import { ago, badge, moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { choiceField, openForm, textField } from '../parts/form.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { showSecret } from '../parts/secret.js';
import { emptyHere, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';

const EVERY_MS = 15_000;
const TONES = { active: 'ok', expired: 'bad', revoked: 'bad' };

export class TokensView extends View {
  static title = 'API tokens';

  start() {
    const load = async (signal) => {
      const tokens = await everything('tokens', 'tokens', { workspace: workspaces.filter }, signal);
      return tokens.reverse();
    };
    this.tokens = this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
  }

  #create = async () => {
    let scopes;
    try {
      scopes = await knownScopes();
    } catch (error) {
      tell(`Not now: ${error.message}.`);
      return;
    }
    const created = await createToken(scopes);
    if (created !== undefined) this.tokens.refresh();
  };

  #revoke(token) {
    confirmed({
      title: `Revoke ${token.name}?`,
      text: html`The next request with <code>${token.prefix}…</code> is refused. A revoked token cannot be brought back.`,
      action: 'Revoke',
      run: async () => {
        await post(`tokens/${token.id}/revoke`);
        tell(`${token.name}: revoked.`);
        await this.tokens.refresh();
      },
    });
  }

  template() {
    const create = workspaces.allows('admin')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Create token</button>`
      : nothing;
    return html`<div class="view-head">
        <h1 tabindex="-1">API tokens</h1>
        <div class="actions">${create}</div>
      </div>
      <section class="panel" aria-label="API tokens">
        ${shown(this.tokens, 'API tokens', (tokens) =>
          tokens.length === 0
            ? emptyHere('API tokens', 'No API tokens', 'A program that uses the admin API needs one: with a role, scopes and an end.', create)
            : this.#table(tokens),
        )}
      </section>`;
  }

  #table(tokens) {
    return table(tokens, (token) => this.#row(token), [
      ['Name'],
      ['Status'],
      ['Workspace', 'wide'],
      ['Role', 'wide'],
      ['Scopes', 'wide'],
      ['Expires', 'wide'],
      ['Last used', 'wide'],
      ACTIONS,
    ]);
  }

  #row(token) {
    const status = statusOf(token);
    const scopes = token.scopes?.join(', ') ?? 'all of the role';
    return html`<tr>
      <th scope="row">
        ${token.name}
        <div class="sub mono muted">${token.prefix}…</div>
      </th>
      <td>${badge(status, TONES[status])}</td>
      <td class="wide">${token.workspace ?? 'everywhere'}</td>
      <td class="wide">${token.role}</td>
      <td class="wide"><div class="clip" title=${scopes}>${scopes}</div></td>
      <td class="wide nowrap">${token.expires_at ? ago(token.expires_at) : 'never'}</td>
      <td class="wide nowrap">${moment(token.last_used_at)}</td>
      <td>
        ${rowActions(token.name, [
          status !== 'revoked' && { label: 'Revoke', run: () => this.#revoke(token), isDanger: true },
        ])}
      </td>
    </tr>`;
  }
}

function statusOf(token) {
  if (token.revoked_at) return 'revoked';
  return token.expires_at && new Date(token.expires_at).getTime() <= Date.now() ? 'expired' : 'active';
}

/** The scopes that this sidecar knows, each with what it is for: as the description of its API has them. */
async function knownScopes() {
  const description = await get('openapi.json');
  return description.components.schemas.Scope.oneOf.map(({ const: scope, description: text }) => [scope, text]);
}

async function createToken(scopes) {
  const headers = attempt();
  const places = workspaces.where('admin').map((name) => [name, name]);
  if (access.everywhere('admin')) places.unshift(['', 'everywhere']);
  const first = workspaces.likely('admin') || (places[0]?.[0] ?? '');
  const rolesFor = (workspace) => ROLES.filter(([role]) => access.over(workspace, role));
  const created = await openForm({
    title: 'Create an API token',
    action: 'Create',
    isWide: true,
    fields: (faults, values) => html`
      ${textField({ name: 'name', label: 'Name', isRequired: true, fault: faults.name, hint: 'What it is for' })}
      ${textField({
        name: 'expires_at',
        label: 'Expires',
        type: 'datetime-local',
        fault: faults.expires_at,
        hint: 'Empty means never; in your time zone',
      })}
      ${choiceField({
        name: 'workspace',
        label: 'Workspace',
        value: first,
        options: places,
        fault: faults.workspace,
      })}
      ${choiceField({ name: 'role', label: 'Role', value: 'viewer', options: rolesFor(values.workspace ?? first), fault: faults.role })}
      <fieldset class="field whole">
        <legend class="field-label">Scopes</legend>
        <div class="scopes">
          ${scopes.map(
            ([scope, text]) => html`<label class="check" title=${text}>
              <input type="checkbox" name="scopes" data-list="true" value=${scope} /> <code>${scope}</code>
            </label>`,
          )}
        </div>
        <span class="hint">None ticked means whatever the role may. It never can do more than you can</span>
        ${faults.scopes ? html`<span class="fault">${faults.scopes}</span>` : nothing}
      </fieldset>
    `,
    submit: ({ name, workspace, role, expires_at, scopes: chosen }) => {
      const body = {
        name,
        workspace: workspace || null,
        role,
        scopes: chosen.length > 0 ? chosen : null,
        expires_at: expires_at ? new Date(expires_at).toISOString() : null,
      };
      return post('tokens', body, { headers: headers(body) });
    },
  });
  if (created === undefined) return undefined;
  await showSecret({
    title: 'The token',
    label: created.name,
    secret: created.token,
    text: 'Store it now: it is not shown again, and Tollgate keeps no more than its hash.',
  });
  return created;
}
