// Which workspaces there are, and the one that is looked at: it holds for every view.

import { get } from './api.js';

const KEY = 'tollgate.workspace';
const PAGES = 20;

class Workspaces extends EventTarget {
  /** All that have a key. */
  names = [];
  /** The one that is looked at; empty for all. */
  chosen = '';

  constructor() {
    super();
    try {
      this.chosen = sessionStorage.getItem(KEY) ?? '';
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  /** For a query: absent where all are looked at. */
  get filter() {
    return this.chosen || undefined;
  }

  choose(name) {
    this.chosen = name;
    try {
      sessionStorage.setItem(KEY, name);
    } catch {
      // As above.
    }
    this.dispatchEvent(new Event('change'));
  }

  /** Looks which there are. */
  async load() {
    const names = new Set(this.chosen ? [this.chosen] : []);
    let after;
    for (let page = 0; page < PAGES; page += 1) {
      const { keys, next } = await get('keys', { limit: 1_000, after });
      for (const key of keys) names.add(key.workspace);
      if (next === null) break;
      after = next;
    }
    this.names = [...names].sort((a, b) => a.localeCompare(b));
    this.dispatchEvent(new Event('known'));
  }
}

export const workspaces = new Workspaces();
