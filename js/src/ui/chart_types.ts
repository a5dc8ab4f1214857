/** What a chart is given and what it tells back. Steps are the common currency of x. */
import type { CrosshairGroup } from "./crosshair";

export type XMode = "step" | "epoch" | "time";

/**
 * One series as buckets of a min/max-preserving view, ascending in `x`; all arrays have one length.
 *
 * A bucket spans the steps `x..x1`, starts `t` seconds into the run, and its finite points lie in
 * `lo..hi` (NaN where it has none). `flags`: bit 0 NaN, bit 1 +inf, bit 2 -inf in the bucket,
 * bit 3 the lowest point comes before the highest.
 */
export interface SeriesView {
  name: string;
  label: string;
  role: string;
  /** Any CSS colour, `var(--name)` included; resolved when the chart draws. */
  color: string;
  /** The value holds until the next point (a learning rate); never smoothed. */
  stepLine: boolean;
  visible: boolean;
  x: Float64Array;
  x1: Float64Array;
  t: Float32Array;
  lo: Float32Array;
  hi: Float32Array;
  mean: Float32Array;
  flags: Uint8Array;
  /** Points in the whole run, of which a zoomed view may hold a few; without it, as many as `x`. */
  points?: number;
  /** Step and value of the best point; ringed unless the series is a training one. */
  best: [number, number] | null;
}

export interface EventMark {
  step: number;
  kind: string;
  text: string;
}

export interface ChartData {
  series: SeriesView[];
  xMode: XMode;
  /** Flat pairs: the step at which epoch e begins and the seconds since the start. */
  epochs: Float64Array;
  marks: EventMark[];
  /** The step all widgets look at, or null for the newest. */
  cursor: number | null;
  /** Weight of the past in the moving average, 0 (none) to 0.99. */
  smoothing: number;
  logY: boolean;
  /** The x range shown, in steps; null shows everything. */
  range: [number, number] | null;
  /** First and last step of the run, where charts beside one another should span the same x. */
  full?: [number, number] | null;
}

export interface ChartOptions {
  el: HTMLElement;
  sync: CrosshairGroup;
  signal: AbortSignal;
  language: () => string;
  /** `v` in the unit of `mode`: steps, epochs or seconds. */
  formatX(v: number, mode: XMode): string;
  formatY(v: number): string;
  /** A range in steps was chosen, or null: everything. */
  onZoom(range: [number, number] | null): void;
  /** A step was chosen to look at in all widgets, or null: back to the newest. */
  onCursor?(step: number | null): void;
  /** The chart's name for people who do not see it. */
  label: string;
}

export const FLAG_NAN = 1;
export const FLAG_POSITIVE_INFINITY = 2;
export const FLAG_NEGATIVE_INFINITY = 4;
export const FLAG_LOW_FIRST = 8;
export const FLAGS_NOT_FINITE = FLAG_NAN | FLAG_POSITIVE_INFINITY | FLAG_NEGATIVE_INFINITY;
