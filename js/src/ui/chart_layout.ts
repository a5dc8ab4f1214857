/** One state of a chart, laid out: prepared series, both axes, and where everything stands. */
import {
  percentSuffix,
  type Range,
  type Scale,
  scaleY,
  ticksX,
  valueFormat,
  widened,
} from "./chart_axes";
import {
  countNotPositive,
  extentSteps,
  extentY,
  type Prepared,
  plotted,
  prepare,
  stopsOf,
  weightFor,
} from "./chart_data";
import type { Ring } from "./chart_draw";
import { type EdgeMark, edgeMarks, epochTicks, type Glyph, glyphs } from "./chart_marks";
import type { ChartData, ChartOptions } from "./chart_types";
import { type XUnits, xUnits } from "./chart_units";

/** Room around the plot area (CSS pixels): glyphs above, the end of a label right, labels below. */
export const MARGIN = { top: 13, right: 16, bottom: 19 };
/** Room for the labels of y, the same in all charts unless labels are longer than usual. */
const LEFT = 46;
/** Pixels between a label of y and the plot area, and from the edge of the chart. */
export const LABEL_GAP = 6;
const LEFT_STEP = 16;
/** Pixels between events that share a glyph. */
const GLYPH = 8;
/** Pixels between labels: at least this of y, and this after each label of x. */
const GAP_Y = 26;
const GAP_X = 28;

export type Formats = Pick<ChartOptions, "formatX" | "formatY">;

export class Layout {
  readonly data: ChartData;
  readonly units: XUnits;
  /** The visible series, in order. */
  readonly prepared: readonly Prepared[];
  /** First and last step shown without a zoom, hidden series included; null without data. */
  readonly extent: Range | null;
  readonly x: Scale = { range: [0, 1], ticks: [], labels: [] };
  y: Scale = { range: [0, 1], ticks: [], labels: [] };
  /** Left edge and size of the plot area in CSS pixels. */
  left = LEFT;
  width = 1;
  height = 1;
  glyphs: Glyph[] = [];
  readonly #formats: Formats;
  #stops: Float64Array | null = null;

  constructor(data: ChartData, formats: Formats) {
    this.data = data;
    this.#formats = formats;
    this.units = xUnits(data.xMode, data.epochs, data.series);
    this.prepared = data.series
      .filter((view) => view.visible)
      // Of all series, hidden ones too: hiding one must not change the shape of another.
      .map((view) =>
        prepare(view, this.units, weightFor(view, data.series, data.smoothing), data.logY),
      );
    const own = extentSteps(data.series);
    this.extent =
      own === null
        ? null
        : [Math.min(own[0], data.full?.[0] ?? own[0]), Math.max(own[1], data.full?.[1] ?? own[1])];
    const [from, to] = data.range ?? this.extent ?? [0, 1];
    this.x.range = widened([this.units.toUnit(from), this.units.toUnit(to)]);
  }

