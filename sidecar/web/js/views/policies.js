// Moderation policies, beside the log of what they found.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { attempt, everything, patch, post, removeAsItIs } from '../api.js';
import { badge } from '../parts/badge.js';
import { confirmed, openDialog } from '../parts/dialog.js';
import { areaField, current, openForm, readJson, textField } from '../parts/form.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';

const EVERY_MS = 15_000;
const EXAMPLE = {
  rules: [{ name: 'projects', category: 'confidential', action: 'block', words: ['project nightingale'] }],
};

/** The panel of all policies. */
export class Policies {
  /** @param {() => void} changed */
  constructor(changed) {
    const load = (signal) => everything('moderation/policies', 'policies', {}, signal);
    this.resource = new Resource(load, changed, { every: EVERY_MS });
  }

  /** Has a form do something, and looks again if it did. */
  async #with(form) {
    if ((await form) !== undefined) this.resource.refresh();
  }

  #delete({ id }) {
    confirmed({
      title: `Delete ${id}?`,
      text: 'Only a policy that neither a key nor a workspace has can be deleted.',
      action: 'Delete',
      run: async () => {
        await removeAsItIs(pathOf(id));
        tell(`${id}: deleted.`);
        await this.resource.refresh();
      },
    });
  }

  template() {
    const create = access.everywhere('admin')
      ? html`<button class="button small" @click=${() => this.#with(createPolicy())}>${icons.plus} Create policy</button>`
      : nothing;
    return html`<section class="panel" aria-labelledby="policies">
      <div class="panel-head">
        <h2 id="policies">Policies</h2>
        ${create}
      </div>
      ${shown(this.resource, 'policies', (all) =>
        all.length === 0
          ? empty('No policies', 'A policy says what is flagged, redacted or blocked, for the keys and workspaces that have it.')
          : this.#table(all),
      )}
    </section>`;
  }

  #table(all) {
    return table(all, (one) => this.#row(one), [
      ['Policy'],
      ['From', 'wide'],
      ['Rules', 'right'],
      ['Categories', 'wide'],
      ACTIONS,
    ]);
  }

  #row(one) {
    const { id, policy, source } = one;
    const categories = [...new Set(policy.rules.map(({ category }) => category))];
    return html`<tr>
      <th scope="row">
        <button class="link" @click=${() => details(one)} aria-label="Rules of ${id}">${id}</button>
      </th>
      <td class="wide">${source === 'api' ? 'this API' : 'the configuration'}</td>
      <td class="right number">${policy.rules.length}</td>
      <td class="wide">${categories.map((category) => html`${badge(category)} `)}</td>
      <td>
        ${rowActions(
          id,
          source === 'api' && access.everywhere('admin')
            ? [
                { label: 'Change', run: () => this.#with(editPolicy(id)) },
                { label: 'Delete', run: () => this.#delete(one), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

const pathOf = (id) => `moderation/policies/${encodeURIComponent(id)}`;
const written = (policy) => JSON.stringify(policy, null, 2);

function details({ id, policy }) {
  openDialog(
    { title: `Policy ${id}`, isWide: true },
    () => html`<pre class="json" tabindex="0" aria-label="The policy as JSON">${written(policy)}</pre>`,
  );
}

function createPolicy() {
  const headers = attempt();
  return openForm({
    title: 'Create a moderation policy',
    action: 'Create',
    isWide: true,
    fields: (faults) => html`
      ${textField({
        name: 'id',
        label: 'Id',
        isRequired: true,
        isWhole: true,
        fault: faults.id,
        hint: 'What keys and workspaces choose it by, for good',
      })}
      ${policyField(faults, EXAMPLE)}
    `,
    submit: ({ id, policy }) => {
      const body = { id, policy: read(policy) };
      return post('moderation/policies', body, { headers: headers(body) });
    },
  });
}

async function editPolicy(id) {
  const found = await current(pathOf(id));
  if (found === null) return undefined;
  const changed = await openForm({
    title: `Change ${id}`,
    action: 'Save',
    isWide: true,
    fields: (faults) => policyField(faults, found.value.policy),
    submit: ({ policy }) => patch(pathOf(id), { policy: read(policy) }, { headers: { 'if-match': found.etag } }),
  });
  if (changed !== undefined) tell(`${id}: saved. Every sidecar judges by it within two seconds.`);
  return changed;
}

const policyField = (faults, policy) =>
  areaField({
    name: 'policy',
    label: 'Policy',
    value: written(policy),
    rows: 14,
    isCode: true,
    isWhole: true,
    fault: faults.policy,
    hint: 'JSON, as the sidecar’s configuration has it: rules with words, regexes or detectors',
  });

const read = (text) => readJson('policy', text);
