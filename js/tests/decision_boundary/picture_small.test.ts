import { beforeEach, describe, expect, it, vi } from "vitest";
import { landscapeView } from "../../src/decision_boundary/picture/landscape";
import { levelLines } from "../../src/decision_boundary/picture/level_lines";
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

describe("lines of equal height", () => {
  it("of a plane are straight and where the plane has that height", () => {
    // Height 10 x + 20 y on a grid of 6 × 5.
    const codes = Uint8Array.from(
      { length: 30 },
      (_, at) => 10 * (at % 6) + 20 * Math.floor(at / 6),
    );
    const ends = levelLines(codes, 5, 6, 55);
    let length = 0;
    for (let at = 0; at < ends.length; at += 4) {
      const [x = 0, y = 0, toX = 0, toY = 0] = ends.slice(at, at + 4);
      expect(10 * x + 20 * y).toBeCloseTo(55, 9);
      expect(10 * toX + 20 * toY).toBeCloseTo(55, 9);
      length += Math.hypot(toX - x, toY - y);
    }
    // From (0, 2.75) to (5, 0.25), without a gap and without a piece too many.
    expect(length).toBeCloseTo(Math.hypot(5, 2.5), 9);
  });

  it("keep high corners of a saddle apart, and leave out what is not finite", () => {
    const saddle = levelLines(Uint8Array.of(100, 0, 0, 100), 2, 2, 50);
    expect(saddle).toEqual([0, 0.5, 0.5, 0, 1, 0.5, 0.5, 1]);
    const other = levelLines(Uint8Array.of(0, 100, 100, 0), 2, 2, 50);
    expect(other).toEqual([0.5, 0, 1, 0.5, 0.5, 1, 0, 0.5]);
    expect(levelLines(Uint8Array.of(0, 100, 100, 253), 2, 2, 50)).toEqual([]);
    expect(levelLines(Uint8Array.of(9, 9, 9, 9), 2, 2, 9)).toEqual([]);
  });
});
