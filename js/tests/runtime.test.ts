import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeModel } from "../demo/fake_model";
import { pack } from "../demo/pack";
import { SILENT_AFTER } from "../src/link";
import { defineWidget, type View, type ViewContext } from "../src/runtime";
import { h } from "../src/ui/dom";
import { openPage, type Page, place } from "./page";

let page: Page;
let contexts: ViewContext[];
let draws: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  page = openPage();
  contexts = [];
  draws = 0;
});
afterEach(() => {
  vi.useRealTimers();
  document.documentElement.lang = "";
});

const factory = (draw: (context: ViewContext) => void = () => undefined) =>
  defineWidget({
    name: "test_widget",
    packed: ["_live"],
    plain: [],
    view(context): View {
      contexts.push(context);
      context.root.append(h("p", {}, context.words("ui.pause")));
      return {
        draw() {
          draws++;
          draw(context);
        },
      };
    },
  });

/** A host: one widget on one model, with as many views as are rendered. */
function host(model = new FakeModel(), make = factory()) {
  const life = new AbortController();
  const widget = make();
  widget.initialize({ model, signal: life.signal });
  const render = () => {
    const view = new AbortController();
    const el = place();
    widget.render({ model, el, signal: AbortSignal.any([view.signal, life.signal]) });
    return { el, close: () => view.abort() };
  };
  return { model, life, render, widget };
}

const live = (seq: number, step = 0) => pack({ seq, step }, {});
const viewMessages = (model: FakeModel) =>
  model.sent.filter(({ type }) => type === "view").map(({ view, visible }) => [view, visible]);

describe("listeners", () => {
  it("are all gone when the model is closed", () => {
    const { model, life, render } = host(new FakeModel({ deaf: true }));
    const add = vi.spyOn(document, "addEventListener");
    const first = render();
    render();
    expect(model.listenerCount).toBeGreaterThan(3);
    expect(page.observers).toBe(2);
    expect(add).toHaveBeenCalled();
    for (const [, , options] of add.mock.calls) {
      expect((options as AddEventListenerOptions).signal).toBeInstanceOf(AbortSignal);
    }
    life.abort();
    expect(model.listenerCount).toBe(0);
    expect(page.observers).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(first.el.children).toHaveLength(0);
    expect(contexts.every(({ signal }) => signal.aborted)).toBe(true);
  });

  it("of a view go with the view, and those of the other stay", () => {
    const { model, render } = host();
    const before = model.listenerCount;
    const first = render();
    const second = render();
    first.close();
    expect(model.listenerCount).toBe(before);
    expect(page.observers).toBe(1);
    expect([first.el.children.length, second.el.children.length]).toEqual([0, 1]);
    draws = 0;
    model.set("_live", live(1));
    page.frame();
    expect(draws).toBe(1);
  });

  it("need no signal from the host: the returned functions end them too", () => {
    const model = new FakeModel();
    const widget = factory()();
    const closeModel = widget.initialize({ model });
    const closeView = widget.render({ model, el: place() });
    expect(page.observers).toBe(1);
    closeView();
    closeModel();
    expect([model.listenerCount, page.observers]).toEqual([0, 0]);
  });

  it("are added once a model, however many views there are", () => {
    const { model, render } = host();
    const before = model.listenerCount;
    for (let i = 0; i < 3; i++) render();
    expect(model.listenerCount).toBe(before);
    expect(model.sent.filter(({ action }) => action === "hello")).toHaveLength(1);
  });

  it("work where every view gets its own wrapper around the model", () => {
    const { model, widget } = host();
    const wrapper = { get: model.get.bind(model), on: vi.fn(), off: vi.fn(), send: vi.fn() };
    widget.render({ model: wrapper, el: place(), signal: new AbortController().signal });
    expect(wrapper.on).not.toHaveBeenCalled();
    expect(contexts[0]?.link.plain("title")).toBe("Digits CNN");
  });
});

