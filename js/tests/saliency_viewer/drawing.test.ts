import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { areaUnder } from "../../src/saliency_viewer/curves";
import { readItems } from "../../src/saliency_viewer/detail";
import { driftText, frameAt, stepsOf } from "../../src/saliency_viewer/foot";
import { offered, unitText } from "../../src/saliency_viewer/methods";
import { captionOf, costOf, headingOf, notesOf } from "../../src/saliency_viewer/pane";
import { marksOf } from "../../src/saliency_viewer/panes";
import { colorAt, fitted, over, paintOverlay, tint } from "../../src/saliency_viewer/pixels";
import { tokenText } from "../../src/saliency_viewer/places";
import { scaleOf, turned } from "../../src/saliency_viewer/sequence";
import type { Choices, Film } from "../../src/saliency_viewer/state";
import { inkOn } from "../../src/saliency_viewer/tokens";
import { MOST, ranked, waterfall, waterfalls } from "../../src/saliency_viewer/waterfall";
import { paletteOf } from "../../src/ui/colormap";
import { wordsFor } from "../../src/ui/i18n";
import { Sheet } from "../../src/ui/raster";
import { contrast, parseColor } from "../../src/ui/theme";
import { openPage } from "../page";
import { randomFrom } from "../ui/chart_fixtures";
import { paneOf } from "./viewer";

const en = wordsFor("en");

describe("a waterfall", () => {
  it("leads from the baseline's score to the row's, the largest value first", () => {
    const pane = paneOf([0.5, -2, 1], { baselineScore: 1, score: 0.5 });
    const { adds, steps, low, high } = waterfall(pane, false);
    expect(adds).toBe(true);
    expect(steps.map(({ kind, feature, from, to }) => [kind, feature, from, to])).toEqual([
      ["baseline", -1, 1, 1],
      ["feature", 1, 1, -1],
      ["feature", 2, -1, 0],
      ["feature", 0, 0, 0.5],
      ["score", -1, 0.5, 0.5],
    ]);
    expect([low, high]).toEqual([-1, 1]);
  });

  it("is one unbroken way, whatever the values", () => {
    const random = randomFrom(5);
    for (let trial = 0; trial < 50; trial++) {
      const values = Array.from({ length: 1 + Math.floor(random() * 40) }, () => random() * 4 - 2);
      const sum = values.reduce((total, value) => total + Math.fround(value), 0);
      const baselineScore = random() - 0.5;
      const missing = 0.2 * (random() - 0.5) * sum;
      const pane = paneOf(values, { baselineScore, score: baselineScore + sum + missing });
      const { adds, steps } = waterfall(pane, trial % 2 === 0);
      expect(adds).toBe(true);
      for (let at = 1; at < steps.length - 1; at++) {
        expect(steps[at]?.from).toBeCloseTo(steps[at - 1]?.to as number, 5);
      }
      const features = steps.filter(({ kind }) => kind === "feature").length;
      const others = steps.find(({ kind }) => kind === "others")?.count ?? 0;
      expect(features + others).toBe(values.length);
      // What is missing has a row of its own, unless it is next to nothing.
      const gap = steps.find(({ kind }) => kind === "gap");
      expect(gap !== undefined).toBe(Math.abs(missing) > 0.01 * Math.abs(sum + missing));
      if (gap !== undefined) expect(gap.value).toBeCloseTo(missing, 4);
      expect(steps.at(-2)?.to).toBeCloseTo(
        baselineScore + sum + (gap === undefined ? 0 : missing),
        4,
      );
    }
  });

  it("begins each bar at zero where values and scores are of different kinds", () => {
    const { adds, steps, low, high } = waterfall(
      paneOf([3, -1], { baselineScore: 0, score: 9 }),
      false,
    );
    expect([adds, low, high]).toEqual([false, -1, 3]);
    expect(steps.map(({ from, to }) => [from, to])).toEqual([
      [0, 3],
      [0, -1],
    ]);
    expect(waterfall(paneOf([3, -1]), false).adds).toBe(false);
  });

  it("takes the small ones together, and shows what is not finite first", () => {
    const values = Array.from({ length: 40 }, (_, feature) =>
      feature === 31 ? Number.NaN : 1 / (1 + feature),
    );
    const { steps } = waterfall(paneOf(values), false);
    expect(steps[0]?.feature).toBe(31);
    expect(steps.at(-1)).toMatchObject({ kind: "others", count: 40 - MOST });
    expect(waterfall(paneOf(values), true).steps).toHaveLength(40);
    expect(ranked(Float32Array.of(1, Number.NEGATIVE_INFINITY, -3))).toEqual([1, 2, 0]);
  });

  it("stands beside another in the same order and on the same scale", () => {
    const [first, second] = waterfalls([paneOf([1, 5]), paneOf([-8, 2])], false);
    expect(second?.steps.map(({ feature }) => feature)).toEqual([1, 0]);
    expect([first?.low, first?.high]).toEqual([-8, 5]);
    expect([second?.low, second?.high]).toEqual([-8, 5]);
    expect(waterfalls([], false)).toEqual([]);
  });
});

