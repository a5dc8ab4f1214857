/** Series made the slow, obvious way, and a canvas that remembers what was drawn on it. */
import { vi } from "vitest";
import {
  FLAG_LOW_FIRST,
  FLAG_NAN,
  FLAG_NEGATIVE_INFINITY,
  FLAG_POSITIVE_INFINITY,
  type SeriesView,
} from "../../src/ui/chart_types";

/** Numbers that look random and are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Buckets of `per` points each; point i is at step `first + i * stride`, i hundredths of a second. */
export function seriesOf(
  values: readonly number[],
  per = 1,
  {
    stride = 1,
    first = 0,
    ...rest
  }: Partial<SeriesView> & { stride?: number; first?: number } = {},
): SeriesView {
  const count = Math.ceil(values.length / per);
  const view: SeriesView = {
    name: "loss",
    label: "train",
    role: "train",
    color: "var(--nnw-series-1)",
    stepLine: false,
    visible: true,
    x: new Float64Array(count),
    x1: new Float64Array(count),
    t: new Float32Array(count),
    lo: new Float32Array(count),
    hi: new Float32Array(count),
    mean: new Float32Array(count),
    flags: new Uint8Array(count),
    best: null,
    ...rest,
  };
  for (let b = 0; b < count; b++) {
    const points = values.slice(b * per, (b + 1) * per);
    const finite = points.filter(Number.isFinite);
    const lo = finite.length > 0 ? Math.min(...finite) : Number.NaN;
    const hi = finite.length > 0 ? Math.max(...finite) : Number.NaN;
    view.x[b] = first + b * per * stride;
    view.x1[b] = first + (b * per + points.length - 1) * stride;
    view.t[b] = (b * per * stride) / 100;
    view.lo[b] = lo;
    view.hi[b] = hi;
    view.mean[b] = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    view.flags[b] =
      (points.some(Number.isNaN) ? FLAG_NAN : 0) |
      (points.includes(Number.POSITIVE_INFINITY) ? FLAG_POSITIVE_INFINITY : 0) |
      (points.includes(Number.NEGATIVE_INFINITY) ? FLAG_NEGATIVE_INFINITY : 0) |
      (points.indexOf(lo) < points.indexOf(hi) ? FLAG_LOW_FIRST : 0);
  }
  return view;
}

/** Values of every kind that a training run produces. */
export function awkwardValues(count: number, random: () => number): number[] {
  return Array.from({ length: count }, () => {
    const kind = random();
    if (kind < 0.04) return Number.NaN;
    if (kind < 0.06) return Number.POSITIVE_INFINITY;
    if (kind < 0.08) return Number.NEGATIVE_INFINITY;
    if (kind < 0.1) return 0;
    if (kind < 0.12) return -random();
    if (kind < 0.14) return 3.4e38 * random();
    if (kind < 0.16) return 1e-45;
    return random() * 10 ** Math.floor(random() * 8 - 4);
  });
}

export interface Call {
  name: string;
  args: readonly unknown[];
  strokeStyle: unknown;
  fillStyle: unknown;
}

/** Gives every canvas a context that draws nothing and keeps a list of what it was asked for. */
export function recordCanvases(): Call[] {
  const calls: Call[] = [];
  const contexts = new WeakMap<HTMLCanvasElement, unknown>();
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (
    this: HTMLCanvasElement,
  ) {
    let context = contexts.get(this);
    if (context === undefined) {
      context = recorder(this, calls);
      contexts.set(this, context);
    }
    return context as never;
  });
  return calls;
}

function recorder(canvas: HTMLCanvasElement, calls: Call[]): unknown {
  const state: Record<string, unknown> = { canvas };
  return new Proxy(state, {
    get(target, name: string) {
      if (name in target) return target[name];
      return (...args: unknown[]) => {
        const { strokeStyle, fillStyle } = target;
        calls.push({ name, args, strokeStyle, fillStyle });
        return name === "measureText" ? { width: 6 * String(args[0]).length } : undefined;
      };
    },
    set(target, name: string, value) {
      target[name] = value;
      return true;
    },
  });
}

/** Every number that a call such as lineTo was given. */
export function numbersIn(calls: readonly Call[]): number[] {
  return calls.flatMap(({ args }) => args.filter((arg) => typeof arg === "number"));
}

/** Gives all elements this size on the page. */
export function layOut(width: number, height: number): void {
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(width);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(height);
}
