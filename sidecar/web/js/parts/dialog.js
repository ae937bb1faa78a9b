// Dialogs: modal, closed by Escape, and the focus goes back to where it was.

import { html, nothing, render } from '../../vendor/lit/lit-html.js';
import { icons } from './icons.js';
import { sentence } from './states.js';

let number = 0;

/**
 * Opens a dialog, and answers what it was closed with; undefined where it was dismissed.
 * @param {{ title: string, isWide?: boolean, mayDismiss?: () => boolean }} options
 * @param {(dialog: { close(value?: any): void, update(): void }) => unknown} body
 */
export function openDialog({ title, isWide = false, mayDismiss = () => true }, body) {
  const opener = document.activeElement;
  const element = document.createElement('dialog');
  number += 1;
  const id = `dialog-${number}`;
  element.setAttribute('aria-labelledby', id);
  if (isWide) element.classList.add('wide-dialog');
  let answer;
  const handle = {
    close(value) {
      answer = value;
      element.close();
    },
    update() {
      render(template(), element);
    },
  };
  const dismiss = () => mayDismiss() && element.close();
  const template = () => html`<div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button class="quiet" type="button" @click=${dismiss} aria-label="Close">${icons.close}</button>
    </div>
    <div class="dialog-body">${body(handle)}</div>`;
  handle.update();
  document.body.append(element);
  // Not by `cancel`: browsers let a second Escape close the dialog whatever that says.
  element.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    dismiss();
  });
  element.showModal();
  (element.querySelector('[data-first]') ?? element.querySelector('input, select, textarea'))?.focus();
  return new Promise((resolve) => {
    element.addEventListener('close', () => {
      element.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      else document.querySelector('h1')?.focus();
      resolve(answer);
    });
  });
}

/**
 * Asks before something is done that cannot be undone, and does it: the dialog stays until it is done.
 * @param {{ title: string, text: unknown, action: string, isDanger?: boolean, run: () => Promise<unknown> }} options
 */
export function confirmed({ title, text, action, isDanger = true, run }) {
  let error = null;
  let isBusy = false;
  return openDialog({ title, mayDismiss: () => !isBusy }, (dialog) => {
    const go = async () => {
      isBusy = true;
      error = null;
      dialog.update();
      try {
        await run();
        dialog.close(true);
      } catch (caught) {
        error = caught;
        isBusy = false;
        dialog.update();
      }
    };
    return html`<p>${text}</p>
      ${error ? html`<p class="notice bad" role="alert">${sentence(error.message)}</p>` : nothing}
      <div class="dialog-actions">
        <button class="button" type="button" data-first ?disabled=${isBusy} @click=${() => dialog.close()}>Cancel</button>
        <button class="button primary ${isDanger ? 'danger' : ''}" type="button" ?disabled=${isBusy} @click=${go}>
          ${action}
        </button>
      </div>`;
  });
}
