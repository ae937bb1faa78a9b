// Statistics: what a period came to, held against the period before, and series for charts.

import { get, search } from './api.js';
import { nanos } from './format.js';
import { SERIES } from './parts/chart.js';
import { workspaces } from './workspaces.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Periods that can be looked at. */
export const PERIODS = {
  '1h': { title: '1 hour', ms: HOUR_MS, interval: 'minute', step: 60_000 },
  '24h': { title: '24 hours', ms: DAY_MS, interval: 'hour', step: HOUR_MS },
  '7d': { title: '7 days', ms: 7 * DAY_MS, interval: 'day', step: DAY_MS },
  '30d': { title: '30 days', ms: 30 * DAY_MS, interval: 'day', step: DAY_MS },
};

/** Groups that are told one by one: the most expensive; the others come together. */
const TOLD = 12;

export const GROUPS = [
  ['model', 'Model'],
  ['workspace', 'Workspace'],
  ['user', 'User'],
  ['key', 'Key'],
  ['provider', 'Provider'],
  ['endpoint', 'Endpoint'],
];

/**
 * The period up to now, the one before it, and its parts by group.
 * @param {string} period one of {@link PERIODS}
 * @param {string} group one of {@link GROUPS}
 */
export async function loadStats(period, group, signal) {
  const { ms, interval, step } = PERIODS[period];
  // Whole steps, so that the last bar is the one of now and the sums are those of the bars.
  const to = Math.floor(Date.now() / step) * step + step;
  const range = (from, until) => ({
    from: new Date(from).toISOString(),
    to: new Date(until).toISOString(),
    interval,
    workspace: workspaces.filter,
  });
  const ask = (query) => get('stats', query, { signal });
  const parted = { ...range(to - ms, to), group_by: group, limit: TOLD };
  const [now, before, parts, month] = await Promise.all([
    ask({ ...range(to - ms, to), group_by: 'none' }),
    ask({ ...range(to - 2 * ms, to - ms), group_by: 'none' }),
    ask(parted),
    get('stats/projection', { workspace: workspaces.filter }, { signal }),
  ]);
  return {
    now: total(now),
    before: total(before),
    month: { spent: nanos(month.cost_usd), projected: nanos(month.projected_cost_usd), end: month.month_end },
    // The most expensive first, the others last.
    groups: parts.totals.map(row),
    others: parts.others,
    exports: { stats: link('stats', parted), focus: link('focus', exported(parted)) },
    times: times(to - ms, to, step),
    points: parts.series.map(row),
    step,
  };
}

/** One row of a chart per group, the smaller ones together. */
export function chartSeries({ groups, times: at, points }, value) {
  const sums = new Map();
  for (const point of points) if (!point.isOthers) sums.set(point.group, (sums.get(point.group) ?? 0) + value(point));
  const largest = [...sums].sort((a, b) => b[1] - a[1]).map(([group]) => group);
  const named = largest.length > SERIES ? largest.slice(0, SERIES - 1) : largest;
  // A group has one colour in every chart: by its place in the table.
  const colours = new Map(groups.map(({ group }, index) => [group, index]));
  const index = new Map(at.map((time, position) => [time, position]));
  const series = new Map(named.map((group) => [group, new Array(at.length).fill(0)]));
  const others = new Array(at.length).fill(0);
  let hasOthers = false;
  for (const point of points) {
    const position = index.get(point.time);
    if (position === undefined) continue;
    const values = point.isOthers ? undefined : series.get(point.group);
    hasOthers ||= values === undefined;
    (values ?? others)[position] += value(point);
  }
  const rows = [...series].map(([group, values]) => ({ name: group, values, colour: colours.get(group) ?? SERIES }));
  return hasOthers ? [...rows, { name: 'others', values: others, colour: SERIES }] : rows;
}

function row(one) {
  return {
    group: one.is_others ? 'others' : one.group || '(none)',
    isOthers: one.is_others === true,
    time: one.time ? new Date(one.time).getTime() : null,
    requests: one.requests,
    refusals: one.refusals,
    errors: one.errors,
    input: one.input_tokens,
    output: one.output_tokens,
    cost: nanos(one.cost_usd),
    latency: one.latency_ms ?? {},
  };
}

const NOTHING = { requests: 0, refusals: 0, errors: 0, input: 0, output: 0, cost: 0n, latency: {} };

const total = (answer) => (answer.totals.length > 0 ? row(answer.totals[0]) : NOTHING);

function times(from, to, step) {
  const all = [];
  for (let time = from; time < to; time += step) all.push(time);
  return all;
}

/** What an export of events takes of a question for statistics. */
const exported = ({ from, to, workspace }) => ({ from, to, workspace });

const link = (name, query) => `admin/v1/exports/${name}.csv${search(query)}`;
