// <tg-chart>: stacked bars by Chart.js, which is fetched when the first chart is drawn.

const LIBRARY = '../../vendor/chart/chart.umd.min.js';

/** Colours of series, in their order; from the ninth on all are as the last. */
export const SERIES = 8;

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The colour's name in the style sheet. */
export const seriesToken = (index) => `--series-${Math.min(index, SERIES - 1) + 1}`;

class ChartElement extends HTMLElement {
  #data = null;
  #chart = null;
  #canvas = null;
  #redraw = () => this.#draw(true);

  /**
   * @param {{ label: string, times: string[], series: { name: string, values: number[], colour: number }[],
   *   show: (value: number) => string, showAxis: (value: number) => string } | null} data
   */
  set data(data) {
    this.#data = data;
    if (this.isConnected) this.#draw(false);
  }

  connectedCallback() {
    document.addEventListener('theme', this.#redraw);
    if (this.#canvas === null) {
      this.#canvas = document.createElement('canvas');
      this.append(this.#canvas);
    }
    this.#draw(false);
  }

  disconnectedCallback() {
    document.removeEventListener('theme', this.#redraw);
    this.#chart?.destroy();
    this.#chart = null;
  }

  async #draw(isAnew) {
    const data = this.#data;
    if (data === null) return;
    this.#canvas.setAttribute('role', 'img');
    this.#canvas.setAttribute('aria-label', data.label);
    if (globalThis.Chart === undefined) await import(LIBRARY);
    // Meanwhile there may be newer data, or nobody to show it to.
    if (data !== this.#data || !this.isConnected) return;
    const config = configuration(data);
    if (this.#chart !== null && !isAnew) {
      this.#chart.data = config.data;
      this.#chart.options = config.options;
      this.#chart.update('none');
      return;
    }
    this.#chart?.destroy();
    this.#chart = new globalThis.Chart(this.#canvas, config);
  }
}

function configuration({ times, series, show, showAxis }) {
  const muted = token('--muted');
  const line = token('--line');
  const font = { family: token('--sans'), size: 11 };
  return {
    type: 'bar',
    data: {
      labels: times,
      datasets: series.map(({ name, values, colour }) => ({
        label: name,
        data: values,
        backgroundColor: token(seriesToken(colour)),
        borderRadius: 1,
        barPercentage: 0.92,
        categoryPercentage: 0.92,
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: 'index', intersect: false },
      plugins: {
        legend: { display: false },
        tooltip: {
          backgroundColor: token('--text'),
          titleColor: token('--ground'),
          bodyColor: token('--ground'),
          footerColor: token('--ground'),
          titleFont: font,
          bodyFont: font,
          footerFont: { ...font, weight: 'bold' },
          padding: 10,
          boxPadding: 4,
          itemSort: (a, b) => b.parsed.y - a.parsed.y,
          filter: (item) => item.parsed.y > 0,
          callbacks: {
            label: (item) => ` ${item.dataset.label}: ${show(item.parsed.y)}`,
            footer: (items) => `Together: ${show(items.reduce((sum, item) => sum + item.parsed.y, 0))}`,
          },
        },
      },
      scales: {
        x: {
          stacked: true,
          grid: { display: false },
          border: { color: line },
          ticks: { color: muted, font, maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          stacked: true,
          beginAtZero: true,
          grid: { color: line },
          border: { display: false },
          ticks: { color: muted, font, maxTicksLimit: 5, callback: showAxis },
        },
      },
    },
  };
}

customElements.define('tg-chart', ChartElement);
