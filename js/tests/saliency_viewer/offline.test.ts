import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeSaliency } from "../../demo/fake_saliency";
import { mount, type SavedState } from "../../src/offline";
import widget from "../../src/saliency_viewer/index";
import { openPage, type Page, place } from "../page";
import { parts } from "./viewer";

let page: Page;
beforeEach(() => {
  page = openPage();
});
afterEach(() => vi.restoreAllMocks());

const METHODS = ["integrated_gradients", "grad_cam"];

/** A page that holds two samples by two methods, and one more class of the first. */
function savedPage(): SavedState {
  const model = new FakeSaliency({ language: "en", state: "finished" });
  model.publish();
  const buffers: { path: string[]; data: string }[] = [];
  const without = (packed: unknown, path: string[]) => {
    const { data, ...rest } = packed as { data: DataView };
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    let binary = "";
    for (const byte of bytes) binary += String.fromCharCode(byte);
    buffers.push({ path: [...path, "data"], data: btoa(binary) });
    return rest;
  };
  const state: Record<string, unknown> = {
    title: "",
    language: "en",
    index: 0,
    target: null,
    method: "integrated_gradients",
  };
  for (const name of ["_live", "_samples", "_choices", "_picture", "_trust"]) {
    state[name] = without(model.get(name), [name]);
  }
  const pages: Record<string, unknown> = {};
  const hold = (index: number, method: string, target: number | null) => {
    Object.assign(model, { index, method, target });
    const key = [index, method, target].join("\n").replace(/\n$/, "\nnull");
    pages[key] = without(model.picture(), ["_held", "pages", key]);
  };
  for (const index of [0, 1]) for (const method of METHODS) hold(index, method, null);
  hold(0, "integrated_gradients", 8);
  state._held = {
    trait: "_picture",
    by: ["index", "method", "target"],
    actions: {
      index: ["index", "index"],
      method: ["method", "method"],
      target: ["target", "target"],
    },
    resets: { index: ["target"], method: ["target"] },
    pages,
  };
  return JSON.parse(JSON.stringify({ state, buffers }));
}

/** A click on a saved page acts in the next microtasks. */
async function turn() {
  for (let k = 0; k < 5; k++) await Promise.resolve();
  page.frame();
  page.frame();
}

describe("a saved page", () => {
  it("can be clicked through what it holds, and offers nothing else", async () => {
    const el = place();
    const unmount = mount(el, { module: { default: widget }, saved: savedPage() });
    const { named, text, all, find } = parts(el);
    const caption = () => text(".nnw-pane-heading .nnw-muted");
    expect(text(".nnw-banner")).toContain("what it holds can be looked through");
    expect([named("Grad-CAM").disabled, named("LIME").disabled]).toEqual([false, true]);
    expect(named("Check this map").disabled).toBe(true);
    expect(find<HTMLSelectElement>('select[aria-label="Compare"]').disabled).toBe(true);

    const classes = all(".nnw-class");
    const usable = classes.filter((row) => row.getAttribute("aria-disabled") !== "true");
    expect(usable).toEqual([classes[5], classes[8]]);
    classes[8]?.click();
    await turn();
    expect(text(".nnw-pane-title")).toBe("Evidence for “8”");
    expect(named("Predicted class").closest("[hidden]")).toBeNull();

    // Of another method the page holds the predicted class only.
    named("Grad-CAM").click();
    await turn();
    expect(caption()).toContain("Grad-CAM");
    expect(text(".nnw-pane-title")).toBe("Evidence for “5”");

    all('[role="radio"]')[1]?.click();
    await turn();
    expect(text(".nnw-pane-title")).toBe("Evidence for “6”");
    expect(caption()).toContain("Grad-CAM");
    named("Integrated gradients").click();
    await turn();
    expect(caption()).toContain("Integrated gradients");
    unmount();
    expect(el.children).toHaveLength(0);
  });
});