describe("drawing", () => {
  it("happens once a frame, however much arrives", () => {
    const { model, render } = host();
    render();
    draws = 0;
    for (let seq = 1; seq <= 20; seq++) model.set("_live", live(seq));
    expect(draws).toBe(0);
    page.frame();
    expect(draws).toBe(1);
    page.frame();
    expect(draws).toBe(1);
  });

  it("rests while nobody looks, and catches up in one frame", () => {
    const { model, render } = host();
    render();
    page.scroll(false);
    page.frame();
    draws = 0;
    for (let seq = 1; seq <= 5; seq++) model.set("_live", live(seq));
    page.frame();
    expect(draws).toBe(0);
    page.scroll(true);
    page.frame();
    expect(draws).toBe(1);
  });

  it("shows an error where it happened, and goes on when it is over", () => {
    let broken = true;
    const { model, render } = host(
      new FakeModel(),
      factory(() => {
        if (broken) throw new Error("cannot divide <b>");
      }),
    );
    const { el } = render();
    const fault = el.querySelector(".nnw-fault") as HTMLElement;
    expect([fault.hidden, fault.textContent]).toEqual([
      false,
      "This could not be shown: cannot divide <b>",
    ]);
    broken = false;
    model.set("_live", live(1));
    page.frame();
    expect(fault.hidden).toBe(true);
  });

  it("shows why a view could not be built until it can", () => {
    let broken = true;
    const plain = factory();
    const make = defineWidget({
      name: "test_widget",
      packed: ["_live"],
      plain: [],
      view({ root, words }): View {
        if (broken) throw new Error("no canvas");
        root.append(h("p", {}, words("ui.pause")));
        return { draw: () => undefined };
      },
    });
    const { model, render } = host(new FakeModel(), make as typeof plain);
    const { el } = render();
    const fault = el.querySelector(".nnw-fault") as HTMLElement;
    for (let seq = 1; seq <= 2; seq++) {
      model.set("_live", live(seq));
      page.frame();
      expect([fault.hidden, fault.textContent]).toEqual([
        false,
        "This could not be shown: no canvas",
      ]);
    }
    broken = false;
    model.set("_live", live(3));
    page.frame();
    expect([fault.hidden, el.querySelector("p:not(.nnw-fault)")?.textContent]).toEqual([
      true,
      "Pause",
    ]);
  });

  it("of a picture that cannot be read says so and keeps the one before", () => {
    const { model, render } = host(
      new FakeModel(),
      factory(({ link }) => void link.packed("_live")),
    );
    const { el } = render();
    model.set("_live", live(1, 7));
    page.frame();
    model.set("_live", { ...live(2), arrays: { numbers: ["float64", [5], 0] } });
    page.frame();
    expect(el.querySelector(".nnw-fault")?.textContent).toMatch(/_live.*numbers/);
    expect(contexts[0]?.link.packed("_live")?.meta.step).toBe(7);
  });

  it("takes newer pictures only", () => {
    const { model, render } = host();
    render();
    model.set("_live", live(5, 50));
    model.set("_live", live(4, 40));
    const link = contexts[0]?.link;
    expect(link?.packed("_live")?.meta.step).toBe(50);
    expect(link?.packed("_live")).toBe(link?.packed("_live"));
    model.set("_live", {});
    expect(link?.packed("_live")?.meta.step).toBe(50);
  });

  it("begins anew in another language", () => {
    const { model, render } = host();
    const { el } = render();
    expect(el.querySelector("p:not(.nnw-fault)")?.textContent).toBe("Pause");
    model.set("language", "zh");
    page.frame();
    expect(el.querySelector("p:not(.nnw-fault)")?.textContent).toBe("暂停");
    expect(el.querySelectorAll("p:not(.nnw-fault)")).toHaveLength(1);
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });
});

