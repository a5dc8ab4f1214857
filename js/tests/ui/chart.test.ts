import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chart, type ChartData, type ChartOptions, CrosshairGroup } from "../../src/ui/chart";
import {
  awkwardValues,
  type Call,
  layOut,
  numbersIn,
  randomFrom,
  recordCanvases,
  seriesOf,
} from "./chart_fixtures";

let calls: Call[];
let stop: AbortController;
let zooms: ([number, number] | null)[];
let cursors: (number | null)[];

beforeEach(() => {
  calls = recordCanvases();
  layOut(480, 150);
  stop = new AbortController();
  zooms = [];
  cursors = [];
  document.body.replaceChildren();
});
afterEach(() => stop.abort());

function chartOf(data: Partial<ChartData> = {}, sync = new CrosshairGroup()) {
  const el = document.createElement("div");
  document.body.append(el);
  const options: ChartOptions = {
    el,
    sync,
    signal: stop.signal,
    language: () => "en",
    formatX: (value) => value.toFixed(0),
    formatY: (value) => value.toFixed(2),
    onZoom: (range) => zooms.push(range),
    onCursor: (step) => cursors.push(step),
    label: "loss",
  };
  const chart = new Chart(options);
  const set = (more: Partial<ChartData>) =>
    chart.setData({
      series: [],
      xMode: "step",
      epochs: new Float64Array(0),
      marks: [],
      cursor: null,
      smoothing: 0.6,
      logY: false,
      range: null,
      ...more,
    });
  set(data);
  const root = (el.firstElementChild ?? el) as HTMLElement;
  const find = (selector: string) => root.querySelector(selector) as HTMLElement;
  const press = (key: string, more: KeyboardEventInit = {}) => {
    const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
    root.dispatchEvent(event);
    return event;
  };
  return { chart, set, root, find, press, sync, over: find(".u-over") };
}

const train = () => seriesOf([3, 2, 1, 1, 2], 1, { stride: 10 });

describe("drawing", () => {
  it("keeps its canvas whatever it is given", () => {
    const { chart, set } = chartOf();
    const { canvas } = chart;
    set({ series: [train()] });
    set({ series: [train(), train()], logY: true, xMode: "time", range: [3, 9] });
    set({ series: [] });
    expect(chart.canvas).toBe(canvas);
    expect(document.querySelectorAll("canvas").length).toBe(1);
  });

  it("gives the canvas finite numbers only, whatever the values", () => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = randomFrom(seed);
      const { chart, set } = chartOf();
      const series = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        seriesOf(awkwardValues(60, random), 1 + Math.floor(random() * 4), {
          best: [3, 1],
          role: "val",
        }),
      );
      calls.length = 0;
      set({
        series,
        logY: random() < 0.5,
        epochs: Float64Array.of(0, 0, 20, 1, 40, 2),
        marks: [{ step: 12, kind: "nan", text: "NaN" }],
        cursor: 7,
        smoothing: random() < 0.5 ? 0 : 0.9,
      });
      expect(calls.some(({ name }) => name === "lineTo")).toBe(true);
      expect(numbersIn(calls).every(Number.isFinite)).toBe(true);
      chart.destroy();
    }
  });

  it("writes the labels of both axes", () => {
    chartOf({ series: [train()] });
    const labels = calls.filter(({ name }) => name === "fillText").map(({ args }) => args[0]);
    expect(labels).toContain("20");
    expect(labels).toContain("2.5");
  });

  it("draws nothing while hidden and everything once it has a size", () => {
    vi.restoreAllMocks();
    calls = recordCanvases();
    layOut(0, 0);
    const { chart } = chartOf({ series: [train()] });
    expect(calls.filter(({ name }) => name === "lineTo")).toEqual([]);
    layOut(480, 150);
    chart.resize();
    expect(calls.some(({ name }) => name === "lineTo")).toBe(true);
  });

  it("draws few points as dots joined by a line, also where they stand close together", () => {
    const dots = (count: number) => {
      const close = seriesOf(
        Array.from({ length: count }, (_, i) => i),
        1,
        { stride: 2 },
      );
      const { set } = chartOf();
      calls.length = 0;
      set({ series: [close], full: [0, 10_000] });
      return calls.filter(({ name }) => name === "arc").length;
    };
    expect(dots(29)).toBe(29);
    expect(dots(30)).toBe(0);
  });

  it("resolves colours when it draws", () => {
    const { root, chart, set } = chartOf();
    root.style.setProperty("--nnw-series-1", "rgb(1, 2, 3)");
    set({ series: [train()] });
    expect(chart.legend.series).toEqual([{ label: "train", color: "rgb(1, 2, 3)" }]);
    root.style.setProperty("--nnw-series-1", "rgb(4, 5, 6)");
    chart.resize();
    expect(calls.filter(({ name }) => name === "stroke").map((call) => call.strokeStyle)).toContain(
      "rgb(4, 5, 6)",
    );
  });
});

