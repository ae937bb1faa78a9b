// The frame around every view: navigation, the workspace that is looked at, and whether the sidecar answers.

import { html, nothing, render } from '../vendor/lit/lit-html.js';
import { access } from './access.js';
import { signOut } from './api.js';
import { connection } from './connection.js';
import { clock } from './format.js';
import { lackFor } from './needs.js';
import { icons, sign } from './parts/icons.js';
import { tell } from './parts/toast.js';
import { router } from './router.js';
import { changeOwnPassword } from './views/operator_form.js';
import { workspaces } from './workspaces.js';

const PLACES = [
  ['overview', 'Overview'],
  ['events', 'Events'],
  ['keys', 'Keys'],
  ['budgets', 'Budgets'],
  ['limits', 'Limits'],
  ['prices', 'Prices'],
  ['moderation', 'Moderation'],
  ['conversations', 'Conversations'],
  ['workspaces', 'Workspaces'],
  ['webhooks', 'Webhooks'],
  ['operators', 'Operators'],
  ['tokens', 'API tokens'],
  ['audit', 'Audit log'],
  ['health', 'Health'],
];
/** How often the seconds until the next try are counted down. */
const COUNTDOWN_MS = 500;

export class Shell {
  #root;
  #isOpen = false;
  #countdown = null;
  #leave;
  #update = () => this.update();

  /**
   * @param {HTMLElement} root
   * @param {() => void} leave what happens once the person has signed out
   */
  constructor(root, leave) {
    this.#root = root;
    this.#leave = leave;
    connection.addEventListener('change', this.#update);
    connection.addEventListener('back', this.#back);
    workspaces.addEventListener('known', this.#update);
    workspaces.addEventListener('change', this.#update);
    document.addEventListener('theme', this.#update);
    this.update();
  }

  /** Where views show themselves. */
  get outlet() {
    return document.getElementById('view');
  }

  /** Another view is shown. */
  moved() {
    this.#isOpen = false;
    this.update();
  }

  stop() {
    clearInterval(this.#countdown);
    connection.removeEventListener('change', this.#update);
    connection.removeEventListener('back', this.#back);
    workspaces.removeEventListener('known', this.#update);
    workspaces.removeEventListener('change', this.#update);
    document.removeEventListener('theme', this.#update);
  }

  #back = () => tell('The sidecar answers again.');

  #signOut = async () => {
    try {
      await signOut();
      this.#leave();
    } catch (error) {
      tell(`Not signed out: ${error.message}.`);
    }
  };

  #toggle = () => {
    this.#isOpen = !this.#isOpen;
    this.update();
  };

  update() {
    if (connection.isLost) this.#countdown ??= setInterval(this.#update, COUNTDOWN_MS);
    else {
      clearInterval(this.#countdown);
      this.#countdown = null;
    }
    render(this.#template(), this.#root);
  }

  #template() {
    const { name } = router.place;
    const isDark = globalThis.tollgateTheme.current === 'dark';
    return html`<a class="skip" href="#main" @click=${skip}>Skip to the content</a>
      <div class="frame ${connection.isLost ? 'is-lost' : ''}">
        <header class="side ${this.#isOpen ? 'is-open' : ''}">
          <div class="side-head">
            <div class="brand">${sign} Tollgate</div>
            ${workspaces.chosen
              ? html`<div class="scope-told narrow">
                  <span class="hidden-visually">Workspace</span><span class="badge accent clip">${workspaces.chosen}</span>
                </div>`
              : nothing}
            <button
              class="button menu-button"
              aria-expanded=${this.#isOpen}
              aria-controls="menu"
              @click=${this.#toggle}
            >
              ${this.#isOpen ? icons.close : icons.menu} Menu
            </button>
          </div>
          <div class="side-body" id="menu">
            <div class="scope field">
              <label for="scope">Workspace</label>
              <select id="scope" @change=${(event) => workspaces.choose(event.target.value)}>
                <option value="" ?selected=${workspaces.chosen === ''}>All</option>
                ${workspaces.names.map(
                  (one) => html`<option value=${one} ?selected=${workspaces.chosen === one}>${one}</option>`,
                )}
              </select>
            </div>
            <nav class="nav" aria-label="Views">
              <ul>
                ${PLACES.filter(([place]) => lackFor(place) === null).map(
                  ([place, title]) => html`<li>
                    <a href=${router.link(place)} aria-current=${place === name ? 'page' : nothing}
                      >${icons[place]} ${title}</a
                    >
                  </li>`,
                )}
              </ul>
            </nav>
            <div class="side-foot">
              <p class="pulse" role="status">
                <span class="dot ${connection.isLost ? 'bad' : ''}"></span>${connection.isLost
                  ? 'Sidecar lost'
                  : `Sidecar ${connection.status.version ?? ''}`}
              </p>
              <button class="quiet" @click=${() => globalThis.tollgateTheme.toggle()}>
                ${isDark ? icons.sun : icons.moon} ${isDark ? 'Light' : 'Dark'} mode
              </button>
              ${access.isOperator
                ? html`<button class="quiet" @click=${changeOwnPassword}>${icons.password} Change password</button>`
                : nothing}
              <button class="quiet" @click=${this.#signOut}>${icons.leave} Sign out</button>
            </div>
          </div>
        </header>
        <main class="main" id="main" tabindex="-1">
          <div class="lost" id="lost" ?hidden=${!connection.isLost}>
            <p role="alert">${connection.isLost ? lost() : nothing}</p>
            ${connection.isLost ? retry() : nothing}
          </div>
          <div class="view" id="view"></div>
        </main>
      </div>
      <div class="toasts" id="toasts" role="status" aria-live="polite"></div>`;
  }
}

// Two parts: this one is read out once, the countdown beside it is not.
const lost = () => html`<strong>The sidecar does not answer</strong> (since ${clock(connection.status.since)}). What is
  shown is from before. Gateways go on with the keys and leases that they have, and keep their events until it is back.`;

const retry = () => {
  const { retryAt } = connection.status;
  const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - Date.now()) / 1_000));
  return html`<span class="number">${seconds > 0 ? `Trying again in ${seconds} s` : 'Trying again …'}</span>
    <button class="button small" @click=${() => connection.retry()}>Try now</button>`;
};

function skip(event) {
  event.preventDefault();
  document.getElementById('main').focus();
}
