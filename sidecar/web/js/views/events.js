// Events as they come: every exchange, refusals included.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { count, duration, fullTime, money } from '../format.js';
import { Log } from '../log.js';
import { httpStatus, moment } from '../parts/badge.js';
import { openDialog } from '../parts/dialog.js';
import { icons } from '../parts/icons.js';
import { logTable } from '../parts/log_table.js';
import { empty, emptyHere, shown } from '../parts/states.js';
import { router } from '../router.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';

const EVERY_MS = 1_500;

export class EventsView extends View {
  static title = 'Events';
  #only;
  #key;

  start() {
    this.#only = this.params.get('only') ?? 'all';
    this.#key = this.params.get('key') ?? '';
    const query = () => ({ workspace: workspaces.filter, key: this.#key });
    this.log = this.owns(new Log('events', 'events', query, () => this.update(), { every: EVERY_MS }));
  }

  #choose(only) {
    this.#only = only;
    router.remember({ only: only === 'all' ? '' : only });
    this.update();
  }

  #anyKey = () => {
    this.#key = '';
    router.remember({ key: '' });
    this.log.restart();
  };

  template() {
    const { log } = this;
    const isFollowing = !log.isPaused;
    return html`<div class="view-head">
        <h1 tabindex="-1">Events</h1>
        <div class="actions">
          <div class="choices" role="group" aria-label="Which events">
            ${[
              ['all', 'All'],
              ['answered', 'Answered'],
              ['refused', 'Refused'],
              ['failed', 'Failed'],
            ].map(
              ([name, title]) =>
                html`<button aria-pressed=${this.#only === name} @click=${() => this.#choose(name)}>${title}</button>`,
            )}
          </div>
          <button class="button" @click=${() => log.pause(isFollowing)}>
            ${isFollowing ? icons.pause : icons.play} ${isFollowing ? 'Pause' : 'Go on'}
          </button>
        </div>
        <p class="about">
          ${isFollowing ? 'New ones appear by themselves.' : 'Paused: nothing new is shown.'}
          ${this.#key
            ? html`Only of key <code>${this.#key}</code>.
                <button class="link" @click=${this.#anyKey}>Show those of all keys</button>`
            : nothing}
        </p>
      </div>
      <section class="panel" aria-label="Events, newest first">
        ${shown(log.resource, 'events', () => this.#table())}
      </section>
      <p class="hidden-visually" role="status">
        ${log.arrived > 0 ? `${count(log.arrived)} new ${log.arrived === 1 ? 'event' : 'events'}` : ''}
      </p>`;
  }

  #table() {
    return logTable(this.log, {
      what: 'events',
      rows: this.log.rows.filter((event) => this.#only === 'all' || kind(event) === this.#only),
      columns: [
        ['Time'],
        ['Status'],
        ['Model'],
        ['Workspace', 'wide'],
        ['User or key', 'wide'],
        ['Input', 'right wide'],
        ['Output', 'right wide'],
        ['Cost', 'right'],
        ['Latency', 'right wide'],
      ],
      key: (event) => event.event_id,
      row,
      none:
        this.log.rows.length === 0
          ? emptyHere('events', 'No events yet', 'Every call through a gateway appears here a second after it ended.')
          : empty('None of this kind', 'Among the events that are loaded there is none of this kind.'),
    });
  }
}

/** `answered`, `refused` by Tollgate, or `failed` at or behind the provider. */
function kind(event) {
  if (event.status < 400) return 'answered';
  return event.error_code ? 'refused' : 'failed';
}

const row = (event) => html`<tr class="is-new" data-event=${event.event_id}>
  <td class="nowrap number">
    <button class="link" @click=${() => details(event)} aria-label="Details of the event of ${fullTime(event.time)}">
      ${moment(event.time)}
    </button>
  </td>
  <td class="nowrap">${httpStatus(event.status)}<span class="wide sub"> ${event.error_code ?? nothing}</span></td>
  <td><div class="clip">${event.response_model ?? event.request_model ?? '–'}</div></td>
  <td class="wide">${event.workspace ?? '–'}</td>
  <td class="wide"><div class="clip">${event.user ?? shortKey(event.key_id)}</div></td>
  <td class="right wide">${count(event.input_tokens)}</td>
  <td class="right wide">${count(event.output_tokens)}</td>
  <td class="right">${money(event.cost_nanousd)}</td>
  <td class="right wide">${duration(event.latency_ms)}</td>
</tr>`;

/** The end of a key's id: the beginning is the time of its creation. */
const shortKey = (id) => (id ? html`<span class="mono muted" title=${id}>key …${id.slice(-6)}</span>` : '–');

/** The tier that served the request, and the one that it asked for, where that is another. */
function serviceTier({ request_service_tier: asked, response_service_tier: served }) {
  if (!asked || asked === served) return served;
  return `${served ?? '–'}, asked for ${asked}`;
}

function details(event) {
  const tokens = (total, parts) => {
    const named = parts.filter(([value]) => value > 0).map(([value, name]) => `${count(value)} ${name}`);
    return `${count(total)}${named.length > 0 ? ` (${named.join(', ')})` : ''}`;
  };
  const facts = [
    ['Time', fullTime(event.time)],
    ['Status', html`${httpStatus(event.status)} ${event.error_code ?? ''}`],
    ['Workspace', event.workspace],
    ['User', event.user],
    [
      'Key',
      event.key_id && html`<a href=${router.link('events', { key: event.key_id })}><code>${event.key_id}</code></a>`,
    ],
    ['Session', event.session],
    ['Asked for', event.request_model],
    ['Downgraded to', event.downgraded_model],
    ['Answered by', [event.response_model, event.provider].filter(Boolean).join(' · ')],
    ['Service tier', serviceTier(event)],
    ['Wire format', `${event.dialect ?? '–'}${event.stream ? ', streamed' : ''}`],
    [
      'Input tokens',
      tokens(event.input_tokens, [
        [event.cached_input_tokens, 'from cache'],
        [event.cache_creation_input_tokens, 'into cache'],
      ]),
    ],
    ['Output tokens', tokens(event.output_tokens, [[event.reasoning_output_tokens, 'reasoning']])],
    ['Usage', event.usage_status],
    ['Cost', `${money(event.cost_nanousd)}${event.price_fallback ? ' (fallback price: the model has none)' : ''}`],
    ['Latency', duration(event.latency_ms)],
    ['First byte', event.time_to_first_token_ms === null ? null : duration(event.time_to_first_token_ms)],
    ['Bytes', `${count(event.request_bytes)} in, ${count(event.response_bytes)} out`],
    ['Gateway', [event.gateway_id, event.region].filter(Boolean).join(' · ')],
    ['Would refuse', (event.would_refuse ?? []).join(', ')],
    ['Request', html`<code>${event.request_id}</code>`],
    ['Event', html`<code>${event.event_id}</code>`],
    ['Trace', event.trace_id && html`<code>${event.trace_id}</code>${event.trace_sampled ? '' : ' (not sampled)'}`],
  ];
  openDialog({ title: 'Event', isWide: true }, (dialog) => html`<dl class="facts" @click=${(click) => click.target.closest('a') && dialog.close()}>
    ${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
  </dl>`);
}
