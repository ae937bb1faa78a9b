// Which workspaces there are, and the one that is looked at: it holds for every view.

import { everything } from './api.js';

const KEY = 'tollgate.workspace';

class Workspaces extends EventTarget {
  /** All that may be seen. */
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
    const all = await everything('workspaces', 'workspaces', {});
    const names = new Set(all.map(({ id }) => id));
    if (this.chosen) names.add(this.chosen);
    this.names = [...names].sort((a, b) => a.localeCompare(b));
    this.dispatchEvent(new Event('known'));
  }
}

export const workspaces = new Workspaces();
