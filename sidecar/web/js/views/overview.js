// The overview: what it costs, who uses it, and what is about to run out.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { access } from '../access.js';
import { compact, count, duration, money, percent, shortDate, shortMoney } from '../format.js';
import { SERIES, seriesToken } from '../parts/chart.js';
import { empty, emptyHere, framed, shown } from '../parts/states.js';
import { Resource } from '../resource.js';
import { router } from '../router.js';
import { chartSeries, GROUPS, loadStats, PERIODS } from '../stats.js';
import { View } from '../view.js';
import { workspaces } from '../workspaces.js';
import { brief, loadBudgets, ofWorkspace, ordered } from './budgets.js';

const EVERY_MS = 15_000;
const BUDGETS = 6;

export class OverviewView extends View {
  static title = 'Overview';
  #period;
  #group;
  /** Of which a workspace has to be chosen first. Empty where there is nothing to choose. */
  #choices = [];

  start() {
    const [period, group] = [this.params.get('period'), this.params.get('group')];
    this.#period = period in PERIODS ? period : '30d';
    this.#group = GROUPS.some(([name]) => name === group) ? group : 'model';
    // Only whoever has a role everywhere is told numbers of several workspaces together.
    if (workspaces.chosen === '' && access.named.length > 1) {
      this.#choices = access.named;
      return;
    }
    const changed = () => this.update();
    const stats = (signal) => loadStats(this.#period, this.#group, signal);
    this.stats = this.owns(new Resource(stats, changed, { every: EVERY_MS }));
    this.budgets = this.owns(new Resource((signal) => loadBudgets(signal), changed, { every: EVERY_MS }));
  }

  #choose(period, group) {
    this.#period = period;
    this.#group = group;
    router.remember({ period, group });
    this.stats.refresh();
    this.update();
  }

