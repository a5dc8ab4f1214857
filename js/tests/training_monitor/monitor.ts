/** A monitor in a page, on a simulated kernel, and ways to look at it. */

import { afterEach, beforeEach, vi } from "vitest";
import { FakeModel, type FakeOptions } from "../../demo/fake_model";
import widget from "../../src/training_monitor/index";
import { openPage, type Page, place } from "../page";

export let page: Page;
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page = openPage();
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

/** A monitor on a simulated run, `steps` steps in. */
export function monitor(options: FakeOptions = {}, steps = 3412) {
  const model = new FakeModel(options);
  model.run.advance(steps);
  if (steps > 0) model.publish();
  const make = widget();
  make.initialize({ model, signal: life.signal });
  const view = () => {
    const el = place();
    make.render({ model, el, signal: life.signal });
    return ui(el);
  };
  return { model, view, ...view() };
}

export type Ui = ReturnType<typeof ui>;

export function ui(el: HTMLElement) {
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  const find = <E extends HTMLElement = HTMLElement>(selector: string): E => {
    const found = el.querySelector<E>(selector);
    if (found === null) throw new Error(`no ${selector}`);
    return found;
  };
  const named = (name: string): HTMLButtonElement => {
    const found = all("button").find(
      (button) => (button.getAttribute("aria-label") ?? button.textContent) === name,
    );
    if (found === undefined) throw new Error(`no button ${name}`);
    return found as HTMLButtonElement;
  };
  const text = (selector: string) => find(selector).textContent ?? "";
  const shown = (selector: string) =>
    all(selector).some((element) => element.closest("[hidden]") === null);
  return { el, all, find, named, text, shown };
}

/** Lets answers arrive and the next frame be drawn. */
export async function settle(milliseconds = 50) {
  await vi.advanceTimersByTimeAsync(milliseconds);
  page.frame();
}

export const requests = (model: FakeModel) =>
  model.sent
    .filter(({ type, action }) => type === "request" && action !== "hello")
    .map(({ action, args }) => [action, args]);
