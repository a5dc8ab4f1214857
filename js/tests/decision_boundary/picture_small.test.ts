import { beforeEach, describe, expect, it, vi } from "vitest";
import { landscapeView } from "../../src/decision_boundary/picture/landscape";
import { unitStrip } from "../../src/decision_boundary/picture/units";
import type { Landscape, Units } from "../../src/decision_boundary/state";
import { wordsFor } from "../../src/ui/i18n";
import { openPage } from "../page";

beforeEach(() => {
  openPage();
});

describe("hidden units", () => {
  const units: Units = {
    layer: "1",
    count: 9,
    units: [4, 7],
    state: "ready",
    problem: null,
    step: 3,
    values: Uint8Array.of(0, 250, 125, 125, 250, 0, 0, 0),
    rows: 2,
    columns: 2,
    low: Float32Array.of(-1, 0),
    high: Float32Array.of(1, 2),
    large: null,
    largeLow: 0,
    largeHigh: 0,
    largeValues: null,
  };

  it("are buttons that say their scale and enlarge", () => {
    const enlarge = vi.fn();
    const { signal } = new AbortController();
    const strip = unitStrip({ words: wordsFor("en"), signal, say: vi.fn(), enlarge });
    document.body.append(strip.element);
    strip.draw({ units, chosen: null, reachable: true });
    const buttons = [...strip.element.querySelectorAll("button")];
    expect(buttons.map((button) => button.getAttribute("aria-label"))).toEqual([
      "Unit 4: from −1.00 to +1.00",
      "Unit 7: from 0.00 to +2.00",
    ]);
    buttons[1]?.click();
    expect(enlarge).toHaveBeenLastCalledWith(7);
    const largeValues = { data: Uint8Array.of(0, 250, 125, 125), rows: 2, columns: 2 };
    const large = { large: 7, largeLow: 0, largeHigh: 2, largeValues };
    strip.draw({ units: { ...units, ...large }, chosen: 7, reachable: true });
    expect(buttons.map((button) => button.getAttribute("aria-pressed"))).toEqual(["false", "true"]);
    const picture = strip.element.querySelector("[role=application]");
    expect(picture?.getAttribute("aria-label")).toContain("Unit 7 over the plane");
    // Its scale is the signed one around zero, and its top row is the last that came.
    expect(strip.element.textContent).toContain("−2.00");
    buttons[1]?.click();
    expect(enlarge).toHaveBeenLastCalledWith(null);
    strip.draw({ units: { ...units, units: [4], count: 1 }, chosen: null, reachable: false });
    expect(buttons.map((button) => [button.hidden, button.disabled])).toEqual([
      [false, true],
      [true, false],
    ]);
  });
});

describe("the landscape", () => {
  it("says the loss at a place, also where its colours go with the logarithm", () => {
    const { signal } = new AbortController();
    const view = landscapeView({ words: wordsFor("en"), signal, say: vi.fn() });
    document.body.append(view.element);
    const landscape: Landscape = {
      state: "ready",
      problem: null,
      step: 1,
      centre: 0.1,
      span: 1,
      low: -1,
      high: 1,
      log: true,
      lossName: "",
      notes: [],
      loss: { data: Uint8Array.of(250, 125, 250, 125, 0, 125, 250, 125, 250), rows: 3, columns: 3 },
      alpha: Float32Array.of(-1, 0, 1),
      beta: Float32Array.of(-1, 0, 1),
    };
    view.draw(landscape);
    const root = view.element.querySelector("[role=application]") as HTMLElement;
    const readout = view.element.querySelector(".nnw-readout") as HTMLElement;
    const key = (name: string) =>
      root.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    key("ArrowRight");
    expect(readout.textContent).toBe("first direction −1.0, second 1.0: loss 10.0");
    key("ArrowRight");
    key("ArrowDown");
    expect(readout.textContent).toBe("first direction 0.0, second 0.0: loss 0.100");
    expect(view.element.textContent).toContain("log₁₀ of the loss");
    view.draw({ ...landscape, log: false, low: 0, high: 2 });
    expect(readout.textContent).toBe("first direction 0.0, second 0.0: loss 0.00");
  });
});
