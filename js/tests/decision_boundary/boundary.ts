/** A decision boundary in a page, on a simulated kernel, and ways to look at it. */

import { afterEach, beforeEach, vi } from "vitest";
import { type BoundaryOptions, FakeBoundary } from "../../demo/fake_boundary";
import widget from "../../src/decision_boundary/index";
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

export interface Start extends BoundaryOptions {
  /** Nothing has been said by the kernel yet. */
  silent?: boolean;
}

/** A small picture of three classes in three features, unless told otherwise. */
export function boundary({ silent, ...options }: Start = {}) {
  const model = new FakeBoundary({ language: "en", resolution: 12, trained: 60, ...options });
  if (!silent) model.publish();
  return { model, ...shown(model) };
}

/** Shows a model that is there already. */
export function shown(model: object) {
  const make = widget();
  const host = model as Parameters<ReturnType<typeof widget>["initialize"]>[0]["model"];
  make.initialize({ model: host, signal: life.signal });
  const el = place();
  make.render({ model: host, el, signal: life.signal });
  return parts(el);
}

export function parts(el: HTMLElement) {
  const found = ui(el);
  const list = (name: string) => found.find<HTMLSelectElement>(`select[aria-label="${name}"]`);
  const choose = async (name: string, value: string) => {
    const one = list(name);
    one.value = value;
    one.dispatchEvent(new Event("change"));
    await settle();
  };
  /** What is offered in a list that is shown; null if it is not. */
  const offers = (name: string) => {
    const one = list(name);
    if (one.closest("[hidden]") !== null) return null;
    return [...one.options].map(({ textContent }) => textContent);
  };
  const press = (key: string, target: Element | null = document.activeElement) =>
    target?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const drag = (name: string, value: number) => {
    const input = found.find<HTMLInputElement>(`input[aria-label="${name}"]`);
    input.value = String(value);
    input.dispatchEvent(new Event("input"));
    return input;
  };
  /** The part of the panel under a heading. */
  const part = (heading: string) => {
    const title = found.all("h3").find(({ textContent }) => textContent === heading);
    const section = title?.closest<HTMLElement>("section");
    if (!section) throw new Error(`no part ${heading}`);
    return section;
  };
  const seen = (element: Element) => element.closest("[hidden]") === null;
  return { ...found, list, choose, offers, press, drag, part, seen };
}

/** Lets answers arrive and the next frames be drawn. */
export async function settle(milliseconds = 50) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  page.frame();
  page.frame();
}

export const requests = (model: FakeBoundary) =>
  model.sent
    .filter(({ type, action }) => type === "request" && action !== "hello")
    .map(({ action, args }) => [action, args]);

/** Asks about a place as another page would, so that this one has to take over what it reads. */
export const elsewhere = (model: { send(content: unknown): void }, action: string, args: object) =>
  model.send({ type: "request", id: -1, action, args });
