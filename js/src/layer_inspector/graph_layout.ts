/**
 * Where the nodes of a graph stand and which way its edges take: layers from top to bottom.
 *
 * No two boxes overlap, edges go downwards (those that close a cycle upwards) and pass no box but
 * the two they join. `graph_order.ts` says which layer and which order, `graph_across.ts` how far to
 * the side.
 */

import { across } from "./graph_across";
import { backEdges, type Edge, layered, longestPath, orderLayers } from "./graph_order";

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

/** Room between layers. */
export const GAP_Y = 26;
/** Room that an edge takes on its way past boxes. */
const LANE = 10;

/**
 * Lays a graph out.
 *
 * @param sizes of the nodes
 * @param edges between nodes, by number; self-loops get no route, an edge twice gets the same
 * @param room that is wanted above each layer, given the layer of each node
 */
export function layoutGraph(
  sizes: readonly Size[],
  edges: readonly Edge[],
  room: (layers: readonly number[]) => readonly number[] = () => [],
): Layout {
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
  const above = room(layer);
  for (const [at, row] of layers.entries()) {
    y += above[at] ?? 0;
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
