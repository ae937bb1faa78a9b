// The rows of a log, newest first, and how to get earlier ones.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { table } from './table.js';
import { tell } from './toast.js';

/**
 * @param {import('../log.js').Log} log
 * @param {{ what: string, columns: [title: string, classes?: string][], key: (row: object) => unknown,
 *   row: (row: object) => unknown, none: unknown, rows?: object[] }} options `what`: the rows' name in the plural;
 *   `none`: shown where there is none; `rows`: those of the log's that are shown
 */
export function logTable(log, { what, columns, key, row, none, rows = log.rows }) {
  if (rows.length === 0) return none;
  const earlier = () =>
    log.earlier().catch((error) => tell(`Earlier ${what} could not be loaded: ${error.message}.`));
  return html`${table(rows, (one) => row(one), columns, key)}
    ${log.hasEarlier
      ? html`<div class="more"><button class="button small" @click=${earlier}>Earlier ${what}</button></div>`
      : nothing}`;
}
