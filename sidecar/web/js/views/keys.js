// Keys: who may call, with which models, until when.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { get, post } from '../api.js';
import { ago, badge, keyStatus, moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, emptyHere, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { router } from '../router.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { createKey, editKey, rotateKey } from './key_form.js';

const EVERY_MS = 10_000;
/** A list that is longer is searched on the command line. */
const PAGES = 10;

export class KeysView extends View {
  static title = 'Keys';
  #text = '';
  #withRevoked = false;

  start() {
    this.#text = this.params.get('text') ?? '';
    this.#withRevoked = this.params.get('revoked') === 'true';
    this.keys = this.owns(new Resource((signal) => load(signal), () => this.update(), { every: EVERY_MS }));
  }

  #create = async () => {
    const created = await createKey();
    if (created === undefined) return;
    workspaces.load().catch(() => {});
    this.keys.refresh();
  };

  async #edit(key) {
    const changed = await editKey(key);
    if (changed !== undefined) this.keys.refresh();
  }

  async #rotate(key) {
    const rotated = await rotateKey(key);
    if (rotated !== undefined) this.keys.refresh();
  }

  async #act(key, action, done) {
    await post(`keys/${key.id}/${action}`);
    tell(`${key.name}: ${done}.`);
    await this.keys.refresh();
  }

  #pause(key) {
    const [action, done] = key.status === 'paused' ? ['resume', 'resumed'] : ['pause', 'paused'];
    this.#act(key, action, done).catch((error) => tell(`${key.name}: ${error.message}.`));
  }

  #revoke(key) {
    confirmed({
      title: `Revoke ${key.name}?`,
      text: html`Every gateway refuses <code>${key.prefix}…</code> within two seconds. A revoked key cannot be brought
        back.`,
      action: 'Revoke',
      run: () => this.#act(key, 'revoke', 'revoked'),
    });
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Keys</h1>
        <div class="actions">
          <label class="hidden-visually" for="search">Search keys</label>
          <input
            class="input"
            id="search"
            type="search"
            placeholder="Name, user, prefix or id"
            .value=${this.#text}
            @input=${(event) => {
              this.#text = event.target.value;
              router.remember({ text: this.#text });
              this.update();
            }}
          />
          <label class="check">
            <input
              type="checkbox"
              .checked=${this.#withRevoked}
              @change=${(event) => {
                this.#withRevoked = event.target.checked;
                router.remember({ revoked: this.#withRevoked ? 'true' : '' });
                this.update();
              }}
            />
            Revoked ones too
          </label>
          ${this.#createButton()}
        </div>
      </div>
      <section class="panel" aria-label="Keys">${shown(this.keys, 'keys', (keys) => this.#table(keys))}</section>`;
  }

  #createButton() {
    return workspaces.allows('member')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Create key</button>`
      : nothing;
  }

  #table({ keys, isCut }) {
    const text = this.#text.trim().toLowerCase();
    const isMeant = (key) =>
      (this.#withRevoked || key.status !== 'revoked') &&
      [key.name, key.user, key.prefix, key.id, key.workspace].some((part) => part?.toLowerCase().includes(text));
    const rows = keys.filter(isMeant);
    if (keys.length === 0) {
      const text = 'Whoever calls a model through a gateway needs a key of Tollgate’s own.';
      return emptyHere('keys', 'No keys yet', text, this.#createButton());
    }
    if (rows.length === 0) {
      return text === ''
        ? empty('All keys are revoked', 'Tick “Revoked ones too” to see them.', this.#createButton())
        : empty('No such key', 'None of the keys has this in its name, user, prefix or id.');
    }
    return html`${isCut
        ? html`<p class="notice">Only the newest ${keys.length} keys are shown: choose a workspace.</p>`
        : nothing}
      ${table(rows, (key) => this.#row(key), [
        ['Name'],
        ['Status'],
        ['Workspace', 'wide'],
        ['User', 'wide'],
        ['Models', 'wide'],
        ['Expires', 'wide'],
        ['Created', 'wide'],
        ACTIONS,
      ])}`;
  }

  #row(key) {
    const mayChange = key.status !== 'revoked' && access.within(key.workspace, 'member');
    const events = router.link('events', { key: key.id });
    return html`<tr data-key=${key.id}>
      <th scope="row">
        <a href=${events} title="Events of this key">${key.name}</a>
        <div class="sub mono muted">${key.prefix}…</div>
      </th>
      <td>${keyStatus(key)}${key.environment === 'test' ? html` ${badge('test')}` : nothing}</td>
      <td class="wide">${key.workspace}</td>
      <td class="wide">${key.user ?? '–'}</td>
      <td class="wide"><div class="clip" title=${key.models.join(', ') || nothing}>${key.models.join(', ') || 'all'}</div></td>
      <td class="wide nowrap">${key.expires_at ? ago(key.expires_at) : 'never'}</td>
      <td class="wide nowrap">${moment(key.created_at)}</td>
      <td>
        ${rowActions(
          key.name,
          mayChange
            ? [
                { label: 'Change', run: () => this.#edit(key) },
                { label: 'Rotate', run: () => this.#rotate(key) },
                { label: key.status === 'paused' ? 'Resume' : 'Pause', run: () => this.#pause(key) },
                { label: 'Revoke', run: () => this.#revoke(key), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

/** All keys, newest first: their ids are in the order of their creation. */
async function load(signal) {
  const keys = [];
  let after;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get('keys', { workspace: workspaces.filter, limit: 1_000, after }, { signal });
    keys.push(...answer.keys);
    if (answer.next === null) return { keys: keys.reverse(), isCut: false };
    after = answer.next;
  }
  return { keys: keys.reverse(), isCut: true };
}
