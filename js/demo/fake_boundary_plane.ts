/** What the two axes of the picture mean: two features, or two directions through all of them. */

import type { Place, Rectangle } from "../src/decision_boundary/parts";
import type { Rows } from "./fake_boundary_net";
import type { DataPoint } from "./fake_boundary_points";

export type { Place, Rectangle };

export interface Plane {
  readonly labels: readonly [string, string];
  /** What is to be known of the picture. */
  readonly quality: string;
  /** Share of the spread of the data that is seen; null for a slice. */
  readonly share: number | null;
  toInput(at: Place): number[];
  toPlane(x: readonly number[]): [number, number];
  /** Distance of a point from the plane, in standard deviations of the features. */
  distance(x: readonly number[]): number;
}

export const column = (points: readonly DataPoint[], at: number): number[] =>
  points.map(({ x }) => x[at] ?? 0);

export function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}

export function deviation(values: ArrayLike<number>): number {
  const middle = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - middle) ** 2)));
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** Two features; the others are held. */
export function slice(
  names: readonly string[],
  axes: readonly [number, number],
  held: readonly number[],
  scales: readonly number[],
): Plane {
  const others = names.map((_, at) => at).filter((at) => !axes.includes(at));
  const where = others.map(
    (at) => `${names[at]} = ${(held[at] as number).toFixed(2).replace("-", "−")}`,
  );
  return {
    labels: [names[axes[0]] ?? "", names[axes[1]] ?? ""],
    quality:
      others.length === 0
        ? "All features are shown."
        : `A slice at ${where.join(", ")}. Points far from it are faint.`,
    share: null,
    toInput(at) {
      const x = [...held];
      x[axes[0]] = at[0];
      x[axes[1]] = at[1];
      return x;
    },
    toPlane: (x) => [x[axes[0]] as number, x[axes[1]] as number],
    distance: (x) =>
      Math.hypot(
        ...others.map((at) => ((x[at] as number) - (held[at] as number)) / (scales[at] as number)),
      ),
  };
}

/** The two directions in which the data spread most (PCA, by power iteration). */
export function principal(points: readonly DataPoint[], features: number, scaled: boolean): Plane {
  const middle = Array.from({ length: features }, (_, at) => mean(column(points, at)));
  const spreads = Array.from({ length: features }, (_, at) => deviation(column(points, at)) || 1);
  const scale = spreads.map((spread) => (scaled ? spread : 1));
  const centred = points.map(({ x }) =>
    x.map((value, at) => (value - (middle[at] as number)) / (scale[at] as number)),
  );
  const covariance = middle.map((_, i) =>
    middle.map((_, j) => mean(centred.map((x) => (x[i] as number) * (x[j] as number)))),
  );
  const total = covariance.reduce((sum, row, i) => sum + (row[i] as number), 0);
  const first = direction(covariance);
  const second = direction(covariance, first.vector);
  const share = (first.spread + second.spread) / (total || 1);
  const along = (x: readonly number[], { vector }: Direction) =>
    x.reduce(
      (sum, value, at) =>
        sum + ((value - (middle[at] as number)) / (scale[at] as number)) * (vector[at] as number),
      0,
    );
  const toPlane = (x: readonly number[]): [number, number] => [along(x, first), along(x, second)];
  const toInput = (at: Place) =>
    middle.map(
      (value, i) =>
        value +
        (scale[i] as number) *
          (at[0] * (first.vector[i] as number) + at[1] * (second.vector[i] as number)),
    );
  return {
    labels: ["direction 1", "direction 2"],
    quality: `The picture holds ${(100 * share).toFixed(0)} % of the spread of the data.`,
    share,
    toInput,
    toPlane,
    distance: (x) => {
      const back = toInput(toPlane(x));
      return Math.hypot(
        ...x.map((value, at) => (value - (back[at] as number)) / (spreads[at] as number)),
      );
    },
  };
}

interface Direction {
  vector: number[];
  spread: number;
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);

/** The direction of the largest spread among those at right angles to `without`. */
function direction(matrix: readonly number[][], without?: readonly number[]): Direction {
  const upright = (vector: number[]) => {
    const part = without === undefined ? 0 : dot(vector, without);
    const rest = vector.map((value, at) => value - part * (without?.[at] ?? 0));
    const length = Math.hypot(...rest) || 1;
    return rest.map((value) => value / length);
  };
  let vector = upright(matrix.map((_, at) => 1 / (at + 1 + (without === undefined ? 0 : at ** 2))));
  for (let i = 0; i < 200; i++) vector = upright(matrix.map((row) => dot(row, vector)));
  return {
    vector,
    spread: dot(
      vector,
      matrix.map((row) => dot(row, vector)),
    ),
  };
}

/** Around all points, with a margin. */
export function around(places: readonly Place[]): Rectangle {
  if (places.length === 0) return [-1.5, 1.5, -1.5, 1.5];
  const ends = ([low, high]: [number, number]): [number, number] => {
    const margin = 0.12 * (high - low) || 1;
    return [low - margin, high + margin];
  };
  const [left, right] = ends(extent(places.map(([x]) => x)));
  const [bottom, top] = ends(extent(places.map(([, y]) => y)));
  return [left, right, bottom, top];
}

export function extent(values: readonly number[]): [number, number] {
  return [
    values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
    values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY),
  ];
}

/** The places of a grid: their inputs, row by row from the bottom. */
export function gridInputs(
  plane: Plane,
  rectangle: Rectangle,
  columns: number,
  rows: number,
): Rows {
  const [left, right, bottom, top] = rectangle;
  const inputs: number[] = [];
  for (let row = 0; row < rows; row++) {
    const y = bottom + ((top - bottom) * row) / (rows - 1);
    for (let at = 0; at < columns; at++) {
      inputs.push(...plane.toInput([left + ((right - left) * at) / (columns - 1), y]));
    }
  }
  return Float64Array.from(inputs);
}
