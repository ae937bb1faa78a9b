// Conversations, where they are kept. What was said is read one by one: each reading is in the audit log.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { get, remove } from '../api.js';
import { count } from '../format.js';
import { moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, emptyHere, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { router } from '../router.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { readConversation } from './conversation.js';

const EVERY_MS = 10_000;
const PAGE = 100;

export class ConversationsView extends View {
  static title = 'Conversations';
  #user = '';
  #name = '';
  /** How many pages are shown. */
  #pages = 1;

  start() {
    this.#user = this.params.get('user') ?? '';
    this.#name = this.params.get('name') ?? '';
    const load = (signal) => this.#load(signal);
    this.conversations = this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
  }

  /** The latest, page by page; with how long they are kept. */
  async #load(signal) {
    const all = [];
    const query = { workspace: workspaces.filter, user: this.#user, name: this.#name, limit: PAGE };
    let answer = {};
    for (let page = 0; page < this.#pages && (page === 0 || answer.next); page += 1) {
      answer = await get('conversations', { ...query, after: answer.next }, { signal });
      all.push(...answer.conversations);
    }
    return { all, hasEarlier: Boolean(answer.next), days: answer.retention_days };
  }

  #filter(changed) {
    this.#user = changed.user ?? this.#user;
    this.#name = changed.name ?? this.#name;
    this.#pages = 1;
    router.remember({ user: this.#user, name: this.#name });
    this.conversations.reset();
  }

  #earlier = () => {
    this.#pages += 1;
    this.conversations.refresh();
  };

  #delete(conversation) {
    const name = nameOf(conversation);
    confirmed({
      title: `Delete ${name}?`,
      text: 'All that was said in it is deleted, for good. Its events stay: they hold no text.',
      action: 'Delete',
      run: async () => {
        await remove(`conversations/${conversation.id}`);
        tell(`${name}: deleted.`);
        await this.conversations.refresh();
      },
    });
  }

  #deleteAll(workspace, user) {
    confirmed({
      title: `Delete all that ${user} has said?`,
      text: `Every conversation of ${user} in ${workspace} is deleted, for good. Events stay: they hold no text.`,
      action: 'Delete all',
      run: async () => {
        const deleted = await remove('conversations', { query: { workspace, user } });
        tell(`${user}: ${plural(deleted.conversations, 'conversation')} deleted.`);
        await this.conversations.refresh();
      },
    });
  }

  template() {
    const { chosen } = workspaces;
    const user = this.#user;
    return html`<div class="view-head">
        <h1 tabindex="-1">Conversations</h1>
        <div class="actions">
          ${this.#search('user', 'User', user)} ${this.#search('name', 'Conversation', this.#name)}
          ${chosen && user
            ? html`<button class="button danger" @click=${() => this.#deleteAll(chosen, user)}>Delete all of ${user}</button>`
            : nothing}
        </div>
        <p class="about">${kept(this.conversations.value?.days)} Who reads what is in the audit log.</p>
      </div>
      <section class="panel" aria-label="Conversations, the latest first">
        ${shown(this.conversations, 'conversations', (found) => this.#table(found))}
      </section>`;
  }

  #search(name, label, value) {
    return html`<label class="hidden-visually" for="search-${name}">${label}</label>
      <input
        class="input"
        id="search-${name}"
        type="search"
        placeholder=${label}
        .value=${value}
        @change=${(event) => this.#filter({ [name]: event.target.value.trim() })}
      />`;
  }

  #table({ all, hasEarlier, days }) {
    if (all.length === 0) return this.#none(days);
    return html`${table(all, (one) => this.#row(one), [
        ['Conversation'],
        ['Workspace', 'wide'],
        ['User', 'wide'],
        ['Exchanges', 'right wide'],
        ['Last'],
        ['First', 'wide'],
        ACTIONS,
      ])}
      ${hasEarlier
        ? html`<div class="more"><button class="button small" @click=${this.#earlier}>Earlier conversations</button></div>`
        : nothing}`;
  }

  #none(days) {
    if (this.#user || this.#name) return empty('No such conversation', 'None is of this user, or has this name.');
    if (days === null) {
      const text = 'What is said is kept only where the configurations of a gateway and of the sidecar both say so.';
      return empty('Nothing is kept', text);
    }
    return emptyHere('conversations', 'No conversations yet', 'One is there as soon as something is said where a gateway’s configuration keeps it.');
  }

  #row(conversation) {
    const name = nameOf(conversation);
    return html`<tr>
      <th scope="row">
        <button class="link" @click=${() => readConversation(conversation, name)} aria-label="Read ${name}">
          <span class="clip" title=${name}>${name}</span>
        </button>
      </th>
      <td class="wide">${conversation.workspace}</td>
      <td class="wide"><div class="clip">${conversation.user ?? '–'}</div></td>
      <td class="right wide">${count(conversation.exchanges)}</td>
      <td class="nowrap">${moment(conversation.last_at)}</td>
      <td class="wide nowrap">${moment(conversation.first_at)}</td>
      <td>
        ${rowActions(name, [{ label: 'Delete', run: () => this.#delete(conversation), isDanger: true }])}
      </td>
    </tr>`;
  }
}

/** What clients call it; an exchange by itself is told by the end of its id. */
const nameOf = ({ name, id }) => name ?? `exchange …${id.slice(-6)}`;

const plural = (number, name) => `${count(number)} ${number === 1 ? name : `${name}s`}`;

function kept(days) {
  if (days === undefined) return nothing;
  return days === null ? 'This sidecar keeps none.' : `Redacted, and kept for ${plural(days, 'day')}.`;
}
