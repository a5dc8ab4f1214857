import { afterEach, describe, expect, it, vi } from "vitest";
import { chosen, INITIAL, optionsFrom } from "../../src/training_monitor/options";
import { keep, recalled } from "../../src/ui/kept";
import { monitor, settle, type Ui } from "./monitor";

afterEach(() => {
  vi.restoreAllMocks();
  sessionStorage.clear();
});

/** A monitor on a page that is loaded, or loaded again. */
function load(id: string) {
  return monitor({ id });
}

const smoothing = ({ find }: Ui) => find<HTMLInputElement>(".nnw-smoothing input");
const logY = ({ find }: Ui) => find<HTMLInputElement>(".nnw-check input");
const axis = ({ find }: Ui) => find<HTMLSelectElement>("select");
const legend = ({ all }: Ui) =>
  all(".nnw-legend-item").map((item) => item.getAttribute("aria-pressed"));

function set(input: HTMLInputElement | HTMLSelectElement, value: string, event: string) {
  input.value = value;
  input.dispatchEvent(new Event(event, { bubbles: true }));
}

async function choose(ui: Ui) {
  set(smoothing(ui), "0.9", "input");
  logY(ui).click();
  set(axis(ui), "epoch", "change");
  ui.all(".nnw-legend-item")[1]?.click();
  await settle();
}

const held = (ui: Ui) => [
  smoothing(ui).value,
  logY(ui).checked,
  axis(ui).value,
  legend(ui).indexOf("false"),
];
const CHOSEN = ["0.9", true, "epoch", 1];
const AT_FIRST = [String(INITIAL.smoothing), false, "step", -1];

describe("what a view was set to", () => {
  it("is there again when the page is loaded again", async () => {
    const before = load("a");
    expect(held(before)).toEqual(AT_FIRST);
    await choose(before);
    expect(held(before)).toEqual(CHOSEN);
    expect(held(load("a"))).toEqual(CHOSEN);
  });

  it("is there again when the view is built anew in another language", async () => {
    const { model, ...ui } = load("a");
    await choose(ui);
    model.set("language", "zh");
    await settle();
    expect(ui.text(".nnw-toolbar")).toContain("平滑");
    expect(held(ui)).toEqual(CHOSEN);
  });

  it("belongs to one widget", async () => {
    await choose(load("a"));
    expect(held(load("b"))).toEqual(AT_FIRST);
  });

  it("takes up no room once it is as at first", async () => {
    const ui = load("a");
    await choose(ui);
    expect(sessionStorage.length).toBe(1);
    await choose(ui);
    set(smoothing(ui), String(INITIAL.smoothing), "input");
    set(axis(ui), "step", "change");
    expect(sessionStorage.length).toBe(0);
  });

  it.each(["get", "use"])("is merely lost where storage may not be had (%s)", async (where) => {
    const refuse = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
    const full = { getItem: refuse, setItem: refuse, removeItem: refuse } as unknown as Storage;
    const storage = vi.spyOn(globalThis, "sessionStorage", "get");
    if (where === "get") storage.mockImplementation(refuse);
    else storage.mockReturnValue(full);
    const ui = load("a");
    await choose(ui);
    expect(held(ui)).toEqual(CHOSEN);
    expect(ui.shown(".nnw-fault")).toBe(false);
    expect(held(load("a"))).toEqual(AT_FIRST);
  });

  it("without an id, as of an older kernel, is not kept", async () => {
    await choose(load(""));
    expect(sessionStorage.length).toBe(0);
    expect(held(load(""))).toEqual(AT_FIRST);
  });
});

describe("kept options", () => {
  it("come back as they were", () => {
    const options = { ...INITIAL, smoothing: 0, logY: true, hidden: new Set(["a", "学习"]) };
    keep("a", chosen(options));
    expect(optionsFrom(recalled("a"))).toEqual(options);
    expect(chosen({ ...INITIAL, range: [1, 2] })).toEqual({});
  });

  it.each([
    "",
    "null",
    "7",
    "[1]",
    "{",
    '{"smoothing": 2, "logY": "yes", "xMode": "miles", "hidden": 3}',
    '{"smoothing": null, "hidden": [1, null]}',
  ])("that are none are as at first: %s", (text) => {
    sessionStorage.setItem("nnwidgets:a", text);
    expect(optionsFrom(recalled("a"))).toEqual(INITIAL);
  });
});
