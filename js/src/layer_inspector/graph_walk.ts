/** Where an arrow key leads in the graph: along an edge, or to a box at the side. Pure. */

import type { Layout } from "./graph_layout";
import type { Graph } from "./state";

/**
 * @param from place of the node that has the focus
 * @returns place of the next, or null for a key that leads nowhere
 */
export function neighbour(key: string, graph: Graph, layout: Layout, from: number): number | null {
  const here = layout.nodes[from];
  if (here === undefined) return null;
  const nearest = (places: readonly number[]): number | null => {
    let best: number | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const place of places) {
      const there = layout.nodes[place];
      if (there === undefined) continue;
      const distance = Math.hypot(there.x - here.x, there.y - here.y);
      if (distance < least) [best, least] = [place, distance];
    }
    return best;
  };
  const joined = (below: boolean): number[] =>
    graph.edges.flatMap((edge) => {
      const other = edge.from === from ? edge.to : edge.to === from ? edge.from : -1;
      const layer = layout.nodes[other]?.layer ?? here.layer;
      return (below ? layer > here.layer : layer < here.layer) ? [other] : [];
    });
  const beside = (side: 1 | -1): number[] =>
    layout.nodes.flatMap(({ layer, x }, place) =>
      layer === here.layer && side * (x - here.x) > 0 ? [place] : [],
    );
  switch (key) {
    case "ArrowDown":
      return nearest(joined(true)) ?? from;
    case "ArrowUp":
      return nearest(joined(false)) ?? from;
    case "ArrowRight":
      return nearest(beside(1)) ?? from;
    case "ArrowLeft":
      return nearest(beside(-1)) ?? from;
    case "Home":
      return extreme(layout, -1);
    case "End":
      return extreme(layout, 1);
    default:
      return null;
  }
}

/** The topmost (-1) or the lowest (1) node. */
function extreme(layout: Layout, side: 1 | -1): number | null {
  let best: number | null = null;
  layout.nodes.forEach(({ layer }, place) => {
    const known = best === null ? null : (layout.nodes[best]?.layer ?? 0);
    if (known === null || side * layer > side * known) best = place;
  });
  return best;
}
