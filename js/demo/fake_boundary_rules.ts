/** A small tree that says nearly what the model says, read as rules. */

import type { Place, Rectangle } from "./fake_boundary_plane";

/** A place of the picture and what the model says there. */
export interface Said {
  at: Place;
  answer: number;
}

export interface Leaf {
  box: Rectangle;
  answer: number;
}

interface Cut {
  axis: 0 | 1;
  value: number;
  gain: number;
}

/**
 * Cuts a rectangle in two, again and again, where that leaves the least mixture: Gini of classes,
 * variance of values. What one cut would divide into equal answers is not divided.
 */
export function growTree(
  said: readonly Said[],
  box: Rectangle,
  depth: number,
  values: boolean,
): Leaf[] {
  const answer = values ? average(said) : majority(said);
  const cut = depth > 0 ? bestCut(said, values) : null;
  if (cut === null) return [{ box, answer }];
  const [below, above] = halves(box, cut);
  const inside = (side: boolean) => said.filter(({ at }) => at[cut.axis] <= cut.value === side);
  const leaves = [
    ...growTree(inside(true), below, depth - 1, values),
    ...growTree(inside(false), above, depth - 1, values),
  ];
  const same = leaves.length === 2 && leaves[0]?.answer === leaves[1]?.answer;
  return same ? [{ box, answer }] : leaves;
}

function halves(
  [left, right, bottom, top]: Rectangle,
  { axis, value }: Cut,
): [Rectangle, Rectangle] {
  return axis === 0
    ? [
        [left, value, bottom, top],
        [value, right, bottom, top],
      ]
    : [
        [left, right, bottom, value],
        [left, right, value, top],
      ];
}

const average = (said: readonly Said[]) =>
  said.reduce((sum, { answer }) => sum + answer, 0) / Math.max(said.length, 1);

function tally(said: readonly Said[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { answer } of said) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return counts;
}

const majority = (said: readonly Said[]) =>
  [...tally(said)].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0;

/** How mixed answers are, times how many they are. */
function mixture(said: readonly Said[], values: boolean): number {
  if (said.length === 0) return 0;
  if (values) {
    const middle = average(said);
    return said.reduce((sum, { answer }) => sum + (answer - middle) ** 2, 0);
  }
  let squares = 0;
  for (const count of tally(said).values()) squares += (count / said.length) ** 2;
  return said.length * (1 - squares);
}

const CUTS = 24;

function bestCut(said: readonly Said[], values: boolean): Cut | null {
  const before = mixture(said, values);
  let best: Cut | null = null;
  for (const axis of [0, 1] as const) {
    const places = said.map(({ at }) => at[axis]).sort((a, b) => a - b);
    for (let k = 1; k < CUTS; k++) {
      const value = places[Math.floor((places.length * k) / CUTS)];
      if (value === undefined) continue;
      const below = said.filter(({ at }) => at[axis] <= value);
      const above = said.filter(({ at }) => at[axis] > value);
      if (below.length === 0 || above.length === 0) continue;
      const gain = before - mixture(below, values) - mixture(above, values);
      if (gain > 1e-9 && gain > (best?.gain ?? 0)) best = { axis, value, gain };
    }
  }
  return best;
}

export const inside = ([x, y]: Place, [left, right, bottom, top]: Rectangle): boolean =>
  x > left && x <= right && y > bottom && y <= top;

/** What the rules say at a place; the first leaf where it lies outside. */
export const leafOf = (leaves: readonly Leaf[], at: Place): Leaf | undefined =>
  leaves.find(({ box }) => inside(at, box)) ?? leaves[0];

/** How well leaves say what the model says: share of equal answers, or R² of values. */
export function fidelity(leaves: readonly Leaf[], said: readonly Said[], values: boolean): number {
  const guess = ({ at }: Said) => leafOf(leaves, at)?.answer ?? 0;
  if (!values) return said.filter((one) => guess(one) === one.answer).length / said.length;
  const rest = said.reduce((sum, one) => sum + (guess(one) - one.answer) ** 2, 0);
  return 1 - rest / (mixture(said, true) || 1);
}

/** A number in words, with a real minus. */
export const written = (value: number, digits = 2): string =>
  value.toFixed(digits).replace("-", "−");

/** The conditions of a leaf, as words; empty where it is the whole rectangle. */
export function conditions(
  { box }: Leaf,
  whole: Rectangle,
  labels: readonly [string, string],
): string {
  const words = ([0, 1] as const).flatMap((axis) => {
    const [low, high] = [box[2 * axis] as number, box[2 * axis + 1] as number];
    const [from, to] = [low > (whole[2 * axis] as number), high < (whole[2 * axis + 1] as number)];
    const name = labels[axis];
    if (from && to) return [`${written(low)} < ${name} ≤ ${written(high)}`];
    if (from) return [`${name} > ${written(low)}`];
    return to ? [`${name} ≤ ${written(high)}`] : [];
  });
  return words.join(" and ");
}
