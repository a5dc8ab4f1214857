/**
 * From buckets to lines: what is drawn for a series, in plot units, with no canvas in sight.
 *
 * Every series keeps its own x, so that a validation curve with ten points and a training curve
 * with four hundred share one axis without being joined: a line runs from a point to the next
 * point of the same series, however many points of others lie between, and breaks only where the
 * series itself has a value that cannot be drawn.
 */
import { FLAG_LOW_FIRST, FLAGS_NOT_FINITE, type SeriesView } from "./chart_types";
import type { XUnits } from "./chart_units";

/** A polyline in plot units; a NaN in `y` lifts the pen. */
export interface Line {
  x: Float64Array;
  y: Float64Array;
}

/** The area between the lowest and the highest values; -Infinity in `lo` reaches below any log axis. */
export interface Band {
  x: Float64Array;
  lo: Float64Array;
  hi: Float64Array;
}

/** Of fewer points each is shown as one, and there is nothing to smooth yet. */
const FEW = 30;
/** An average with less weight on the past than this is the points themselves. */
const LEAST_WEIGHT = 0.1;

export interface Prepared {
  view: SeriesView;
  /** Few points, each known and none smoothed: dots joined by a line. */
  few: boolean;
  /** Buckets in the unit of the x axis. */
  from: Float64Array;
  to: Float64Array;
  raw: Line;
  /** Null when every bucket holds one value: nothing lies between. */
  band: Band | null;
  /** Null when nothing is smoothed. */
  smooth: Line | null;
}

/** A value in plot units: itself, or its decimal logarithm (NaN where there is none). */
export function plotted(value: number, log: boolean): number {
  if (!log) return value;
  return value > 0 ? Math.log10(value) : Number.NaN;
}

/**
 * Debiased exponential moving average, as in TensorBoard: the running mean starts at 0 and is
 * divided by 1 - weight^n, so that the first value is kept and nothing lags from an invented start.
 * Values that are not finite give NaN and leave the mean untouched.
 */
export function debiasedAverage(values: ArrayLike<number>, weight: number): Float64Array {
  const out = new Float64Array(values.length);
  let mean = 0;
  let correction = 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) {
      out[i] = Number.NaN;
      continue;
    }
    mean = mean * weight + (1 - weight) * value;
    correction *= weight;
    out[i] = mean / (1 - correction);
  }
  return out;
}

/**
 * The weight of the past for one of several series on a chart.
 *
 * The densest series gets the weight asked for; a sparser one the weight that makes the average
 * reach equally far back along x. Otherwise ten validation points beside four hundred training
 * buckets would be averaged over most of the run, and the turn of an overfitting curve be lost.
 * 0 where that leaves nothing to average, and on a chart on which every series has few points.
 */
export function weightFor(view: SeriesView, all: readonly SeriesView[], smoothing: number): number {
  const smooth = all.filter(({ stepLine }) => !stepLine);
  if (smooth.every(isShort)) return 0;
  const most = Math.max(...smooth.map(({ x }) => x.length));
  const weight = view.x.length === 0 ? smoothing : smoothing ** Math.max(1, most / view.x.length);
  return isShort(view) && weight < LEAST_WEIGHT ? 0 : weight;
}

const isShort = ({ points, x }: SeriesView): boolean => (points ?? x.length) < FEW;

/**
 * The raw curve: one vertex for a point, two for a bucket, in the order in which its extremes came.
 * Of a bucket with a lowest value that a log axis cannot show, the highest remains.
 */
export function rawLine(
  view: SeriesView,
  from: Float64Array,
  to: Float64Array,
  log: boolean,
): Line {
  const xs: number[] = [];
  const ys: number[] = [];
  let held = Number.NaN;
  for (let i = 0; i < from.length; i++) {
    const lo = plotted(view.lo[i] as number, log);
    const hi = plotted(view.hi[i] as number, log);
    const lowFirst = ((view.flags[i] as number) & FLAG_LOW_FIRST) !== 0;
    const start = lowFirst || Number.isNaN(hi) ? lo : hi;
    const end = lowFirst || Number.isNaN(lo) ? hi : lo;
    const first = Number.isNaN(start) ? end : start;
    if (view.stepLine && !Number.isNaN(held) && !Number.isNaN(first)) {
      xs.push(from[i] as number);
      ys.push(held);
    }
    xs.push(from[i] as number);
    ys.push(first);
    const several = !Object.is(first, end);
    if (several || (to[i] !== from[i] && !Number.isNaN(end))) {
      if (view.stepLine && several) {
        xs.push(to[i] as number);
        ys.push(first);
      }
      xs.push(to[i] as number);
      ys.push(end);
    }
    held = end;
  }
  return { x: Float64Array.from(xs), y: Float64Array.from(ys) };
}

/** The area between lowest and highest, or null where every bucket is one value. */
export function bandOf(
  view: SeriesView,
  from: Float64Array,
  to: Float64Array,
  log: boolean,
): Band | null {
  if (!view.lo.some((lo, i) => lo !== view.hi[i] && !Number.isNaN(lo))) return null;
  const n = from.length * 2;
  const band = { x: new Float64Array(n), lo: new Float64Array(n), hi: new Float64Array(n) };
  for (let i = 0; i < from.length; i++) {
    const hi = plotted(view.hi[i] as number, log);
    let lo = plotted(view.lo[i] as number, log);
    if (Number.isNaN(lo) && !Number.isNaN(hi)) lo = Number.NEGATIVE_INFINITY;
    band.x[2 * i] = from[i] as number;
    band.x[2 * i + 1] = to[i] as number;
    band.lo[2 * i] = band.lo[2 * i + 1] = lo;
    band.hi[2 * i] = band.hi[2 * i + 1] = hi;
  }
  return band;
}

