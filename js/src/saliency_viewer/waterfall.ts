/** A table's values as steps that lead from the score of the baseline to the score of the input. */

import type { NumberArray } from "../wire";
import type { Pane } from "./state";

export interface Step {
  kind: "baseline" | "feature" | "others" | "gap" | "score";
  /** Of a feature. */
  feature: number;
  value: number;
  /** Where its bar begins and ends. */
  from: number;
  to: number;
  /** How many features are taken together. */
  count: number;
}

export interface Waterfall {
  /** The values lead from one score to the other; otherwise each bar begins at zero. */
  adds: boolean;
  steps: Step[];
  low: number;
  high: number;
}

/** Rows that are shown at first; the smaller values are taken together. */
export const MOST = 12;
/** Of the way from score to score: what is missing beyond this is a row of its own. */
const UNTOLD = 0.01;
/** If more is missing than this, values and scores have nothing to do with each other. */
const UNRELATED = 0.5;

const NO_VALUES = new Float32Array(0);

export const orderOf = ({ map }: Pane): number[] => ranked(map?.data ?? NO_VALUES);

/** Several side by side: rows in the order of the first, and one scale. */
export function waterfalls(panes: readonly Pane[], all: boolean): Waterfall[] {
  const [first] = panes;
  if (first === undefined) return [];
  const order = orderOf(first);
  const falls = panes.map((pane) =>
    waterfall(pane, all, pane.map?.data.length === order.length ? order : orderOf(pane)),
  );
  const low = Math.min(...falls.map((fall) => fall.low));
  const high = Math.max(...falls.map((fall) => fall.high));
  return falls.map((fall) => ({ ...fall, low, high }));
}

/** Features by the size of their value, the largest first, what is not finite before all. */
export function ranked(values: NumberArray): number[] {
  const size = (feature: number) => {
    const value = Math.abs(values[feature] as number);
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  };
  return Array.from(values, (_, feature) => feature).sort((a, b) => {
    const [first, second] = [size(a), size(b)];
    return first === second ? a - b : second - first;
  });
}

/**
 * @param all every feature has a row of its own
 * @param order features in the order of their rows, by default the largest value first
 */
export function waterfall(pane: Pane, all: boolean, order = orderOf(pane)): Waterfall {
  const values = pane.map?.data ?? NO_VALUES;
  const most = all || order.length <= MOST + 1 ? order.length : MOST;
  const rest = order.slice(most);
  const sum = (features: readonly number[]) =>
    features.reduce((total, feature) => total + (values[feature] as number), 0);
  const { baselineScore, score } = pane;
  const total = sum(order);
  const way = baselineScore === null || score === null ? Number.NaN : score - baselineScore;
  const gap = way - total;
  const adds = Number.isFinite(gap) && Math.abs(gap) <= UNRELATED * Math.max(Math.abs(way), 1e-12);
  const steps: Step[] = [];
  let at = adds ? (baselineScore as number) : 0;
  const add = (kind: Step["kind"], value: number, feature = -1, count = 1) => {
    const from = adds ? at : 0;
    steps.push({ kind, feature, value, from, to: from + value, count });
    if (adds) at += value;
  };
  if (adds) {
    steps.push({ kind: "baseline", feature: -1, value: at, from: at, to: at, count: 1 });
  }
  for (const feature of order.slice(0, most)) add("feature", values[feature] as number, feature);
  if (rest.length > 0) add("others", sum(rest), -1, rest.length);
  if (adds) {
    if (Math.abs(gap) > UNTOLD * Math.abs(way)) add("gap", gap);
    const end = score as number;
    steps.push({ kind: "score", feature: -1, value: end, from: end, to: end, count: 1 });
  }
  const ends = steps.flatMap(({ from, to }) => [from, to]).filter(Number.isFinite);
  const zero = adds ? [] : [0];
  return {
    adds,
    steps,
    low: ends.length + zero.length > 0 ? Math.min(...ends, ...zero) : 0,
    high: ends.length + zero.length > 0 ? Math.max(...ends, ...zero) : 0,
  };
}
