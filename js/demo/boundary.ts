/**
 * Runs the decision boundary without Python: a small network learns in the page from the points
 * that are drawn there. The address chooses:
 *
 *     boundary.html?data=three&state=running&theme=dark&language=zh&view=entropy&move=0
 */

import widget from "../src/decision_boundary/index";
import { type BoundaryOptions, FakeBoundary } from "./fake_boundary";
import { DATA, type Data } from "./fake_boundary_world";

const query = new URLSearchParams(location.search);
const asked = (name: string, otherwise: string): string => query.get(name) ?? otherwise;
const shown = asked("state", "running");
document.body.classList.toggle("dark", asked("theme", "light") === "dark");

const STATES: Readonly<Record<string, BoundaryOptions>> = {
  running: {},
  paused: { state: "paused" },
  finished: { state: "finished" },
  idle: { state: "idle", trained: 0 },
  refining: { surface: "refining" },
  working: { surface: "working", said: "working" },
  stale: { surface: "stale", said: "stale" },
  failed: { surface: "failed", said: "failed" },
  projection: { projection: "pca" },
  unlabelled: { labelled: false, state: "idle" },
  empty: { empty: true },
  queued: { late: true, queued: "view" },
  deaf: { deaf: true },
  error: {
    error: "The picture could not be refreshed: the model changed its shape. Watching goes on.",
    unexportable: true,
  },
  blind: { blind: true },
  loading: {},
  closed: {},
};

/** What the page offers to switch; each choice is a link, so that it can be sent to somebody. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  theme: ["light", "dark"],
  language: ["en", "zh"],
  data: DATA,
  uncertain: ["none", "ensemble", "snapshots"],
  state: Object.keys(STATES),
};

const bar = document.querySelector("nav");
for (const [name, choices] of Object.entries(SWITCHES)) {
  for (const choice of choices) {
    const link = document.createElement("a");
    const next = new URLSearchParams(query);
    next.set(name, choice);
    link.href = `?${next}`;
    link.textContent = choice;
    if (asked(name, choices[0] ?? "") === choice) link.setAttribute("aria-current", "true");
    bar?.append(link);
  }
}

const uncertain = asked("uncertain", "none");
const model = new FakeBoundary({
  language: asked("language", "en"),
  data: asked("data", "three") as Data,
  trained: Number(asked("trained", "400")),
  uncertain: uncertain === "none" ? null : (uncertain as "ensemble" | "snapshots"),
  ...(query.has("view") ? { view: asked("view", "") } : {}),
  ...(query.has("interest") ? { interest: Number(query.get("interest")) } : {}),
  ...STATES[shown],
});
// What the first person would click on, so that pictures show it at once.
const open = asked("open", "").split(",");
const ask = (action: string, args: object) =>
  model.send({ type: "request", id: -1, action, args: args as never });
if (open.includes("rules")) ask("rules", { on: true, max_depth: 3 });
if (open.includes("units")) ask("units", { layer: "3" });
if (open.includes("landscape")) ask("landscape", { on: true });
if (open.includes("point")) ask("point", { at: [0.42, -0.31], id: null });
if (shown !== "loading") model.publish();

const controller = new AbortController();
const { signal } = controller;
const view = widget();
view.initialize({ model, signal });
for (let i = 0; i < Number(asked("views", "1")); i++) {
  const el = document.createElement("div");
  document.querySelector("#widgets")?.append(el);
  view.render({ model, el, signal });
}
if (shown === "closed") model.emit("comm:close");
if (asked("move", "1") !== "0" && shown !== "loading" && shown !== "deaf") {
  setInterval(() => model.advance(4), 90);
}
// For people at the console and for the script that takes pictures.
Object.assign(window, { model });