describe("a map over a picture", () => {
  let drawn: number[][];
  beforeEach(() => {
    openPage();
    drawn = [];
    vi.spyOn(Sheet.prototype, "color").mockImplementation((x, y, ...color) => {
      drawn.push([x, y, ...color]);
    });
  });
  afterEach(() => vi.restoreAllMocks());
  const palette = paletteOf(true, false);
  const scale = { low: -1, high: 1, signed: true };
  const paint = (codes: number[], opacity: number) => {
    const picture = { data: Uint8Array.of(100, 200), shape: [1, 2] };
    paintOverlay(new Sheet(), picture, Uint8Array.from(codes), [1, 2], scale, palette, opacity);
  };

  it("leaves the picture as it is where it says nothing, and without opacity", () => {
    paint([125, 125], 1);
    paint([0, 250], 0);
    expect(drawn.map(([, , red]) => red)).toEqual([100, 200, 100, 200]);
  });

  it("is blue below zero and red above", () => {
    paint([0, 250], 1);
    const [below = [], above = []] = drawn;
    expect(below[4]).toBeGreaterThan(below[2] as number);
    expect(above[2]).toBeGreaterThan(above[4] as number);
  });

  it("has more of its colour the farther a value is from zero", () => {
    const weights = [125, 150, 200, 250].map((code) => tint(code, true, palette)[1]);
    expect(weights).toEqual([...weights].sort((a, b) => a - b));
    expect([weights[0], weights.at(-1)]).toEqual([0, 1]);
    expect(tint(253, true, palette)[1]).toBe(1);
    expect(tint(0, false, paletteOf(false, false))[1]).toBe(0);
  });

  it("finds the place of a coarser grid", () => {
    expect(Array.from({ length: 8 }, (_, place) => over(place, 8, 4))).toEqual([
      0, 0, 1, 1, 2, 2, 3, 3,
    ]);
    expect(Array.from({ length: 4 }, (_, place) => over(place, 4, 8))).toEqual([1, 3, 5, 7]);
  });

  it("reads grey and coloured pictures", () => {
    expect(colorAt({ data: Uint8Array.of(1, 2, 3, 4), shape: [2, 2] }, 1, 0)).toEqual([3, 3, 3]);
    expect(colorAt({ data: Uint8Array.of(1, 2, 3, 4, 5, 6), shape: [1, 2, 3] }, 0, 1)).toEqual([
      4, 5, 6,
    ]);
  });

  it("is as large as there is room, in whole pixels", () => {
    expect(fitted([28, 28], 300, 340)).toEqual([280, 280]);
    expect(fitted([10, 20], 300, 100)).toEqual([200, 100]);
    expect(fitted([224, 224], 300, 340)).toEqual([300, 300]);
  });
});