  /**
   * Chooses both axes and places events for a chart of this size.
   *
   * @param measure width of a text in the axes' font
   * @param left room that the labels of y had before: it grows when it must and never shrinks, so
   *   that a chart does not shake while its values change
   * @returns false when the chart is too small to hold a plot area
   */
  fit(width: number, height: number, measure: (text: string) => number, left: number): boolean {
    this.height = height - MARGIN.top - MARGIN.bottom;
    if (this.height <= 0) return false;
    const extent = extentY(this.prepared, ...this.x.range);
    const percent = percentSuffix(this.#formats.formatY);
    this.y = scaleY(extent, this.data.logY, GAP_Y / this.height, percent);
    const wanted = Math.max(0, ...this.y.labels.map(measure)) + LABEL_GAP + 2;
    this.left = Math.max(LEFT, left);
    while (this.left < wanted) this.left += LEFT_STEP;
    this.width = width - this.left - MARGIN.right;
    if (this.width <= 0) return false;
    if (this.extent !== null) this.#fitX(measure);
    this.glyphs = glyphs(this.data.marks, (step) => this.pixelOf(step), this.width, GLYPH);
    return true;
  }

  /** Writes values as finely as the y axis in view needs. */
  get formatValue(): (value: number) => string {
    return valueFormat(this.y, this.data.logY, this.#formats.formatY);
  }

  #fitX(measure: (text: string) => number): void {
    const { range } = this.x;
    const format = (unit: number): string => this.#formats.formatX(unit, this.units.mode);
    const widest = Math.max(...range.map((end) => measure(format(Math.round(end)))));
    this.x.ticks = ticksX(range, this.units.mode, (widest + GAP_X) / this.width);
    let before = "";
    this.x.labels = this.x.ticks.map((tick) => {
      const label = format(tick);
      // A label that says nothing new, or that the edge would cut, is left out.
      const room = this.width + MARGIN.right - this.#pixelOfUnit(tick);
      if (label === before || measure(label) / 2 > room) return "";
      before = label;
      return label;
    });
  }

  #pixelOfUnit(unit: number): number {
    const [x0, x1] = this.x.range;
    return ((unit - x0) / (x1 - x0)) * this.width;
  }

  /** Pixel of a step in the plot area, 0 at its left edge. */
  pixelOf(step: number): number {
    return this.#pixelOfUnit(this.units.toUnit(step));
  }

  stepAt(pixel: number): number {
    const [x0, x1] = this.x.range;
    return this.units.toStep(x0 + (pixel / this.width) * (x1 - x0));
  }

  /** Pixel of a value in the plot area, 0 at its top; NaN if the axis cannot show it. */
  pixelOfValue(value: number): number {
    const [y0, y1] = this.y.range;
    return this.height * (1 - (plotted(value, this.data.logY) - y0) / (y1 - y0));
  }

  /** The steps in view, in ascending order. */
  get steps(): Range {
    const [from, to] = this.x.range;
    return [this.units.toStep(from), this.units.toStep(to)];
  }

  /** Steps at which some visible series has a point. */
  get stops(): Float64Array {
    this.#stops ??= stopsOf(this.prepared.map(({ view }) => view));
    return this.#stops;
  }

  /** Best points in view. A training loss is lowest where it ends or overfits: it gets no ring. */
  get rings(): Ring[] {
    const [x0, x1] = this.x.range;
    return this.prepared.flatMap(({ view: { best, role } }, series) => {
      if (best === null || role === "train" || role === "") return [];
      const x = this.units.toUnit(best[0]);
      const y = plotted(best[1], this.data.logY);
      return x < x0 || x > x1 || !Number.isFinite(y) ? [] : [{ x, y, series }];
    });
  }

  get edges(): EdgeMark[] {
    const toPixel = (unit: number): number => this.#pixelOfUnit(unit);
    return edgeMarks(this.prepared, toPixel, this.width, this.data.logY);
  }

  get epochTicks(): number[] {
    return epochTicks(this.data.epochs, (step) => this.pixelOf(step), this.width, 5);
  }

  /** Buckets in view that a log axis cannot show. */
  get dropped(): number {
    return this.data.logY ? countNotPositive(this.prepared, ...this.x.range) : 0;
  }

  /** Why no curve is to be seen, as the end of a catalogue key; null if there is one. */
  get emptiness(): "empty" | "hidden" | "no_range" | "no_positive" | "not_finite" | null {
    const [x0, x1] = this.x.range;
    if (this.extent === null) return "empty";
    if (this.prepared.length === 0) return "hidden";
    if (extentY(this.prepared, x0, x1) !== null) return null;
    const within = this.prepared.some(({ from, to }) =>
      from.some((start, i) => start <= x1 && (to[i] as number) >= x0),
    );
    if (!within) return "no_range";
    return this.dropped > 0 ? "no_positive" : "not_finite";
  }
}
