/**
 * Where the nodes of a graph stand and which way its edges take: layers from top to bottom.
 *
 * No two boxes overlap, edges go downwards (those that close a cycle upwards) and pass no box but
 * the two they join. `graph_order.ts` says which layer and which order; here are the coordinates.
 */

import { backEdges, type Edge, type Item, layered, longestPath, orderLayers } from "./graph_order";

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** Centre of a box. */
export interface Placed extends Point, Size {
  layer: number;
}

export interface Route {
  /** The edge's number. */
  edge: number;
  /** From the edge's `from` to its `to`, in pairs: straight from even to odd, curved between. */
  points: Point[];
  /** Closes a cycle: goes upwards. */
  back: boolean;
}

export interface Layout {
  nodes: Placed[];
  routes: Route[];
  width: number;
  height: number;
}

/** Room between boxes of one layer, and between layers. */
export const GAP_X = 22;
export const GAP_Y = 26;
/** Room that an edge takes on its way past boxes. */
const LANE = 10;
const SWEEPS = 28;

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

/** Positions across: each layer in turn moves towards its neighbours, down, up, and both. */
function across(
  items: readonly Item[],
  layers: readonly number[][],
  widths: readonly number[],
): Float64Array {
  const x = new Float64Array(items.length);
  const apart = (row: readonly number[]) =>
    row.map((item, i) => {
      if (i === 0) return 0;
      const before = row[i - 1] as number;
      const gap = items[item]?.node === -1 && items[before]?.node === -1 ? 2 : GAP_X;
      return ((widths[item] as number) + (widths[before] as number)) / 2 + gap;
    });
  const distances = layers.map(apart);
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
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const both = sweep >= SWEEPS / 2;
    const down = sweep % 2 === 0;
    for (let step = 0; step < layers.length; step++) {
      const l = down ? step : layers.length - 1 - step;
      const row = layers[l] as number[];
      const weights: number[] = [];
      const wished = row.map((item) => {
        const here = items[item] as Item;
        const near = both ? [...here.above, ...here.below] : down ? here.above : here.below;
        let total = 0;
        let pull = 0;
        for (const other of near) {
          const there = items[other] as Item;
          const strength = there.layer < here.layer ? weight(there, here) : weight(here, there);
          total += strength;
          pull += strength * (x[other] as number);
        }
        weights.push(total > 0 ? total : 0.1);
        return total > 0 ? pull / total : (x[item] as number);
      });
      const moved = spread(wished, weights, distances[l] ?? []);
      row.forEach((item, i) => {
        x[item] = moved[i] as number;
      });
    }
  }
  return x;
}

/**
 * Lays a graph out.
 *
 * @param sizes of the nodes
 * @param edges between nodes, by number; self-loops get no route, an edge twice gets the same
 */
export function layoutGraph(sizes: readonly Size[], edges: readonly Edge[]): Layout {
  const back = backEdges(sizes.length, edges);
  const numbers = edges.flatMap(({ from, to }, index) => (from === to ? [] : [index]));
  const downward = numbers.map((index) => {
    const { from, to } = edges[index] as Edge;
    return back.has(index) ? { from: to, to: from } : { from, to };
  });
  const layer = longestPath(sizes.length, downward);
  const graph = layered(layer, downward);
  orderLayers(graph);
  const { items, layers, paths } = graph;
  const widths = items.map(({ node }) => (node < 0 ? LANE : (sizes[node]?.width ?? 0)));
  const x = across(items, layers, widths);

  let left = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  items.forEach((_, item) => {
    left = Math.min(left, (x[item] as number) - (widths[item] as number) / 2);
    right = Math.max(right, (x[item] as number) + (widths[item] as number) / 2);
  });
  if (!Number.isFinite(left)) return { nodes: [], routes: [], width: 0, height: 0 };

  // A layer is a band as high as its highest box; edges bend only in the gaps between bands.
  const tops: number[] = [];
  const bottoms: number[] = [];
  let y = 0;
  for (const row of layers) {
    tops.push(y);
    y += Math.max(0, ...row.map((item) => sizes[items[item]?.node ?? -1]?.height ?? 0));
    bottoms.push(y);
    y += GAP_Y;
  }
  const centre = (item: number) => (x[item] as number) - left;
  const nodes = sizes.map((size, node): Placed => {
    const at = layer[node] as number;
    const middle = ((tops[at] as number) + (bottoms[at] as number)) / 2;
    return { ...size, layer: at, x: centre(node), y: middle };
  });
  const routes = numbers.map((edge, k): Route => {
    const { from, to } = downward[k] as Edge;
    const points = (paths[k] ?? [from, to]).flatMap((item): Point[] => {
      const at = items[item]?.layer ?? 0;
      const here = centre(item);
      const band = { top: tops[at] as number, bottom: bottoms[at] as number };
      const box = nodes[items[item]?.node ?? -1];
      if (item === from) {
        return [
          { x: here, y: box === undefined ? band.top : box.y + box.height / 2 },
          { x: here, y: band.bottom },
        ];
      }
      const end = item === to && box !== undefined ? box.y - box.height / 2 : band.bottom;
      return [
        { x: here, y: band.top },
        { x: here, y: end },
      ];
    });
    const isBack = back.has(edge);
    return { edge, points: isBack ? points.reverse() : points, back: isBack };
  });
  return { nodes, routes, width: right - left, height: Math.max(0, y - GAP_Y) };
}
