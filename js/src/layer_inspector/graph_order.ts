/**
 * Which layer each node of a graph stands in, and in what order: the first half of the layout.
 *
 * Sugiyama's method: turn the edges of cycles round, put each node below all that it takes from
 * (longest path), lead long edges through a place in every layer between, and order each layer by
 * the mean place of its neighbours (barycentre) so that few edges cross.
 */

export interface Edge {
  from: number;
  to: number;
}

/** Numbers of the edges that close a cycle: they are drawn upwards. Self-loops are not among them. */
export function backEdges(count: number, edges: readonly Edge[]): Set<number> {
  const out: number[][] = Array.from({ length: count }, () => []);
  const entered = new Uint8Array(count);
  edges.forEach(({ from, to }, index) => {
    if (from === to) return;
    out[from]?.push(index);
    entered[to] = 1;
  });
  const back = new Set<number>();
  // 0 not seen, 1 on the way, 2 done. Without recursion: a chain may be thousands long.
  const state = new Uint8Array(count);
  const visit = (start: number) => {
    const stack: [number, number][] = [[start, 0]];
    state[start] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as [number, number];
      const index = out[top[0]]?.[top[1]++];
      if (index === undefined) {
        state[top[0]] = 2;
        stack.pop();
        continue;
      }
      const to = edges[index]?.to ?? 0;
      if (state[to] === 1) back.add(index);
      else if (state[to] === 0) {
        state[to] = 1;
        stack.push([to, 0]);
      }
    }
  };
  for (let node = 0; node < count; node++) if (!entered[node]) visit(node);
  for (let node = 0; node < count; node++) if (state[node] === 0) visit(node);
  return back;
}

/**
 * The layer of each node: one below the lowest that it takes from.
 *
 * What takes from nothing stands right above where it is used first, not at the top.
 *
 * @param edges without cycles
 */
export function longestPath(count: number, edges: readonly Edge[]): number[] {
  const out: number[][] = Array.from({ length: count }, () => []);
  const waiting = new Int32Array(count);
  for (const { from, to } of edges) {
    out[from]?.push(to);
    waiting[to] = (waiting[to] ?? 0) + 1;
  }
  const layer = new Array<number>(count).fill(0);
  const sources = [...waiting.keys()].filter((node) => waiting[node] === 0);
  const ready = [...sources];
  for (let next = 0; next < ready.length; next++) {
    const node = ready[next] as number;
    for (const to of out[node] ?? []) {
      layer[to] = Math.max(layer[to] as number, (layer[node] as number) + 1);
      waiting[to] = (waiting[to] ?? 0) - 1;
      if (waiting[to] === 0) ready.push(to);
    }
  }
  for (const node of sources) {
    const below = (out[node] ?? []).map((to) => layer[to] as number);
    if (below.length > 0) layer[node] = Math.min(...below) - 1;
  }
  return layer;
}

/** A node, or a place that a long edge passes through. */
export interface Item {
  layer: number;
  /** The node; -1 for a place on an edge. */
  node: number;
  /** Of a place: the node that its edge comes from, whose long edges share it; -1 for a node. */
  trunk: number;
  /** Items in the layer above and in the one below. */
  above: number[];
  below: number[];
}

export interface Layered {
  items: Item[];
  /** Item numbers of each layer, from left to right. */
  layers: number[][];
  /** For each edge the items that it passes, ends included; null if it is drawn straight across. */
  paths: (number[] | null)[];
}

/** So many places on long edges; beyond, the longest edges go straight. */
const MOST_PLACES = 20_000;

/**
 * Leads each edge from layer to layer. The long edges of one node share their way as far as they
 * go, as a trunk with branches: one thick skein less for every skip and every mask.
 */
