// What moderation has found, newest first.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { fullTime } from '../format.js';
import { access } from '../access.js';
import { Log } from '../log.js';
import { badge, moderationAction, moment } from '../parts/badge.js';
import { openDialog } from '../parts/dialog.js';
import { logTable } from '../parts/log_table.js';
import { emptyHere, shown } from '../parts/states.js';
import { router } from '../router.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { Policies } from './policies.js';

const EVERY_MS = 3_000;
const ACTIONS = [
  ['', 'All'],
  ['block', 'Block'],
  ['redact', 'Redact'],
  ['flag', 'Flag'],
  ['allow', 'Allow'],
];

export class ModerationView extends View {
  static title = 'Moderation';
  #action = '';
  #policies = null;

  start() {
    this.#action = this.params.get('action') ?? '';
    const query = () => ({ workspace: workspaces.filter, action: this.#action });
    // Policies are of no workspace.
    if (access.everywhere('viewer')) {
      this.#policies = new Policies(() => this.update());
      this.owns(this.#policies.resource);
    }
    this.log = this.owns(new Log('moderations', 'moderations', query, () => this.update(), { every: EVERY_MS }));
  }

  #choose(action) {
    this.#action = action;
    router.remember({ action });
    this.log.restart();
  }

  template() {
    return html`<div class="view-head">
        <h1 tabindex="-1">Moderation</h1>
        <div class="actions">
          <div class="choices" role="group" aria-label="Which verdicts">
            ${ACTIONS.map(
              ([action, title]) =>
                html`<button aria-pressed=${this.#action === action} @click=${() => this.#choose(action)}>${title}</button>`,
            )}
          </div>
        </div>
      </div>
      <div class="stack">
        <section class="panel" aria-label="Verdicts, newest first">
          ${shown(this.log.resource, 'verdicts', () => this.#table())}
        </section>
        ${this.#policies?.template() ?? nothing}
      </div>`;
  }

  #table() {
    return logTable(this.log, {
      what: 'verdicts',
      columns: [
        ['Time'],
        ['Action'],
        ['Categories'],
        ['Rules', 'wide'],
        ['Phase', 'wide'],
        ['Policy', 'wide'],
        ['Workspace', 'wide'],
        ['Model', 'wide'],
      ],
      key: (verdict) => verdict.request_id + verdict.phase + verdict.time,
      row,
      none: emptyHere('verdicts', 'No verdicts', 'Where a key or a workspace has a moderation policy, what it finds is logged here.'),
    });
  }
}

const row = (verdict) => html`<tr class="is-new">
  <td class="nowrap number">
    <button class="link" @click=${() => details(verdict)} aria-label="Details of the verdict of ${fullTime(verdict.time)}">
      ${moment(verdict.time)}
    </button>
  </td>
  <td>${moderationAction(verdict.action)}</td>
  <td>${verdict.categories.map((category) => html`${badge(category)} `)}</td>
  <td class="wide"><div class="clip">${verdict.rules.join(', ') || '–'}</div></td>
  <td class="wide">${verdict.phase}</td>
  <td class="wide">${verdict.policy}</td>
  <td class="wide">${verdict.workspace ?? '–'}</td>
  <td class="wide"><div class="clip">${verdict.model ?? '–'}</div></td>
</tr>`;

function details(verdict) {
  const facts = [
    ['Time', fullTime(verdict.time)],
    ['Action', moderationAction(verdict.action)],
    ['Phase', verdict.phase === 'input' ? 'input (the prompt)' : 'output (the answer)'],
    ['Policy', verdict.policy],
    ['Categories', verdict.categories.join(', ')],
    ['Rules', verdict.rules.join(', ')],
    ['Workspace', verdict.workspace],
    ['Key', verdict.key_id && html`<code>${verdict.key_id}</code>`],
    ['Model', verdict.model],
    ['Request', html`<code>${verdict.request_id}</code>`],
  ];
  openDialog(
    { title: 'Verdict', isWide: true },
    () => html`<dl class="facts">
        ${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
      </dl>
      ${verdict.text === null
        ? html`<p class="muted">The policy stores no text.</p>`
        : html`<h3>Text</h3><pre class="json">${verdict.text}</pre>`}`,
  );
}