  template() {
    if (this.#choices.length > 0) return choice(this.#choices);
    return html`<div class="view-head">
        <h1 tabindex="-1">Overview</h1>
        <div class="actions">
          <div class="filters">
            <label>
              By
              <select @change=${(event) => this.#choose(this.#period, event.target.value)}>
                ${GROUPS.map(([name, title]) => html`<option value=${name} ?selected=${name === this.#group}>${title}</option>`)}
              </select>
            </label>
          </div>
          <div class="choices" role="group" aria-label="Period">
            ${Object.entries(PERIODS).map(
              ([name, { title }]) =>
                html`<button aria-pressed=${name === this.#period} @click=${() => this.#choose(name, this.#group)}>
                  ${title}
                </button>`,
            )}
          </div>
        </div>
        <p class="about">The last ${PERIODS[this.#period].title}, against the ${PERIODS[this.#period].title} before.</p>
      </div>
      <div class="stack">
        ${framed(this.stats, 'statistics', (stats) => this.#shownStats(stats))} ${this.#atRisk()}
      </div>`;
  }

  #shownStats(stats) {
    if (stats.now.requests + stats.before.requests === 0) {
      return html`<div class="panel">
        ${emptyHere(
          'calls',
          'Nothing has been called yet',
          `There was no request in the last ${PERIODS[this.#period].title}. Create a key, and send the first one through a gateway.`,
          html`<a class="button primary" href=${router.link('keys')}>To the keys</a>`,
        )}
      </div>`;
    }
    const title = GROUPS.find(([name]) => name === this.#group)[1].toLowerCase();
    return html`${figures(stats, PERIODS[this.#period].title)}
      <div class="grid-2">
        ${chart(stats, `Cost by ${title}`, (point) => Number(point.cost), (value) => money(BigInt(Math.round(value))), shortMoney)}
        ${chart(stats, `Requests by ${title}`, (point) => point.requests, count, compact)}
      </div>
      ${groupTable(stats, title)}`;
  }

  #atRisk() {
    return html`<section class="panel" aria-labelledby="budgets">
      <div class="panel-head">
        <h2 id="budgets">Budgets, most used first</h2>
        <a href=${router.link('budgets')}>All budgets</a>
      </div>
      <div class="panel-body">
        ${shown(this.budgets, 'budgets', (all) => {
          const counted = ofWorkspace(all).filter(({ template, period }) => !template && period !== 'request');
          return counted.length === 0
            ? html`<p class="muted">There is none yet.</p>`
            : html`<ul>${ordered(counted, 'used').slice(0, BUDGETS).map(brief)}</ul>`;
        })}
      </div>
    </section>`;
  }
}

const choice = (names) => html`<div class="view-head"><h1 tabindex="-1">Overview</h1></div>
  <div class="panel">
    ${empty(
      'Choose a workspace',
      'You have a role in several, and their numbers are told one by one.',
      html`<div class="actions">
        ${names.map((name) => html`<button class="button" @click=${() => workspaces.choose(name)}>${name}</button>`)}
      </div>`,
    )}
  </div>`;

function figures({ now, before, month }, title) {
  const of = (part, whole) => (whole === 0 ? 0 : part / whole);
  const all = [
    ['Spend', Number(now.cost), Number(before.cost), (value) => money(BigInt(value))],
    ['Requests', now.requests, before.requests, compact],
    ['Tokens', now.input + now.output, before.input + before.output, compact],
    ['Latency, p95', now.latency.p95 ?? 0, before.latency.p95 ?? 0, duration, true],
    ['Refused', of(now.refusals, now.requests), of(before.refusals, before.requests), percent, true],
  ];
  return html`<dl class="figures">
    ${all.map(
      ([name, is, was, show, isBad]) => html`<div class="panel figure">
        <dt>${name}</dt>
        <dd class="value">${show(is)}</dd>
        <dd class="delta" title="The ${title} before: ${show(was)}">${change(is, was, show, isBad)}</dd>
      </div>`,
    )}
    <div class="panel figure">
      <dt>This month</dt>
      <dd class="value">${money(month.projected)}</dd>
      <dd class="delta" title="If it goes on as in the last seven days">
        projected by ${shortDate(month.end)}, ${money(month.spent)} so far
      </dd>
    </div>
  </dl>`;
}

/** How much more or less than before; where more is worse, that is said in red, and less in green. */
function change(is, was, show, isBad = false) {
  if (was === 0) return is === 0 ? 'as before' : 'nothing before';
  const by = is / was - 1;
  if (Math.abs(by) < 0.005) return 'as before';
  const tone = isBad ? (by > 0 ? 'worse' : 'better') : '';
  const size = by > 9.99 ? `× ${count(is / was)}` : percent(Math.abs(by));
  return html`<span class=${tone}
      >${by > 0 ? '▲' : '▼'} ${size}<span class="hidden-visually"> ${by > 0 ? 'more' : 'less'}</span></span
    >
    from ${show(was)}`;
}

function chart(stats, title, value, show, showAxis) {
  const series = chartSeries(stats, value);
  const isDaily = stats.step >= 86_400_000;
  const clock = (time) => new Date(time).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const labels = stats.times.map((time) => (isDaily ? shortDate(time) : clock(time)));
  const data = { label: `${title}, stacked bars; the table below has the numbers`, times: labels, series, show, showAxis };
  return html`<figure class="panel">
    <figcaption class="panel-head"><h2>${title}</h2></figcaption>
    <div class="panel-body">
      <tg-chart .data=${data}></tg-chart>
      <ul class="legend" aria-hidden="true">
        ${series.map(({ name, colour }) => html`<li>${swatch(colour)} ${name}</li>`)}
      </ul>
      <details class="as-table">
        <summary>As a table</summary>
        <div class="table-box" tabindex="0" role="region" aria-label="${title}, as a table">
          <table>
            <thead>
              <tr>
                <th scope="col">${isDaily ? 'Day' : 'Time'}</th>
                ${series.map(({ name }) => html`<th scope="col" class="right">${name}</th>`)}
              </tr>
            </thead>
            <tbody>
              ${labels.map(
                (label, index) => html`<tr>
                  <th scope="row">${label}</th>
                  ${series.map(({ values }) => html`<td class="right">${show(values[index])}</td>`)}
                </tr>`,
              )}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  </figure>`;
}

const swatch = (colour) => html`<svg class="swatch ${seriesToken(Math.min(colour, SERIES - 1)).slice(2)}" viewBox="0 0 10 10">
  <rect width="10" height="10" rx="2" fill="currentColor" />
</svg>`;

function groupTable({ groups, others, exports }, title) {
  return html`<section class="panel" aria-labelledby="by-group">
    <div class="panel-head">
      <h2 id="by-group">By ${title}</h2>
      <span class="links">
        <a href=${exports.stats} download>CSV</a>
        <a href=${exports.focus} download title="FinOps Open Cost and Usage Specification 1.2">FOCUS costs</a>
      </span>
    </div>
    <div class="table-box">
      <table>
        <thead>
          <tr>
            <th scope="col">${title.charAt(0).toUpperCase()}${title.slice(1)}</th>
            <th scope="col" class="right">Cost</th>
            <th scope="col" class="right">Requests</th>
            <th scope="col" class="right wide">Refused</th>
            <th scope="col" class="right wide">Errors</th>
            <th scope="col" class="right wide">Input tokens</th>
            <th scope="col" class="right wide">Output tokens</th>
            <th scope="col" class="right wide">p50</th>
            <th scope="col" class="right wide">p95</th>
            <th scope="col" class="right wide">p99</th>
          </tr>
        </thead>
        <tbody>
          ${groups.map(
            (one) => html`<tr>
              <th scope="row"><div class="clip">${one.isOthers ? `${count(others)} others` : one.group}</div></th>
              <td class="right">${money(one.cost)}</td>
              <td class="right">${count(one.requests)}</td>
              <td class="right wide">${count(one.refusals)}</td>
              <td class="right wide">${count(one.errors)}</td>
              <td class="right wide">${count(one.input)}</td>
              <td class="right wide">${count(one.output)}</td>
              <td class="right wide">${duration(one.latency.p50)}</td>
              <td class="right wide">${duration(one.latency.p95)}</td>
              <td class="right wide">${duration(one.latency.p99)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
