// Begins: somebody is signed in, or has to; then the view that the address names.

import { html, render } from '../vendor/lit/lit-html.js';
import { currentSession, Lost, sessionEnded } from './api.js';
import { connection } from './connection.js';
import { lackFor } from './needs.js';
import { empty, loading } from './parts/states.js';
import { router } from './router.js';
import { Shell } from './shell.js';
import { AuditView } from './views/audit.js';
import { BudgetsView } from './views/budgets.js';
import { ConversationsView } from './views/conversations.js';
import { EventsView } from './views/events.js';
import { HealthView } from './views/health.js';
import { KeysView } from './views/keys.js';
import { LimitsView } from './views/limits.js';
import { ModerationView } from './views/moderation.js';
import { OperatorsView } from './views/operators.js';
import { OverviewView } from './views/overview.js';
import { PricesView } from './views/prices.js';
import { showSignIn } from './views/signin.js';
import { TokensView } from './views/tokens.js';
import { WebhooksView } from './views/webhooks.js';
import { WorkspacesView } from './views/workspaces.js';
import { workspaces } from './workspaces.js';

const VIEWS = {
  overview: OverviewView,
  events: EventsView,
  keys: KeysView,
  budgets: BudgetsView,
  limits: LimitsView,
  prices: PricesView,
  moderation: ModerationView,
  conversations: ConversationsView,
  workspaces: WorkspacesView,
  webhooks: WebhooksView,
  operators: OperatorsView,
  tokens: TokensView,
  audit: AuditView,
  health: HealthView,
};

const root = document.getElementById('app');
let shell = null;
let view = null;
/** Where a browser goes for single sign-on; null where there is none. */
let singleSignOn = null;

function show() {
  const { name, params } = router.place;
  view?.stop();
  view = null;
  shell.moved();
  const Chosen = VIEWS[name];
  const title = Chosen?.title ?? 'Not found';
  document.title = `${title} · Tollgate`;
  const lack = lackFor(name);
  if (Chosen === undefined) showInstead(title, 'There is no such view', `Nothing is called “${name}” here.`);
  else if (lack !== null) showInstead(title, 'Your role is not enough for this', lack);
  else {
    view = new Chosen(shell.outlet, params);
    view.start();
    view.update();
  }
  // Whoever does not see the page is told where they are.
  queueMicrotask(() => shell.outlet.querySelector('h1')?.focus({ preventScroll: true }));
  scrollTo(0, 0);
}

/** Shows why there is no view here. */
function showInstead(title, what, text) {
  const back = html`<a class="button" href=${router.link('overview')}>To the overview</a>`;
  const head = html`<div class="view-head"><h1 tabindex="-1">${title}</h1></div>`;
  render(html`${head}${empty(what, text, back)}`, shell.outlet);
}

function enter() {
  render(html``, root);
  shell = new Shell(root, () => leave(''));
  workspaces.load().catch(() => {
    // The list of workspaces is a convenience; the views say what is wrong.
  });
  show();
}

function leave(notice) {
  if (shell === null) return;
  view?.stop();
  view = null;
  shell.stop();
  shell = null;
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  render(html``, root);
  showSignIn(root, { notice, singleSignOn }, enter);
}

async function begin() {
  render(loading('Loading'), root);
  try {
    const session = await currentSession();
    singleSignOn = session.single_sign_on;
    if (session.principal === null) showSignIn(root, { notice: '', singleSignOn }, enter);
    else enter();
  } catch (error) {
    if (!(error instanceof Lost)) console.error(error);
    const again = html`<button class="button" @click=${begin}>Try again</button>`;
    const text = error instanceof Lost ? 'Is it running? It is asked again and again.' : error.message;
    render(html`<main class="door">${empty('The sidecar does not answer', text, again)}</main>`, root);
    connection.addEventListener('back', begin, { once: true });
  }
}

router.addEventListener('change', () => shell !== null && show());
workspaces.addEventListener('change', () => shell !== null && show());
sessionEnded.addEventListener('ended', () => leave('Your session has ended. Sign in to go on.'));
begin();
