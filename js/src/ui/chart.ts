/**
 * One chart of training curves; the only file that imports uPlot.
 *
 * uPlot owns the canvas: its size, its pixel ratio, the axes and the batching of redraws. Both of
 * its scales run from 0 to 1 and the curves are painted in its draw hook, each from its own
 * buckets: series need not be joined onto one x, a change of axis, zoom or series never rebuilds
 * the chart, and losses of 1e30 or 1e-40 (normal while a run diverges or dies) do not meet
 * uPlot's tick search, which gives up beyond 17 digits.
 */
import uPlot from "uplot";
import "./chart.css";
import { type Look, paintPlot } from "./chart_draw";
import { Hover } from "./chart_hover";
import { listen } from "./chart_input";
import { LABEL_GAP, Layout, MARGIN } from "./chart_layout";
import { Readout } from "./chart_readout";
import type { ChartData, ChartOptions } from "./chart_types";
import { h, setAttribute, setText, uniqueId } from "./dom";
import { resolveLanguage, type Words, wordsFor } from "./i18n";

export type { ChartData, ChartOptions, EventMark, SeriesView, XMode } from "./chart_types";
export { CrosshairGroup } from "./crosshair";

const FONT_SIZE = 11;
/** Text, muted, grid, surface, accent, error: the theme's colours, in the order of Look. */
const PALETTE = [
  "var(--nnw-text, #1d2127)",
  "var(--nnw-muted, #68707c)",
  "var(--nnw-grid, #e1e4e8)",
  "var(--nnw-surface, #fff)",
  "var(--nnw-accent, #1769c4)",
  "var(--nnw-error, #b3261e)",
];
const EMPTY: ChartData = {
  series: [],
  xMode: "step",
  epochs: new Float64Array(0),
  marks: [],
  cursor: null,
  smoothing: 0,
  logY: false,
  range: null,
};

