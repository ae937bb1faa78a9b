// Decimals that keep every digit: prices are dollars for one token, and floating point has too few for them.

/** JSON, each of whose numbers is held as it was written; so it is written again by `JSON.stringify`. */
export const parseExact = (text) =>
  JSON.parse(text, (_, value, { source }) => (typeof value === 'number' ? JSON.rawJSON(source) : value));

/** The text of a number that {@link parseExact} has read; null of anything else. */
export const textOf = (value) => (JSON.isRawJSON(value) ? value.rawJSON : null);

/** A number, as it was written, for `JSON.stringify`; what is no number stays text, and is refused with the reason. */
export const numberOf = (text) => (/^-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?$/i.test(text) ? JSON.rawJSON(text) : text);

/** Places beyond these are left as they were written: nobody reads so many zeros. */
const PLACES = 60;

/**
 * A decimal with its point moved to the right (or to the left) by so many places, without an exponent: `3e-7` by 6 is
 * `0.3`. Null where that is no decimal that can be read.
 */
export function moved(text, places) {
  const [, sign, units, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (units === undefined || Math.abs(Number(exponent)) > PLACES) return null;
  const point = units.length + Number(exponent) + places;
  const digits = (units + fraction).padStart(units.length + fraction.length + Math.max(0, 1 - point), '0');
  const at = Math.max(1, point);
  const whole = digits.padEnd(at, '0').slice(0, at).replace(/^0+(?=\d)/, '');
  const rest = digits.slice(at).replace(/0+$/, '');
  return `${sign}${whole}${rest ? `.${rest}` : ''}`;
}

/** A decimal amount of dollars with all its digits: `0.3` → `$0.30`. */
export function dollars(decimal) {
  const [units, fraction = ''] = decimal.split('.');
  return `$${units.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction.padEnd(2, '0')}`;
}
