// A log that grows: its newest rows, those that come, and earlier ones on request.

import { get } from './api.js';
import { Resource } from './resource.js';

/** Rows that are kept: more would slow the page down, and nobody reads them. */
const KEPT = 1_000;
const PAGE = 100;

export class Log {
  /** Newest first. */
  rows = [];
  /** Whether there are earlier ones. */
  hasEarlier = false;
  isPaused = false;
  /** How many came with the last answer. */
  arrived = 0;
  #next = null;
  #previous = null;
  #path;
  #field;
  #query;
  #changed;

  /**
   * @param {string} path
   * @param {string} field of the answer that has the rows
   * @param {() => object} query filters
   * @param {() => void} changed
   * @param {{ every: number }} options
   */
  constructor(path, field, query, changed, { every }) {
    this.#path = path;
    this.#field = field;
    this.#query = query;
    this.#changed = changed;
    this.resource = new Resource((signal) => this.#follow(signal), changed, { every });
  }

  /** Begins anew: the filters are others. */
  restart() {
    this.rows = [];
    this.#next = null;
    this.#previous = null;
    this.hasEarlier = false;
    return this.resource.reset();
  }

  /** Shows nothing new until it goes on. */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.#changed();
    if (!isPaused) this.resource.refresh();
  }

  /** Adds a page of earlier rows. */
  async earlier() {
    const query = { ...this.#query(), newest: true, before: this.#previous, limit: PAGE };
    const page = await get(this.#path, query);
    this.rows = [...this.rows, ...page[this.#field].reverse()];
    this.#keepPrevious(page);
    this.#changed();
  }

  refresh() {
    return this.resource.refresh();
  }

  stop() {
    this.resource.stop();
  }

  async #follow(signal) {
    if (this.isPaused && this.#next !== null) return this.rows;
    this.arrived = 0;
    if (this.#next === null) {
      const page = await get(this.#path, { ...this.#query(), newest: true, limit: PAGE }, { signal });
      this.rows = page[this.#field].reverse();
      this.#next = page.next;
      this.#keepPrevious(page);
      return this.rows;
    }
    for (;;) {
      const page = await get(this.#path, { ...this.#query(), after: this.#next, limit: KEPT }, { signal });
      const came = page[this.#field];
      this.#next = page.next;
      this.arrived += came.length;
      this.rows = [...came.reverse(), ...this.rows];
      if (this.rows.length > KEPT) {
        this.rows.length = KEPT;
        this.hasEarlier = false;
        this.#previous = null;
      }
      if (came.length < KEPT) return this.rows;
    }
  }

  #keepPrevious(page) {
    this.#previous = page.previous ?? null;
    this.hasEarlier = this.#previous !== null;
  }
}
