// A secret that is shown once.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { openDialog } from './dialog.js';
import { icons } from './icons.js';

/**
 * Shows it until the person says that it is stored. Escape does not close it: it cannot be shown again.
 * @param {{ title: string, label: string, secret: string, text: unknown, more?: unknown }} options
 */
export function showSecret({ title, label, secret, text, more = nothing }) {
  let copied = '';
  let isStored = false;
  return openDialog({ title, mayDismiss: () => isStored }, (dialog) => {
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(secret);
        copied = 'Copied.';
      } catch {
        // Only pages that came over HTTPS, or from this machine, may write to the clipboard.
        const input = document.getElementById('secret');
        input.select();
        copied = document.execCommand('copy') ? 'Copied.' : 'Press Ctrl+C to copy what is selected.';
      }
      dialog.update();
    };
    return html`<p>${text}</p>
      <div class="field">
        <label for="secret">${label}</label>
        <div class="secret">
          <input class="input" id="secret" readonly .value=${secret} @focus=${(event) => event.target.select()} />
          <button class="button" type="button" data-first @click=${copy}>${icons.copy} Copy</button>
        </div>
        <span class="hint" role="status">${copied}</span>
      </div>
      ${more}
      <label class="check">
        <input
          type="checkbox"
          .checked=${isStored}
          @change=${(event) => {
            isStored = event.target.checked;
            dialog.update();
          }}
        />
        I have stored it
      </label>
      <div class="dialog-actions">
        <button class="button primary" type="button" ?disabled=${!isStored} @click=${() => dialog.close(true)}>
          Done
        </button>
      </div>`;
  });
}
