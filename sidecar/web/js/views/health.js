// Health: does the sidecar do its work, and which gateways have been heard of.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { get, readiness } from '../api.js';
import { connection } from '../connection.js';
import { count, duration, percent } from '../format.js';
import { ago, badge } from '../parts/badge.js';
import { empty, shown } from '../parts/states.js';
import { Resource } from '../resource.js';
import { View } from '../view.js';

const EVERY_MS = 3_000;
const GATEWAYS_EVERY_MS = 10_000;
/** Events that are looked at. */
const LAST = 1_000;
const HOUR_MS = 3_600_000;
/** A gateway that was not heard of for so long may be gone, or idle. */
const QUIET_MS = 5 * 60_000;

export class HealthView extends View {
  static title = 'Health';

  start() {
    this.sidecar = this.owns(new Resource(() => readiness(), () => this.update(), { every: EVERY_MS }));
    const gateways = { every: GATEWAYS_EVERY_MS };
    this.gateways = this.owns(new Resource((signal) => loadGateways(signal), () => this.update(), gateways));
  }

  template() {
    return html`<div class="view-head"><h1 tabindex="-1">Health</h1></div>
      <div class="stack">
        <section class="panel" aria-labelledby="sidecar">
          <div class="panel-head"><h2 id="sidecar">Sidecar</h2></div>
          <div class="panel-body">${shown(this.sidecar, 'the sidecar', sidecar)}</div>
        </section>
        <section class="panel" aria-labelledby="gateways">
          <div class="panel-head">
            <h2 id="gateways">Gateways</h2>
            <p class="muted">as told by the last ${count(LAST)} events</p>
          </div>
          ${shown(this.gateways, 'events', gateways)}
        </section>
      </div>`;
  }
}

const sidecar = ({ isReady, detail, ms, version }) => html`<dl class="facts">
  <dt>State</dt>
  <dd>
    ${connection.isLost
      ? html`<span class="dot bad"></span>lost`
      : isReady
        ? html`<span class="dot"></span>ready: the ledger can be read and written`
        : html`<span class="dot warn"></span>not ready: ${detail}`}
  </dd>
  <dt>Version</dt>
  <dd>${version}</dd>
  <dt>Answers in</dt>
  <dd class="number">${duration(ms)}</dd>
  ${connection.isLost
    ? nothing
    : html`<dt>Answering since</dt><dd>${ago(new Date(connection.status.since).toISOString())}, as this page saw it</dd>`}
</dl>`;

function gateways(all) {
  if (all.length === 0) {
    return empty('No gateway has been heard of', 'A gateway appears here with its first event.');
  }
  return html`<div class="table-box">
    <table>
      <thead>
        <tr>
          <th scope="col">Gateway</th>
          <th scope="col">State</th>
          <th scope="col">Last event</th>
          <th scope="col" class="right wide">Events in the last hour</th>
          <th scope="col" class="right wide">Refused</th>
          <th scope="col" class="right">Without sidecar</th>
        </tr>
      </thead>
      <tbody>
        ${all.map(
          (gateway) => html`<tr>
            <th scope="row">${gateway.id}${gateway.region ? html` <span class="muted">${gateway.region}</span>` : nothing}</th>
            <td>
              ${Date.now() - gateway.last < QUIET_MS ? badge('active', 'ok') : badge('quiet')}
            </td>
            <td class="nowrap">${ago(new Date(gateway.last).toISOString())}</td>
            <td class="right wide">${count(gateway.recent)}${gateway.isMore ? ' or more' : ''}</td>
            <td class="right wide">${percent(gateway.refused / gateway.events)}</td>
            <td class="right">
              ${gateway.alone > 0 ? badge(count(gateway.alone), 'bad') : '0'}
            </td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Gateways by what the last events say of them, the one that was heard of last first. */
async function loadGateways(signal) {
  const { events } = await get('events', { newest: true, limit: LAST }, { signal });
  const since = Date.now() - HOUR_MS;
  const isCut = events.length === LAST && new Date(events[0].time).getTime() > since;
  const byId = new Map();
  for (const event of events) {
    const time = new Date(event.time).getTime();
    const gateway = byId.get(event.gateway_id) ?? { id: event.gateway_id, last: 0, events: 0, recent: 0, refused: 0, alone: 0 };
    gateway.region = event.region ?? gateway.region;
    gateway.last = Math.max(gateway.last, time);
    gateway.events += 1;
    gateway.recent += time >= since ? 1 : 0;
    gateway.refused += event.error_code ? 1 : 0;
    gateway.alone += event.error_code === 'sidecar_unavailable' ? 1 : 0;
    gateway.isMore = isCut;
    byId.set(event.gateway_id, gateway);
  }
  return [...byId.values()].sort((a, b) => b.last - a.last);
}
