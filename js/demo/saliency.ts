/**
 * Runs the viewer without Python, for every kind of input and in every state. The address chooses:
 *
 *     saliency.html?kind=tokens&state=running&theme=dark&language=zh&method=lime&compare=method:lime
 */

import widget from "../src/saliency_viewer/index";
import { FakeSaliency, type SaliencyOptions } from "./fake_saliency";
import type { FakeKind } from "./saliency_content";

const query = new URLSearchParams(location.search);
const asked = (name: string, otherwise: string): string => query.get(name) ?? otherwise;
const shown = asked("state", "running");
document.body.classList.toggle("dark", asked("theme", "light") === "dark");

/** What the page offers to switch; each choice is a link, so that it can be sent to somebody. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  theme: ["light", "dark"],
  language: ["en", "zh"],
  kind: ["image", "color", "table", "tokens", "signal", "sequence", "other"],
  state: [
    "running",
    "paused",
    "finished",
    "checked",
    "working",
    "stale",
    "failed",
    "constant",
    "not_finite",
    "nothing",
    "queued",
    "deaf",
    "error",
    "blind",
    "loading",
    "closed",
  ],
};

const STATES: Readonly<Record<string, SaliencyOptions>> = {
  paused: { state: "paused" },
  finished: { state: "finished" },
  checked: { checked: true },
  working: { pane: "working" },
  stale: { pane: "stale" },
  failed: { pane: "failed" },
  constant: { flaw: "constant" },
  not_finite: { flaw: "not_finite" },
  nothing: { flaw: "empty" },
  queued: { late: true },
  deaf: { deaf: true },
  error: {
    error: "The map could not be refreshed: the model changed its shape. Watching goes on.",
  },
  blind: { blind: true },
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

const model = new FakeSaliency({
  language: asked("language", "en"),
  kind: asked("kind", "image") as FakeKind,
  method: asked("method", "integrated_gradients"),
  ...STATES[shown],
});
const [by, value] = asked("compare", ":").split(":");
if (by) {
  const number = by === "target" || by === "step";
  model.compare = { by, value: number ? Number(value) : (value ?? "") };
}
if (query.has("target")) model.target = Number(query.get("target"));
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
  setInterval(() => model.advance(11), 90);
}
// For people at the console and for the script that takes pictures.
Object.assign(window, { model });