describe("what is said of a map", () => {
  const choices = (part: Partial<Choices> = {}): Choices => ({
    methods: [],
    unavailable: [],
    default: "",
    layers: [],
    baselines: [],
    classes: [],
    steps: [],
    checkpoints: [],
    uses: new Map(),
    ...part,
  });

  it("names the class, or the output where there is none", () => {
    expect(headingOf(paneOf([1]), en)).toBe("Evidence for “a”");
    expect(headingOf(paneOf([1], { targetName: "" }), en)).toBe("Evidence for the output");
  });

  it("names method, layer, baseline and step", () => {
    const known = choices({ baselines: [{ name: "zero", label: "black" }] });
    expect(captionOf(paneOf([1]), known, en)).toBe("Integrated gradients, baseline black, step 7");
    const past = paneOf([1], { method: "grad_cam", layer: "4", baseline: null, past: true });
    expect(captionOf(past, null, en)).toBe("Grad-CAM, layer 4, weights kept at step 7");
    const other = paneOf([1], { baseline: null, checkpoint: "best.pt" });
    expect(captionOf(other, null, en)).toBe("Integrated gradients, checkpoint best.pt");
    expect(captionOf(paneOf([1], { method: "mine", baseline: null }), null, en)).toBe(
      "mine, step 7",
    );
  });

  it("warns of a map that says nothing, unless the kernel did", () => {
    expect(notesOf(paneOf([0, 0]), en)).toMatchObject([{ level: "warning" }]);
    expect(notesOf(paneOf([0, 0], { warnings: ["Dead ReLUs."] }), en)).toEqual([
      { level: "warning", text: "Dead ReLUs." },
    ]);
    expect(notesOf(paneOf([0, 1]), en)).toEqual([]);
    expect(notesOf(paneOf([0, 1], { r2: 0.2 }), en)).toMatchObject([{ level: "warning" }]);
    expect(notesOf(paneOf([0, 1], { r2: 0.9 }), en)).toMatchObject([{ level: "info" }]);
    expect(notesOf(paneOf([0, 0], { state: "failed", problem: "No." }), en)).toEqual([
      { level: "error", text: "No." },
    ]);
  });

  it("says what it took", () => {
    expect(costOf(paneOf([1], { seconds: 0.421, evaluations: 51 }), en)).toBe(
      "0.42 s, 51 evaluations",
    );
    expect(costOf(paneOf([1], { seconds: 0.00914, evaluations: 2 }), en)).toBe(
      "9.1 ms, 2 evaluations",
    );
    expect(costOf(paneOf([1], { seconds: 0.0996, evaluations: 0 }), en)).toBe("0.10 s");
    expect(costOf(paneOf([1], { seconds: 2 }), en)).toBe("2.0 s");
    expect(costOf(paneOf([1]), en)).toBe("");
  });

  it("says what its numbers count", () => {
    expect(unitText("integrated_gradients", "logit", en)).toBe("logit");
    expect(unitText("saliency", "probability", en)).toBe("probability per unit of input");
    expect(unitText("grad_cam", "logit", en)).toBe("no unit");
  });

  it("offers the methods that people ask for first, and the chosen one", () => {
    const methods = [
      "saliency",
      "smooth_grad",
      "grad_cam",
      "occlusion",
      "lime",
      "lrp",
      "kernel_shap",
    ];
    const known = choices({ methods, default: "grad_cam" });
    expect(offered(known, "lime").bar).toEqual(["grad_cam", "occlusion", "lime", "saliency"]);
    const { bar, more } = offered(known, "lrp");
    expect(bar).toEqual(["grad_cam", "occlusion", "lime", "lrp"]);
    expect([...bar, ...more].sort()).toEqual([...methods].sort());
    expect(offered(choices({ methods: ["lrp"], default: "lrp" }), "none")).toEqual({
      bar: ["lrp"],
      more: [],
    });
  });

  it("counts what is not finite in all maps", () => {
    const scale = { low: 0, high: 1, signed: false };
    const panes = [
      paneOf([Number.NaN, 1]),
      paneOf([Number.NEGATIVE_INFINITY, Number.NaN]),
      paneOf([0], { map: null }),
    ];
    expect(marksOf(panes, scale)).toEqual({ nan: 2, plus: 0, minus: 1 });
  });
});

