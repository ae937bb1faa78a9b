// The forms in which a price is set and changed. People think in dollars for a million tokens; prices are for one.

import { html } from '../../vendor/lit/lit-html.js';
import { attempt, patch, post } from '../api.js';
import { moved, numberOf, parseExact, stringify, textOf } from '../decimal.js';
import { areaField, current, faultOf, openForm, readJson, textField } from '../parts/form.js';
import { tell } from '../parts/toast.js';

/** What is shown for so many tokens at once: decimal places between a price and its field. */
export const PER_MILLION = 6;

/** Fields of a price that have one of their own in the form: name, label, places, hint. */
export const FIELDS = [
  ['input_cost_per_token', 'Input', PER_MILLION, ''],
  ['output_cost_per_token', 'Output', PER_MILLION, ''],
  ['cache_read_input_token_cost', 'Input from the cache', PER_MILLION, 'Empty: as input'],
  ['cache_creation_input_token_cost', 'Input into the cache', PER_MILLION, 'Empty: as input'],
  ['output_cost_per_reasoning_token', 'Reasoning', PER_MILLION, 'Empty: as output'],
  ['input_cost_per_request', 'Each request', 0, 'Beside its tokens'],
];

/** Sets the price of a model. Undefined where the person thought better of it. */
export async function createPrice() {
  const once = attempt();
  const created = await openForm({
    title: 'Set a price',
    action: 'Set',
    isWide: true,
    fields: (faults) => html`
      ${textField({
        name: 'id',
        label: 'Model',
        isRequired: true,
        isWhole: true,
        fault: faults.id,
        hint: 'As a catalogue names it; also for its dated versions without a price of their own',
      })}
      ${priceFields(faults, {})}
    `,
    submit: (values) => {
      const body = { id: values.id, price: read(values) };
      return post('prices', body, { headers: once(body) });
    },
  });
  if (created !== undefined) tell(`${created.id}: set. It holds on every gateway within two seconds.`);
  return created;
}

/** Changes a price. Undefined where the person thought better of it. */
export async function editPrice({ id }) {
  const path = pathOf(id);
  const found = await current(path, { parse: parseExact });
  if (found === null) return undefined;
  const changed = await openForm({
    title: `Change the price of ${id}`,
    action: 'Save',
    isWide: true,
    fields: (faults) => priceFields(faults, found.value.price),
    submit: (values) => patch(path, { price: read(values) }, { headers: { 'if-match': found.etag } }),
  });
  if (changed !== undefined) tell(`${id}: saved. It holds on every gateway within two seconds.`);
  return changed;
}

export const pathOf = (id) => `prices/${encodeURIComponent(id)}`;

/** A price as the form has it: the text of each field, and everything else. */
function written(price) {
  const rest = { ...price };
  const texts = {};
  for (const [name, , places] of FIELDS) {
    const text = moved(textOf(price[name]) ?? '', places);
    if (text === null) continue;
    texts[name] = text;
    delete rest[name];
  }
  return { texts, rest };
}

function priceFields(faults, price) {
  const { texts, rest } = written(price);
  const within = (name) => faults[`price/${name}`];
  const isElsewhere = FIELDS.some(([name]) => within(name));
  return html`
    ${FIELDS.map(([name, label, places, hint]) =>
      textField({
        // As the path of a fault is.
        name: `price/${name}`,
        label: places === 0 ? `${label} ($)` : `${label} ($ for a million tokens)`,
        value: texts[name] ?? '',
        fault: within(name),
        hint,
      }),
    )}
    ${areaField({
      name: 'price',
      label: 'Other fields',
      value: Object.keys(rest).length > 0 ? stringify(rest, 2) : '',
      rows: 4,
      isCode: true,
      isWhole: true,
      fault: isElsewhere ? undefined : faults.price,
      hint: 'JSON, in dollars for one token: {"input_cost_per_token_above_200k_tokens": 4e-7, "max_output_tokens": 8192}',
    })}
  `;
}

/** The price that was written; where the other fields are no JSON, their fault. */
function read(values) {
  const price = { ...others(values.price) };
  for (const [name, , places] of FIELDS) {
    const text = values[`price/${name}`];
    if (text !== '') price[name] = numberOf(moved(text, -places) ?? text);
  }
  return price;
}

function others(text) {
  if (text === '') return {};
  const rest = readJson('price', text, parseExact);
  if (rest === null || typeof rest !== 'object' || Array.isArray(rest) || textOf(rest) !== null) {
    throw faultOf('price', 'Expected an object: {"max_output_tokens": 8192}');
  }
  return rest;
}
