/** Lines on a grid: where one class gives way to another, and where values reach a level. */

import { labelsOf } from "./fake_boundary_answers";
import type { Rows } from "./fake_boundary_net";
import type { Rectangle } from "./fake_boundary_plane";

export type Line = [number, number][];

/** Numbers on a grid, row by row from the bottom. */
export interface Field {
  values: Rows;
  columns: number;
  rows: number;
}

type Ends = [[number, number], [number, number]];

/**
 * The lines on which a field is zero, in columns and rows: straight within each square of the grid
 * (marching squares; where a square has two lines, its middle decides which corners belong
 * together), then joined.
 */
export function zeroLines(field: Field): Line[] {
  return join(segments(field));
}

function segments({ values, columns, rows }: Field): Ends[] {
  const found: Ends[] = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const place = row * columns + column;
      // Around the square, from the lower left corner.
      const corners = [place, place + 1, place + columns + 1, place + columns].map(
        (corner) => values[corner] as number,
      );
      found.push(...inSquare(corners, column, row));
    }
  }
  return found;
}

const CORNERS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
] as const;

function inSquare(values: readonly number[], column: number, row: number): Ends[] {
  const crossings: [number, number][] = [];
  for (let side = 0; side < 4; side++) {
    const [from, to] = [values[side] as number, values[(side + 1) % 4] as number];
    if (from >= 0 === to >= 0) continue;
    const part = from / (from - to);
    const [x, y] = CORNERS[side] as readonly [number, number];
    const [endX, endY] = CORNERS[(side + 1) % 4] as readonly [number, number];
    crossings.push([column + x + part * (endX - x), row + y + part * (endY - y)]);
  }
  const [first, second, third, fourth] = crossings;
  if (first === undefined || second === undefined) return [];
  if (third === undefined || fourth === undefined) return [[first, second]];
  const middle = values.reduce((sum, value) => sum + value, 0) / 4;
  const apart = middle >= 0 === (values[0] as number) >= 0;
  return apart
    ? [
        [first, second],
        [third, fourth],
      ]
    : [
        [fourth, first],
        [second, third],
      ];
}

/** Joins pieces end to end. A closed line ends where it begins. */
function join(all: readonly Ends[]): Line[] {
  const key = ([x, y]: [number, number]) => `${Math.round(x * 1e6)} ${Math.round(y * 1e6)}`;
  // Where a corner of the grid is zero, pieces have no length.
  const pieces = all.filter(([from, to]) => key(from) !== key(to));
  const meeting = new Map<string, number[]>();
  pieces.forEach((ends, index) => {
    for (const end of ends) {
      const known = meeting.get(key(end)) ?? [];
      known.push(index);
      meeting.set(key(end), known);
    }
  });
  const used = new Set<number>();
  const follow = (line: Line): Line => {
    for (;;) {
      const last = line.at(-1) as [number, number];
      const next = meeting.get(key(last))?.find((index) => !used.has(index));
      if (next === undefined) return line;
      used.add(next);
      const [from, to] = pieces[next] as Ends;
      line.push(key(from) === key(last) ? to : from);
    }
  };
  const lines: Line[] = [];
  pieces.forEach(([from, to], index) => {
    if (used.has(index)) return;
    used.add(index);
    const line = follow([from, to]);
    lines.push(follow(line.reverse()));
  });
  return lines;
}

/** Lines with what they are of. */
export interface Lines {
  lines: Line[];
  /** Of each line: a class on one side of it, or the place of its level. */
  of: number[];
}

/** Where the most probable class changes: each class against those after it. */
export function boundaries(shares: Rows, classes: number, columns: number, rows: number): Lines {
  const found: Lines = { lines: [], of: [] };
  const labels = labelsOf(shares, classes);
  const most = (place: number, from: number, to: number) => {
    let best = Number.NEGATIVE_INFINITY;
    for (let k = from; k < to; k++) best = Math.max(best, shares[place * classes + k] as number);
    return best;
  };
  for (let k = 0; k + 1 < classes; k++) {
    if (!labels.includes(k)) continue;
    const lead = Float64Array.from(
      labels,
      (_, place) => (shares[place * classes + k] as number) - most(place, k + 1, classes),
    );
    let pieces = segments({ values: lead, columns, rows });
    if (k > 0) {
      // Only where no class before it is ahead.
      const before = Float64Array.from(
        labels,
        (_, place) => most(place, 0, k) - most(place, k, classes),
      );
      const ahead = ([x, y]: [number, number]) => between(before, columns, rows, x, y);
      pieces = pieces.flatMap((ends) => clip(ends, ahead));
    }
    for (const line of join(pieces)) {
      found.lines.push(line);
      found.of.push(k);
    }
  }
  return found;
}

/** The part of a piece on which a function is below zero. */
function clip(ends: Ends, height: (place: [number, number]) => number): Ends[] {
  const [from, to] = ends;
  const [low, high] = [height(from), height(to)];
  if (low < 0 && high < 0) return [ends];
  if (low >= 0 && high >= 0) return [];
  const part = low / (low - high);
  const cut: [number, number] = [
    from[0] + part * (to[0] - from[0]),
    from[1] + part * (to[1] - from[1]),
  ];
  return low < 0 ? [[from, cut]] : [[cut, to]];
}

/** A field between the places of its grid. */
function between(values: Rows, columns: number, rows: number, x: number, y: number): number {
  const column = Math.min(Math.floor(x), columns - 2);
  const row = Math.min(Math.floor(y), rows - 2);
  const [right, up] = [x - column, y - row];
  const value = (more: number, above: number) =>
    values[(row + above) * columns + column + more] as number;
  const lower = value(0, 0) * (1 - right) + value(1, 0) * right;
  const upper = value(0, 1) * (1 - right) + value(1, 1) * right;
  return lower * (1 - up) + upper * up;
}

/** About six round numbers between two ends. */
export function roundLevels(low: number, high: number): number[] {
  const rough = (high - low) / 6;
  if (!(rough > 0)) return [];
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 5, 10].find((times) => times * size >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, at) => (first + at) * step);
}

/** Where values reach levels. */
export function levelLines(values: Rows, levels: readonly number[], columns: number, rows: number) {
  const found: Lines = { lines: [], of: [] };
  levels.forEach((level, place) => {
    for (const line of zeroLines({ values: values.map((v) => v - level), columns, rows })) {
      found.lines.push(line);
      found.of.push(place);
    }
  });
  return found;
}

/** As lines travel: all points one after another, in the plane. */
export function packLines(
  { lines, of }: Lines,
  rectangle: Rectangle,
  columns: number,
  rows: number,
) {
  const [left, right, bottom, top] = rectangle;
  const points = lines
    .flat()
    .flatMap(([x, y]) => [
      left + ((right - left) * x) / (columns - 1),
      bottom + ((top - bottom) * y) / (rows - 1),
    ]);
  let end = 0;
  const ends = lines.map(({ length }) => {
    end += length;
    return end;
  });
  return {
    points: Float32Array.from(points),
    ends: Int32Array.from(ends),
    of: Int32Array.from(of),
  };
}
