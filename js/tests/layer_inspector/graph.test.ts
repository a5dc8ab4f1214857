import { describe, expect, it, vi } from "vitest";
import { digits, residual, transformer, treeMeta } from "../../demo/networks";
import { pack } from "../../demo/pack";
import * as camera from "../../src/layer_inspector/graph_camera";
import { layoutGraph } from "../../src/layer_inspector/graph_layout";
import { neighbour } from "../../src/layer_inspector/graph_walk";
import { foundIn, namedGraph, sentenceOf } from "../../src/layer_inspector/graph_words";
import { readGraph, readTree } from "../../src/layer_inspector/state";
import { wordsFor } from "../../src/ui/i18n";
import { type JsonObject, unpack } from "../../src/wire";
import { randomFrom } from "../ui/chart_fixtures";
import { inspector, requests, settle } from "./inspector";

const view = { width: 400, height: 300 };

describe("the camera", () => {
  const graph = { width: 1000, height: 4000 };

  it("shows all of a small graph in the middle, and never enlarges it", () => {
    const small = { width: 100, height: 80 };
    expect(camera.fit(small, view)).toEqual({ x: -150, y: -110, scale: 1 });
    expect(camera.first(small, view)).toEqual({ x: -150, y: -110, scale: 1 });
  });

  it("begins a large graph at its top, at a scale at which it can be read", () => {
    const { scale, y } = camera.first(graph, view);
    expect(scale).toBe(camera.READABLE);
    expect(y).toBeLessThanOrEqual(0);
    expect(camera.fit(graph, view).scale).toBeCloseTo((300 - 2 * camera.MARGIN) / 4000);
  });

  it("keeps the point under the pointer while it zooms, wherever there is room to", () => {
    const random = randomFrom(5);
    for (let round = 0; round < 50; round++) {
      const from = { x: 300 + random() * 100, y: 1500 + random() * 500, scale: 1 };
      const at: [number, number] = [random() * 400, random() * 300];
      const to = camera.zoomed(from, 0.9 + random() * 0.5, at, graph, view);
      expect(to.x + at[0] / to.scale).toBeCloseTo(from.x + at[0] / from.scale, 6);
      expect(to.y + at[1] / to.scale).toBeCloseTo(from.y + at[1] / from.scale, 6);
    }
  });

  it("never loses the graph from sight, however it is moved", () => {
    const random = randomFrom(9);
    let at = camera.first(graph, view);
    for (let round = 0; round < 300; round++) {
      at =
        random() < 0.5
          ? camera.panned(at, (random() - 0.5) * 3000, (random() - 0.5) * 3000, graph, view)
          : camera.zoomed(at, 0.3 + random() * 2, [random() * 400, random() * 300], graph, view);
      expect(at.scale).toBeGreaterThanOrEqual(camera.LEAST_ZOOM);
      expect(at.scale).toBeLessThanOrEqual(camera.MOST_ZOOM);
      expect(at.x).toBeLessThan(graph.width);
      expect(at.y).toBeLessThan(graph.height);
      expect(at.x + view.width / at.scale).toBeGreaterThan(0);
      expect(at.y + view.height / at.scale).toBeGreaterThan(0);
    }
  });

  it("moves no more than it must to bring a box onto the screen", () => {
    const box = { x: 500, y: 2000, width: 80, height: 30, layer: 3 };
    const at = camera.brought({ x: 0, y: 0, scale: 1 }, box, graph, view);
    expect(at.x + view.width).toBeGreaterThanOrEqual(540);
    expect(at.y + view.height).toBeGreaterThanOrEqual(2015);
    expect(camera.brought(at, box, graph, view)).toEqual(at);
    expect(camera.boxAt(at, [box], 500 - at.x, 2000 - at.y)).toBe(0);
    expect(camera.boxAt(at, [box], 500 - at.x, 2040 - at.y)).toBe(-1);
  });
});

const graphOf = (network = digits()) => {
  const tree = readTree(unpack(pack(treeMeta(network, null, true))));
  const { nodes, edges } = network;
  return { tree, graph: namedGraph(readGraph(unpack(pack({ nodes, edges }))), tree) };
};

describe("words", () => {
  const words = wordsFor("en");

  it("call modules as the tree does, and say what a node is joined to", () => {
    const { graph } = graphOf();
    const place = graph.nodes.findIndex(({ layer }) => layer === 6);
    expect(graph.nodes[place]?.label).toBe("6 · ReLU");
    expect(sentenceOf(graph, place, words)).toBe(
      "6 · ReLU, module, 1×32×14×14, takes from 5 · BatchNorm2d, goes to 7 · MaxPool2d",
    );
    expect(sentenceOf(graph, 0, words)).toBe("input, input, 1×1×28×28, goes to 0 · Conv2d 1→16");
    expect(sentenceOf(graph, 99, words)).toBe("");
  });

  it("a search finds modules by their whole name, and operations by theirs", () => {
    const { tree, graph } = graphOf(transformer(2));
    const found = foundIn(graph, tree, "h.1 attn") ?? new Set();
    expect([...found].map((node) => graph.nodes[node]?.label)).toEqual([
      "c_attn · Linear",
      "c_proj · Linear",
      "resid_dropout · Dropout",
    ]);
    expect(foundIn(graph, tree, "scaled_dot")?.size).toBe(2);
    expect(foundIn(graph, tree, " ")).toBeNull();
  });
});

