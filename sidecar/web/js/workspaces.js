// Which workspaces there are, and the one that is looked at: it holds for every view.

import { access } from './access.js';
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

  /** Whether something that needs this role may be made in the one that is looked at, or where all are, in some. */
  allows(role) {
    return this.chosen ? access.within(this.chosen, role) : access.somewhere(role);
  }

  /** Those in which the role is had. */
  where(role) {
    return this.names.filter((name) => access.within(name, role));
  }

  /** Where something new is most likely meant to be: the one that is looked at, or the only one with this role; or empty. */
  likely(role) {
    if (this.chosen && access.within(this.chosen, role)) return this.chosen;
    const places = this.where(role);
    return places.length === 1 && !access.everywhere(role) ? places[0] : '';
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
