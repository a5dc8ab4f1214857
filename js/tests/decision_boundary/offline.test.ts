import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeBoundary } from "../../demo/fake_boundary";
import widget from "../../src/decision_boundary/index";
import { mount, type SavedState } from "../../src/offline";
import { openPage, type Page, place } from "../page";
import { parts } from "./boundary";

let page: Page;
beforeEach(() => {
  page = openPage();
});
afterEach(() => vi.restoreAllMocks());

/** A page that holds two views, and one class alone. */
function savedPage(): SavedState {
  const model = new FakeBoundary({
    language: "en",
    state: "finished",
    trained: 60,
    resolution: 12,
  });
  model.publish();
  const buffers: { path: string[]; data: string }[] = [];
  const without = (packed: unknown, path: string[]) => {
    const { data, ...rest } = packed as { data: DataView };
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    buffers.push({ path: [...path, "data"], data: btoa(binary) });
    return rest;
  };
  const state: Record<string, unknown> = {
    title: "",
    language: "en",
    view: "probability",
    interest: null,
  };
  for (const name of ["_live", "_choices", "_surface", "_points", "_film", "_units", "_point"]) {
    state[name] = without(model.get(name), [name]);
  }
  const pages: Record<string, unknown> = {};
  const hold = (view: string, interest: number | null) => {
    const one = new FakeBoundary({ view, interest, trained: 60, resolution: 12 });
    one.publish();
    const key = `${view}\n${interest}`;
    pages[key] = without(one.get("_surface"), ["_held", "pages", key]);
  };
  hold("probability", null);
  hold("probability", 2);
  hold("entropy", null);
  state._held = {
    trait: "_surface",
    by: ["view", "interest"],
    actions: { view: ["view", "view"], interest: ["interest", "interest"] },
    resets: { view: ["interest"] },
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
    const { named, text, list } = parts(el);
    expect(text(".nnw-banner")).toContain("what it holds can be looked through");
    expect([named("Entropy").disabled, named("Label").disabled]).toEqual([false, true]);
    const usable = [...list("Show").options].filter(({ disabled }) => !disabled);
    expect(usable.map(({ textContent }) => textContent)).toEqual(["all classes", "C"]);
    list("Show").value = "2";
    list("Show").dispatchEvent(new Event("change"));
    await turn();
    expect(text(".nnw-plane-scale")).toContain("C");
    // Of the entropy it holds the picture of all classes only.
    named("Entropy").click();
    await turn();
    expect(text(".nnw-plane-scale")).toContain("nats");
    expect(named("Entropy").getAttribute("aria-pressed")).toBe("true");
    // One class alone is a picture of probabilities: both are held, and both come.
    const alone = [...list("Show").options].filter(({ disabled }) => !disabled);
    expect(alone.map(({ textContent }) => textContent)).toEqual(["all classes", "C"]);
    list("Show").value = "2";
    list("Show").dispatchEvent(new Event("change"));
    await turn();
    await turn();
    expect(named("Probability").getAttribute("aria-pressed")).toBe("true");
    expect(list("Show").value).toBe("2");
    expect(text(".nnw-plane-scale")).toContain("C");
    for (const name of ["Add", "Zoom", "Compute", "Undo"]) {
      expect([name, named(name).closest("[hidden]") === null]).toEqual([name, false]);
    }
    unmount();
    expect(el.children).toHaveLength(0);
  });
});
