import { describe, expect, it } from "vitest";
import { GAP_X, spread } from "../../src/layer_inspector/graph_across";
import {
  type Layout,
  layoutGraph,
  type Placed,
  type Point,
  type Size,
} from "../../src/layer_inspector/graph_layout";
import {
  backEdges,
  crossings,
  type Edge,
  layered,
  longestPath,
  orderLayers,
} from "../../src/layer_inspector/graph_order";
import { randomFrom } from "../ui/chart_fixtures";

/** A graph whose edges go from lower to higher numbers, so that it has no cycle. */
function randomDag(seed: number): { sizes: Size[]; edges: Edge[] } {
  const random = randomFrom(seed);
  const count = 1 + Math.floor(random() * 40);
  const sizes = Array.from({ length: count }, () => ({
    width: 20 + random() * 140,
    height: random() < 0.5 ? 22 : 36,
  }));
  const edges: Edge[] = [];
  const many = random() * 2.2;
  for (let k = 0; k < count * many; k++) {
    const from = Math.floor(random() * count);
    // Mostly near, as in a network, and now and then far.
    const reach = random() < 0.75 ? 4 : count;
    const to = from + 1 + Math.floor(random() * reach);
    if (to < count) edges.push({ from, to });
  }
  return { sizes, edges };
}

const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1);

const overlap = (a: Placed, b: Placed): boolean =>
  Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-6 &&
  Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-6;

/** Does the straight line from p to q pass the inside of the box? Looked at in small steps. */
function passes(box: Placed, p: Point, q: Point): boolean {
  for (let k = 0; k <= 100; k++) {
    const x = p.x + ((q.x - p.x) * k) / 100;
    const y = p.y + ((q.y - p.y) * k) / 100;
    const inside =
      Math.abs(x - box.x) < box.width / 2 - 0.5 && Math.abs(y - box.y) < box.height / 2 - 0.5;
    if (inside) return true;
  }
  return false;
}

describe("a graph without cycles", () => {
  it.each(seeds)("has no overlapping boxes, all within the picture (seed %i)", (seed) => {
    const { sizes, edges } = randomDag(seed);
    const { nodes, width, height } = layoutGraph(sizes, edges);
    expect(nodes).toHaveLength(sizes.length);
    nodes.forEach((node, i) => {
      expect(node.x - node.width / 2).toBeGreaterThanOrEqual(-1e-6);
      expect(node.x + node.width / 2).toBeLessThanOrEqual(width + 1e-6);
      expect(node.y - node.height / 2).toBeGreaterThanOrEqual(-1e-6);
      expect(node.y + node.height / 2).toBeLessThanOrEqual(height + 1e-6);
      for (const other of nodes.slice(i + 1)) expect(overlap(node, other)).toBe(false);
    });
  });

  it.each(seeds)("has edges that go down, end to end, past all other boxes (seed %i)", (seed) => {
    const { sizes, edges } = randomDag(seed);
    const { nodes, routes } = layoutGraph(sizes, edges);
    expect(routes.map(({ edge }) => edge)).toEqual(edges.map((_, index) => index));
    for (const { edge, points, back } of routes) {
      const { from, to } = edges[edge] as Edge;
      const [start, end] = [nodes[from] as Placed, nodes[to] as Placed];
      expect(back).toBe(false);
      expect(end.layer).toBeGreaterThan(start.layer);
      expect(points[0]).toEqual({ x: start.x, y: start.y + start.height / 2 });
      expect(points.at(-1)).toEqual({ x: end.x, y: end.y - end.height / 2 });
      for (let k = 1; k < points.length; k++) {
        const [p, q] = [points[k - 1] as Point, points[k] as Point];
        expect(q.y).toBeGreaterThanOrEqual(p.y);
        // Straight within bands; where it bends, both ends of the bend lie outside every band.
        if (k % 2 === 1) expect(q.x).toBe(p.x);
        nodes.forEach((box, node) => {
          if (node !== from && node !== to) expect(passes(box, p, q)).toBe(false);
        });
      }
    }
  });
});