describe("visibility", () => {
  it("is reported once at first, then on change, and at the end", () => {
    const { model, render } = host();
    const { close } = render();
    const id = viewMessages(model)[0]?.[0];
    expect(viewMessages(model)).toEqual([[id, true]]);
    page.scroll(true);
    page.scroll(false);
    page.scroll(false);
    page.scroll(true);
    page.show(false);
    page.show(true);
    close();
    const seen = [true, false, true, false, true, false];
    expect(viewMessages(model)).toEqual(seen.map((visible) => [id, visible]));
  });

  it("is reported for each view, with the page's language", () => {
    document.documentElement.lang = "zh-CN";
    const { model, render } = host();
    render();
    render();
    const ids = new Set(viewMessages(model).map(([view]) => view));
    expect(ids.size).toBe(2);
    expect(model.sent.at(-1)).toMatchObject({ language: "zh" });
  });

  it("ends when the page is left", () => {
    const { model, render } = host();
    render();
    window.dispatchEvent(new Event("pagehide"));
    expect(viewMessages(model).at(-1)?.[1]).toBe(false);
  });
});

describe("connection", () => {
  const connection = () => contexts[0]?.link.connection;

  it("is live once anything is heard", () => {
    const { model, render } = host(new FakeModel({ deaf: true }));
    render();
    expect(connection()).toBe("unknown");
    model.set("_live", live(1));
    expect(connection()).toBe("live");
    vi.advanceTimersByTime(2 * SILENT_AFTER);
    expect(connection()).toBe("live");
  });

  it("is live once the greeting is answered, even with an error", () => {
    const { model, render } = host(new FakeModel({ deaf: true }));
    render();
    const { id } = model.sent.find(({ action }) => action === "hello") ?? {};
    model.emit("msg:custom", { type: "error", id, error: "no such action" }, []);
    expect(connection()).toBe("live");
  });

  it("is silent when nobody answers, and lives again when somebody does", () => {
    const { model, render } = host(new FakeModel({ deaf: true }));
    render();
    vi.advanceTimersByTime(SILENT_AFTER);
    expect(connection()).toBe("silent");
    model.set("_live", live(1));
    expect(connection()).toBe("live");
  });

  it("is asked about again when the host says that something happened to it", () => {
    const { model, render } = host();
    render();
    vi.advanceTimersByTime(100);
    expect(connection()).toBe("live");
    model.emit("comm_live_update");
    expect(connection()).toBe("unknown");
    vi.advanceTimersByTime(100);
    expect(connection()).toBe("live");
  });

  it("is closed for good, with every open request", async () => {
    const { model, render } = host(new FakeModel({ deaf: true }));
    render();
    const link = contexts[0]?.link;
    const open = link?.request("pause");
    model.emit("comm:close");
    await expect(open).rejects.toThrow("closed");
    await expect(link?.request("pause")).rejects.toThrow("closed");
    model.emit("comm_live_update");
    vi.advanceTimersByTime(SILENT_AFTER);
    expect(connection()).toBe("closed");
  });
});

describe("in a notebook", () => {
  it("keeps keys from it, but not those with Ctrl or Cmd", () => {
    const { render } = host();
    const { el } = render();
    const heard = vi.fn();
    document.addEventListener("keydown", heard, { once: true });
    const inside = el.querySelector("p") as HTMLElement;
    const press = (init: KeyboardEventInit) =>
      inside.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, ...init }));
    press({ key: "ArrowLeft" });
    press({ key: "d" });
    expect(heard).not.toHaveBeenCalled();
    press({ key: "s", ctrlKey: true });
    expect(heard).toHaveBeenCalledTimes(1);
    expect(el.firstElementChild?.hasAttribute("data-lm-suppress-shortcuts")).toBe(true);
  });

  it("finds its colours once it is on the page", () => {
    const model = new FakeModel({ deaf: true });
    const el = document.createElement("div");
    const life = new AbortController();
    factory()().render({ model, el, signal: life.signal });
    const root = el.firstElementChild as HTMLElement;
    expect(root.dataset.theme).toBeUndefined();
    document.body.style.backgroundColor = "rgb(10, 10, 10)";
    document.body.append(el);
    page.scroll(true);
    expect(root.dataset.theme).toBe("dark");
    document.body.removeAttribute("style");
    life.abort();
  });
});
