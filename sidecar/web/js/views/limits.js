// Limits of the ledger: what each allows, to whom, and giving back what one has counted.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { everything, removeAsItIs } from '../api.js';
import { count } from '../format.js';
import { badge } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { emptyHere, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { createLimit, editLimit, resetByName, resetLimit } from './limit_form.js';

const EVERY_MS = 10_000;

const COUNTS = {
  requests: 'requests',
  tokens: 'tokens',
  input_tokens: 'input tokens',
  output_tokens: 'output tokens',
  concurrent: 'at a time',
};

export class LimitsView extends View {
  static title = 'Limits';

  start() {
    const load = (signal) => everything('limits', 'limits', { workspace: workspaces.filter }, signal);
    this.limits = this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
  }

  /** Has a form do something, and looks again if it did. */
  async #with(form) {
    if ((await form) !== undefined) this.limits.refresh();
  }

  #delete(limit) {
    confirmed({
      title: `Delete ${limit.name}?`,
      text: 'Within two seconds no gateway holds requests against it any more.',
      action: 'Delete',
      run: async () => {
        await removeAsItIs(`limits/${limit.id}`);
        tell(`${limit.name}: deleted.`);
        await this.limits.refresh();
      },
    });
  }

  #create = () => this.#with(createLimit());

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Limits</h1>
        <div class="actions">
          ${access.everywhere('admin')
            ? html`<button class="button" @click=${() => resetByName()}>Reset by name</button>`
            : nothing}
          ${this.#createButton()}
        </div>
      </div>
      <section class="panel" aria-label="Limits">
        ${shown(this.limits, 'limits', (all) =>
          all.length === 0
            ? emptyHere(
                'limits',
                'No limits here',
                'A limit made here holds on every gateway within two seconds, beside those of its configuration.',
                this.#createButton(),
              )
            : this.#table(all),
        )}
      </section>`;
  }

  #createButton() {
    return workspaces.allows('admin')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Create limit</button>`
      : nothing;
  }

  #table(all) {
    return table(all, (limit) => this.#row(limit), [
      ['Limit'],
      ['Allows', 'right'],
      ['Each', 'wide'],
      ['For', 'wide'],
      ['Mode', 'wide'],
      ACTIONS,
    ]);
  }

  #row(limit) {
    const { name } = limit;
    return html`<tr>
      <th scope="row">
        ${name}
        <div class="sub mono muted wide">${limit.id}</div>
      </th>
      <td class="right nowrap">${allows(limit)}</td>
      <td class="wide">${each(limit)}</td>
      <td class="wide">${matches(limit)}</td>
      <td class="wide">${badge(limit.mode, limit.mode === 'enforce' ? 'ok' : 'accent')}</td>
      <td>
        ${rowActions(
          name,
          access.over(limit.workspace, 'admin')
            ? [
                { label: 'Change', run: () => this.#with(editLimit(limit)) },
                { label: 'Reset', run: () => resetLimit(limit) },
                { label: 'Delete', run: () => this.#delete(limit), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

function allows(limit) {
  const what = `${count(limit.amount)} ${COUNTS[limit.count]}`;
  return limit.period === null ? what : `${what} in ${limit.period}`;
}

const each = ({ per }) => (per.length === 0 || per[0] === 'global' ? 'all together' : per.join(' and '));

/** Which requests it is for: every list of its `match` that names something. */
function matches({ match }) {
  const named = Object.entries(match).filter(([, names]) => names.length > 0);
  if (named.length === 0) return 'every request';
  return html`<span class="tags">${named.map(([what, names]) => badge(`${what}: ${names.join(', ')}`))}</span>`;
}