describe("arrow keys", () => {
  const { graph } = graphOf(residual());
  const sizes = graph.nodes.map(() => ({ width: 80, height: 30 }));
  const layout = layoutGraph(sizes, graph.edges);

  it("follow edges down and up, and stay at the ends", () => {
    expect(neighbour("ArrowDown", graph, layout, 0)).toBe(1);
    expect(neighbour("ArrowUp", graph, layout, 1)).toBe(0);
    expect(neighbour("ArrowUp", graph, layout, 0)).toBe(0);
    expect(neighbour("a", graph, layout, 0)).toBeNull();
  });

  it("go to the side within a layer, and back", () => {
    const beside = graph.nodes.findIndex(
      (_, node) => neighbour("ArrowRight", graph, layout, node) !== node,
    );
    const right = neighbour("ArrowRight", graph, layout, beside) as number;
    expect(layout.nodes[right]?.layer).toBe(layout.nodes[beside]?.layer);
    expect(neighbour("ArrowLeft", graph, layout, right)).toBe(beside);
  });

  it("Home and End lead to the first and the last layer", () => {
    const layers = layout.nodes.map(({ layer }) => layer);
    const home = neighbour("Home", graph, layout, 9) as number;
    const end = neighbour("End", graph, layout, 9) as number;
    expect(layers[home]).toBe(0);
    expect(layers[end]).toBe(Math.max(...layers));
  });
});

describe("the graph on the page", () => {
  it("is a list for the keyboard: arrows follow the flow, Enter chooses", async () => {
    const { model, named, find, press, text } = inspector({ selected: "0" });
    named("Graph").click();
    await settle();
    expect(find(".nnw-tree-part").hidden).toBe(true);
    const list = find('[role="listbox"]');
    const active = () =>
      document.getElementById(list.getAttribute("aria-activedescendant") ?? "")?.textContent;
    vi.spyOn(list, "matches").mockReturnValue(true); // :focus-visible, which happy-dom lacks
    list.focus();
    list.dispatchEvent(new Event("focus"));
    expect(active()).toMatch(/^0 · Conv2d 1→16, module/);
    for (const key of ["ArrowDown", "ArrowDown"]) press(key, list);
    expect(active()).toMatch(/^2 · ReLU, module, 1×16×28×28, takes from 1/);
    press("Enter", list);
    await settle();
    expect(requests(model)).toEqual([["select", { layer: "2" }]]);
    expect(text(".nnw-layer-heading")).toBe("2 · ReLU");
    const chosen = list.querySelectorAll('[aria-selected="true"]');
    expect([...chosen].map((option) => option.textContent)).toEqual([active()]);
  });

  it("a click on a box chooses its module, a click beside chooses nothing", async () => {
    const { model, named, find } = inspector({ selected: "0" });
    named("Graph").click();
    await settle();
    const list = find('[role="listbox"]');
    const click = (clientX: number, clientY: number) => {
      for (const kind of ["pointerdown", "pointerup"]) {
        list.dispatchEvent(new PointerEvent(kind, { clientX, clientY, bubbles: true }));
      }
    };
    click(3, 75);
    await settle();
    expect(requests(model)).toEqual([]);
    // All boxes stand under one another in the middle; the chosen one is on the screen.
    for (let y = 5; y < 150; y += 10) click(240, y);
    await settle();
    const asked = requests(model) as [string, { layer: string }][];
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.every(([action]) => action === "select")).toBe(true);
  });

  it("says that there is none before a sample has gone through", async () => {
    const { named, shown, text } = inspector({ blind: true });
    named("Graph").click();
    await settle();
    expect(shown(".nnw-graph-stage")).toBe(false);
    expect(text(".nnw-graph .nnw-tree-nothing")).toMatch(/once a sample/);
  });

  it("keeps a note of what it leaves out", async () => {
    const { model, named, text } = inspector();
    const { meta } = model.get("_graph") as { meta: JsonObject };
    model.set("_graph", pack({ ...meta, seq: 999, note: "Only whole blocks are drawn." }));
    named("Graph").click();
    await settle();
    expect(text(".nnw-graph .nnw-tree-note")).toBe("Only whole blocks are drawn.");
  });
});
