/** An inspector in a page, on a simulated kernel, and ways to look at it. */

import { afterEach, beforeEach, vi } from "vitest";
import { FakeInspector, type InspectorOptions } from "../../demo/fake_inspector";
import widget from "../../src/layer_inspector/index";
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

export interface Start extends InspectorOptions {
  tab?: string;
  unit?: number | number[];
  /** Nothing has been said by the kernel yet. */
  silent?: boolean;
}

/** An inspector on a simulated kernel that shows layer 6 of the digits CNN, unless told otherwise. */
export function inspector({ tab, unit, silent, ...options }: Start = {}) {
  const model = new FakeInspector({ selected: "6", language: "en", ...options });
  if (tab !== undefined) model.tab = tab;
  if (unit !== undefined) model.unit = unit;
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

function parts(el: HTMLElement) {
  const found = ui(el);
  /** The row of a module, if it is in the document. */
  const row = (name: string) => el.querySelector<HTMLElement>(`.nnw-tree-row[data-name="${name}"]`);
  const press = (key: string, target: Element | null = document.activeElement) =>
    target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return { ...found, row, press };
}

/** Lets answers arrive and the next frames be drawn. */
export async function settle(milliseconds = 50) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  page.frame();
  page.frame();
}

export const requests = (model: FakeInspector) =>
  model.sent
    .filter(({ type, action }) => type === "request" && action !== "hello")
    .map(({ action, args }) => [action, args]);
