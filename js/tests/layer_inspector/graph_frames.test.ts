import { describe, expect, it } from "vitest";
import { digits, type Network, residual, transformer, treeMeta } from "../../demo/networks";
import { pack } from "../../demo/pack";
import {
  type Frame,
  framesOf,
  groupsOf,
  HEAD,
  headRoom,
} from "../../src/layer_inspector/graph_frames";
import { layoutGraph, type Placed, type Size } from "../../src/layer_inspector/graph_layout";
import { namedFrames } from "../../src/layer_inspector/graph_words";
import { type Graph, type ModuleRow, readGraph, readTree } from "../../src/layer_inspector/state";
import { type JsonObject, unpack } from "../../src/wire";
import { randomFrom } from "../ui/chart_fixtures";

function framed(graph: Graph, rows: readonly ModuleRow[], sizes?: Size[]) {
  const groups = groupsOf(graph, rows);
  const boxes = sizes ?? graph.nodes.map(() => ({ width: 90, height: 38 }));
  const layout = layoutGraph(boxes, graph.edges, (layers) => headRoom(groups, layers));
  return { groups, layout, frames: framesOf(groups, layout) };
}

function read(network: Network) {
  const { nodes, edges } = network;
  const tree = readTree(unpack(pack(treeMeta(network, null, true) as JsonObject)));
  const graph = readGraph(unpack(pack({ nodes, edges })));
  return { tree, graph, ...framed(graph, tree.rows) };
}

/** Rows of a chain of blocks, each with so many layers in a part of its own, and their graph. */
function chain(blocks: number, layers: number): { graph: Graph; rows: ModuleRow[] } {
  const rows: ModuleRow[] = [];
  const graph: Graph = { nodes: [], edges: [], note: "" };
  const add = (short: string, type: string, parent: number): number => {
    const row = { short, type, parent } as ModuleRow;
    rows.push(row);
    return rows.length - 1;
  };
  const run = (layer: number, parent: number) => {
    const node = graph.nodes.length;
    const box = { id: String(node), kind: "module", label: "", times: 1, shape: "" } as const;
    graph.nodes.push({ ...box, layer, parent });
    if (node > 0) graph.edges.push({ from: node - 1, to: node, label: "" });
  };
  const list = add("h", "ModuleList", -1);
  for (let block = 0; block < blocks; block++) {
    const outer = add(String(block), "Block", list);
    const inner = add("mlp", "MLP", outer);
    for (let layer = 0; layer < layers; layer++) run(add(String(layer), "Linear", inner), inner);
    run(add("norm", "LayerNorm", outer), outer);
  }
  return { graph, rows };
}

const within = (frame: Frame, box: Placed): boolean =>
  box.x - box.width / 2 >= frame.left &&
  box.x + box.width / 2 <= frame.right &&
  box.y - box.height / 2 >= frame.top + HEAD &&
  box.y + box.height / 2 <= frame.bottom;
const apart = (frame: Frame, box: Placed): boolean =>
  box.x - box.width / 2 >= frame.right ||
  box.x + box.width / 2 <= frame.left ||
  box.y - box.height / 2 >= frame.bottom ||
  box.y + box.height / 2 <= frame.top;

describe("frames", () => {
  it("stand round each block and the part inside it, names in the room above", () => {
    const { graph, rows } = chain(3, 2);
    const { frames, layout, groups } = framed(graph, rows);
    expect(groups).toHaveLength(6);
    // Those that stand round others before them: they are painted first.
    expect(frames.map(({ row }) => rows[row]?.type)).toEqual([
      "Block",
      "MLP",
      "Block",
      "MLP",
      "Block",
      "MLP",
    ]);
    const [block, mlp] = frames as [Frame, Frame];
    expect(layout.nodes.map((box) => within(block, box)).indexOf(false)).toBe(3);
    expect(mlp.top - block.top).toBe(HEAD);
    expect(block.left).toBeLessThan(mlp.left);
    for (const [index, frame] of frames.entries()) {
      const later = frames[index + 2];
      if (later !== undefined) expect(later.top).toBeGreaterThan(frame.bottom);
    }
  });

  it("are left out where they would say nothing", () => {
    // A list is never called; a part that is all of its block is framed once.
    const { graph, rows } = chain(1, 3);
    graph.nodes.pop();
    graph.edges.pop();
    expect(framed(graph, rows).frames.map(({ row }) => rows[row]?.type)).toEqual(["MLP"]);
    expect(framed(chain(1, 1).graph, chain(1, 1).rows).frames).toHaveLength(1); // one box is no part
    expect(read(digits()).frames).toEqual([]);
  });

  it("hold their own boxes and no others, whatever the graph", () => {
    const random = randomFrom(7);
    let drawn = 0;
    for (let trial = 0; trial < 60; trial++) {
      const { graph, rows } = chain(1 + Math.floor(random() * 4), 1 + Math.floor(random() * 4));
      const count = graph.nodes.length;
      for (let extra = random() * 6; extra > 0; extra--) {
        const from = Math.floor(random() * count);
        const to = Math.floor(random() * count);
        if (from < to) graph.edges.push({ from, to, label: "" });
      }
      // Some have another place in the flow than in the tree.
      if (random() < 0.5) graph.edges.splice(Math.floor(random() * graph.edges.length), 1);
      const sizes = graph.nodes.map(() => ({ width: 30 + random() * 120, height: 24 }));
      const { frames, groups, layout } = framed(graph, rows, sizes);
      drawn += frames.length;
      for (const frame of frames) {
        const own = groups.find(({ row }) => row === frame.row)?.nodes ?? [];
        layout.nodes.forEach((box, node) => {
          expect(own.includes(node) ? within(frame, box) : apart(frame, box)).toBe(true);
        });
      }
    }
    expect(drawn).toBeGreaterThan(60);
  });

  it("are named as in the tree", () => {
    const { frames, tree } = read(transformer(2));
    const named = namedFrames(frames, tree);
    expect(named.map(({ label }) => label)).toContain("mlp · MLP");
    expect(named.find(({ label }) => label === "mlp · MLP")?.name).toBe("mlp");
  });

  it("are many in a residual network, and none of a list of modules", () => {
    const { frames, tree } = read(residual());
    expect(frames.length).toBeGreaterThan(1);
    for (const { row } of frames) expect(tree.rows[row]?.container).toBe(true);
  });
});
