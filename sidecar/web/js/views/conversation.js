// What was said in a conversation, as text and nothing else, whatever it looks like.

import { html, nothing } from '../../vendor/lit/lit-html.js';
import { get } from '../api.js';
import { fullTime } from '../format.js';
import { badge, httpStatus } from '../parts/badge.js';
import { openDialog } from '../parts/dialog.js';
import { sentence } from '../parts/states.js';
import { tell } from '../parts/toast.js';

/** Reads a conversation, a page of its exchanges after the other: that it was read is in the audit log. */
export async function readConversation({ id }, name) {
  const exchanges = [];
  let next;
  const more = async () => {
    const page = await get(`conversations/${id}`, { after: next });
    exchanges.push(...page.exchanges);
    next = page.next;
  };
  try {
    await more();
  } catch (error) {
    tell(sentence(error.message));
    return;
  }
  openDialog({ title: name, isWide: true }, (dialog) => {
    const later = () => more().then(dialog.update, (error) => tell(sentence(error.message)));
    return html`${exchanges.map(exchange)}
      ${next
        ? html`<div class="more"><button class="button small" type="button" @click=${later}>Later exchanges</button></div>`
        : nothing}`;
  });
}

function exchange({ event_id, time, model, status, error_code, prompt, prompt_cut, answer }) {
  // A prompt repeats all that was said before it.
  const before = prompt.slice(0, -1);
  return html`<article class="exchange" aria-labelledby="exchange-${event_id}">
    <div class="exchange-head">
      <h3 id="exchange-${event_id}">${fullTime(time)}</h3>
      <span class="muted">${model ?? nothing}</span>
      <span>${httpStatus(status)} ${error_code ?? nothing}</span>
    </div>
    ${prompt_cut ? html`<p class="muted">The prompt’s beginning was left out, for want of room.</p>` : nothing}
    ${before.length > 0
      ? html`<details>
          <summary>Earlier in the prompt (${before.length})</summary>
          ${before.map(part)}
        </details>`
      : nothing}
    ${prompt.slice(-1).map(part)} ${answer.map(part)}
    ${answer.length === 0 ? html`<p class="muted">No answer is kept.</p>` : nothing}
  </article>`;
}

const part = ({ role, kind, text, cut }) => html`<div class="said">
  <p>
    ${badge(role, role === 'assistant' ? 'accent' : '')}
    ${kind === 'text' ? nothing : html`<span class="muted">${kind.replaceAll('_', ' ')}</span>`}
    ${cut ? html`<span class="muted">cut</span>` : nothing}
  </p>
  <pre class="text">${text}</pre>
</div>`;
