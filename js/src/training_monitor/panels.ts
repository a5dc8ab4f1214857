/** Small multiples: a chart per metric, its newest values beside its title. */

import { Chart, type ChartData, CrosshairGroup } from "../ui/chart";
import type { XMode } from "../ui/chart_types";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatDuration, formatInteger, formatNumber, formatTick } from "../ui/format";
import type { Words } from "../ui/i18n";
import { toggled, type ViewOptions } from "./options";
import { heldUntil, type Live, type Notes, newest, type Panel, type Series } from "./state";

export interface PanelsInput {
  panels: Panel[];
  epochs: Float64Array;
  /** First and last step of the run: charts beside one another share it. */
  whole: [number, number] | null;
  live: Live | null;
  marks: Notes["marks"];
  cursor: number | null;
  options: ViewOptions;
}

export interface PanelsActions {
  change(options: Partial<ViewOptions>): void;
  setCursor(step: number | null): void;
}

export interface Panels {
  element: HTMLElement;
  readonly charts: Chart[];
  /** Pixels across one chart, for the number of buckets worth asking for. */
  readonly width: number;
  draw(input: PanelsInput): void;
  /** Paints again, in the colours of the moment. */
  repaint(): void;
}

export function formatX(value: number, mode: XMode): string {
  if (mode === "time") return formatDuration(value);
  if (mode === "epoch") return formatTick(Number(value.toFixed(2)));
  return formatInteger(value);
}

export function panels(words: Words, signal: AbortSignal, actions: PanelsActions): Panels {
  const element = h("div", { class: "nnw-panels" });
  const sync = new CrosshairGroup();
  const cards = new Map<string, Card>();
  let drawn: Omit<PanelsInput, "live"> | null = null;

  return {
    element,
    get charts() {
      return [...cards.values()].map((card) => card.chart);
    },
    get width() {
      return [...cards.values()][0]?.chart.canvas.clientWidth || 600;
    },
    repaint() {
      for (const card of cards.values()) card.chart.resize();
    },
    draw(input) {
      const keep = new Set<string>();
      const changed =
        drawn === null ||
        drawn.panels !== input.panels ||
        drawn.marks !== input.marks ||
        drawn.cursor !== input.cursor ||
        drawn.options !== input.options;
      for (const panel of input.panels) {
        const key = `${panel.kind} ${panel.title}`;
        keep.add(key);
        let card = cards.get(key);
        if (card === undefined) {
          card = new Card(panel, words, signal, sync, actions);
          cards.set(key, card);
        }
        if (element.children[keep.size - 1] !== card.element) {
          element.insertBefore(card.element, element.children[keep.size - 1] ?? null);
        }
        card.drawLegend(panel, input.live, input.options);
        if (changed) card.drawChart(panel, input);
      }
      for (const [key, card] of cards) {
        if (keep.has(key)) continue;
        card.close();
        cards.delete(key);
      }
      drawn = input;
    },
  };
}

interface Legend {
  button: HTMLButtonElement;
  label: HTMLElement;
  value: HTMLElement;
}

class Card {
  readonly element: HTMLElement;
  readonly chart: Chart;
  readonly #words: Words;
  readonly #actions: PanelsActions;
  readonly #life = new AbortController();
  readonly #legends = new Map<string, Legend>();
  readonly #list = h("div", { class: "nnw-legend" });
  readonly #bestValue = h("span");
  readonly #bestStep = h("span");
  readonly #best = h("span", { class: "nnw-best nnw-muted" }, this.#bestValue, " ", this.#bestStep);
  readonly #summary = h("p", { class: "nnw-spoken" });
  #hidden: ReadonlySet<string> = new Set();

