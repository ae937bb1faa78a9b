// How much of a budget is used: green, amber from 60 %, red from 80 %.

import { html, svg } from '../../vendor/lit/lit-html.js';
import { nanos, percent } from '../format.js';

const AMBER = 0.6;
const RED = 0.8;

/** `ok`, `warn` or `bad`. */
export function level(share) {
  if (share >= RED) return 'bad';
  return share >= AMBER ? 'warn' : 'ok';
}

const WORDS = { ok: 'within budget', warn: 'more than 60 % used', bad: 'more than 80 % used' };

/** What part of a budget is spent, and what part gateways hold. */
export function shares(budget) {
  const amount = nanos(budget.amount);
  if (amount <= 0n) return { spent: nanos(budget.spent) > 0n ? 1 : 0, leased: 0 };
  const part = (value) => Number((nanos(value) * 1_000_000n) / amount) / 1_000_000;
  return { spent: part(budget.spent), leased: part(budget.leased) };
}

/** The bar itself. Widths are attributes: the page allows no inline style. */
export function bar(budget) {
  const { spent, leased } = shares(budget);
  const clamp = (share) => Math.max(0, Math.min(1, share)) * 100;
  const thresholds = (budget.thresholds ?? []).filter((threshold) => threshold < 100);
  return html`<div
    role="meter"
    aria-label="Used of ${budget.name}"
    aria-valuemin="0"
    aria-valuemax="100"
    aria-valuenow=${Math.round(clamp(spent))}
    aria-valuetext="${percent(spent)}, ${WORDS[level(spent)]}"
    data-level=${level(spent)}
  >
    <svg class="bar ${level(spent)}" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<rect class="leased" width="${clamp(spent + leased)}%" height="100%" />
        <rect class="spent" width="${clamp(spent)}%" height="100%" />
        ${thresholds.map((at) => svg`<line x1="${at}%" x2="${at}%" y1="0" y2="100%" />`)}`}
    </svg>
  </div>`;
}
