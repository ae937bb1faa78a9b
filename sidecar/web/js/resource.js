// Something that is fetched, and fetched again while somebody looks.

import { Lost, Problem } from './api.js';
import { connection } from './connection.js';

/**
 * States: `loading` (nothing yet), `ready`, `absent` (this sidecar has no such endpoint), `failed` (nothing came, and
 * `error` says why). Once there is a value it stays, also while a later fetch fails: `error` then says so.
 */
export class Resource {
  state = 'loading';
  value = null;
  error = null;
  /** When the value came. */
  at = null;
  #fetch;
  #changed;
  #every;
  #timer = null;
  #controller = null;
  #isOver = false;
  #again = () => this.refresh();
  #seen = () => document.visibilityState === 'visible' && this.refresh();

  /**
   * @param {(signal: AbortSignal) => Promise<unknown>} fetch
   * @param {() => void} changed
   * @param {{ every?: number }} options `every`: milliseconds from an answer to the next question
   */
  constructor(fetch, changed, { every } = {}) {
    this.#fetch = fetch;
    this.#changed = changed;
    this.#every = every ?? null;
    connection.addEventListener('back', this.#again);
    document.addEventListener('visibilitychange', this.#seen);
    this.refresh();
  }

  /** Fetches now. What is under way is given up. */
  async refresh() {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    try {
      const value = await this.#fetch(controller.signal);
      if (controller.signal.aborted) return;
      Object.assign(this, { state: 'ready', value, error: null, at: Date.now() });
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#failed(error);
    }
    this.#plan();
    this.#changed();
  }

  /** Forgets the value: what is shown is of other filters. */
  reset() {
    Object.assign(this, { state: 'loading', value: null, error: null });
    this.#changed();
    return this.refresh();
  }

  stop() {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#controller?.abort();
    connection.removeEventListener('back', this.#again);
    document.removeEventListener('visibilitychange', this.#seen);
  }

  #failed(error) {
    if (!(error instanceof Lost || error instanceof Problem)) console.error(error);
    this.error = error;
    if (error instanceof Problem && error.isAbsent) this.state = 'absent';
    // The page itself says that the sidecar is lost, and goes on when it is back.
    else if (this.state !== 'ready' && !(error instanceof Lost)) this.state = 'failed';
  }

  #plan() {
    // Whoever does not look is not asked for; a lost sidecar is asked for by the connection.
    if (this.#every === null || connection.isLost || document.visibilityState !== 'visible') return;
    if (this.state === 'absent') return;
    this.#timer = setTimeout(() => this.refresh(), this.#every);
  }
}
