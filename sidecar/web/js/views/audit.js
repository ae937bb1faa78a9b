// The audit log: who changed what, newest first.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { fullTime } from '../format.js';
import { Log } from '../log.js';
import { badge, moment } from '../parts/badge.js';
import { openDialog } from '../parts/dialog.js';
import { logTable } from '../parts/log_table.js';
import { emptyHere, shown } from '../parts/states.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';

const EVERY_MS = 5_000;

export class AuditView extends View {
  static title = 'Audit log';

  start() {
    const query = () => ({ workspace: workspaces.filter });
    this.log = this.owns(new Log('audit', 'entries', query, () => this.update(), { every: EVERY_MS }));
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Audit log</h1>
        <p class="about">
          Append-only; every entry’s hash covers the one before. <code>tollgate-sidecar audit verify</code> proves it.
        </p>
      </div>
      <section class="panel" aria-label="Entries, newest first">
        ${shown(this.log.resource, 'an audit log', () => this.#table())}
      </section>`;
  }

  #table() {
    return logTable(this.log, {
      what: 'entries',
      columns: [
        ['Time'],
        ['Action'],
        ['What'],
        ['Workspace', 'wide'],
        ['By', 'wide'],
        ['From', 'wide'],
        ['Entry', 'right wide'],
      ],
      key: (entry) => entry.seq,
      row,
      none: emptyHere('changes', 'Nothing has been changed yet', 'Every change by an operator is kept here.'),
    });
  }
}

const row = (entry) => html`<tr class="is-new" data-action=${entry.action}>
  <td class="nowrap number">
    <button class="link" @click=${() => details(entry)} aria-label="Details of entry ${entry.seq}">
      ${moment(entry.time)}
    </button>
  </td>
  <td>${badge(entry.action)}</td>
  <td>${what(entry)}</td>
  <td class="wide">${entry.workspace ?? '–'}</td>
  <td class="wide">${entry.actor}</td>
  <td class="wide mono">${entry.address ?? '–'}</td>
  <td class="right wide">${entry.seq}</td>
</tr>`;

/** What people call it; by its id where it has no name. */
function what({ target, detail }) {
  const { before, after } = detail ?? {};
  const name = after?.name ?? before?.name ?? after?.url ?? before?.url;
  return name === undefined
    ? html`<div class="clip mono" title=${target}>${target}</div>`
    : html`<div class="clip" title=${target}>${name}</div>`;
}

function details(entry) {
  const facts = [
    ['Time', fullTime(entry.time)],
    ['Action', entry.action],
    ['What', html`<code>${entry.target}</code>`],
    ['Workspace', entry.workspace],
    ['By', entry.actor],
    ['From', entry.address],
    ['With', entry.user_agent],
  ];
  const { before, after, ...rest } = entry.detail ?? {};
  openDialog(
    { title: `Entry ${entry.seq}`, isWide: true },
    () => html`<dl class="facts">
        ${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
      </dl>
      ${before !== undefined || after !== undefined ? changes(before, after) : nothing}
      ${Object.keys(rest).length > 0
        ? html`<h3>Details</h3><pre class="json">${JSON.stringify(rest, null, 2)}</pre>`
        : nothing}`,
  );
}

/** What differs between before and after, field by field. */
function changes(before, after) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const text = (value) => (value === undefined || value === null ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value));
  const rows = names
    .map((name) => [name, text(before?.[name]), text(after?.[name])])
    .filter(([, was, is]) => was !== is);
  return html`<div class="table-box">
    <table>
      <thead>
        <tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, was, is]) => html`<tr><th scope="row">${name}</th><td>${was}</td><td>${is}</td></tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
