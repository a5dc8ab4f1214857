/**
 * Runs the inspector without Python, in every state. The address chooses what is shown:
 *
 *     inspector.html?state=running&network=residual&theme=dark&language=zh&layer=6&tab=weights
 */

import widget from "../src/layer_inspector/index";
import { FakeInspector, type InspectorOptions, NETWORKS } from "./fake_inspector";

const query = new URLSearchParams(location.search);
const asked = (name: string, otherwise: string): string => query.get(name) ?? otherwise;
const shown = asked("state", "running");
document.body.classList.toggle("dark", asked("theme", "light") === "dark");

/** What the page offers to switch; each choice is a link, so that it can be sent to somebody. */
const SWITCHES: Readonly<Record<string, readonly string[]>> = {
  theme: ["light", "dark"],
  language: ["en", "zh"],
  network: Object.keys(NETWORKS),
  state: [
    "running",
    "paused",
    "finished",
    "queued",
    "deaf",
    "failed",
    "error",
    "blind",
    "empty",
    "loading",
    "closed",
  ],
};

const STATES: Readonly<Record<string, InspectorOptions>> = {
  paused: { state: "paused" },
  finished: { state: "finished" },
  queued: { late: true },
  deaf: { deaf: true },
  failed: {
    failure: {
      layer: "9",
      text: "mat1 and mat2 shapes cannot be multiplied (1x1568 and 1600x64)",
    },
  },
  error: { error: "The layer probe failed: no such module. Watching goes on without it." },
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

const network = NETWORKS[asked("network", "digits")]?.();
const model = new FakeInspector({
  language: asked("language", "en"),
  selected: shown === "empty" ? "" : asked("layer", network?.modules[6]?.name ?? ""),
  step: Number(asked("step", "3412")),
  ...(network === undefined ? {} : { network }),
  ...STATES[shown],
});
if (shown === "failed") {
  const failed = model.network.modules[9];
  if (failed !== undefined) failed.failed = true;
}
model.tab = asked("tab", "activations");
const unit = query.get("unit");
if (unit !== null) model.unit = unit.includes(",") ? unit.split(",").map(Number) : Number(unit);
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
  let beats = 0;
  setInterval(() => {
    model.advance(11);
    beats += 1;
    if (beats % 6 === 0) model.publish();
  }, 90);
}
// For people at the console and for the script that takes pictures.
Object.assign(window, { model });