export function layered(layer: readonly number[], edges: readonly Edge[]): Layered {
  const items: Item[] = layer.map((at, node) => ({
    layer: at,
    node,
    trunk: -1,
    above: [],
    below: [],
  }));
  const joined = new Set<string>();
  const join = (a: number, b: number) => {
    const key = `${a} ${b}`;
    if (joined.has(key)) return;
    joined.add(key);
    items[a]?.below.push(b);
    items[b]?.above.push(a);
  };
  const span = ({ from, to }: Edge) => (layer[to] as number) - (layer[from] as number);
  const trunks = new Map<number, number[]>();
  const paths: (number[] | null)[] = edges.map(() => null);
  const order = edges.map((_, index) => index);
  order.sort((a, b) => span(edges[a] as Edge) - span(edges[b] as Edge) || a - b);
  for (const index of order) {
    const { from, to } = edges[index] as Edge;
    const length = (layer[to] as number) - (layer[from] as number);
    if (length < 1) continue;
    const trunk = trunks.get(from) ?? [from];
    trunks.set(from, trunk);
    if (items.length + length - trunk.length > layer.length + MOST_PLACES) continue;
    while (trunk.length < length) {
      const place = items.length;
      const at = (layer[from] as number) + trunk.length;
      items.push({ layer: at, node: -1, trunk: from, above: [], below: [] });
      join(trunk[trunk.length - 1] as number, place);
      trunk.push(place);
    }
    join(trunk[length - 1] as number, to);
    paths[index] = [...trunk.slice(0, length), to];
  }
  const layers: number[][] = [];
  items.forEach((item, index) => {
    while (layers.length <= item.layer) layers.push([]);
    layers[item.layer]?.push(index);
  });
  return { items, layers, paths };
}

const ROUNDS = 12;

/** Orders each layer so that few edges cross; the best of some rounds is kept. */
export function orderLayers({ items, layers }: Layered): void {
  const place = new Float64Array(items.length);
  const note = (row: readonly number[]) => {
    row.forEach((item, index) => {
      place[item] = index;
    });
  };
  layers.forEach(note);
  let best = layers.map((row) => [...row]);
  let fewest = crossings(items, layers, place);
  for (let round = 0; round < ROUNDS && fewest > 0; round++) {
    const down = round % 2 === 0;
    for (let step = 1; step < layers.length; step++) {
      const row = layers[down ? step : layers.length - 1 - step] as number[];
      const mean = new Map<number, number>();
      for (const item of row) {
        const near = (down ? items[item]?.above : items[item]?.below) ?? [];
        const sum = near.reduce((total, other) => total + (place[other] as number), 0);
        mean.set(item, near.length > 0 ? sum / near.length : (place[item] as number));
      }
      row.sort(
        (a, b) =>
          (mean.get(a) as number) - (mean.get(b) as number) ||
          (place[a] as number) - (place[b] as number),
      );
      note(row);
    }
    const now = crossings(items, layers, place);
    if (now >= fewest) continue;
    fewest = now;
    best = layers.map((row) => [...row]);
  }
  best.forEach((row, index) => {
    layers[index] = row;
  });
}

/** How many pairs of edges between neighbouring layers cross (inversions, counted by a tree). */
export function crossings(
  items: readonly Item[],
  layers: readonly (readonly number[])[],
  place: ArrayLike<number>,
): number {
  let total = 0;
  for (let l = 0; l + 1 < layers.length; l++) {
    const width = layers[l + 1]?.length ?? 0;
    const tree = new Int32Array(width + 1);
    let seen = 0;
    for (const item of layers[l] ?? []) {
      const ends = (items[item]?.below ?? []).map((other) => place[other] as number);
      for (const end of ends) {
        let upTo = 0;
        for (let i = end + 1; i > 0; i -= i & -i) upTo += tree[i] as number;
        total += seen - upTo;
      }
      // Edges from the same item do not cross: they are counted in together.
      for (const end of ends) {
        for (let i = end + 1; i <= width; i += i & -i) tree[i] = (tree[i] as number) + 1;
        seen++;
      }
    }
  }
  return total;
}
