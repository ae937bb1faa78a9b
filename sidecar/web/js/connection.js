// Whether the sidecar answers. Once it does not, it is asked again and again, more and more seldom.

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 10_000;
const PROBE_TIMEOUT_MS = 4_000;

/** @typedef {{ state: 'ok' | 'lost', since: number, retryAt: number | null, version: string | null }} Status */

class Connection extends EventTarget {
  /** @type {Status} */
  status = { state: 'ok', since: Date.now(), retryAt: null, version: null };
  #tries = 0;
  #timer = null;

  get isLost() {
    return this.status.state === 'lost';
  }

  /** An answer came, and it was the sidecar's own. */
  answered(version) {
    const wasLost = this.isLost;
    if (!wasLost && this.status.version === version) return;
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#set({ state: 'ok', since: wasLost ? Date.now() : this.status.since, retryAt: null, version });
    if (wasLost) this.dispatchEvent(new Event('back'));
  }

  /** No answer came, or one of a proxy that did not reach the sidecar. */
  lost() {
    if (this.isLost) return;
    this.#set({ ...this.status, state: 'lost', since: Date.now() });
    this.#plan();
  }

  /** Asks now. */
  async retry() {
    clearTimeout(this.#timer);
    this.#set({ ...this.status, retryAt: null });
    try {
      const response = await fetch('healthz', { cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      const version = response.headers.get('x-tollgate-sidecar');
      if (version !== null) {
        this.answered(version);
        return;
      }
    } catch {
      // Still lost.
    }
    this.#plan();
  }

  #plan() {
    const wait = Math.min(FIRST_RETRY_MS * 2 ** this.#tries, LONGEST_RETRY_MS);
    this.#tries += 1;
    this.#set({ ...this.status, retryAt: Date.now() + wait });
    this.#timer = setTimeout(() => this.retry(), wait);
  }

  #set(status) {
    this.status = status;
    this.dispatchEvent(new Event('change'));
  }
}

export const connection = new Connection();