describe("a chain", () => {
  it("stands straight, each box under the one before", () => {
    const sizes = Array.from({ length: 12 }, (_, i) => ({ width: 40 + 10 * (i % 5), height: 30 }));
    const edges = sizes.slice(1).map((_, i) => ({ from: i, to: i + 1 }));
    const { nodes } = layoutGraph(sizes, edges);
    for (const node of nodes) expect(node.x).toBeCloseTo((nodes[0] as Placed).x, 6);
    expect(nodes.map(({ layer }) => layer)).toEqual([...sizes.keys()]);
  });

  it("keeps standing when a skip goes round it", () => {
    const sizes = Array.from({ length: 6 }, () => ({ width: 80, height: 30 }));
    const edges = [...sizes.slice(1).map((_, i) => ({ from: i, to: i + 1 })), { from: 0, to: 5 }];
    const { nodes, routes } = layoutGraph(sizes, edges);
    const skip = routes.find(({ edge }) => edge === 5)?.points ?? [];
    const middle = nodes[2] as Placed;
    const lane = skip.find(({ y }) => y > middle.y - 15 && y <= middle.y + 15) as Point;
    expect(Math.abs(lane.x - middle.x)).toBeGreaterThanOrEqual(40 + 5);
    expect(nodes.every(({ x }) => Math.abs(x - middle.x) < 1)).toBe(true);
  });

  it("of residual blocks stays straight, and so do the skips beside it", () => {
    const sizes: Size[] = [];
    const edges: Edge[] = [];
    for (let block = 0; block < 20; block++) {
      const first = sizes.length;
      for (let i = 0; i < 4; i++)
        sizes.push({ width: 60 + ((17 * sizes.length) % 70), height: 30 });
      for (let i = 1; i < 4; i++) edges.push({ from: first + i - 1, to: first + i });
      edges.push({ from: first, to: first + 3 });
      if (block > 0) edges.push({ from: first - 1, to: first });
    }
    const { nodes, routes } = layoutGraph(sizes, edges);
    const [{ x: middle }] = nodes as [Placed];
    for (const { x } of nodes) expect(Math.abs(x - middle)).toBeLessThan(1);
    for (const { points } of routes.filter(({ points }) => points.length > 4)) {
      const lane = points.slice(2, -2).map(({ x }) => x);
      expect(Math.max(...lane) - Math.min(...lane)).toBeLessThan(1);
    }
  });

  it("of thousands of modules is laid out, with a mask that all of them use", () => {
    const count = 2000;
    const sizes = Array.from({ length: count + 1 }, () => ({ width: 80, height: 30 }));
    const edges: Edge[] = [];
    for (let i = 1; i < count; i++) edges.push({ from: i - 1, to: i }, { from: count, to: i });
    const { nodes, routes } = layoutGraph(sizes, edges);
    expect(nodes[count - 1]?.layer).toBe(count - 1);
    expect(routes).toHaveLength(edges.length);
    // The edges of the mask share one way down: the picture is not thousands of lanes wide.
    expect(Math.max(...nodes.map(({ x }) => x))).toBeLessThan(400);
  });
});

describe("cycles", () => {
  it("are cut where they come back, and drawn upwards there", () => {
    // conv1 → relu → conv2 → relu: one node for the relu that runs twice.
    const sizes = Array.from({ length: 3 }, () => ({ width: 60, height: 30 }));
    const edges = [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 1 },
      { from: 1, to: 1 },
    ];
    const { nodes, routes } = layoutGraph(sizes, edges);
    expect(nodes.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    expect(routes.map(({ edge, back }) => [edge, back])).toEqual([
      [0, false],
      [1, false],
      [2, true],
    ]);
    const up = routes[2]?.points ?? [];
    expect((up[0] as Point).y).toBeGreaterThan((up.at(-1) as Point).y);
  });

  it.each(seeds.slice(0, 20))("leave a graph without cycles once turned (seed %i)", (seed) => {
    const random = randomFrom(seed);
    const count = 2 + Math.floor(random() * 20);
    const edges = Array.from({ length: 2 * count }, () => ({
      from: Math.floor(random() * count),
      to: Math.floor(random() * count),
    }));
    const back = backEdges(count, edges);
    const kept = edges
      .filter(({ from, to }) => from !== to)
      .map((edge) => (back.has(edges.indexOf(edge)) ? { from: edge.to, to: edge.from } : edge));
    const layers = longestPath(count, kept);
    for (const { from, to } of kept) {
      expect(layers[to] as number).toBeGreaterThan(layers[from] as number);
    }
    expect(() =>
      layoutGraph(
        edges.slice(0, count).map(() => ({ width: 9, height: 9 })),
        edges,
      ),
    ).not.toThrow();
  });
});

