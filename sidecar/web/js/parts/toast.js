// Short news at the edge of the page, read out by screen readers too.

import { html, render } from '../../vendor/lit/lit-html.js';

const SHOWN_MS = 5_000;

let shown = [];

function show() {
  const place = document.getElementById('toasts');
  if (place) render(html`${shown.map(({ text }) => html`<div class="toast">${text}</div>`)}`, place);
}

/** Tells something that has happened. */
export function tell(text) {
  const toast = { text };
  shown = [...shown, toast];
  show();
  setTimeout(() => {
    shown = shown.filter((other) => other !== toast);
    show();
  }, SHOWN_MS);
}
