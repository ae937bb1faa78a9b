// Webhooks: who is told of what, what waits, and what could not be delivered.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { repeat } from '../../vendor/lit/directives/repeat.js';
import { access } from '../access.js';
import { get, patch, post, remove } from '../api.js';
import { ago, badge, moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { openForm, textField } from '../parts/form.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { showSecret } from '../parts/secret.js';
import { empty, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { router } from '../router.js';
import { View } from '../view.js';

const EVERY_MS = 5_000;
const KINDS = [
  ['budget.threshold', 'A budget passed a threshold'],
  ['lease.reclaimed', 'What a lost gateway held was taken back'],
];
const STATES = [
  ['', 'All'],
  ['dead', 'Dead letters'],
  ['pending', 'Pending'],
  ['delivered', 'Delivered'],
];
const TONES = { delivered: 'ok', pending: 'accent', dead: 'bad' };

export class WebhooksView extends View {
  static title = 'Webhooks';
  #chosen = '';
  #state = '';
  #deliveries = null;

  start() {
    this.#chosen = this.params.get('webhook') ?? '';
    this.#state = this.params.get('state') ?? '';
    const changed = () => {
      this.#choose();
      this.update();
    };
    this.webhooks = this.owns(new Resource((signal) => load(signal), changed, { every: EVERY_MS }));
  }

  stop() {
    this.#deliveries?.stop();
    super.stop();
  }

  /** Follows the deliveries of the chosen webhook, or of the first. */
  #choose(id = this.#chosen) {
    const all = this.webhooks.value ?? [];
    const is = all.some((webhook) => webhook.id === id) ? id : (all[0]?.id ?? '');
    if (is === this.#chosen && this.#deliveries !== null) return;
    this.#chosen = is;
    this.#deliveries?.stop();
    this.#deliveries = null;
    if (is === '') return;
    const query = () => ({ state: this.#state, limit: 200 });
    const fetch = async (signal) => (await get(`webhooks/${is}/deliveries`, query(), { signal })).deliveries;
    this.#deliveries = new Resource(fetch, () => this.update(), { every: EVERY_MS });
  }

  #show(id) {
    this.#choose(id);
    router.remember({ webhook: id });
    this.update();
  }

  #only(state) {
    this.#state = state;
    router.remember({ state });
    this.#deliveries?.reset();
    this.update();
  }

  #create = async () => {
    const created = await openForm({
      title: 'Add a webhook',
      action: 'Add',
      fields: (faults) => form(faults, { url: '', kinds: [] }),
      submit: ({ url, kinds }) => post('webhooks', { url, kinds }),
    });
    if (created === undefined) return;
    await showSecret({
      title: 'The signing secret',
      label: created.url,
      secret: created.secret,
      text: 'Notifications are signed with it (Standard Webhooks), so that the receiver knows that they are yours. It is not shown again.',
    });
    this.webhooks.refresh();
  };

  async #edit(webhook) {
    const changed = await openForm({
      title: 'Change the webhook',
      action: 'Save',
      fields: (faults) => form(faults, webhook),
      submit: ({ url, kinds }) => patch(`webhooks/${webhook.id}`, { url, kinds }),
    });
    if (changed !== undefined) this.webhooks.refresh();
  }

  async #pause(webhook) {
    const status = webhook.status === 'paused' ? 'active' : 'paused';
    try {
      await patch(`webhooks/${webhook.id}`, { status });
      this.webhooks.refresh();
    } catch (error) {
      tell(`Not changed: ${error.message}.`);
    }
  }

  #delete(webhook) {
    confirmed({
      title: 'Delete the webhook?',
      text: html`<code>${webhook.url}</code> is told nothing more, and what waits for it is dropped.`,
      action: 'Delete',
      run: async () => {
        await remove(`webhooks/${webhook.id}`);
        tell('The webhook is deleted.');
        await this.webhooks.refresh();
      },
    });
  }

  async #retry(delivery) {
    try {
      await post(`webhooks/${this.#chosen}/deliveries/${delivery.id}/retry`);
      tell('It is tried again.');
      this.#deliveries?.refresh();
    } catch (error) {
      tell(`Not tried again: ${error.message}.`);
    }
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Webhooks</h1>
        <div class="actions">
          ${this.#createButton()}
        </div>
      </div>
      <div class="stack">
        <section class="panel" aria-label="Webhooks">
          ${shown(this.webhooks, 'webhooks', (webhooks) => this.#table(webhooks))}
        </section>
        ${this.#deliveries === null ? nothing : this.#letters(this.#deliveries)}
      </div>`;
  }

  #createButton() {
    return mayChange() && this.webhooks.state !== 'absent'
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Add webhook</button>`
      : nothing;
  }

  #table(webhooks) {
    if (webhooks.length === 0) {
      return empty('No webhooks', 'Have your chat or your pager told when a budget runs low.', this.#createButton());
    }
    return table(webhooks, (webhook) => this.#row(webhook), [
      ['Address'],
      ['Status'],
      ['Told of', 'wide'],
      ['Added', 'wide'],
      ACTIONS,
    ]);
  }

  #row(webhook) {
    return html`<tr>
      <th scope="row">
        <button class="link" title=${webhook.url} aria-pressed=${webhook.id === this.#chosen} @click=${() => this.#show(webhook.id)}>
          <span class="mono clip">${webhook.url.replace(/^https:\/\//, '')}</span>
        </button>
      </th>
      <td>${badge(webhook.status, webhook.status === 'active' ? 'ok' : 'warn')}</td>
      <td class="wide">${webhook.kinds.length === 0 ? 'everything' : webhook.kinds.map((kind) => html`${badge(kind)} `)}</td>
      <td class="wide nowrap">${moment(webhook.created_at)}</td>
      <td>
        ${rowActions(
          webhook.url,
          mayChange()
            ? [
                { label: 'Change', run: () => this.#edit(webhook) },
                { label: webhook.status === 'paused' ? 'Resume' : 'Pause', run: () => this.#pause(webhook) },
                { label: 'Delete', run: () => this.#delete(webhook), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }

  #letters(deliveries) {
    const webhook = this.webhooks.value?.find(({ id }) => id === this.#chosen);
    return html`<section class="panel" aria-labelledby="deliveries">
      <div class="panel-head">
        <h2 id="deliveries">Deliveries <span class="muted mono wide">${webhook?.url}</span></h2>
        <div class="choices" role="group" aria-label="Which deliveries">
          ${STATES.map(
            ([state, title]) =>
              html`<button aria-pressed=${this.#state === state} @click=${() => this.#only(state)}>${title}</button>`,
          )}
        </div>
      </div>
      ${shown(deliveries, 'deliveries', (all) =>
        all.length === 0 ? this.#noLetters() : html`<div class="table-box">${this.#letterTable(all)}</div>`,
      )}
    </section>`;
  }

  #noLetters() {
    return this.#state === 'dead'
      ? empty('No dead letters', 'Everything was delivered, or is still being tried.')
      : empty('No deliveries', 'Nothing has happened that this webhook is told of.');
  }

  #letterTable(all) {
    return html`<table>
      <thead>
        <tr>
          <th scope="col">Notified of</th>
          <th scope="col">State</th>
          <th scope="col" class="right wide">Attempts</th>
          <th scope="col" class="wide">Last answer</th>
          <th scope="col" class="wide">Next attempt</th>
          <th scope="col" class="wide">When</th>
          <th scope="col"><span class="hidden-visually">What can be done</span></th>
        </tr>
      </thead>
      <tbody>
        ${repeat(
          all,
          (delivery) => delivery.id,
          (delivery) => html`<tr>
            <th scope="row">${delivery.kind}</th>
            <td>${badge(delivery.state === 'dead' ? 'dead letter' : delivery.state, TONES[delivery.state])}</td>
            <td class="right wide">${delivery.attempts}</td>
            <td class="wide">
              <div class="clip" title=${delivery.last_error ?? nothing}>
                ${[delivery.last_status, delivery.last_error].filter(Boolean).join(' · ') || '–'}
              </div>
            </td>
            <td class="wide nowrap">${delivery.next_attempt_at ? ago(delivery.next_attempt_at) : '–'}</td>
            <td class="wide nowrap">${moment(delivery.created_at)}</td>
            <td>
              ${rowActions(delivery.kind, [
                delivery.state === 'dead' && mayChange() && { label: 'Try again', run: () => this.#retry(delivery) },
              ])}
            </td>
          </tr>`,
        )}
      </tbody>
    </table>`;
  }
}

const mayChange = () => access.everywhere('admin');

async function load(signal) {
  return (await get('webhooks', { limit: 1_000 }, { signal })).webhooks;
}

const form = (faults, webhook) => html`
  ${textField({
    name: 'url',
    label: 'Address',
    type: 'url',
    value: webhook.url,
    isRequired: true,
    isWhole: true,
    placeholder: 'https://example.com/tollgate',
    fault: faults.url,
  })}
  <fieldset class="field whole">
    <legend class="field-label">Told of</legend>
    ${KINDS.map(
      ([kind, text]) => html`<label class="check">
        <input type="checkbox" name="kinds" data-list="true" value=${kind} ?checked=${webhook.kinds.includes(kind)} />
        ${text} <code class="muted">${kind}</code>
      </label>`,
    )}
    <span class="hint">None ticked means everything.</span>
    ${faults.kinds ? html`<span class="fault">${faults.kinds}</span>` : nothing}
  </fieldset>
`;
