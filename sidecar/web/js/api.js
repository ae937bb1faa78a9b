// The admin API. Every answer tells whether the sidecar is there, and whether the session still holds.

import { access } from './access.js';
import { connection } from './connection.js';
import { stringify } from './decimal.js';

const TIMEOUT_MS = 20_000;
const PREFIX = 'admin/v1/';
/** A list that is longer is read on the command line. */
const PAGES = 20;

let csrf = null;
/** While another session takes the place of this one. */
let replacing = null;

/** The API refused: RFC 9457, or what stands in for it. */
export class Problem extends Error {
  constructor(status, body, headers) {
    super(body?.detail || body?.title || `the sidecar answered ${status}`);
    this.status = status;
    /** What is wrong by field, `name` → text, and by the path to what is within it, `name/part` → text. */
    this.fields = {};
    for (const { pointer, detail } of body?.errors ?? []) {
      const path = pointer.replace(/^#?\/?/, '');
      this.fields[path] ??= detail;
      this.fields[path.split('/')[0]] ??= detail;
    }
    this.retryAfter = Number(headers?.get('retry-after')) || null;
  }

  /** Whether this sidecar has no such endpoint: it is of an older version. */
  get isAbsent() {
    return this.status === 404 && /no such path/.test(this.message);
  }
}

/** No answer came. */
export class Lost extends Error {
  constructor() {
    super('the sidecar does not answer');
  }
}

/** Whoever is signed in no longer is. */
export const sessionEnded = new EventTarget();

/**
 * Asks the admin API, and answers the JSON of a success, or null where there is no body.
 * @param {string} method
 * @param {string} path below `/admin/v1/`
 * @param {{ query?: object, body?: unknown, headers?: object, signal?: AbortSignal, parse?: (text: string) => unknown }}
 *   options `parse`: reads the JSON of a success
 */
export async function call(method, path, options = {}) {
  return (await ask(method, path, options)).value;
}

/** Asks, and answers the JSON of a success with its version, to be sent back as `if-match`. */
async function ask(method, path, options = {}) {
  const { query = {}, body, headers = {}, signal, parse } = options;
  const proof = csrf;
  const response = await send(method, PREFIX + path + search(query), { body, headers, signal });
  if (response.ok) {
    return { value: await json(response, parse), etag: response.headers.get('etag') };
  }
  const problem = new Problem(response.status, await json(response).catch(() => null), response.headers);
  if (problem.status === 401 && !path.startsWith('session')) {
    await replacing?.catch(() => {});
    // It was sent for a session that another one has taken the place of meanwhile.
    if (proof !== csrf && csrf !== null) return ask(method, path, options);
    sessionEnded.dispatchEvent(new Event('ended'));
  }
  throw problem;
}

export const get = (path, query, options) => call('GET', path, { ...options, query });
export const post = (path, body = {}, options) => call('POST', path, { ...options, body });
export const patch = (path, body, options) => call('PATCH', path, { ...options, body });
export const remove = (path, options) => call('DELETE', path, options);

/** A thing as it is now, and its version: `{ value, etag }`. */
export const tagged = (path, options) => ask('GET', path, options);

/** Deletes a thing as it is now. */
export async function removeAsItIs(path) {
  const { etag } = await tagged(path);
  await remove(path, { headers: { 'if-match': etag } });
}

/** Everything in a collection, a page after the other. */
export async function everything(path, name, query, signal, options) {
  const all = [];
  let after;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await get(path, { ...query, limit: 1_000, after }, { ...options, signal });
    all.push(...answer[name]);
    if (answer.next === null) break;
    after = answer.next;
  }
  return all;
}

/**
 * What is tried again is done once: answers the headers for a body, the same for the same one.
 * @returns {(body: unknown) => { 'idempotency-key': string }}
 */
export function attempt() {
  let last = null;
  let key = '';
  return (body) => {
    const text = stringify(body);
    if (text !== last) {
      last = text;
      // Not by `randomUUID`, which only pages that came over HTTPS have.
      key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
    }
    return { 'idempotency-key': key };
  };
}

/** Who is signed in, and from now on the proof that changes come from this page. */
export async function currentSession() {
  const session = await get('session');
  csrf = session.csrf;
  access.set(session);
  return session;
}

/** Signs in: with `{ token }`, the admin token, or with `{ name, password }` as an operator. */
export async function signIn(credentials) {
  await post('session', credentials);
  return currentSession();
}

/** Does what has another session take the place of this one. What is under way for this one is asked again then. */
export async function replaceSession(change) {
  replacing = change().then(currentSession);
  try {
    await replacing;
  } finally {
    replacing = null;
  }
}

/** Signs out, here and on every sidecar. */
export async function signOut() {
  await remove('session');
  csrf = null;
}

/** How `/readyz` answers, and how long that took in milliseconds. */
export async function readiness() {
  const since = performance.now();
  const response = await send('GET', 'readyz', {});
  const body = await json(response).catch(() => null);
  return {
    isReady: response.ok,
    detail: body?.detail ?? null,
    ms: performance.now() - since,
    version: response.headers.get('x-tollgate-sidecar'),
  };
}

async function send(method, url, { body, headers = {}, signal }) {
  const all = { accept: 'application/json', ...headers };
  if (body !== undefined) all['content-type'] = 'application/json';
  if (method !== 'GET' && csrf !== null) all['x-tollgate-csrf'] = csrf;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  try {
    response = await fetch(url, {
      method,
      headers: all,
      body: body === undefined ? undefined : stringify(body),
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    connection.lost();
    throw new Lost();
  }
  const version = response.headers.get('x-tollgate-sidecar');
  if (version === null) {
    // A proxy answered in the sidecar's place.
    connection.lost();
    throw new Lost();
  }
  connection.answered(version);
  return response;
}

/** The JSON of an answer; null where it has no body. */
async function json(response, parse = JSON.parse) {
  const text = await response.text();
  return text === '' ? null : parse(text);
}

/** A query string of what is there. */
export function search(query) {
  const present = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  const text = new URLSearchParams(present).toString();
  return text === '' ? '' : `?${text}`;
}
