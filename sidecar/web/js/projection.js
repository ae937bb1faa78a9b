// Where a budget's spending leads if it goes on as it has.

import { nanos } from './format.js';

/** Before that much of a period has passed, its pace says nothing. */
const ENOUGH_MS = 30 * 60_000;
/** What is farther away than this is not said: the pace will not last that long. */
const FAR_MS = 366 * 86_400_000;

/**
 * `{ kind: 'exhausted' }`, `{ kind: 'runs-out', at }`, `{ kind: 'lasts', amount, share }` at the period's end, or null
 * where nothing can be said.
 * @param {object} budget as the API has it
 * @param {number} now milliseconds since the Unix epoch
 */
export function projection(budget, now) {
  const spent = nanos(budget.spent);
  const whole = nanos(budget.amount);
  if (whole > 0n && spent >= whole) return { kind: 'exhausted' };
  const start = new Date(budget.period_start ?? budget.created_at).getTime();
  const passed = now - start;
  if (spent <= 0n || passed < ENOUGH_MS) return null;
  const perMs = Number(spent) / passed;
  const runsOut = now + Number(whole - spent) / perMs;
  const end = budget.period_end ? new Date(budget.period_end).getTime() : null;
  if (runsOut < (end ?? now + FAR_MS)) return { kind: 'runs-out', at: new Date(runsOut).toISOString() };
  if (end === null) return null;
  const projected = perMs * (end - start);
  return { kind: 'lasts', amount: decimal(projected), share: projected / Number(whole) };
}

function decimal(nano) {
  const value = BigInt(Math.round(nano));
  return `${value / 1_000_000_000n}.${String(value % 1_000_000_000n).padStart(9, '0')}`;
}
