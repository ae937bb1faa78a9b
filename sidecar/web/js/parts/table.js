// A table with a row for each of some things.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { repeat } from '../../vendor/lit/directives/repeat.js';

/** The head of the column in which each row has its buttons. */
export const ACTIONS = [html`<span class="hidden-visually">What can be done</span>`];

/**
 * @param {object[]} all
 * @param {(one: object) => unknown} row
 * @param {[title: unknown, classes?: string][]} columns
 * @param {(one: object) => unknown} key what a thing is known by, whatever becomes of the others
 */
export function table(all, row, columns, key = (one) => one.id) {
  return html`<div class="table-box">
    <table>
      <thead>
        <tr>
          ${columns.map(([title, classes]) => html`<th scope="col" class=${classes ?? nothing}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${repeat(all, key, row)}
      </tbody>
    </table>
  </div>`;
}