  constructor(
    panel: Panel,
    words: Words,
    signal: AbortSignal,
    sync: CrosshairGroup,
    actions: PanelsActions,
  ) {
    this.#words = words;
    this.#actions = actions;
    signal.addEventListener("abort", () => this.close(), { once: true, signal: this.#life.signal });
    const ours = `ui.panel.${panel.title}`;
    const title = panel.kind !== "metric" && words.has(ours) ? words(ours) : panel.title;
    const place = h("div", { class: "nnw-panel-chart" });
    this.element = h(
      "figure",
      { class: "nnw-panel" },
      h(
        "figcaption",
        { class: "nnw-panel-head" },
        h("h3", { class: "nnw-panel-title" }, title),
        this.#list,
        this.#best,
        this.#summary,
      ),
      place,
    );
    this.chart = new Chart({
      el: place,
      sync,
      signal: this.#life.signal,
      language: () => words.language,
      formatX,
      formatY: formatTick,
      onZoom: (range) => actions.change({ range }),
      onCursor: (step) => actions.setCursor(step),
      label: title,
    });
  }

  /** The newest values; called up to twelve times a second. */
  drawLegend(panel: Panel, live: Live | null, options: ViewOptions): void {
    this.#hidden = options.hidden;
    const keep = new Set(panel.series.map(({ name }) => name));
    for (const [name, legend] of this.#legends) {
      if (keep.has(name)) continue;
      legend.button.remove();
      this.#legends.delete(name);
    }
    // A single series needs no second name, unless it is the validation's.
    const alone =
      panel.series.length === 1 && !["val", "test"].includes(panel.series[0]?.role ?? "");
    for (const series of panel.series) {
      const legend = this.#legends.get(series.name) ?? this.#add(series);
      const value = newest(series, live);
      setText(legend.label, series.label);
      legend.label.classList.toggle("nnw-spoken", alone);
      setText(legend.value, Number.isNaN(value) && series.points === 0 ? "–" : formatNumber(value));
      legend.value.classList.toggle("nnw-bad", !Number.isFinite(value) && series.points > 0);
      legend.button.style.color = series.textColor;
      legend.button.style.setProperty("--nnw-swatch", series.color);
      setAttribute(legend.button, "aria-pressed", String(!options.hidden.has(series.name)));
    }
    const best = bestOf(panel);
    setHidden(this.#best, best === null);
    if (best === null) return;
    setText(this.#bestValue, this.#words("ui.best", { value: formatNumber(best[1]) }));
    setText(this.#bestStep, this.#words("ui.best.at", { step: formatInteger(best[0]) }));
    const whole = `${this.#bestValue.textContent} ${this.#bestStep.textContent}`;
    setAttribute(this.#best, "title", whole);
  }

  drawChart(panel: Panel, input: Omit<PanelsInput, "live">): void {
    const { options } = input;
    const data: ChartData = {
      series: panel.series.map((series) => ({
        ...heldUntil(series, input.whole?.[1] ?? Number.NaN),
        visible: !options.hidden.has(series.name),
      })),
      xMode: options.xMode,
      epochs: input.epochs,
      marks: input.marks,
      cursor: input.cursor,
      smoothing: options.smoothing,
      logY: options.logY,
      range: options.range,
      full: input.whole,
    };
    this.chart.setData(data);
    setText(this.#summary, this.#describe(panel));
  }

  close(): void {
    this.#life.abort();
    this.element.remove();
  }

  #add(series: Series): Legend {
    const label = h("span");
    const value = h("span", { class: "nnw-newest" });
    const button = h(
      "button",
      { type: "button", class: "nnw-legend-item", title: this.#words("ui.legend.hint") },
      h("span", { class: "nnw-swatch" }),
      label,
      value,
    );
    const { name } = series;
    button.addEventListener(
      "click",
      () => this.#actions.change({ hidden: toggled(this.#hidden, name) }),
      { signal: this.#life.signal },
    );
    const legend = { button, label, value };
    this.#legends.set(name, legend);
    this.#list.append(button);
    return legend;
  }

  /** What the picture shows, for those who do not see it. */
  #describe(panel: Panel): string {
    const words = this.#words;
    return panel.series
      .map((series) => {
        const parts = [
          words("ui.summary", {
            name: series.name,
            count: formatInteger(series.points),
            value: formatNumber(series.mean.at(-1) ?? Number.NaN),
          }),
        ];
        if (series.best !== null) {
          const [step, value] = series.best;
          const params = { value: formatNumber(value), step: formatInteger(step) };
          parts.push(words("ui.summary.best", params));
        }
        if (series.bad > 0)
          parts.push(words("ui.summary.bad", { count: formatInteger(series.bad) }));
        return parts.join(" ");
      })
      .join(" ");
  }
}

/** The best value worth a mark: that of the validation series, where there is one. */
function bestOf(panel: Panel): [number, number] | null {
  if (panel.kind !== "metric") return null;
  const judged = panel.series.find(({ role }) => role === "val" || role === "test");
  return judged?.best ?? null;
}
