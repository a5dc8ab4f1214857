/**
 * Runs the monitor without Python, in every state. The address chooses what is shown:
 *
 *     index.html?state=running&theme=dark&language=zh&step=3412&move=0
 */

import widget from "../src/training_monitor/index";
import { FakeModel, type FakeOptions } from "./fake_model";
import { SimulatedRun } from "./run";

const query = new URLSearchParams(location.search);
const shown = query.get("state") ?? "running";
const start = Number(query.get("step") ?? 3412);
document.body.classList.toggle("dark", query.get("theme") === "dark");

const options: Record<string, FakeOptions> = {
  running: {},
  paused: { state: "paused" },
  finished: { state: "finished" },
  stopped: { state: "stopped" },
  queued: { late: true },
  deaf: { deaf: true },
  logonly: { logOnly: true },
  nan: {
    run: new SimulatedRun(7, 2000),
    findings: [
      {
        kind: "nan",
        severity: "error",
        step: 2000,
        title: "First NaN at step 2,000",
        body: "loss became NaN; the first layer with NaN in its output was 4 (Conv2d 16→32).",
        advice: "Lower the learning rate, clip gradients, or look for a division by zero.",
        key: "",
        params: {},
      },
    ],
    messages: [{ text: "accuracy is no number: 'n/a'.", level: "warning", step: 2004, count: 3 }],
  },
  error: { error: "The layer probe failed: no such module. Watching goes on without layers." },
  empty: { state: "idle" },
  loading: {},
};

const model = new FakeModel({
  title: "Digits CNN",
  language: query.get("language") ?? "",
  ...options[shown],
});
if (shown === "empty") {
  model.publish();
} else if (shown !== "loading") {
  model.run.advance(start);
  if (shown === "running")
    model.run.events.push({ kind: "lr", step: 1200, text: "Learning rate ×0.5" });
  model.publish();
}

const controller = new AbortController();
const { signal } = controller;
const view = widget();
view.initialize({ model, signal });
for (let i = 0; i < Number(query.get("views") ?? 1); i++) {
  const el = document.createElement("div");
  document.querySelector("#widgets")?.append(el);
  view.render({ model, el, signal });
}
if (shown === "closed") model.emit("comm:close");
if (query.get("move") !== "0" && shown !== "loading" && shown !== "deaf") {
  setInterval(() => model.advance(11), 90);
}
// For people at the console and for the script that takes pictures.
Object.assign(window, { model });
