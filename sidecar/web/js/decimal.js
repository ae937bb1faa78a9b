// Decimals that keep every digit: prices are dollars for one token, and floating point has too few for them. Not by
// `JSON.rawJSON`, which only recent browsers have.

/** A number, held as it was written. */
class Exact {
  constructor(text) {
    this.text = text;
  }

  /** For {@link stringify}, which takes the mark and the quotes away. */
  toJSON() {
    return MARK + this.text;
  }
}

/** What texts begin with that are numbers while JSON is read and written; drawn here, so that no other text does. */
const MARK = `${Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('')}:`;
const MARKED = new RegExp(`"${MARK}([^"]*)"`, 'g');
/** The strings and the numbers of JSON: all other digits are within strings. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;

/** JSON, each of whose numbers is held as it was written; {@link stringify} writes it so again. */
export function parseExact(text) {
  // What is no JSON is told of as it was written.
  JSON.parse(text);
  const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : `"${MARK}${token}"`));
  const isNumber = (value) => typeof value === 'string' && value.startsWith(MARK);
  return JSON.parse(marked, (_, value) => (isNumber(value) ? new Exact(value.slice(MARK.length)) : value));
}

/** JSON of a value in which there may be numbers that are held as they were written. */
export const stringify = (value, indent) => JSON.stringify(value, null, indent).replace(MARKED, '$1');

/** The text of a number that is held as it was written; null of anything else. */
export const textOf = (value) => (value instanceof Exact ? value.text : null);

/** A number, to be held as it was written; what is no number stays text, and is refused with the reason. */
export const numberOf = (text) => (/^-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?$/i.test(text) ? new Exact(text) : text);

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