describe("a film", () => {
  const film: Film = {
    method: "saliency",
    index: 0,
    steps: Float64Array.of(10, 30),
    drift: Float32Array.of(Number.NaN, 0.5),
    frames: { data: Float32Array.of(0, 1, 0.5, 1, 1, 0, 0, 0), shape: [2, 2, 2] },
    scale: { low: 0, high: 1, signed: false },
  };

  it("has a frame of some steps; those whose weights are kept can be gone to", () => {
    expect(Array.from(stepsOf(film, [20, 30, 5]))).toEqual([5, 20, 30]);
    expect(Array.from(stepsOf(film, []))).toEqual([10, 30]);
    expect(Array.from(stepsOf(null, []))).toEqual([]);
    expect(frameAt(film, 20)).toBeNull();
    expect(frameAt(film, 30)).toEqual({ codes: Uint8Array.of(250, 0, 0, 0), rows: 2, columns: 2 });
  });

  it("folds rows of values, and leaves the rest of the last line empty", () => {
    const values = Float32Array.from({ length: 40 }, () => 1);
    const row = { ...film, steps: Float64Array.of(10), frames: { data: values, shape: [1, 40] } };
    const frame = frameAt(row, 10);
    expect([frame?.rows, frame?.columns]).toEqual([2, 32]);
    expect(Array.from(frame?.codes ?? []).filter((code) => code === 250)).toHaveLength(40);
  });

  it("says how far a frame is from the one before", () => {
    expect([10, 30, 40].map((step) => driftText(film, step, en))).toEqual([
      "",
      "similarity 0.50",
      "",
    ]);
  });
});

describe("curves", () => {
  it("have the area under them", () => {
    const x = Float32Array.from({ length: 101 }, (_, place) => place / 100);
    expect(areaUnder(x, x)).toBeCloseTo(0.5, 6);
    expect(
      areaUnder(
        x,
        x.map((share) => share * share),
      ),
    ).toBeCloseTo(1 / 3, 3);
    expect(areaUnder(Float32Array.of(0, 0.25, 1), Float32Array.of(1, 0, 0))).toBeCloseTo(0.125, 6);
    expect(areaUnder(x, Float32Array.of(1))).toBeNaN();
  });
});

describe("sequences and tokens", () => {
  it("turns rows into columns, and back", () => {
    const data = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(Array.from(turned(data, 2, 3))).toEqual([1, 4, 2, 5, 3, 6]);
    expect(turned(turned(data, 2, 3), 3, 2)).toEqual(data);
  });

  it("gives the input a scale of its own, signed if it has both signs", () => {
    expect(scaleOf(Float32Array.of(1, 3))).toEqual({ low: 1, high: 3, signed: false });
    expect(scaleOf(Float32Array.of(-1, 3))).toEqual({ low: -3, high: 3, signed: true });
    expect(scaleOf(Float32Array.of(Number.NaN))).toEqual({ low: 0, high: 0, signed: false });
  });

  it("shows white space as signs", () => {
    expect(["", " ", "\n\t", " the", "a b"].map(tokenText)).toEqual([
      "∅",
      "␣",
      "↵␣",
      " the",
      "a b",
    ]);
  });

  it("writes on every colour so that it can be read", () => {
    for (const dark of [false, true]) {
      for (let code = 0; code <= 250; code++) {
        const color = paletteOf(true, dark).css(code);
        const [ink, back] = [inkOn(color), color].map((one) => parseColor(one));
        expect(contrast(ink as never, back as never)).toBeGreaterThan(4.5);
      }
    }
  });

  it("reads the numbers behind a place, and nothing else", () => {
    expect(readItems({ items: [["value", 3], ["rank"], "odd"] })).toEqual([
      ["value", "3"],
      ["rank", ""],
    ]);
    expect(readItems(null)).toEqual([]);
    expect(readItems({ items: "none" })).toEqual([]);
  });
});
