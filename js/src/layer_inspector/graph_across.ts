/**
 * How far to the side each item of a layered graph stands: near its neighbours, in order, apart.
 *
 * First everything moves towards its neighbours, down, up and both ways, until it has settled.
 * That leaves long chains a little slanted, so at last each box is put right under what it takes
 * from, and each long edge made straight at the side of the widest box that it passes.
 */

import type { Item } from "./graph_order";

/** Room between boxes of one layer. */
export const GAP_X = 22;
/** Room between edges that pass side by side. */
const GAP_LANES = 2;
const SWEEPS = 16;
const STRAIGHTENINGS = 6;
/** How hard a long edge stands in the way of boxes: it is to give way. */
const YIELDING = 0.1;

/**
 * How much a piece of an edge wants to be straight.
 *
 * Long edges are straight on their way and bend at their ends: were the ends to pull, each block
 * of a residual network would stand further to the side than the one before. What many take from
 * (a mask) pulls each of them less than what one alone takes from.
 */
function weight(upper: Item, lower: Item): number {
  if (upper.node < 0 && lower.node < 0) return 8;
  return upper.node < 0 || lower.node < 0 ? 1e-3 : 1 / upper.below.length;
}

/**
 * Positions as near as possible to what is wished for, in order and `apart` from one another.
 *
 * Least squares under a chain of order constraints is isotonic regression: neighbours that would
 * come too close are pooled and share their mean (pool adjacent violators).
 *
 * @param apart least distance of each from the one before it; the first is not read
 */
export function spread(
  wished: readonly number[],
  weights: readonly number[],
  apart: readonly number[],
): number[] {
  const offset: number[] = [];
  let sum = 0;
  wished.forEach((_, i) => {
    if (i > 0) sum += apart[i] as number;
    offset.push(sum);
  });
  const blocks: { value: number; weight: number; count: number }[] = [];
  wished.forEach((wish, i) => {
    let block = { value: wish - (offset[i] as number), weight: weights[i] as number, count: 1 };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.value <= block.value) break;
      blocks.pop();
      const weight = last.weight + block.weight;
      const value = (last.value * last.weight + block.value * block.weight) / weight;
      block = { value, weight, count: last.count + block.count };
    }
    blocks.push(block);
  });
  const result: number[] = [];
  for (const { value, count } of blocks) {
    for (let i = 0; i < count; i++) result.push(value + (offset[result.length] as number));
  }
  return result;
}

/** Least distances between the items of a layer, each from the one before it. */
function distancesIn(
  row: readonly number[],
  items: readonly Item[],
  widths: readonly number[],
): number[] {
  return row.map((item, i) => {
    const before = row[i - 1];
    if (before === undefined) return 0;
    const lanes = items[item]?.node === -1 && items[before]?.node === -1;
    const half = ((widths[item] as number) + (widths[before] as number)) / 2;
    return half + (lanes ? GAP_LANES : GAP_X);
  });
}

/**
 * Positions across.
 *
 * @param widths of the items
 */
export function across(
  items: readonly Item[],
  layers: readonly (readonly number[])[],
  widths: readonly number[],
): Float64Array {
  const x = new Float64Array(items.length);
  const distances = layers.map((row) => distancesIn(row, items, widths));
  layers.forEach((row, l) => {
    let at = 0;
    const places = row.map((_, i) => {
      at += distances[l]?.[i] ?? 0;
      return at;
    });
    row.forEach((item, i) => {
      x[item] = (places[i] as number) - at / 2;
    });
  });
  settle(items, layers, distances, x);
  straighten(items, layers, distances, x);
  return x;
}

type Wishes = (row: readonly number[]) => { wished: number[]; weights: number[] };

/** Brings one layer as near as may be to where its items wish to stand. */
function place(
  row: readonly number[],
  apart: readonly number[],
  x: Float64Array,
  wishes: Wishes,
): void {
  const { wished, weights } = wishes(row);
  const moved = spread(wished, weights, apart);
  row.forEach((item, i) => {
    x[item] = moved[i] as number;
  });
}

/** Each layer in turn moves towards its neighbours, down, up, and both. */
function settle(
  items: readonly Item[],
  layers: readonly (readonly number[])[],
  distances: readonly (readonly number[])[],
  x: Float64Array,
): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const both = sweep >= SWEEPS / 2;
    const down = sweep % 2 === 0;
    for (let step = 0; step < layers.length; step++) {
      const l = down ? step : layers.length - 1 - step;
      place(layers[l] ?? [], distances[l] ?? [], x, (row) => {
        const weights: number[] = [];
        const wished = row.map((item) => {
          const here = items[item] as Item;
          const near = both ? [...here.above, ...here.below] : down ? here.above : here.below;
          const { pull, total } = pullOf(here, near, items, x);
          weights.push(total > 0 ? total : 0.1);
          return total > 0 ? pull / total : (x[item] as number);
        });
        return { wished, weights };
      });
    }
  }
}

function pullOf(
  here: Item,
  near: readonly number[],
  items: readonly Item[],
  x: Float64Array,
): { pull: number; total: number } {
  let total = 0;
  let pull = 0;
  for (const other of near) {
    const there = items[other] as Item;
    const strength = there.layer < here.layer ? weight(there, here) : weight(here, there);
    total += strength;
    pull += strength * (x[other] as number);
  }
  return { pull, total };
}

/** Boxes right under what they take from; each long edge on one line, out of their way. */
function straighten(
  items: readonly Item[],
  layers: readonly (readonly number[])[],
  distances: readonly (readonly number[])[],
  x: Float64Array,
): void {
  const lines = new Map<number, { at: number; pushed: number; count: number }>();
  items.forEach(({ trunk }, item) => {
    if (trunk < 0) return;
    const line = lines.get(trunk) ?? { at: 0, pushed: 0, count: 0 };
    line.at = (line.at * line.count + (x[item] as number)) / (line.count + 1);
    line.count += 1;
    lines.set(trunk, line);
  });
  for (let round = 0; round < STRAIGHTENINGS; round++) {
    layers.forEach((layer, l) => {
      place(layer, distances[l] ?? [], x, (row) => {
        const weights: number[] = [];
        const wished = row.map((item) => {
          const here = items[item] as Item;
          weights.push(here.trunk < 0 ? 1 : YIELDING);
          const line = lines.get(here.trunk);
          if (line !== undefined) return line.at;
          const boxes = here.above.filter((other) => items[other]?.trunk === -1);
          const { pull, total } = pullOf(here, boxes.length > 0 ? boxes : here.above, items, x);
          return total > 0 ? pull / total : (x[item] as number);
        });
        return { wished, weights };
      });
      for (const item of layer) {
        const line = lines.get(items[item]?.trunk ?? -1);
        if (line === undefined) continue;
        const pushed = (x[item] as number) - line.at;
        if (Math.abs(pushed) > Math.abs(line.pushed)) line.pushed = pushed;
      }
    });
    for (const line of lines.values()) {
      line.at += line.pushed;
      line.pushed = 0;
    }
  }
}
