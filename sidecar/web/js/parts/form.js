// Forms in dialogs: fields with their faults, and a button that does one thing at a time.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { tagged } from '../api.js';
import { openDialog } from './dialog.js';
import { sentence } from './states.js';
import { tell } from './toast.js';

/**
 * One field of a form.
 * @param {{ name: string, label: string, control: (attributes: { id: string, describedBy: string, invalid: string }) =>
 *   unknown, hint?: unknown, fault?: string, isWhole?: boolean }} field
 */
export function field({ name, label, control, hint, fault, isWhole = false }) {
  const id = `field-${name}`;
  const described = [hint ? `${id}-hint` : '', fault ? `${id}-fault` : ''].filter(Boolean).join(' ');
  return html`<div class="field ${isWhole ? 'whole' : ''}">
    <label for=${id}>${label}</label>
    ${control({ id, describedBy: described || nothing, invalid: fault ? 'true' : nothing })}
    ${hint ? html`<span class="hint" id="${id}-hint">${hint}</span>` : nothing}
    ${fault ? html`<span class="fault" id="${id}-fault">${sentence(fault)}</span>` : nothing}
  </div>`;
}

/** A field for one line of text. */
export const textField = ({ value = '', type = 'text', isRequired = false, placeholder = '', autocomplete = 'off', ...rest }) =>
  field({
    ...rest,
    control: ({ id, describedBy, invalid }) => html`<input
      class="input"
      id=${id}
      name=${rest.name}
      type=${type}
      value=${value}
      ?required=${isRequired}
      placeholder=${placeholder || nothing}
      autocomplete=${autocomplete}
      spellcheck="false"
      aria-describedby=${describedBy}
      aria-invalid=${invalid}
    />`,
  });

/** A field for many lines of text. */
export const areaField = ({ value = '', rows, isCode = false, ...rest }) =>
  field({
    ...rest,
    control: ({ id, describedBy, invalid }) => html`<textarea
      class=${isCode ? 'code' : nothing}
      id=${id}
      name=${rest.name}
      rows=${rows}
      spellcheck="false"
      aria-describedby=${describedBy}
      aria-invalid=${invalid}
      .defaultValue=${value}
    ></textarea>`,
  });

/** A field that chooses one of `[value, text]`. */
export const choiceField = ({ value, options, ...rest }) =>
  field({
    ...rest,
    control: ({ id, describedBy, invalid }) => html`<select
      id=${id}
      name=${rest.name}
      aria-describedby=${describedBy}
      aria-invalid=${invalid}
    >
      ${options.map(([key, text]) => html`<option value=${key} ?selected=${key === value}>${text}</option>`)}
    </select>`,
  });

/** What is wrong with a field, for `submit` to throw. */
export const faultOf = (name, text) => Object.assign(new Error(text), { fields: { [name]: text } });

/** The JSON that was written into a field. */
export function readJson(name, text, parse = JSON.parse) {
  try {
    return parse(text);
  } catch (error) {
    throw faultOf(name, `This is no JSON: ${error.message}`);
  }
}

/** A thing as it is now and its version, to be changed; null where that cannot be told, which is said. */
export async function current(path, options) {
  try {
    return await tagged(path, options);
  } catch (error) {
    tell(sentence(error.message));
    return null;
  }
}

/**
 * Opens a form, and answers what `submit` answered; undefined where it was dismissed.
 * @param {{ title: string, action: string, isWide?: boolean,
 *   fields: (faults: object, values: object, update: () => void) => unknown,
 *   submit: (values: object) => Promise<unknown> }} options
 */
export function openForm({ title, action, isWide = false, fields, submit }) {
  let faults = {};
  let values = {};
  let error = null;
  let isBusy = false;
  return openDialog({ title, isWide, mayDismiss: () => !isBusy }, (dialog) => {
    const send = async (event) => {
      event.preventDefault();
      const form = event.currentTarget;
      if (isBusy) return;
      values = read(form);
      isBusy = true;
      error = null;
      dialog.update();
      try {
        const answer = await submit(values);
        dialog.close(answer ?? true);
      } catch (caught) {
        isBusy = false;
        faults = caught.fields ?? {};
        const isShown = Object.keys(faults).some((name) => form.elements.namedItem(name) !== null);
        error = isShown ? null : caught;
        dialog.update();
        form.querySelector('[aria-invalid="true"]')?.focus();
      }
    };
    const changed = (event) => {
      values = read(event.currentTarget);
      dialog.update();
    };
    return html`<form class="stack" novalidate @submit=${send} @change=${changed}>
      <div class="fields">${fields(faults, values, dialog.update)}</div>
      ${error ? html`<p class="notice bad" role="alert">${sentence(error.message)}</p>` : nothing}
      <div class="dialog-actions">
        <button class="button" type="button" ?disabled=${isBusy} @click=${() => dialog.close()}>Cancel</button>
        <button class="button primary" type="submit" ?disabled=${isBusy}>${isBusy ? 'One moment …' : action}</button>
      </div>
    </form>`;
  });
}

function read(form) {
  const values = {};
  for (const element of form.elements) {
    if (!element.name) continue;
    if (element.type === 'checkbox') {
      if (element.dataset.list) {
        values[element.name] ??= [];
        if (element.checked) values[element.name].push(element.value);
      } else {
        values[element.name] = element.checked;
      }
    } else {
      values[element.name] = element.value.trim();
    }
  }
  return values;
}