/** The smoothed curve through the middle of each bucket. */
function smoothLine(
  view: SeriesView,
  from: Float64Array,
  to: Float64Array,
  weight: number,
  log: boolean,
): Line {
  const y = debiasedAverage(view.mean, weight).map((value) => plotted(value, log));
  const x = from.map((start, i) => (start + (to[i] as number)) / 2);
  return { x, y };
}

export function prepare(
  view: SeriesView,
  units: XUnits,
  smoothing: number,
  log: boolean,
): Prepared {
  const { from, to } = units.buckets(view);
  const band = bandOf(view, from, to, log);
  const smoothed = smoothing > 0 && !view.stepLine && view.mean.length > 1;
  return {
    view,
    few: !view.stepLine && !smoothed && band === null && isShort(view),
    from,
    to,
    raw: rawLine(view, from, to, log),
    band,
    smooth: smoothed ? smoothLine(view, from, to, smoothing, log) : null,
  };
}

/** Lowest and highest of everything drawn between `x0` and `x1`, in plot units; null if nothing is. */
export function extentY(
  series: readonly Prepared[],
  x0: number,
  x1: number,
): [number, number] | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const take = (value: number): void => {
    if (value < min) min = value;
    if (value > max) max = value;
  };
  for (const { raw, smooth } of series) {
    for (const line of [raw, smooth]) {
      if (line === null) continue;
      for (let i = 0; i < line.x.length; i++) {
        const x = line.x[i] as number;
        const before = line.x[i - 1] ?? x;
        const after = line.x[i + 1] ?? x;
        // A segment that crosses the view counts with both ends: its vertices may lie outside.
        if (Math.max(x, after) >= x0 && Math.min(x, before) <= x1) take(line.y[i] as number);
      }
    }
  }
  return min <= max ? [min, max] : null;
}

/** How many buckets between `x0` and `x1` hold a value that a log axis cannot show. */
export function countNotPositive(series: readonly Prepared[], x0: number, x1: number): number {
  let count = 0;
  for (const { view, from, to } of series) {
    for (let i = 0; i < from.length; i++) {
      if ((to[i] as number) < x0 || (from[i] as number) > x1) continue;
      if ((view.lo[i] as number) <= 0) count++;
    }
  }
  return count;
}

/** First and last step of the given series; null if they hold nothing. */
export function extentSteps(series: readonly SeriesView[]): [number, number] | null {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { x, x1 } of series) {
    if (x.length === 0) continue;
    first = Math.min(first, x[0] as number);
    last = Math.max(last, x1[x1.length - 1] as number);
  }
  return first <= last ? [first, last] : null;
}

/** Index of the last element that is not greater than `value`; -1 if all are. */
export function lastAtOrBefore(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** What a series says about a step. */
export interface Reading {
  index: number;
  step: number;
  /** The bucket holds the step itself; otherwise it is the nearest one. */
  exact: boolean;
  value: number;
  lo: number;
  hi: number;
  notFinite: number;
}

/** The bucket at a step, or the nearest one (of a held value: the one before). Null if none. */
export function readAt(view: SeriesView, step: number): Reading | null {
  const { x, x1, lo, hi, mean, flags } = view;
  let index = lastAtOrBefore(x, step);
  if (index < 0 && view.stepLine) return null;
  if (index < 0) index = 0;
  const inside = (i: number): boolean => step >= (x[i] as number) && step <= (x1[i] as number);
  if (index + 1 < x.length && !inside(index) && !view.stepLine) {
    const gapBefore = step - (x1[index] as number);
    const gapAfter = (x[index + 1] as number) - step;
    if (gapAfter < gapBefore) index++;
  }
  if (index >= x.length) return null;
  return {
    index,
    step: step < (x[index] as number) ? (x[index] as number) : (x1[index] as number),
    exact: inside(index),
    value: mean[index] as number,
    lo: lo[index] as number,
    hi: hi[index] as number,
    notFinite: (flags[index] as number) & FLAGS_NOT_FINITE,
  };
}

/** Steps at which some series has a bucket, ascending: where the crosshair can stand. */
export function stopsOf(series: readonly SeriesView[]): Float64Array {
  const all = new Float64Array(series.reduce((sum, { x }) => sum + x.length, 0));
  let used = 0;
  for (const { x } of series) {
    all.set(x, used);
    used += x.length;
  }
  all.sort();
  let kept = 0;
  for (const step of all) {
    if (kept === 0 || step !== all[kept - 1]) all[kept++] = step;
  }
  return all.slice(0, kept);
}

/** The element nearest to `value`; null of an empty list. */
export function nearest(sorted: Float64Array, value: number): number | null {
  const before = lastAtOrBefore(sorted, value);
  const low = sorted[before];
  const high = sorted[before + 1];
  if (low === undefined) return high ?? null;
  if (high === undefined) return low;
  return value - low <= high - value ? low : high;
}
