// Where the person is: `#/keys?workspace=research`. Filters are part of it, so that a link shows the same.

class Router extends EventTarget {
  constructor() {
    super();
    addEventListener('hashchange', () => this.dispatchEvent(new Event('change')));
  }

  /** The view's name, and its parameters. */
  get place() {
    const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
    return { name: decode(path) || 'overview', params: new URLSearchParams(query) };
  }

  /** The link to a place. */
  link(name, params = {}) {
    const present = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== '');
    const query = new URLSearchParams(present).toString();
    return `#/${name}${query ? `?${query}` : ''}`;
  }

  /** Remembers a view's filters in the address without leaving the view. */
  remember(params) {
    const { name, params: now } = this.place;
    const all = { ...Object.fromEntries(now), ...params };
    history.replaceState(null, '', this.link(name, all));
  }
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

export const router = new Router();
