// Numbers, money and times as people read them.

const NANO = 1_000_000_000n;
const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compacted = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayTime = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long' });

/** `"12.5"` dollars → 12500000000n nano-dollars. */
export function nanos(decimal) {
  const [, sign, units, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(decimal).trim()) ?? [null, '', '0'];
  const value = BigInt(units) * NANO + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -value : value;
}

/** Nano-dollars as dollars: cents where there are some, else as many digits as tell something. */
export function money(nano) {
  const value = BigInt(nano);
  const sign = value < 0n ? '−' : '';
  const size = value < 0n ? -value : value;
  if (size === 0n) return '$0.00';
  // From ten cents on, cents; below, three digits that count.
  const digits = size >= NANO / 10n ? 2 : Math.min(9, 12 - String(size).length);
  const unit = 10n ** BigInt(9 - digits);
  const rounded = (size + unit / 2n) / unit;
  const scale = 10n ** BigInt(digits);
  const fraction = String(rounded % scale).padStart(digits, '0');
  return `${sign}$${grouped.format(rounded / scale)}.${fraction}`;
}

/** Nano-dollars for an axis. */
export function shortMoney(nano) {
  const dollars = Number(nano) / 1e9;
  return Math.abs(dollars) >= 1_000 ? `$${compacted.format(dollars)}` : money(BigInt(Math.round(Number(nano))));
}

/** 1234567 → `1,234,567`. */
export const count = (value) => grouped.format(value);

/** 1234567 → `1.2M`. */
export const compact = (value) => (Math.abs(value) < 10_000 ? grouped.format(value) : compacted.format(value));

/** Part of a whole, in percent. */
export function percent(share) {
  if (!Number.isFinite(share)) return '–';
  const value = share * 100;
  return `${(Math.abs(value) < 10 ? tenth : whole).format(value)} %`;
}

/** Milliseconds. */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return span(ms);
}

/** Milliseconds, roughly: `3 min`, `5 h`, `12 days`. */
export function span(ms) {
  const steps = [
    [86_400_000, 'day'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ];
  const [size, name] = steps.find(([step]) => ms >= step) ?? [1_000, 's'];
  const value = Math.floor(ms / size);
  return name === 'day' ? `${value} ${value === 1 ? 'day' : 'days'}` : `${value} ${name}`;
}

/** A time as it is read in a list: the clock today, else with its day. */
export function time(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '–';
  return date.toDateString() === new Date().toDateString() ? clockTime.format(date) : dayTime.format(date);
}

export const date = (iso) => dayOfYear.format(new Date(iso));
export const shortDate = (iso) => day.format(new Date(iso));
export const fullTime = (iso) => full.format(new Date(iso));
export const clock = (value) => clockTime.format(new Date(value));

/** How long ago, or how soon. */
export function distance(iso, now = Date.now()) {
  const ms = new Date(iso).getTime() - now;
  if (Math.abs(ms) < 2_000) return 'now';
  return ms < 0 ? `${span(-ms)} ago` : `in ${span(ms)}`;
}

/** An amount of a budget's unit, without the unit's name. */
export function bare(decimal, unit) {
  return unit === 'usd' ? money(nanos(decimal)) : count(BigInt(String(decimal).split('.')[0]));
}

/** An amount of a budget's unit. */
export const amount = (decimal, unit) => (unit === 'usd' ? bare(decimal, unit) : `${bare(decimal, unit)} ${unit}`);
