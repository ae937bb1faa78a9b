// Small words on a coloured ground. The word says it all; the colour repeats it.

import { html } from '../../vendor/lit/lit-html.js';
import { distance, fullTime, time } from '../format.js';

export const badge = (text, tone = '') => html`<span class="badge ${tone}">${text}</span>`;

const KEY_TONES = { active: 'ok', paused: 'warn', revoked: 'bad', expired: 'bad' };

/** A key's status; one that has run out says so. */
export function keyStatus(key) {
  const isExpired = key.status === 'active' && key.expires_at && new Date(key.expires_at).getTime() <= Date.now();
  const status = isExpired ? 'expired' : key.status;
  return badge(status, KEY_TONES[status]);
}

/** An HTTP status. */
export function httpStatus(status) {
  if (status >= 500) return badge(status, 'bad');
  if (status >= 400) return badge(status, 'warn');
  return badge(status, 'ok');
}

const ACTION_TONES = { allow: 'ok', flag: 'accent', redact: 'warn', block: 'bad' };

export const moderationAction = (action) => badge(action, ACTION_TONES[action]);

/** A time: as it is read in a list, with all of it for whoever points at it. */
export const moment = (iso) =>
  iso ? html`<time datetime=${iso} title=${fullTime(iso)}>${time(iso)}</time>` : html`<span class="muted">–</span>`;

/** How long ago. */
export const ago = (iso) =>
  iso ? html`<time datetime=${iso} title=${fullTime(iso)}>${distance(iso)}</time>` : html`<span class="muted">–</span>`;