describe("the parts", () => {
  it("longest path puts what takes from nothing right above its first use", () => {
    const edges = [
      { from: 0, to: 1 },
      { from: 1, to: 2 },
      { from: 2, to: 3 },
      { from: 4, to: 3 },
    ];
    expect(longestPath(5, edges)).toEqual([0, 1, 2, 3, 2]);
  });

  it("counts crossings as the slow way does", () => {
    for (const seed of seeds.slice(0, 20)) {
      const { sizes, edges } = randomDag(seed);
      const { items, layers } = layered(longestPath(sizes.length, edges), edges);
      const place = new Float64Array(items.length);
      for (const row of layers)
        row.forEach((item, index) => {
          place[item] = index;
        });
      const pairs = items.flatMap((item, a) => item.below.map((b) => [a, b] as const));
      let slow = 0;
      pairs.forEach(([a, b], i) => {
        for (const [c, d] of pairs.slice(i + 1)) {
          if (items[a]?.layer !== items[c]?.layer) continue;
          const sides =
            ((place[a] as number) - (place[c] as number)) *
            ((place[b] as number) - (place[d] as number));
          if (sides < 0) slow++;
        }
      });
      expect(crossings(items, layers, place)).toBe(slow);
    }
  });

  it("ordering undoes crossings that need not be", () => {
    // Two chains side by side, their second halves given the wrong way round.
    const graph = layered(
      [0, 0, 1, 1],
      [
        { from: 0, to: 3 },
        { from: 1, to: 2 },
      ],
    );
    orderLayers(graph);
    const place = new Float64Array(4);
    for (const row of graph.layers)
      row.forEach((item, index) => {
        place[item] = index;
      });
    expect(crossings(graph.items, graph.layers, place)).toBe(0);
  });

  it("spread finds the nearest positions: compared with small changes of all of them", () => {
    const random = randomFrom(3);
    for (let round = 0; round < 40; round++) {
      const count = 1 + Math.floor(random() * 8);
      const wished = Array.from({ length: count }, () => random() * 100);
      const weights = wished.map(() => 0.2 + random());
      const apart = wished.map(() => random() * 30);
      const found = spread(wished, weights, apart);
      const cost = (x: number[]) =>
        x.reduce(
          (sum, value, i) => sum + (weights[i] as number) * (value - (wished[i] as number)) ** 2,
          0,
        );
      const allowed = (x: number[]) =>
        x.every(
          (value, i) => i === 0 || value - (x[i - 1] as number) >= (apart[i] as number) - 1e-9,
        );
      expect(allowed(found)).toBe(true);
      for (let trial = 0; trial < 60; trial++) {
        const other = found.map((value) => value + (random() - 0.5) * 4);
        if (allowed(other)) expect(cost(other)).toBeGreaterThanOrEqual(cost(found) - 1e-9);
      }
    }
  });

  it("an empty graph is empty, and a lone node stands alone", () => {
    expect(layoutGraph([], [])).toEqual({ nodes: [], routes: [], width: 0, height: 0 });
    const { nodes, width } = layoutGraph([{ width: 30, height: 10 }], [{ from: 0, to: 0 }]);
    expect([nodes[0]?.x, width]).toEqual([15, 30]);
  });

  it("boxes of one layer keep their distance", () => {
    const sizes = [30, 50, 70].map((width) => ({ width, height: 20 }));
    const layout: Layout = layoutGraph(sizes, []);
    const byX = [...layout.nodes].sort((a, b) => a.x - b.x);
    for (let i = 1; i < byX.length; i++) {
      const [a, b] = [byX[i - 1] as Placed, byX[i] as Placed];
      expect(b.x - b.width / 2 - (a.x + a.width / 2)).toBeGreaterThanOrEqual(GAP_X - 1e-6);
    }
  });
});