describe("words", () => {
  it("says why there is nothing to see", () => {
    const { set, find } = chartOf();
    expect(find(".nnw-chart-note").textContent).toBe("No data yet");
    set({ series: [seriesOf([-1, -2])], logY: true });
    expect(find(".nnw-chart-note").textContent).toBe("No positive values to show on a log axis");
    set({ series: [train()] });
    expect(find(".nnw-chart-note").hidden).toBe(true);
  });

  it("says how much a log axis leaves out", () => {
    const { find } = chartOf({ series: [seriesOf([1, -1, 0, 2])], logY: true });
    expect(find(".nnw-chart-note").textContent).toContain("2 at or below 0");
  });

  it("has a text alternative with the newest values and a description of the keys", () => {
    const { root } = chartOf({ series: [train()] });
    expect(root.getAttribute("aria-label")).toBe("loss, train 2.00");
    const help = document.getElementById(root.getAttribute("aria-describedby") ?? "");
    expect(help?.textContent).toContain("Arrow keys");
  });
});

describe("crosshair", () => {
  it("shows the values of all charts of the group at one step", () => {
    const sync = new CrosshairGroup();
    const first = chartOf({ series: [train()] }, sync);
    const second = chartOf({ series: [seriesOf([7, 8], 1, { stride: 30, label: "val" })] }, sync);
    sync.set(10);
    expect(first.find(".nnw-chart-readout").textContent).toContain("train2.00");
    expect(second.find(".nnw-chart-readout").textContent).toContain("val7.00@ 0");
    expect(second.find(".nnw-chart-at").textContent).toBe("step 10");
    sync.set(null);
    expect(first.find(".nnw-chart-readout").hidden).toBe(true);
    expect(first.find(".nnw-chart-crosshair").hidden).toBe(true);
  });

  it("names values that are not finite", () => {
    const { sync, find } = chartOf({ series: [seriesOf([Number.NaN, 1])] });
    sync.set(0);
    expect(find(".nnw-chart-readout em").textContent).toBe("NaN");
  });

  it("stays at its step when new data come", () => {
    const { sync, set, find } = chartOf({ series: [train()] });
    sync.set(10);
    set({ series: [seriesOf([3, 9, 1], 1, { stride: 10 })] });
    expect(find(".nnw-chart-readout").textContent).toContain("train9.00");
  });

  it("names the event it stands on", () => {
    const marks = [{ step: 20, kind: "lr", text: "learning rate × 0.5" }];
    const { sync, find } = chartOf({ series: [train()], marks });
    sync.set(10);
    expect(find(".nnw-chart-tip").hidden).toBe(true);
    sync.set(20);
    expect(find(".nnw-chart-tip").textContent).toBe("learning rate × 0.5");
  });
});

describe("keyboard", () => {
  it("moves from point to point and stops at the ends", () => {
    const { press, sync } = chartOf({ series: [train()] });
    const steps = [
      "Home",
      "ArrowRight",
      "ArrowRight",
      "ArrowLeft",
      "ArrowLeft",
      "ArrowLeft",
      "End",
      "ArrowRight",
    ].map((key) => {
      press(key);
      return sync.step;
    });
    expect(steps).toEqual([0, 10, 20, 10, 0, 0, 40, 40]);
  });

  it("starts at the newest point, or at the chosen step", () => {
    const newest = chartOf({ series: [train()] });
    newest.press("ArrowLeft");
    expect(newest.sync.step).toBe(40);
    const chosen = chartOf({ series: [train()], cursor: 20 });
    chosen.press("ArrowRight");
    expect(chosen.sync.step).toBe(20);
  });

  it("says the values aloud", () => {
    const { press, find } = chartOf({ series: [train()] });
    press("Home");
    expect(find("[aria-live]").textContent).toBe("step 0, train 3.00");
  });

  it("zooms around the crosshair and out again to everything", () => {
    const { press, sync, set } = chartOf({ series: [train()] });
    sync.set(10);
    press("+");
    expect(zooms.pop()).toEqual([5, 25]);
    set({ series: [train()], range: [5, 25] });
    press("-");
    expect(zooms).toEqual([null]);
  });

  it("chooses the step with Enter and takes it back with a second", () => {
    const { press, sync, set } = chartOf({ series: [train()] });
    sync.set(10);
    press("Enter");
    set({ series: [train()], cursor: 10 });
    press("Enter");
    expect(cursors).toEqual([10, null]);
  });

  it("takes back one thing with each Escape", () => {
    const { press, sync, set } = chartOf({ series: [train()], range: [5, 25], cursor: 10 });
    sync.set(10);
    press("Escape");
    expect([zooms, cursors]).toEqual([[null], []]);
    set({ series: [train()], cursor: 10 });
    press("Escape");
    expect(cursors).toEqual([null]);
    set({ series: [train()] });
    press("Escape");
    expect(sync.step).toBeNull();
  });

  it("leaves other keys and shortcuts to the notebook", () => {
    const { press } = chartOf({ series: [train()] });
    expect(press("ArrowLeft").defaultPrevented).toBe(true);
    expect(press("a").defaultPrevented).toBe(false);
    expect(press("ArrowLeft", { ctrlKey: true }).defaultPrevented).toBe(false);
  });
});

