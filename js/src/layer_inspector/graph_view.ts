/**
 * The data flow as it was executed: a canvas to pan and zoom, and the same as a list for the
 * keyboard and for those who do not see it.
 */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import type { Words } from "../ui/i18n";
import * as camera from "./graph_camera";
import { type Look, lookOf, paintGraph, type Scene, sizeOf } from "./graph_draw";
import { framesOf, type Group, groupsOf, headRoom } from "./graph_frames";
import { type Layout, layoutGraph, type Size } from "./graph_layout";
import { neighbour } from "./graph_walk";
import { foundIn, namedFrames, namedGraph, sentenceOf, severitiesOf } from "./graph_words";
import type { Graph, Rows, Tree } from "./state";

export interface GraphInput {
  graph: Graph | null;
  tree: Tree;
  rows: Rows | null;
  selected: string;
  search: string;
}

export interface GraphView {
  element: HTMLElement;
  draw(input: GraphInput): void;
  focus(): void;
  repaint(): void;
}

/** Pixels that a pointer may move in a click. */
const STILL = 4;

export function graphView(
  words: Words,
  signal: AbortSignal,
  choose: (name: string) => void,
): GraphView {
  const canvas = h("canvas", { class: "nnw-graph-canvas", "aria-hidden": "true" });
  const options = h("div", { class: "nnw-spoken", role: "none" });
  const list = h(
    "div",
    {
      class: "nnw-graph-list",
      role: "listbox",
      tabindex: 0,
      "aria-label": words("ui.inspector.graph"),
      "aria-description": words("ui.inspector.graph.keys"),
    },
    options,
  );
  const note = h("p", { class: "nnw-tree-note nnw-muted", hidden: true });
  const empty = h("p", { class: "nnw-tree-nothing nnw-muted" }, words("ui.inspector.graph.none"));
  const id = uniqueId("nnw-graph");

  let input: GraphInput | null = null;
  let scene: Scene | null = null;
  let look: Look | null = null;
  let at: camera.Camera | null = null;
  let seen: Size = { width: 0, height: 0 };
  let frame = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(frame), { once: true });

  const tool = (label: string, icon: "plus" | "minus" | "whole", onClick: () => void) => {
    const made = button({ label, icon, title: label, signal, onClick });
    made.element.classList.add("nnw-icon-only");
    return made.element;
  };
  const tools = h(
    "div",
    { class: "nnw-graph-tools" },
    tool(words("ui.inspector.zoom_in"), "plus", () => zoomBy(1.3)),
    tool(words("ui.inspector.zoom_out"), "minus", () => zoomBy(1 / 1.3)),
    tool(words("ui.inspector.zoom_whole"), "whole", () => fitAll()),
  );
  const stage = h("div", { class: "nnw-graph-stage" }, canvas, list, tools);
  const element = h("div", { class: "nnw-graph" }, stage, empty, note);

  const layout = (): Layout | null => scene?.layout ?? null;
  const middle = (): [number, number] => [seen.width / 2, seen.height / 2];

  // --- painting ----------------------------------------------------------------------------

  const paint = () => {
    frame = 0;
    const { clientWidth: width, clientHeight: height } = stage;
    if (scene === null || width === 0 || height === 0) return;
    const ratio = globalThis.devicePixelRatio || 1;
    const resized = width !== seen.width || height !== seen.height;
    seen = { width, height };
    const pixels = [Math.round(width * ratio), Math.round(height * ratio)] as const;
    if (canvas.width !== pixels[0]) canvas.width = pixels[0];
    if (canvas.height !== pixels[1]) canvas.height = pixels[1];
    if (at === null) {
      at = camera.first(scene.layout, seen);
      bring(scene.selected);
    } else if (resized) at = camera.kept(at, scene.layout, seen);
    const ctx = canvas.getContext("2d");
    if (ctx === null) return;
    look ??= lookOf(stage);
    paintGraph(ctx, scene, at, seen, look, ratio);
  };
  const soon = () => {
    if (frame === 0 && !signal.aborted) frame = requestAnimationFrame(paint);
  };
  const move = (change: (from: camera.Camera, graph: Size) => camera.Camera) => {
    const graph = layout();
    if (at === null || graph === null) return;
    at = change(at, graph);
    soon();
  };
  const zoomBy = (factor: number, [px, py] = middle()) =>
    move((from, graph) => camera.zoomed(from, factor, [px, py], graph, seen));
  const fitAll = () => move((_, graph) => camera.fit(graph, seen));
  const bring = (node: number) => {
    const box = layout()?.nodes[node];
    if (box !== undefined) move((from, graph) => camera.brought(from, box, graph, seen));
  };

  // --- the list ----------------------------------------------------------------------------

  const fill = (graph: Graph | null) => {
    const count = graph?.nodes.length ?? 0;
    options.replaceChildren(
      ...(graph?.nodes ?? []).map(({ label }, node) => {
        const place = { "aria-posinset": node + 1, "aria-setsize": count };
        return h("div", { role: "option", id: `${id}-${node}`, ...place }, label);
      }),
    );
  };
  const say = (node: number) => {
    const option = options.children[node];
    if (option === undefined || scene === null) return;
    setText(option, sentenceOf(scene.graph, node, words));
    setAttribute(list, "aria-activedescendant", option.id);
  };
  const focusOn = (node: number) => {
    if (scene === null || scene.graph.nodes[node] === undefined) return;
    scene.focused = node;
    say(node);
    bring(node);
    soon();
  };
  const chooseNode = (node: number) => {
    const layer = scene?.graph.nodes[node]?.layer ?? -1;
    const name = input?.tree.rows[layer]?.name;
    if (name !== undefined) choose(name);
  };

  // --- pointer and keys --------------------------------------------------------------------

  let grabbed: { x: number; y: number; moved: boolean } | null = null;
  const place = (event: MouseEvent): [number, number] => {
    const box = list.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const under = (event: MouseEvent): number =>
    at === null ? -1 : camera.boxAt(at, layout()?.nodes ?? [], ...place(event));

  list.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0) return;
      grabbed = { x: event.clientX, y: event.clientY, moved: false };
      list.setPointerCapture?.(event.pointerId);
    },
    { signal },
  );
  list.addEventListener(
    "pointermove",
    (event) => {
      if (scene === null) return;
      if (grabbed === null) {
        const pointed = under(event);
        if (pointed === scene.pointed) return;
        scene.pointed = pointed;
        list.classList.toggle("nnw-pointing", (scene.graph.nodes[pointed]?.layer ?? -1) >= 0);
        soon();
        return;
      }
      const [dx, dy] = [event.clientX - grabbed.x, event.clientY - grabbed.y];
      if (!grabbed.moved && Math.hypot(dx, dy) < STILL) return;
      grabbed = { x: event.clientX, y: event.clientY, moved: true };
      move((from, graph) => camera.panned(from, -dx, -dy, graph, seen));
    },
    { signal },
  );
  list.addEventListener(
    "pointerup",
    (event) => {
      const clicked = grabbed !== null && !grabbed.moved;
      grabbed = null;
      if (!clicked || scene === null) return;
      const node = under(event);
      if (node < 0) return;
      scene.focused = list.matches(":focus-visible") ? node : -1;
      say(node);
      chooseNode(node);
    },
    { signal },
  );
  for (const end of ["pointercancel", "pointerleave"]) {
    list.addEventListener(
      end,
      () => {
        if (end === "pointercancel") grabbed = null;
        if (scene === null || scene.pointed < 0) return;
        scene.pointed = -1;
        soon();
      },
      { signal },
    );
  }
  list.addEventListener(
    "wheel",
    (event) => {
      if (at === null) return;
      const before = at;
      if (event.ctrlKey || event.metaKey) {
        zoomBy(Math.exp(-event.deltaY * 0.003), place(event));
      } else {
        const [dx, dy] = event.shiftKey
          ? [event.deltaY + event.deltaX, 0]
          : [event.deltaX, event.deltaY];
        move((from, graph) => camera.panned(from, dx, dy, graph, seen));
      }
      // At its edge the graph lets the page scroll on, as any list does.
      if (at.x !== before.x || at.y !== before.y || event.ctrlKey || event.metaKey) {
        event.preventDefault();
      }
    },
    { signal, passive: false },
  );
  list.addEventListener(
    "keydown",
    (event) => {
      if (scene === null || event.ctrlKey || event.metaKey || event.altKey) return;
      const from = scene.focused < 0 ? Math.max(0, scene.selected) : scene.focused;
      const steps: Record<string, [number, number]> = {
        ArrowDown: [0, 60],
        ArrowUp: [0, -60],
        ArrowRight: [60, 0],
        ArrowLeft: [-60, 0],
      };
      const step = steps[event.key];
      if (event.shiftKey && step !== undefined) {
        move((now, graph) => camera.panned(now, step[0], step[1], graph, seen));
      } else if (event.key === "+" || event.key === "=") zoomBy(1.3);
      else if (event.key === "-") zoomBy(1 / 1.3);
      else if (event.key === "0") fitAll();
      else if (event.key === "Enter" || event.key === " ") chooseNode(from);
      else {
        const to = neighbour(event.key, scene.graph, scene.layout, from);
        if (to === null) return;
        focusOn(to);
      }
      event.preventDefault();
    },
    { signal },
  );
  list.addEventListener(
    "focus",
    () => {
      if (scene === null || !list.matches(":focus-visible")) return;
      focusOn(scene.focused < 0 ? Math.max(0, scene.selected) : scene.focused);
    },
    { signal },
  );
  list.addEventListener(
    "blur",
    () => {
      if (scene === null) return;
      scene.focused = -1;
      soon();
    },
    { signal },
  );
  if (typeof ResizeObserver === "function") {
    const observer = new ResizeObserver(soon);
    observer.observe(stage);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  // --- drawing -----------------------------------------------------------------------------

  const measure = (): ((text: string, font: number) => number) => {
    const ctx = canvas.getContext("2d");
    const family = getComputedStyle(stage).fontFamily || "system-ui, sans-serif";
    return (text, font) => {
      if (ctx === null) return 0.55 * font * text.length;
      ctx.font = `${font}px ${family}`;
      return ctx.measureText(text).width;
    };
  };
  const lay = (graph: Graph, groups: readonly Group[]): Layout => {
    const width = measure();
    return layoutGraph(
      graph.nodes.map((node) => sizeOf(node, width)),
      graph.edges,
      (layers) => headRoom(groups, layers),
    );
  };
  return {
    element,
    focus: () => list.focus(),
    repaint() {
      look = null;
      soon();
    },
    draw(next) {
      const before = input;
      const names = ["graph", "tree", "rows", "selected", "search"] as const;
      if (before !== null && names.every((name) => before[name] === next[name])) return;
      input = next;
      const { graph } = next;
      const nothing = graph === null || graph.nodes.length === 0;
      setHidden(stage, nothing);
      setHidden(empty, !nothing);
      setText(note, graph?.note ?? "");
      setHidden(note, (graph?.note ?? "") === "");
      if (nothing) {
        scene = null;
        return;
      }
      if (scene === null || before?.graph !== graph || before.tree !== next.tree) {
        const named = namedGraph(graph, next.tree);
        fill(named);
        const groups = groupsOf(named, next.tree.rows);
        const layout = lay(named, groups);
        scene = {
          graph: named,
          layout,
          frames: namedFrames(framesOf(groups, layout), next.tree),
          severities: [],
          selected: -1,
          focused: -1,
          pointed: -1,
          found: null,
        };
        at = null;
      }
      const row = next.tree.byName.get(next.selected) ?? -2;
      const selected = graph.nodes.findIndex(({ layer }) => layer === row);
      const moved = selected !== scene.selected;
      const mark = (node: number, on: boolean) => {
        const option = options.children[node];
        if (option !== undefined) setAttribute(option, "aria-selected", String(on));
      };
      mark(scene.selected, false);
      mark(selected, true);
      scene.selected = selected;
      scene.severities = severitiesOf(graph, next.rows);
      scene.found = foundIn(graph, next.tree, next.search);
      if (moved && selected >= 0 && at !== null) bring(selected);
      const [sought] = scene.found ?? [];
      if (before?.search !== next.search && sought !== undefined && at !== null) bring(sought);
      soon();
    },
  };
}
