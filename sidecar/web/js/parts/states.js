// What stands where there is nothing to show: not yet, nothing, not in this version, or not this time.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { connection } from '../connection.js';
import { workspaces } from '../workspaces.js';

export const loading = (what = 'Loading') => html`<div class="loading" role="status">
  <span></span><span></span><span></span>
  <p class="hidden-visually">${what} …</p>
</div>`;

export const empty = (title, text, action = nothing) => html`<div class="state">
  <h2>${title}</h2>
  <p>${text}</p>
  ${action}
</div>`;

/**
 * Where there is none of what each workspace has its own of: none at all, or none in the one that is looked at.
 * @param {string} what in the plural, e.g. `keys`
 */
export function emptyHere(what, title, text, action = nothing) {
  const { chosen } = workspaces;
  if (chosen === '') return empty(title, text, action);
  const all = html`<button class="button" @click=${() => workspaces.choose('')}>Look at all workspaces</button>`;
  return empty(`No ${what} in ${chosen}`, text, html`<div class="actions">${action}${all}</div>`);
}

const absent = (what) =>
  empty(
    `No ${what} in this version`,
    `This sidecar${connection.status.version ? ` (${connection.status.version})` : ''} does not offer ${what} yet. ` +
      'Update it, and this view comes to life.',
  );

const failed = (resource) => html`<div class="state" role="alert">
  <h2>This could not be loaded</h2>
  <p>${sentence(resource.error.message)}</p>
  <button class="button" @click=${() => resource.refresh()}>Try again</button>
</div>`;

const waiting = html`<div class="state">
  <h2>Waiting for the sidecar</h2>
  <p>It is shown as soon as it answers.</p>
</div>`;

/**
 * A resource in whatever state it is.
 * @param {import('../resource.js').Resource} resource
 * @param {string} what in the plural, e.g. `keys`
 * @param {(value: any) => unknown} ready
 */
export function shown(resource, what, ready) {
  if (resource.state === 'absent') return absent(what);
  if (resource.state === 'failed') return failed(resource);
  if (resource.state === 'loading') return connection.isLost ? waiting : loading(`Loading ${what}`);
  const isStale = resource.error !== null && !connection.isLost;
  return html`${isStale
    ? html`<p class="notice" role="status">
        Not up to date: ${resource.error.message}.
        <button class="link" @click=${() => resource.refresh()}>Try again</button>
      </p>`
    : nothing}${ready(resource.value)}`;
}

/** The same, in a panel of its own as long as there is nothing to show. */
export const framed = (resource, what, ready) =>
  resource.state === 'ready' ? shown(resource, what, ready) : html`<div class="panel">${shown(resource, what, ready)}</div>`;

/** As a sentence: `the key is revoked` → `The key is revoked.` */
export function sentence(text) {
  const trimmed = text.trim();
  return `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}${/[.!?…]$/.test(trimmed) ? '' : '.'}`;
}
