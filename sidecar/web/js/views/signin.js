// The door: the admin token, an operator's name and password, or single sign-on, for a session.

import { html, nothing, render } from '../../vendor/lit/lit-html.js';
import { Lost, Problem, signIn } from '../api.js';
import { sign } from '../parts/icons.js';
import { sentence } from '../parts/states.js';

/** The ways in that are asked for here: what to type, and the way to the other one. */
const TOKEN = {
  fields: [{ name: 'token', label: 'Admin token', type: 'password', autocomplete: 'current-password' }],
  hint: html`The <code>admin_token</code> of the sidecar’s configuration.`,
  refused: 'That is not the admin token of this sidecar',
  other: 'Sign in as an operator',
};
const OPERATOR = {
  fields: [
    { name: 'name', label: 'Name', type: 'text', autocomplete: 'username' },
    { name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password' },
  ],
  hint: 'Who runs this sidecar makes operators, and gives them roles.',
  refused: 'No operator has this name and this password',
  other: 'Sign in with the admin token',
};

/**
 * Asks until somebody is signed in.
 * @param {HTMLElement} outlet
 * @param {{ notice: string, singleSignOn: string | null }} told why one has to sign in again, empty the first time; and
 *   where single sign-on begins
 * @param {() => void} done
 */
export function showSignIn(outlet, { notice, singleSignOn }, done) {
  let way = TOKEN;
  let error = '';
  let isBusy = false;

  const submit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    const form = event.currentTarget;
    const typed = way.fields.map(({ name }) => [name, form.elements[name].value.trim()]);
    isBusy = true;
    error = '';
    update();
    try {
      await signIn(Object.fromEntries(typed));
      done();
      return;
    } catch (caught) {
      error = explain(caught, way);
      isBusy = false;
    }
    update();
    const last = form.elements[way.fields.at(-1).name];
    last.select();
    last.focus();
  };

  const change = () => {
    way = way === TOKEN ? OPERATOR : TOKEN;
    error = '';
    begin();
  };

  const field = ({ name, label, type, autocomplete }, index) => {
    const isLast = index === way.fields.length - 1;
    return html`<div class="field">
      <label for=${name}>${label}</label>
      <input
        class="input"
        id=${name}
        name=${name}
        type=${type}
        required
        autocomplete=${autocomplete}
        aria-describedby=${isLast ? `hint ${error ? 'fault' : ''}` : nothing}
        aria-invalid=${error ? 'true' : nothing}
      />
      ${isLast ? html`<span class="hint" id="hint">${way.hint}</span>` : nothing}
      ${isLast && error ? html`<span class="fault" id="fault" role="alert">${sentence(error)}</span>` : nothing}
    </div>`;
  };

  const update = () =>
    render(
      html`<main class="door" id="main">
        <div class="panel stack">
          <div class="brand">${sign} Tollgate</div>
          <h1 tabindex="-1">Sign in</h1>
          ${notice ? html`<p class="notice" role="status">${notice}</p>` : nothing}
          <form class="stack" @submit=${submit}>
            ${way.fields.map(field)}
            <button class="button primary" type="submit" ?disabled=${isBusy}>${isBusy ? 'One moment …' : 'Sign in'}</button>
          </form>
          ${singleSignOn ? html`<a class="button" href=${singleSignOn}>Single sign-on</a>` : nothing}
          <button class="button" type="button" @click=${change}>${way.other}</button>
        </div>
      </main>`,
      outlet,
    );

  const begin = () => {
    update();
    outlet.querySelector('form input').focus();
  };

  document.title = 'Sign in · Tollgate';
  begin();
}

function explain(error, way) {
  if (error instanceof Lost) return 'The sidecar does not answer. Is it running?';
  if (error instanceof Problem && error.status === 401) return way.refused;
  return error.message;
}
