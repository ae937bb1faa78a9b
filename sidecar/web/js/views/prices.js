// Prices of models that operators set: they go before those of gateways' configurations.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { everything, removeAsItIs } from '../api.js';
import { dollars, moved, parseExact, stringify, textOf } from '../decimal.js';
import { badge, moment } from '../parts/badge.js';
import { confirmed, openDialog } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';
import { createPrice, editPrice, FIELDS, pathOf, PER_MILLION } from './price_form.js';

const EVERY_MS = 15_000;

export class PricesView extends View {
  static title = 'Prices';

  start() {
    const load = (signal) => everything('prices', 'prices', {}, signal, { parse: parseExact });
    this.prices = this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
  }

  /** Has a form do something, and looks again if it did. */
  async #with(form) {
    if ((await form) !== undefined) this.prices.refresh();
  }

  #create = () => this.#with(createPrice());

  #delete({ id }) {
    confirmed({
      title: `Delete the price of ${id}?`,
      text: 'Within two seconds the price of each gateway’s configuration holds again, or the one that comes with Tollgate.',
      action: 'Delete',
      run: async () => {
        await removeAsItIs(pathOf(id));
        tell(`${id}: deleted.`);
        await this.prices.refresh();
      },
    });
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Prices</h1>
        <div class="actions">${this.#createButton()}</div>
        <p class="about">
          In dollars for a million tokens. They go before those of gateways’ configurations and those that come with Tollgate.
        </p>
      </div>
      <section class="panel" aria-label="Prices">
        ${shown(this.prices, 'prices', (all) =>
          all.length === 0
            ? empty(
                'No prices set here',
                'What gateways’ configurations say holds, and what comes with Tollgate. A price set here holds on every gateway within two seconds.',
                this.#createButton(),
              )
            : this.#table(all),
        )}
      </section>`;
  }

  #createButton() {
    return access.everywhere('admin')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Set price</button>`
      : nothing;
  }

  #table(all) {
    return table(all, (one) => this.#row(one), [
      ['Model'],
      ['Input', 'right'],
      ['Output', 'right'],
      ['From the cache', 'right wide'],
      ['More', 'wide'],
      ['Changed', 'wide'],
      ACTIONS,
    ]);
  }

  #row(one) {
    const { id, price } = one;
    return html`<tr>
      <th scope="row">
        <button class="link" @click=${() => details(one)} aria-label="All of the price of ${id}">
          <span class="clip" title=${id}>${id}</span>
        </button>
      </th>
      <td class="right nowrap">${million(price.input_cost_per_token)}</td>
      <td class="right nowrap">${million(price.output_cost_per_token)}</td>
      <td class="right nowrap wide">${million(price.cache_read_input_token_cost)}</td>
      <td class="wide">${more(price)}</td>
      <td class="wide nowrap">${moment(one.updated_at)}</td>
      <td>
        ${rowActions(
          id,
          access.everywhere('admin')
            ? [
                { label: 'Change', run: () => this.#with(editPrice(one)) },
                { label: 'Delete', run: () => this.#delete(one), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

const COLUMNS = new Set(['input_cost_per_token', 'output_cost_per_token', 'cache_read_input_token_cost']);

/** Dollars for a million tokens, all digits of them. */
const million = (rate) => inDollars(rate, PER_MILLION) ?? html`<span class="muted">–</span>`;

function inDollars(rate, places) {
  const decimal = moved(textOf(rate) ?? '', places);
  return decimal === null ? null : dollars(decimal);
}

/** How much more there is than the columns have. */
function more(price) {
  const count = Object.keys(price).filter((name) => !COLUMNS.has(name)).length;
  if (count === 0) return html`<span class="muted">–</span>`;
  return badge(`${count} ${count === 1 ? 'field' : 'fields'}`);
}

function details({ id, price }) {
  const named = new Map(FIELDS.map(([name, ...rest]) => [name, rest]));
  const fact = ([name, value]) => {
    const [label, places] = named.get(name) ?? [];
    const amount = label === undefined ? null : inDollars(value, places);
    if (amount === null) return html`<dt><code>${name}</code></dt><dd><code>${stringify(value)}</code></dd>`;
    return html`<dt>${label}</dt><dd>${amount}${places === 0 ? '' : ' for a million tokens'}</dd>`;
  };
  openDialog(
    { title: `Price of ${id}`, isWide: true },
    () => html`<dl class="facts">${Object.entries(price).map(fact)}</dl>`,
  );
}
