// The door: the admin token, for a session.

import { html, nothing, render } from '../../vendor/lit/lit-html.js';
import { Lost, Problem, signIn } from '../api.js';
import { sign } from '../parts/icons.js';
import { sentence } from '../parts/states.js';

/**
 * Asks until somebody is signed in.
 * @param {HTMLElement} outlet
 * @param {string} notice why one has to sign in again; empty the first time
 * @param {() => void} done
 */
export function showSignIn(outlet, notice, done) {
  let error = '';
  let isBusy = false;

  const submit = async (event) => {
    event.preventDefault();
    const input = event.currentTarget.elements.token;
    if (isBusy) return;
    isBusy = true;
    error = '';
    update();
    try {
      await signIn(input.value.trim());
      done();
      return;
    } catch (caught) {
      error = explain(caught);
      isBusy = false;
    }
    update();
    input.select();
    input.focus();
  };

  const update = () =>
    render(
      html`<main class="door" id="main">
        <div class="panel stack">
          <div class="brand">${sign} Tollgate</div>
          <h1 tabindex="-1">Sign in</h1>
          ${notice ? html`<p class="notice" role="status">${notice}</p>` : nothing}
          <form class="stack" @submit=${submit}>
            <input type="text" name="username" value="admin" autocomplete="username" hidden />
            <div class="field">
              <label for="token">Admin token</label>
              <input
                class="input"
                id="token"
                name="token"
                type="password"
                required
                autocomplete="current-password"
                aria-describedby="token-hint ${error ? 'token-fault' : ''}"
                aria-invalid=${error ? 'true' : nothing}
              />
              <span class="hint" id="token-hint">The <code>admin_token</code> of the sidecar’s configuration.</span>
              ${error ? html`<span class="fault" id="token-fault" role="alert">${sentence(error)}</span>` : nothing}
            </div>
            <button class="button primary" type="submit" ?disabled=${isBusy}>${isBusy ? 'One moment …' : 'Sign in'}</button>
          </form>
        </div>
      </main>`,
      outlet,
    );

  document.title = 'Sign in · Tollgate';
  update();
  outlet.querySelector('#token').focus();
}

function explain(error) {
  if (error instanceof Lost) return 'The sidecar does not answer. Is it running?';
  if (error instanceof Problem && error.status === 401) return 'That is not the admin token of this sidecar';
  return error.message;
}