export class Chart {
  readonly #options: ChartOptions;
  readonly #root: HTMLElement;
  readonly #help = h("div", { class: "nnw-spoken", id: uniqueId("nnw-chart-keys") });
  readonly #plot: uPlot;
  readonly #readout: Readout;
  readonly #hover: Hover;
  readonly #life = new AbortController();
  readonly #font: string;
  #layout: Layout;
  #look: Look | null = null;
  /** Room for the labels of y so far. */
  #left = 0;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#root = h("div", {
      class: "nnw-chart",
      tabindex: 0,
      role: "application",
      "aria-describedby": this.#help.id,
      // JupyterLab's shortcuts listen before us and would take Enter and the arrows.
      "data-lm-suppress-shortcuts": "true",
    });
    options.el.append(this.#root);
    const family = getComputedStyle(this.#root).fontFamily || "system-ui, sans-serif";
    this.#font = `${FONT_SIZE}px ${family}`;
    this.#layout = new Layout(EMPTY, options);
    this.#plot = this.#makePlot();
    this.#root.append(this.#help);
    this.#readout = new Readout(this.#root, this.#plot.over);
    this.#hover = new Hover(options, this.#readout, () => this.#words, this.#layout);
    if (options.signal.aborted) this.destroy();
    else {
      this.#listen();
      this.setData(EMPTY);
    }
  }

  /** The picture without crosshair and readout, as it stands. */
  get canvas(): HTMLCanvasElement {
    return this.#plot.ctx.canvas;
  }

  /** The chart's name and the curves on show, for a legend beside the picture. */
  get legend(): { label: string; series: { label: string; color: string }[] } {
    const { series } = this.look;
    const shown = this.#layout.prepared.map(({ view }, index) => ({
      label: view.label,
      color: series[index] ?? view.color,
    }));
    return { label: this.#options.label, series: shown };
  }

  /** The colours that the picture is drawn in. */
  get look(): Look {
    this.#look ??= this.#resolveLook();
    return this.#look;
  }

  setData(data: ChartData): void {
    if (this.#life.signal.aborted) return;
    this.#layout = new Layout(data, this.#options);
    this.#describe();
    this.resize();
  }

  /** Fits the chart to its element and draws it again in the colours of the moment. */
  resize(): void {
    if (this.#life.signal.aborted) return;
    this.#look = null;
    this.#draw();
    this.#hover.update(this.#layout);
  }

  destroy(): void {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.#plot.destroy();
    this.#root.remove();
  }

  #listen(): void {
    const { signal } = this.#life;
    const ends = (end: () => void): void => signal.addEventListener("abort", end, { once: true });
    this.#options.signal.addEventListener("abort", () => this.destroy(), { once: true, signal });
    listen(this.#plot.over, this.#root, signal, this.#hover);
    ends(this.#options.sync.subscribe(() => this.#hover.show()));
    if (typeof ResizeObserver === "function") {
      const observer = new ResizeObserver(() => this.resize());
      observer.observe(this.#root);
      ends(() => observer.disconnect());
    }
  }

  #makePlot(): uPlot {
    const axis = (scale: "x" | "y", side: number, size: () => number, gap: number): uPlot.Axis => ({
      scale,
      side,
      size,
      gap,
      font: this.#font,
      stroke: () => this.look.muted,
      ticks: { show: false },
      grid: { show: scale === "y", width: 1, stroke: () => this.look.grid },
      space: () => 0,
      incrs: [0.1],
      splits: () => {
        const { range, ticks } = this.#layout[scale];
        return ticks.map((tick) => (tick - range[0]) / (range[1] - range[0]));
      },
      filter: (_plot, splits) => splits,
      values: () => this.#layout[scale].labels,
    });
    const options: uPlot.Options = {
      width: 100,
      height: 80,
      legend: { show: false },
      cursor: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      padding: [MARGIN.top, MARGIN.right, 0, 0],
      scales: {
        x: { time: false, auto: false, range: [0, 1] },
        y: { auto: false, range: [0, 1] },
      },
      axes: [
        axis("x", 2, () => MARGIN.bottom, 4),
        axis("y", 3, () => this.#layout.left, LABEL_GAP),
      ],
      series: [{}],
      hooks: { draw: [() => this.#paint()] },
    };
    return new uPlot(options, [[0, 1]], this.#root);
  }

  #draw(): void {
    const width = this.#root.clientWidth;
    const height = this.#root.clientHeight;
    const measure = (text: string): number => this.#textWidth(text);
    // A chart that nobody can see is drawn when the observer says that it has a size.
    if (!this.#layout.fit(width, height, measure, this.#left)) return;
    this.#left = this.#layout.left;
    this.#plot.batch(() => {
      this.#plot.setSize({ width, height });
      this.#plot.redraw(false, true);
    });
    this.#note();
  }

  #textWidth(text: string): number {
    const { ctx } = this.#plot;
    ctx.save();
    ctx.font = this.#font;
    const { width } = ctx.measureText(text);
    ctx.restore();
    return width;
  }

  #resolveLook(): Look {
    // Canvases know neither var() nor color-mix(): an element's computed colour does. All elements
    // are there before the first colour is read, so that the page works out its styles once.
    const colors = [...PALETTE, ...this.#layout.prepared.map(({ view }) => view.color)];
    const probes = colors.map((color) => {
      const probe = h("i");
      probe.style.color = color;
      return probe;
    });
    const holder = h("div", { hidden: true }, ...probes);
    this.#root.append(holder);
    const resolved = probes.map((probe, i) => getComputedStyle(probe).color || (colors[i] ?? ""));
    holder.remove();
    const [text = "", muted = "", grid = "", surface = "", accent = "", error = ""] = resolved;
    const series = resolved.slice(PALETTE.length);
    return { text, muted, grid, surface, accent, error, series };
  }

  #paint(): void {
    const layout = this.#layout;
    const { cursor } = layout.data;
    paintPlot(this.#plot.ctx, {
      box: this.#plot.bbox,
      ratio: uPlot.pxRatio,
      x: layout.x.range,
      y: layout.y.range,
      series: layout.prepared,
      edges: layout.edges,
      glyphs: layout.glyphs,
      epochs: layout.epochTicks,
      rings: layout.rings,
      cursor: cursor === null ? null : layout.units.toUnit(cursor),
      look: this.look,
    });
  }

  get #words(): Words {
    return wordsFor(resolveLanguage(this.#options.language()));
  }

  /** Says why there is nothing to see, or that something is not shown. */
  #note(): void {
    const { emptiness, dropped } = this.#layout;
    if (emptiness !== null) this.#readout.note(this.#words(`ui.chart.${emptiness}`), true);
    else {
      const text = dropped > 0 ? this.#words("ui.chart.dropped", { count: dropped }) : "";
      this.#readout.note(text, false);
    }
  }

  /** The text alternative: the newest value of every curve. */
  #describe(): void {
    const { formatY, label } = this.#options;
    const values = this.#layout.prepared.flatMap(({ view }) => {
      const last = view.mean.at(-1);
      return last === undefined ? [] : [`${view.label} ${formatY(last)}`];
    });
    setAttribute(this.#root, "aria-label", [label, ...values].join(", "));
    setText(this.#help, this.#words("ui.chart.keys"));
  }
}
