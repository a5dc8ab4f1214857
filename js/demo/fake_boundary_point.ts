/** One place, explained: slopes, a straight line nearby, the nearest points, what would change it. */

import { normal, type Rows } from "./fake_boundary_net";
import type { DataPoint } from "./fake_boundary_points";
import { randomFrom } from "./run";

/** Answers row by row: the probabilities of each class, or one value. */
export type Ask = (inputs: Rows) => Rows;

export interface Question {
  ask: Ask;
  outputs: number;
  /** The output that is explained: a class, or 0. */
  target: number;
  /** Of each feature, how far it spreads. */
  scales: readonly number[];
}

const row = (x: readonly number[]): Rows => Float64Array.from(x);

/** Slope of the target's answer along each feature, by central differences. */
export function slopes(x: readonly number[], { ask, outputs, target, scales }: Question): number[] {
  return x.map((_, feature) => {
    const half = 1e-4 * (scales[feature] as number);
    const [above, below] = [half, -half].map((by) => {
      const moved = [...x];
      moved[feature] = (x[feature] as number) + by;
      return ask(row(moved))[target % outputs] as number;
    }) as [number, number];
    return (above - below) / (2 * half);
  });
}

export interface Fit {
  weights: number[];
  r2: number;
}

/** The plane nearest to the answers at places drawn around `x`, by least squares. */
export function fitNearby(x: readonly number[], question: Question, count = 300): Fit {
  const { ask, outputs, target, scales } = question;
  const random = randomFrom(11);
  const steps = Array.from({ length: count }, () => x.map(() => 0.25 * normal(random)));
  const inputs = steps.flatMap((step) =>
    step.map((by, at) => (x[at] as number) + by * (scales[at] as number)),
  );
  const answers = ask(Float64Array.from(inputs));
  const said = steps.map((_, at) => answers[at * outputs + target] as number);
  const rows = steps.map((step) => [...step, 1]);
  const solution = solve(
    rows[0]?.map((_, i) => rows[0]?.map((_, j) => sum(rows, (r) => at(r, i) * at(r, j))) ?? []) ??
      [],
    rows[0]?.map((_, i) => sum(rows, (r, place) => at(r, i) * at(said, place))) ?? [],
  );
  const middle = sum(said, (value) => value) / count;
  const rest = sum(rows, (r, place) => (at(said, place) - dot(r, solution)) ** 2);
  const whole = sum(said, (value) => (value - middle) ** 2);
  return {
    weights: x.map((_, feature) => at(solution, feature) / (scales[feature] as number)),
    r2: whole > 0 ? 1 - rest / whole : 1,
  };
}

const at = (numbers: readonly number[], place: number): number => numbers[place] as number;
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((total, value, place) => total + value * at(b, place), 0);

function sum<T>(items: readonly T[], of: (item: T, place: number) => number): number {
  return items.reduce((total, item, place) => total + of(item, place), 0);
}

/** Solves a small system of equations, by elimination with the largest pivot. */
export function solve(matrix: readonly number[][], right: readonly number[]): number[] {
  const rows = matrix.map((line, place) => [...line, at(right, place)]);
  const size = rows.length;
  for (let pivot = 0; pivot < size; pivot++) {
    const size1 = (r: number) => Math.abs(at(rows[r] as number[], pivot));
    let best = pivot;
    for (let r = pivot + 1; r < size; r++) if (size1(r) > size1(best)) best = r;
    [rows[pivot], rows[best]] = [rows[best] as number[], rows[pivot] as number[]];
    const top = rows[pivot] as number[];
    if (top[pivot] === 0) continue;
    for (let r = 0; r < size; r++) {
      if (r === pivot) continue;
      const part = at(rows[r] as number[], pivot) / at(top, pivot);
      rows[r] = (rows[r] as number[]).map((value, c) => value - part * at(top, c));
    }
  }
  return rows.map((line, place) => at(line, size) / (at(line, place) || 1));
}

export interface Neighbour {
  point: DataPoint;
  distance: number;
}

/** The nearest points, in spreads of the features. */
export function nearest(
  x: readonly number[],
  points: readonly DataPoint[],
  scales: readonly number[],
  count = 3,
): Neighbour[] {
  return points
    .map((point) => ({
      point,
      distance: Math.hypot(
        ...x.map((value, place) => (at(point.x, place) - value) / at(scales, place)),
      ),
    }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count);
}

export interface Turn {
  feature: number;
  /** The value at which the answer is another one; null if none was found. */
  to: number | null;
  label: number | null;
}

/** Along each feature alone: the smallest change that makes the label another one. */
export function changes(
  x: readonly number[],
  label: (x: readonly number[]) => number,
  ranges: readonly (readonly [number, number])[],
): Turn[] {
  const now = label(x);
  return x.map((value, feature) => {
    const [low, high] = ranges[feature] as readonly [number, number];
    const moved = (to: number) => x.map((other, place) => (place === feature ? to : other));
    const step = (high - low) / 100;
    for (let count = 1; count <= 100; count++) {
      for (const sign of [1, -1]) {
        const to = value + sign * count * step;
        if (to < low || to > high || label(moved(to)) === now) continue;
        // It turns between the step before and this one.
        let [inside, outside] = [to - sign * step, to];
        for (let i = 0; i < 40; i++) {
          const half = (inside + outside) / 2;
          if (label(moved(half)) === now) inside = half;
          else outside = half;
        }
        return { feature, to: outside, label: label(moved(outside)) };
      }
    }
    return { feature, to: null, label: null };
  });
}
