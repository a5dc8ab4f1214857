/** A viewer in a page, on a simulated kernel, and ways to look at it. */

import { afterEach, beforeEach, vi } from "vitest";
import { FakeSaliency, type SaliencyOptions } from "../../demo/fake_saliency";
import widget from "../../src/saliency_viewer/index";
import type { Pane } from "../../src/saliency_viewer/state";
import { openPage, type Page, place } from "../page";
import { ui } from "../training_monitor/monitor";

export let page: Page;
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  page = openPage();
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

export interface Start extends SaliencyOptions {
  /** Nothing has been said by the kernel yet. */
  silent?: boolean;
  compare?: FakeSaliency["compare"];
}

/** A viewer on a simulated kernel; an image by integrated gradients, unless told otherwise. */
export function viewer({ silent, compare, ...options }: Start = {}) {
  const model = new FakeSaliency({ language: "en", ...options });
  if (compare !== undefined) model.compare = compare;
  if (!silent) model.publish();
  const make = widget();
  make.initialize({ model, signal: life.signal });
  const view = () => {
    const el = place();
    make.render({ model, el, signal: life.signal });
    return parts(el);
  };
  return { model, view, ...view() };
}

export function parts(el: HTMLElement) {
  const found = ui(el);
  const press = (key: string, target: Element | null = document.activeElement) =>
    target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const choose = async (name: string, value: string) => {
    const list = found.find<HTMLSelectElement>(`select[aria-label="${name}"]`);
    list.value = value;
    list.dispatchEvent(new Event("change"));
    await settle();
  };
  /** What is offered in a list that is shown; null if it is not. */
  const offers = (name: string) => {
    const list = found.find<HTMLSelectElement>(`select[aria-label="${name}"]`);
    if (list.closest("[hidden]") !== null) return null;
    return [...list.options].map(({ textContent }) => textContent);
  };
  return { ...found, press, choose, offers };
}

/** Lets answers arrive and the next frames be drawn. */
export async function settle(milliseconds = 50) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  page.frame();
  page.frame();
}

export const requests = (model: FakeSaliency) =>
  model.sent
    .filter(({ type, action }) => type === "request" && action !== "hello")
    .map(({ action, args }) => [action, args]);

/** A map with these values, everything else as it mostly is. */
export function paneOf(values: readonly number[], part: Partial<Pane> = {}): Pane {
  return {
    index: 0,
    method: "integrated_gradients",
    target: 0,
    targetName: "a",
    layer: null,
    baseline: "zero",
    step: 7,
    past: false,
    checkpoint: null,
    kind: "table",
    state: "ready",
    problem: null,
    warnings: [],
    note: null,
    delta: null,
    seconds: null,
    evaluations: 0,
    shape: [values.length],
    sum: null,
    score: null,
    baselineScore: null,
    classes: ["a", "b"],
    unit: "logit",
    features: [],
    tokens: [],
    slots: [],
    slot: 0,
    r2: null,
    map: { data: Float32Array.from(values), shape: [values.length] },
    input: null,
    outputs: Float32Array.of(0.3, 0.7),
    spread: null,
    ...part,
  };
}
