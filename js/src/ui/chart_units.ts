/** Steps into epochs or seconds and back: piecewise linear through what the run has recorded. */
import type { SeriesView, XMode } from "./chart_types";

/** The unit of an x axis. */
export interface XUnits {
  /** What could be honoured: epochs need two beginnings, time needs two moments. */
  mode: XMode;
  toUnit(step: number): number;
  toStep(unit: number): number;
  /** Where the buckets of a series begin and end on the axis. */
  buckets(view: SeriesView): { from: Float64Array; to: Float64Array };
}

/**
 * Linear interpolation through ascending knots, continued beyond both ends with the slope of the
 * outermost piece. Where knots coincide the slope is taken as 0, so that the result stays finite.
 */
export function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  const last = xs.length - 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((xs[middle] as number) <= x) low = middle;
    else high = middle;
  }
  const x0 = xs[low] as number;
  const x1 = xs[high] as number;
  const y0 = ys[low] as number;
  const y1 = ys[high] as number;
  return x1 > x0 ? y0 + ((x - x0) / (x1 - x0)) * (y1 - y0) : y0;
}

function tableUnits(mode: XMode, steps: number[], values: number[]): XUnits {
  const toUnit = (step: number): number => interpolate(steps, values, step);
  return {
    mode,
    toUnit,
    toStep: (unit) => interpolate(values, steps, unit),
    buckets: (view) => ({ from: view.x.map(toUnit), to: view.x1.map(toUnit) }),
  };
}

/** Beginnings of epochs with strictly ascending steps; a restarted count is left out. */
function epochKnots(epochs: Float64Array): { steps: number[]; numbers: number[] } {
  const steps: number[] = [];
  const numbers: number[] = [];
  for (let e = 0; 2 * e < epochs.length; e++) {
    const step = epochs[2 * e] as number;
    const before = steps.at(-1);
    if (!Number.isFinite(step) || (before !== undefined && step < before)) continue;
    if (step === before) {
      // An epoch without a step: the later number is the one that the step belongs to.
      numbers[numbers.length - 1] = e;
      continue;
    }
    steps.push(step);
    numbers.push(e);
  }
  return { steps, numbers };
}

/**
 * The moment of the last bucket's end is not recorded: it is taken from the mean pace of the run,
 * because the last two moments may be a training step and the validation right after it.
 */
function extendToEnd(steps: number[], seconds: number[], series: readonly SeriesView[]): void {
  const [firstStep, lastStep] = [steps.at(0), steps.at(-1)];
  const [firstTime, lastTime] = [seconds.at(0), seconds.at(-1)];
  if (firstStep === undefined || lastStep === undefined || lastStep === firstStep) return;
  if (firstTime === undefined || lastTime === undefined) return;
  const end = Math.max(lastStep, ...series.map(({ x1 }) => x1[x1.length - 1] ?? lastStep));
  if (end === lastStep) return;
  steps.push(end);
  seconds.push(lastTime + ((end - lastStep) * (lastTime - firstTime)) / (lastStep - firstStep));
}

/** Moments of the run, ascending in both; what happened twice at a step counts once. */
function timeKnots(epochs: Float64Array, series: readonly SeriesView[]) {
  const pairs: [number, number][] = [];
  for (let e = 0; e + 1 < epochs.length; e += 2) {
    pairs.push([epochs[e] as number, epochs[e + 1] as number]);
  }
  for (const { x, t } of series) {
    for (let i = 0; i < x.length; i++) pairs.push([x[i] as number, t[i] as number]);
  }
  pairs.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const steps: number[] = [];
  const seconds: number[] = [];
  for (const [step, time] of pairs) {
    if (!Number.isFinite(step) || !Number.isFinite(time) || step === steps.at(-1)) continue;
    steps.push(step);
    seconds.push(Math.max(time, seconds.at(-1) ?? time));
  }
  extendToEnd(steps, seconds, series);
  return { steps, seconds };
}

const STEPS: XUnits = {
  mode: "step",
  toUnit: (step) => step,
  toStep: (unit) => unit,
  buckets: (view) => ({ from: view.x, to: view.x1 }),
};

/** The unit asked for, or steps as long as the run has too little to convert them with. */
export function xUnits(mode: XMode, epochs: Float64Array, series: readonly SeriesView[]): XUnits {
  if (mode === "epoch") {
    const { steps, numbers } = epochKnots(epochs);
    return steps.length > 1 ? tableUnits(mode, steps, numbers) : STEPS;
  }
  if (mode === "time") {
    const { steps, seconds } = timeKnots(epochs, series);
    return steps.length > 1 ? tableUnits(mode, steps, seconds) : STEPS;
  }
  return STEPS;
}
