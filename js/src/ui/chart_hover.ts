/** The crosshair of one chart: where it stands, what it reads, what pointer and keys do with it. */
import { type Range, zoomed } from "./chart_axes";
import { lastAtOrBefore, nearest, readAt } from "./chart_data";
import type { InputActions } from "./chart_input";
import type { Layout } from "./chart_layout";
import { type Readout, type ReadoutRow, rowOf } from "./chart_readout";
import type { ChartOptions } from "./chart_types";
import type { Words } from "./i18n";

/** Pixels around an event within which it is named. */
const NEAR = 6;
/** Events named in one tip. */
const NAMED = 4;

export class Hover implements InputActions {
  readonly #options: ChartOptions;
  readonly #readout: Readout;
  readonly #words: () => Words;
  #layout: Layout;
  /** Everything there is, in steps; a zoomed view may hold less. */
  #full: Range | null = null;

  constructor(options: ChartOptions, readout: Readout, words: () => Words, layout: Layout) {
    this.#options = options;
    this.#readout = readout;
    this.#words = words;
    this.#layout = layout;
  }

  /** Takes what the chart now shows; the crosshair stays at its step. */
  update(layout: Layout): void {
    this.#layout = layout;
    if (layout.data.range === null || layout.data.full) this.#full = layout.extent;
    this.show();
  }

  /** Shows the values at the group's step. */
  show(): void {
    const { step } = this.#options.sync;
    const layout = this.#layout;
    if (step === null || layout.prepared.length === 0) {
      this.#readout.hide();
      return;
    }
    const pixel = layout.pixelOf(step);
    const rows: ReadoutRow[] = [];
    const dots: { x: number; y: number; color: string }[] = [];
    const formatY = layout.formatValue;
    for (const { view } of layout.prepared) {
      const reading = readAt(view, step);
      rows.push(rowOf(view.label, view.color, reading, formatY, this.#step));
      if (reading === null) continue;
      const at = { x: layout.pixelOf(reading.exact ? step : reading.step), color: view.color };
      const y = layout.pixelOfValue(reading.value);
      const inside = at.x >= 0 && at.x <= layout.width && y >= 0 && y <= layout.height;
      if (inside) dots.push({ ...at, y });
    }
    this.#readout.show(pixel, layout, this.#head(step), rows);
    this.#readout.dots(dots);
    this.#readout.tip(pixel, layout.width, this.#eventsAt(pixel));
  }

  readonly #step = (step: number): string => this.#options.formatX(step, "step");

  /** Where the crosshair stands, in the unit of the axis and in steps. */
  #head(step: number): string {
    const words = this.#words();
    const { units } = this.#layout;
    const inSteps = words("ui.chart.step", { value: this.#step(step) });
    if (units.mode === "step") return inSteps;
    const value = this.#options.formatX(units.toUnit(step), units.mode);
    return `${units.mode === "epoch" ? words("ui.chart.epoch", { value }) : value} · ${inSteps}`;
  }

  #eventsAt(pixel: number): string {
    const near = this.#layout.glyphs.filter(({ at }) => Math.abs(at - pixel) <= NEAR);
    const texts = near.flatMap(({ marks }) => marks.map(({ text }) => text));
    const lines = texts.slice(0, NAMED);
    const more = texts.length - lines.length;
    if (more > 0) lines.push(this.#words()("ui.chart.more", { count: more }));
    return lines.join("\n");
  }

  #speak(): void {
    const { step } = this.#options.sync;
    if (step === null) return;
    const values = this.#layout.prepared.map(({ view }) => {
      const reading = readAt(view, step);
      const row = rowOf(view.label, "", reading, this.#layout.formatValue, this.#step);
      return [row.label, row.value, row.bad].filter((part) => part !== "").join(" ");
    });
    this.#readout.speak([this.#head(step), ...values].join(", "));
  }

  #stopInView(step: number): number {
    const { stops, steps } = this.#layout;
    const inView = stops.subarray(
      lastAtOrBefore(stops, steps[0] - 1e-9) + 1,
      lastAtOrBefore(stops, steps[1]) + 1,
    );
    return nearest(inView.length > 0 ? inView : stops, step) ?? step;
  }

  point(pixel: number | null): void {
    if (pixel === null || this.#layout.stops.length === 0) {
      this.#options.sync.set(null);
      return;
    }
    this.#options.sync.set(this.#stopInView(this.#layout.stepAt(pixel)));
  }

  move(points: number): void {
    const { stops, steps, data } = this.#layout;
    if (stops.length === 0) return;
    const { sync } = this.#options;
    const start = sync.step ?? data.cursor ?? steps[1];
    const index = lastAtOrBefore(stops, start);
    // From between two points the next one to the left is the one before.
    const between = points < 0 && stops[index] !== start ? 1 : 0;
    const wanted = sync.step === null ? index : index + points + between;
    const kept = Math.min(Math.max(wanted, 0), stops.length - 1);
    sync.set(stops[kept] as number);
    this.#follow(stops[kept] as number);
    this.#speak();
  }

  moveToEnd(last: boolean): void {
    const { steps, stops } = this.#layout;
    if (stops.length === 0) return;
    this.#options.sync.set(this.#stopInView(steps[last ? 1 : 0]));
    this.#speak();
  }

  /** Moves a zoomed view along with a crosshair that has left it. */
  #follow(step: number): void {
    const { data, steps } = this.#layout;
    if (data.range === null || (step >= steps[0] && step <= steps[1])) return;
    const half = (steps[1] - steps[0]) / 2;
    this.#options.onZoom([step - half, step + half]);
  }

  drag(from: number, to: number): void {
    this.#zoomTo(this.#layout.stepAt(from), this.#layout.stepAt(to));
  }

  #zoomTo(from: number, to: number): void {
    const middle = (from + to) / 2;
    const half = Math.max((to - from) / 2, 0.5);
    this.#options.onZoom([middle - half, middle + half]);
  }

  zoom(factor: number): void {
    const { steps, data } = this.#layout;
    const full = this.#full ?? steps;
    if (this.#layout.extent === null || (factor > 1 && data.range === null)) return;
    const centre = this.#options.sync.step ?? (steps[0] + steps[1]) / 2;
    const range = zoomed(steps, centre, factor, full);
    if (range === null) this.#options.onZoom(null);
    else this.#zoomTo(...range);
  }

  choose(pixel: number): void {
    if (this.#layout.stops.length === 0) return;
    this.#options.onCursor?.(this.#stopInView(this.#layout.stepAt(pixel)));
  }

  /** Chooses the crosshair's step; a second time takes it back. */
  enter(): void {
    const { step } = this.#options.sync;
    if (step === null) return;
    this.#options.onCursor?.(step === this.#layout.data.cursor ? null : step);
  }

  reset(): void {
    this.#options.onZoom(null);
  }

  /** One thing at a time: first the zoom, then the chosen step, then the crosshair. */
  escape(): void {
    const { range, cursor } = this.#layout.data;
    if (range !== null) this.reset();
    else if (cursor !== null) this.#options.onCursor?.(null);
    else this.#options.sync.set(null);
  }
}
