import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel } from "../demo/fake_model";
import { mount, mountPage, restore, type SavedState, savedModel } from "../src/offline";
import widget from "../src/training_monitor/index";
import { openPage, place } from "./page";

beforeEach(() => {
  openPage();
});
afterEach(() => vi.restoreAllMocks());

/** A run's traits as ipywidgets saves them: binary values apart, as base64. */
function savedRun(): SavedState {
  const model = new FakeModel({ title: "Saved run" });
  model.run.advance(600);
  model.publish();
  const state: Record<string, unknown> = { title: "Saved run", language: "" };
  const buffers: { path: string[]; data: string }[] = [];
  for (const name of ["_live", "_curves", "_layers", "_notes"]) {
    const { data, ...rest } = model.get(name) as { data: DataView };
    state[name] = rest;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    buffers.push({ path: [name, "data"], data: btoa(String.fromCharCode(...bytes)) });
  }
  return JSON.parse(JSON.stringify({ state, buffers }));
}

describe("restore", () => {
  it("puts binary values back, at any depth, and leaves its input alone", () => {
    const saved = { state: { a: [{}, {}] }, buffers: [{ path: ["a", 1, "data"], data: "AQI=" }] };
    const state = restore(saved) as { a: { data?: DataView }[] };
    expect(Array.from(new Uint8Array(state.a[1]?.data?.buffer as ArrayBuffer))).toEqual([1, 2]);
    expect(saved.state).toEqual({ a: [{}, {}] });
  });

  it("says which place is missing", () => {
    expect(() => restore({ state: {}, buffers: [{ path: ["a", "data"], data: "" }] })).toThrow(
      '["a","data"]',
    );
  });
});

describe("a saved page", () => {
  it("shows the run, says that it is saved, and steers nothing", () => {
    const el = place();
    const unmount = mount(el, { module: { default: widget }, saved: savedRun() });
    expect(el.querySelector(".nnw-title")?.textContent).toBe("Saved run");
    expect(el.querySelector(".nnw-banner")?.textContent).toMatch(/saved page/);
    expect(el.querySelectorAll(".nnw-panel")).toHaveLength(4);
    expect(el.querySelector<HTMLButtonElement>(".nnw-steer button")?.disabled).toBe(true);
    unmount();
    expect(el.children).toHaveLength(0);
  });

  it("answers requests with a sentence", async () => {
    const model = savedModel({ state: { language: "en" } });
    const heard = vi.fn();
    model.on("msg:custom", heard);
    model.send({ type: "view", visible: true });
    model.send({ type: "request", id: 4, action: "pause" });
    await Promise.resolve();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(heard.mock.calls[0]?.[0]).toMatchObject({ type: "error", id: 4 });
    model.off("msg:custom", heard);
    model.send({ type: "request", id: 5, action: "pause" });
    await Promise.resolve();
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it("turns to another picture that it holds, newer than the one before", async () => {
    const page = (what: string) => ({ v: 1, meta: { seq: 1, what }, arrays: {} });
    const model = savedModel({
      state: {
        language: "en",
        selected: "a",
        tab: "weights",
        _layer: { v: 1, meta: { seq: 7, what: "first" }, arrays: {} },
        _held: {
          trait: "_layer",
          by: ["selected", "tab"],
          actions: { select: ["selected", "layer"], tab: ["tab", "tab"] },
          pages: { "b\nweights": page("b weights"), "b\nhistory": page("b history") },
        },
      },
    });
    const changed = vi.fn();
    const heard = vi.fn();
    model.on("change:_layer", changed);
    model.on("msg:custom", heard);
    const shown = () => (model.get("_layer") as { meta: { seq: number; what: string } }).meta;
    const ask = async (action: string, args: Record<string, string>) => {
      model.send({ type: "request", id: 1, action, args });
      await Promise.resolve();
      return (heard.mock.lastCall?.[0] as { type: string } | undefined)?.type;
    };
    expect(await ask("select", { layer: "b" })).toBe("reply");
    expect(shown()).toMatchObject({ what: "b weights", seq: 8 });
    expect(model.get("selected")).toBe("b");
    expect(await ask("tab", { tab: "history" })).toBe("reply");
    expect(shown().what).toBe("b history");
    expect(shown().seq).toBeGreaterThan(8);
    expect(changed).toHaveBeenCalledTimes(2);
    expect(await ask("tab", { tab: "feature" })).toBe("error");
    expect(await ask("unit", { unit: "3" })).toBe("error");
    expect([model.get("tab"), shown().what]).toEqual(["history", "b history"]);
  });

  it("says what is wrong in the place of a widget that cannot be shown", async () => {
    const script = document.createElement("script");
    script.type = "application/vnd.nnwidgets.state+json";
    script.dataset.bundle = "no_such";
    script.text = "{}";
    document.body.append(script);
    await mountPage();
    expect(document.querySelector('[role="alert"]')?.textContent).toBe('no bundle "no_such"');
  });
});
