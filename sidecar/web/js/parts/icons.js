// Icons of 16 by 16, drawn with the text's colour. They say nothing to a screen reader: the text beside them does.

import { svg, html } from '../../vendor/lit/lit-html.js';

const icon = (shape) => html`<svg
  viewBox="0 0 16 16"
  fill="none"
  stroke="currentColor"
  stroke-width="1.5"
  stroke-linecap="round"
  stroke-linejoin="round"
  aria-hidden="true"
>
  ${shape}
</svg>`;

export const icons = {
  overview: icon(svg`<path d="M2 13.5h12M4 11V8M8 11V3M12 11V6" />`),
  events: icon(svg`<path d="M1.5 8h3l2-5 3 10 2-5h3" />`),
  keys: icon(svg`<circle cx="5" cy="11" r="3" /><path d="m7.2 8.8 6-6M11 5l2 2" />`),
  limits: icon(svg`<path d="M2 11.5a6 6 0 0 1 12 0M8 11.5l3-4" />`),
  budgets: icon(svg`<circle cx="8" cy="8" r="6" /><path d="M8 2v6l4.5 4" />`),
  prices: icon(svg`<path d="M8.500 2H14v5.500L7.500 14 2 8.500z" /><circle cx="11" cy="5" r=".7" />`),
  conversations: icon(svg`<path d="M2 3h12v8.500H7L4 14v-2.500H2z" /><path d="M5 6h6M5 8.500h4" />`),
  moderation: icon(svg`<path d="M8 1.8 13.5 4v4c0 3.2-2.3 5.3-5.5 6.200C4.8 13.3 2.5 11.2 2.5 8V4z" /><path d="m5.8 8 1.6 1.600L10.5 6.5" />`),
  webhooks: icon(svg`<circle cx="4" cy="11.5" r="2" /><circle cx="12" cy="11.5" r="2" /><circle cx="8" cy="4" r="2" /><path d="M7 5.8 5 9.800M9 5.800l2 4M6 11.500h4" />`),
  workspaces: icon(svg`<path d="M2 6.500 8 3l6 3.500L8 10z" /><path d="m2 10 6 3.500L14 10" />`),
  operators: icon(svg`<circle cx="8" cy="5" r="2.800" /><path d="M2.500 14c.5-3 2.700-4.500 5.500-4.500s5 1.500 5.500 4.500" />`),
  tokens: icon(svg`<rect x="2" y="3.500" width="12" height="9" rx="1.500" /><path d="m4.500 6.500 2 1.500-2 1.500M8.500 10h3" />`),
  password: icon(svg`<rect x="3" y="7" width="10" height="6.500" rx="1.500" /><path d="M5.500 7V5a2.500 2.500 0 0 1 5 0v2" />`),
  audit: icon(svg`<path d="M4 1.500h6l3 3v10H4z" /><path d="M6.5 7h4M6.5 10h4" />`),
  health: icon(svg`<path d="M8 13.500S2 10 2 5.900A3.1 3.1 0 0 1 8 4.500a3.1 3.1 0 0 1 6 1.400C14 10 8 13.5 8 13.500z" />`),
  sun: icon(svg`<circle cx="8" cy="8" r="2.8" /><path d="M8 1.500v1.200M8 13.300v1.200M1.5 8h1.200M13.3 8h1.200M3.4 3.400l.9.9M11.7 11.700l.9.9M12.6 3.400l-.9.9M4.3 11.700l-.9.9" />`),
  moon: icon(svg`<path d="M13.5 9.600A5.8 5.8 0 0 1 6.4 2.500a5.8 5.8 0 1 0 7.1 7.100z" />`),
  leave: icon(svg`<path d="M6 2.500H3v11h3M10 11l3-3-3-3M13 8H6.5" />`),
  menu: icon(svg`<path d="M2 4h12M2 8h12M2 12h12" />`),
  more: icon(svg`<path stroke-width="2.4" d="M3 8h.01M8 8h.01M13 8h.01" />`),
  plus: icon(svg`<path d="M8 3v10M3 8h10" />`),
  copy: icon(svg`<rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 3.500v-1h-8v8h1" />`),
  pause: icon(svg`<path d="M5.5 3.500v9M10.5 3.500v9" />`),
  play: icon(svg`<path d="m4.5 3 8 5-8 5z" />`),
  close: icon(svg`<path d="m3.5 3.5 9 9M12.5 3.500l-9 9" />`),
};

/** The sign of the house: a gate, half open. */
export const sign = html`<svg viewBox="0 0 24 24" aria-hidden="true">
  <rect width="24" height="24" rx="5" fill="#2250c4" />
  <path d="M6 19V9.500L19 5.5" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" />
  <path d="M4 19h4" stroke="#fff" stroke-width="2.4" stroke-linecap="round" />
  <path d="M12 19h8" stroke="#9db8f5" stroke-width="2" stroke-linecap="round" stroke-dasharray="2.4 2.6" />
</svg>`;
