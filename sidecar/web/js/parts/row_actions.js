// What can be done with the thing in a row: a button each. On a phone, where they do not fit, one that opens them, with
// those of the row's columns that a phone has no room for.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { openDialog } from './dialog.js';
import { icons } from './icons.js';

/**
 * @param {string} name of the thing: by it screen readers tell the buttons of one row from those of another
 * @param {({ label: string, run: () => unknown, isDanger?: boolean } | false)[]} actions those that are not there are left out
 */
export function rowActions(name, actions) {
  const all = actions.filter(Boolean);
  return html`<div class="row-actions wide">${all.map((action) => button(name, action, 'small', action.run))}</div>
    <div class="row-actions narrow">
      <button
        class="button small"
        aria-haspopup="dialog"
        aria-label="More about ${name}"
        @click=${(event) => open(event.currentTarget.closest('tr'), name, all)}
      >
        ${icons.more}
      </button>
    </div>`;
}

const button = (name, { label, isDanger }, size, run) => html`<button
  class="button ${size} ${isDanger ? 'danger' : ''}"
  aria-label="${label} ${name}"
  @click=${run}
>
  ${label}
</button>`;

async function open(row, name, actions) {
  const facts = unseen(row);
  const chosen = await openDialog({ title: name }, (dialog) => html`${facts.length > 0
      ? html`<dl class="facts">${facts.map(([title, nodes]) => html`<dt>${title}</dt><dd>${nodes}</dd>`)}</dl>`
      : nothing}
    ${actions.length > 0
      ? html`<div class="dialog-choices">
          ${actions.map((action) => button(name, action, '', () => dialog.close(action)))}
        </div>`
      : nothing}`);
  chosen?.run();
}

/** The columns that a phone does not show: title and content of each. */
function unseen(row) {
  const titles = row.closest('table').tHead.rows[0].cells;
  const cells = [...row.cells].map((cell, at) => [titles[at].textContent, cell]);
  return cells
    .filter(([, cell]) => cell.classList.contains('wide'))
    .map(([title, cell]) => [title, [...cell.cloneNode(true).childNodes]]);
}
