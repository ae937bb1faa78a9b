// What every view is: something that loads, shows itself, and stops loading when it is left.

import { html, render } from '../vendor/lit/lit-html.js';

export class View {
  #outlet;
  #queued = false;
  #resources = [];
  #isOver = false;

  /** What stands in the heading and in the browser's title. */
  static title = '';

  /**
   * @param {HTMLElement} outlet
   * @param {URLSearchParams} params
   */
  constructor(outlet, params) {
    this.#outlet = outlet;
    this.params = params;
  }

  /** Begins to load. */
  start() {}

  /** Shows the state as it is now. */
  template() {
    return html``;
  }

  /** Has a resource end with this view. */
  owns(resource) {
    this.#resources.push(resource);
    return resource;
  }

  /** Shows itself soon; once, however often it is asked to. */
  update() {
    if (this.#queued || this.#isOver) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (!this.#isOver) render(this.template(), this.#outlet);
    });
  }

  /** Asks for everything again. */
  refresh() {
    for (const resource of this.#resources) resource.refresh();
  }

  stop() {
    this.#isOver = true;
    for (const resource of this.#resources) resource.stop();
    render(html``, this.#outlet);
  }
}
