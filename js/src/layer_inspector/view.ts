/** One view of an inspector: puts the parts together. */

import { reader } from "../read";
import type { View, ViewContext } from "../runtime";
import { readSamples } from "../samples";
import { connected } from "../session";
import { busyLine } from "../ui/busy";
import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { connectionBanner, problemLine, queueNotice } from "../ui/notices";
import type { JsonObject } from "../wire";
import { Asking } from "./asking";
import { readLayer } from "./blocks";
import { foot } from "./foot";
import { graphView } from "./graph_view";
import { header, type Shape } from "./header";
import { panel } from "./panel";
import { readGraph, readHow, readLive, readRows, readTree, type Tree } from "./state";
import { treeView } from "./tree";

/** Clicks of which a person wants to know that they wait. */
const CLICKS: readonly string[] = [
  "select",
  "unit",
  "sample",
  "tab",
  "sort",
  "source",
  "call",
  "cursor",
  "direction",
  "output",
  "part",
  "depth",
  "channel",
  "ablate",
  "restore",
  "feature",
  "best_samples",
  "refresh",
  "export",
];

const NO_STEPS = new Float64Array(0);

export function inspectorView({ link, root, words, signal, redraw }: ViewContext): View {
  const liveOf = reader(readLive);
  const treeOf = reader(readTree);
  const graphOf = reader(readGraph);
  const rowsOf = reader(readRows);
  const layerOf = reader(readLayer);
  const howOf = reader(readHow);
  const samplesOf = reader(readSamples);

  let shape: Shape = "tree";
  let search = "";
  let drawer = false;
  let shownTree: Tree | null = null;
  const asking = new Asking(link, signal, redraw);

  // --- what the parts do -------------------------------------------------------------------

  const choose = (name: string) => {
    const inDrawer = drawer;
    closeDrawer();
    // Where the list lay over the panel, the focus goes back to what opened it.
    if (inDrawer) top.opener.focus();
    asking.select(name);
  };
  const closeDrawer = () => {
    drawer = false;
    redraw();
  };
  /** What blocks ask for goes the same way as the controls, so that it shows at once. */
  const act = (action: string, args: JsonObject = {}): Promise<boolean> => {
    const { step, index } = args;
    if (action === "cursor" && (step === null || typeof step === "number")) {
      asking.setCursor(step);
      return Promise.resolve(true);
    }
    if (action === "sample" && typeof index === "number") {
      asking.sample(index);
      return Promise.resolve(true);
    }
    return asking.act(action, args);
  };
  const label = (action: string) =>
    CLICKS.includes(action) ? words(`ui.inspector.action.${action}`) : null;

  // --- the parts ---------------------------------------------------------------------------

  const top = header(words, signal, {
    search(text) {
      search = text;
      // Where the list is out of sight, what is found must be seen.
      drawer = text !== "";
      redraw();
    },
    chooseFound: () => tree.chooseFirst(),
    enterList: () => (shape === "tree" ? tree.focus() : graph.focus()),
    shape(chosen) {
      shape = chosen;
      redraw();
    },
    toggleDrawer() {
      drawer = !drawer;
      side.classList.toggle("nnw-open", drawer);
      if (drawer) (shape === "tree" ? tree : graph).focus();
      redraw();
    },
  });
  const connection = connectionBanner((lost) => words(`ui.inspector.connection.${lost}`));
  const problems = problemLine(words, signal, () => {
    asking.problem = null;
    redraw();
  });
  const failureText = h("span");
  const failureGo = button({
    label: words("ui.inspector.failure.show"),
    kind: "plain",
    signal,
    onClick: () => shownTree?.failure && choose(shownTree.failure.layer),
  });
  const failure = h(
    "div",
    { class: "nnw-problem", role: "status", hidden: true },
    failureText,
    failureGo.element,
  );
  const tree = treeView(words, signal, choose);
  const graph = graphView(words, signal, choose);
  const side = h(
    "nav",
    { class: "nnw-side", id: uniqueId("nnw-side"), "aria-label": words("ui.inspector.title") },
    tree.element,
    graph.element,
  );
  top.controls(side.id);
  const shade = h("div", { class: "nnw-shade", "aria-hidden": "true" });
  shade.addEventListener("click", closeDrawer, { signal });
  side.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !drawer) return;
      closeDrawer();
      top.opener.focus();
    },
    { signal },
  );
  const right = panel(words, signal, {
    act,
    pickUnit: asking.pickUnit,
    tab: asking.tab,
    source: asking.source,
    save: (format) => void asking.save(format),
    redraw,
  });
  const queued = queueNotice(words, signal, {
    label,
    other: words("ui.inspector.action.other"),
    withdraw: (id) => link.requests.cancel(id),
  });
  const busy = busyLine(words, signal, {
    label: (action) => label(action) ?? words("ui.inspector.action.other"),
    cancel: (id) => link.requests.cancel(id),
  });
  const notices = h("div", { class: "nnw-over" }, busy.element, queued.element);
  right.element.append(notices);
  const main = h("div", { class: "nnw-inside" }, side, shade, right.element);
  const bottom = foot(words, signal, {
    sample: asking.sample,
    setCursor: asking.setCursor,
    refresh: () => void asking.act("refresh"),
  });
  const emptyText = h("p", { class: "nnw-empty-text" });
  const empty = h("div", { class: "nnw-empty" }, emptyText);
  root.append(
    top.element,
    connection.element,
    problems.element,
    failure,
    empty,
    main,
    bottom.element,
  );

  // --- drawing -----------------------------------------------------------------------------

  const drawFailure = (known: Tree | null) => {
    const found = known?.failure ?? null;
    const params = { layer: found?.layer ?? "", problem: found?.text ?? "" };
    const key = params.layer === "" ? "ui.inspector.failure.model" : "ui.inspector.failure";
    setText(failureText, found === null ? "" : words(key, params));
    setHidden(failure, found === null);
    setHidden(failureGo.element, !known?.byName.has(params.layer));
  };
  const drawSide = (known: Tree, selected: string) => {
    const rows = rowsOf(link.packed("_rows"));
    setHidden(tree.element, shape !== "tree");
    setHidden(graph.element, shape !== "graph");
    setAttribute(main, "data-shape", shape);
    side.classList.toggle("nnw-open", drawer);
    shade.classList.toggle("nnw-open", drawer);
    tree.draw({ tree: known, rows, selected, search });
    if (shape === "graph") {
      const flow = graphOf(link.packed("_graph"));
      graph.draw({ graph: flow, tree: known, rows, selected, search });
    }
  };

  return {
    draw() {
      const live = liveOf(link.packed("_live"));
      const known = treeOf(link.packed("_tree"));
      const layer = layerOf(link.packed("_layer"));
      const samples = samplesOf(link.packed("_samples"));
      const reachable = connected(link.connection);
      const choice = asking.choice({ link, live, layer });
      shownTree = known;
      setHidden(main, known === null);
      setHidden(bottom.element, known === null);
      setHidden(empty, known !== null);
      const over = reachable ? "ui.inspector.empty.waiting" : "ui.inspector.empty.over";
      setText(emptyText, words(over));
      connection.draw(link.connection);
      problems.draw(asking.problem, live?.error ?? null);
      drawFailure(known);
      const { pending } = link.requests;
      const working = pending.filter(({ action, state }) => state === "working" && label(action));
      queued.draw(
        pending.filter(({ state }) => state !== "working"),
        live,
      );
      busy.draw(working[0] ?? null, live?.busy ?? null);
      if (known !== null) {
        drawSide(known, choice.selected);
        right.draw({
          ...choice,
          tree: known,
          live,
          layer,
          how: howOf(link.packed("_layer")),
          samples,
          reachable,
          busy: working.length > 0 || (live?.busy ?? null) !== null,
        });
        bottom.draw({
          samples,
          sample: choice.sample,
          snapshots: rowsOf(link.packed("_rows"))?.snapshots ?? NO_STEPS,
          step: live?.step ?? 0,
          cursor: choice.cursor,
          reachable,
        });
      }
      // After the tree: it knows what was found.
      top.draw({
        title: String(link.plain("title") ?? ""),
        live,
        tree: known,
        samples,
        connection: link.connection,
        shape,
        found: known === null ? null : tree.found,
        drawer,
      });
    },
    repaint() {
      tree.repaint();
      graph.repaint();
      right.repaint();
    },
  };
}
