/** Where marks stand, in pixels: what would overlap is drawn once, and nothing is dropped silently. */

import type { Prepared } from "./chart_data";
import {
  type EventMark,
  FLAG_NAN,
  FLAG_NEGATIVE_INFINITY,
  FLAG_POSITIVE_INFINITY,
} from "./chart_types";

export type EdgeKind = "nan" | "+inf" | "-inf" | "not-positive";

/** Buckets with values that have no place on the axis, as a stretch of the plot's edge. */
export interface EdgeMark {
  kind: EdgeKind;
  from: number;
  to: number;
  /** Index of the (first) series concerned. */
  series: number;
}

/** Marks for values that a line cannot show; touching ones of a kind become one stretch. */
export function edgeMarks(
  series: readonly Prepared[],
  toPixel: (unit: number) => number,
  width: number,
  log: boolean,
): EdgeMark[] {
  const found: EdgeMark[] = [];
  series.forEach(({ view, from, to }, index) => {
    for (let i = 0; i < from.length; i++) {
      const flags = view.flags[i] as number;
      const notPositive = log && (view.lo[i] as number) <= 0;
      if ((flags & 7) === 0 && !notPositive) continue;
      const start = toPixel(from[i] as number);
      const end = toPixel(to[i] as number);
      if (end < 0 || start > width) continue;
      const mark = (kind: EdgeKind): void => {
        found.push({ kind, from: Math.max(0, start), to: Math.min(width, end), series: index });
      };
      if (flags & FLAG_NAN) mark("nan");
      if (flags & FLAG_POSITIVE_INFINITY) mark("+inf");
      if (flags & FLAG_NEGATIVE_INFINITY) mark("-inf");
      if (notPositive) mark("not-positive");
    }
  });
  return mergeTouching(found);
}

function mergeTouching(marks: EdgeMark[]): EdgeMark[] {
  marks.sort((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : a.from - b.from));
  const merged: EdgeMark[] = [];
  for (const mark of marks) {
    const before = merged.at(-1);
    if (before && before.kind === mark.kind && mark.from <= before.to + 2) {
      before.to = Math.max(before.to, mark.to);
    } else merged.push({ ...mark });
  }
  return merged;
}

/** What stands at one place above the plot: one glyph for all events that would overlap. */
export interface Glyph {
  /** Middle of the place. */
  at: number;
  /** Kind of the weightiest event. */
  kind: string;
  marks: EventMark[];
}

const WEIGHT = ["end", "start", "best", "resume", "pause", "lr", "stop", "nan"];
/** Kinds that have a mark of their own elsewhere: epochs are ticks. */
const ELSEWHERE = new Set(["epoch"]);

/** Groups events closer than `gap` pixels; those outside 0..width are not on show. */
export function glyphs(
  marks: readonly EventMark[],
  toPixel: (step: number) => number,
  width: number,
  gap: number,
): Glyph[] {
  const placed = marks
    .filter(({ kind }) => !ELSEWHERE.has(kind))
    .map((mark) => ({ mark, at: toPixel(mark.step) }))
    .filter(({ at }) => at >= -0.5 && at <= width + 0.5)
    .sort((a, b) => a.at - b.at);
  const groups: Glyph[] = [];
  let first = Number.NEGATIVE_INFINITY;
  for (const { mark, at } of placed) {
    const group = groups.at(-1);
    if (group && at - first < gap) {
      group.marks.push(mark);
      if (WEIGHT.indexOf(mark.kind) > WEIGHT.indexOf(group.kind)) {
        group.kind = mark.kind;
        group.at = at;
      }
    } else {
      first = at;
      groups.push({ at, kind: mark.kind, marks: [mark] });
    }
  }
  return groups;
}

/** Pixels of epoch beginnings, thinned to every 2nd, 5th, 10th … so that they stay `gap` apart. */
export function epochTicks(
  epochs: Float64Array,
  toPixel: (step: number) => number,
  width: number,
  gap: number,
): number[] {
  const count = epochs.length >> 1;
  if (count < 2) return [];
  const at = (epoch: number): number => toPixel(epochs[2 * epoch] as number);
  const mean = Math.abs(at(count - 1) - at(0)) / (count - 1);
  let every = 1;
  for (const factor of [2, 2.5, 2, 2, 2.5, 2, 2, 2.5, 2]) {
    if (mean * every >= gap) break;
    every *= factor;
  }
  if (mean * every < gap) return [];
  const ticks: number[] = [];
  for (let epoch = 0; epoch < count; epoch += every) {
    const pixel = at(epoch);
    if (pixel >= 0 && pixel <= width) ticks.push(pixel);
  }
  return ticks;
}
