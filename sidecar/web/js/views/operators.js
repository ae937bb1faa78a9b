// Operators: who signs in, and what they may do where.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { everything, removeAsItIs } from '../api.js';
import { badge, moment } from '../parts/badge.js';
import { confirmed } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { rowActions } from '../parts/row_actions.js';
import { empty, shown } from '../parts/states.js';
import { ACTIONS, table } from '../parts/table.js';
import { tell } from '../parts/toast.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';
import { createOperator, editOperator, resetPassword } from './operator_form.js';

const EVERY_MS = 15_000;

export class OperatorsView extends View {
  static title = 'Operators';

  start() {
    const load = (signal) => everything('operators', 'operators', {}, signal);
    this.operators = this.owns(new Resource(load, () => this.update(), { every: EVERY_MS }));
  }

  /** Has a form do something, and looks again if it did. */
  async #with(form) {
    const changed = await form;
    if (changed !== undefined) this.operators.refresh();
  }

  #create = () => this.#with(createOperator());

  #remove(operator) {
    confirmed({
      title: `Remove ${operator.name}?`,
      text: 'Their sessions and their tokens end at once. What they have done stays in the audit log.',
      action: 'Remove',
      run: async () => {
        await removeAsItIs(`operators/${operator.id}`);
        tell(`${operator.name}: removed.`);
        await this.operators.refresh();
      },
    });
  }

  template() {
    const create = access.everywhere('admin')
      ? html`<button class="button primary" @click=${this.#create}>${icons.plus} Create operator</button>`
      : nothing;
    return html`<div class="view-head">
        <h1 tabindex="-1">Operators</h1>
        <div class="actions">${create}</div>
      </div>
      <section class="panel" aria-label="Operators">
        ${shown(this.operators, 'operators', (operators) =>
          operators.length === 0
            ? empty(
                'No operators yet',
                'Until there are some, everybody signs in with the admin token, and the audit log cannot tell who it was.',
                create,
              )
            : this.#table(operators),
        )}
      </section>`;
  }

  #table(operators) {
    return table(operators, (operator) => this.#row(operator), [
      ['Name'],
      ['Roles'],
      ['Status', 'wide'],
      ['Signs in', 'wide'],
      ['Changed', 'wide'],
      ACTIONS,
    ]);
  }

  #row(operator) {
    const { name } = operator;
    return html`<tr>
      <th scope="row">${name}</th>
      <td>${roles(operator.roles)}</td>
      <td class="wide">${badge(operator.status, operator.status === 'active' ? 'ok' : 'warn')}</td>
      <td class="wide nowrap">${operator.has_password ? 'by password' : 'by single sign-on'}</td>
      <td class="wide nowrap">${moment(operator.updated_at)}</td>
      <td>
        ${rowActions(
          name,
          access.everywhere('admin') && access.mayGive(operator.roles)
            ? [
                { label: 'Change', run: () => this.#with(editOperator(operator)) },
                { label: 'Reset password', run: () => this.#with(resetPassword(operator)) },
                { label: 'Remove', run: () => this.#remove(operator), isDanger: true },
              ]
            : [],
        )}
      </td>
    </tr>`;
  }
}

function roles(all) {
  const pairs = Object.entries(all);
  if (pairs.length === 0) return html`<span class="muted">none</span>`;
  return pairs.map(([workspace, role]) => html`${badge(`${workspace === '*' ? 'everywhere' : workspace}: ${role}`)} `);
}