describe("pointer", () => {
  /** Pixels of steps: the plot area begins at 46 and is 418 wide for steps 0 to 40. */
  const at = (step: number): number => (step / 40) * 418;

  function pointerOn(over: HTMLElement) {
    vi.spyOn(over, "getBoundingClientRect").mockReturnValue({
      left: 0,
      top: 0,
      width: 418,
      height: 118,
    } as DOMRect);
    over.setPointerCapture = () => undefined;
    return (type: string, x: number, more: PointerEventInit = {}) =>
      over.dispatchEvent(
        new PointerEvent(type, {
          clientX: x,
          pointerId: 1,
          isPrimary: true,
          button: 0,
          bubbles: true,
          ...more,
        }),
      );
  }

  it("moves the crosshair to the nearest point, and away when it leaves", () => {
    const { over, sync } = chartOf({ series: [train()] });
    const pointer = pointerOn(over);
    pointer("pointermove", at(12));
    expect(sync.step).toBe(10);
    pointer("pointerleave", 0);
    expect(sync.step).toBeNull();
  });

  it("keeps what a finger pointed at", () => {
    const { over, sync } = chartOf({ series: [train()] });
    const pointer = pointerOn(over);
    pointer("pointermove", at(12), { pointerType: "touch" });
    pointer("pointerleave", 0, { pointerType: "touch" });
    expect(sync.step).toBe(10);
  });

  it("zooms to the stretch dragged over, in either direction", () => {
    const { over, find } = chartOf({ series: [train()] });
    const pointer = pointerOn(over);
    pointer("pointerdown", at(30));
    pointer("pointermove", at(10));
    expect(find(".nnw-chart-selection").hidden).toBe(false);
    pointer("pointerup", at(10));
    expect(zooms).toEqual([[expect.closeTo(10), expect.closeTo(30)]]);
    expect(find(".nnw-chart-selection").hidden).toBe(true);
  });

  it("chooses a step with a click, and resets with a double click that chooses nothing", () => {
    vi.useFakeTimers();
    const { over } = chartOf({ series: [train()] });
    const pointer = pointerOn(over);
    const click = () => {
      pointer("pointerdown", at(21));
      pointer("pointerup", at(21));
    };
    click();
    vi.runAllTimers();
    expect(cursors).toEqual([20]);
    click();
    click();
    over.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    vi.runAllTimers();
    expect(cursors).toEqual([20]);
    expect(zooms).toEqual([null]);
    vi.useRealTimers();
  });

  it("leaves the wheel to the notebook", () => {
    const { over } = chartOf({ series: [train()] });
    const event = new WheelEvent("wheel", { deltaY: 10, bubbles: true, cancelable: true });
    over.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
    expect(zooms).toEqual([]);
  });
});

describe("the end", () => {
  it("comes with the signal: nothing is left on the page, in the group or among the observers", () => {
    const disconnect = vi.fn();
    vi.stubGlobal(
      "ResizeObserver",
      class {
        observe(): void {}
        disconnect = disconnect;
      },
    );
    const { sync, over, root, set, chart } = chartOf({ series: [train()] });
    stop.abort();
    expect(document.querySelector(".nnw-chart")).toBeNull();
    expect(disconnect).toHaveBeenCalledOnce();
    calls.length = 0;
    sync.set(10);
    over.dispatchEvent(new MouseEvent("dblclick"));
    root.dispatchEvent(new KeyboardEvent("keydown", { key: "+" }));
    set({ series: [train()] });
    chart.resize();
    chart.destroy();
    expect([zooms, calls]).toEqual([[], []]);
  });

  it("may come before the beginning", () => {
    stop.abort();
    expect(() => chartOf({ series: [train()] })).not.toThrow();
    expect(document.querySelector(".nnw-chart")).toBeNull();
  });

  it("takes every listener on the window along", () => {
    const added = vi.spyOn(window, "addEventListener");
    const removed = vi.spyOn(window, "removeEventListener");
    const { chart } = chartOf({ series: [train()] });
    chart.destroy();
    const names = (spy: { mock: { calls: unknown[][] } }) =>
      spy.mock.calls.map(([name]) => name).sort();
    expect(names(removed)).toEqual(names(added));
  });
});
