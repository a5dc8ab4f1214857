import { describe, expect, it } from "vitest";
import { type Formats, Layout, MARGIN } from "../../src/ui/chart_layout";
import type { ChartData, SeriesView } from "../../src/ui/chart_types";
import { awkwardValues, randomFrom, seriesOf } from "./chart_fixtures";

const FORMATS: Formats = {
  formatX: (value, mode) => (mode === "step" ? value.toFixed(0) : value.toFixed(2)),
  formatY: (value) => value.toPrecision(3),
};
const measure = (text: string): number => 6 * text.length;

function dataOf(series: SeriesView[], more: Partial<ChartData> = {}): ChartData {
  return {
    series,
    xMode: "step",
    epochs: new Float64Array(0),
    marks: [],
    cursor: null,
    smoothing: 0.6,
    logY: false,
    range: null,
    ...more,
  };
}

function layoutOf(series: SeriesView[], more: Partial<ChartData> = {}): Layout {
  const layout = new Layout(dataOf(series, more), FORMATS);
  layout.fit(480, 150, measure, 0);
  return layout;
}

describe("the x axis", () => {
  it("spans the data, hidden series included, and the run where it is given", () => {
    const train = seriesOf([1, 2, 3], 1, { first: 10 });
    const val = seriesOf([1, 2], 1, { first: 5, stride: 20, visible: false });
    expect(layoutOf([train, val]).x.range).toEqual([5, 25]);
    expect(layoutOf([train], { full: [0, 99] }).x.range).toEqual([0, 99]);
    expect(layoutOf([train], { range: [11, 12] }).x.range).toEqual([11, 12]);
    expect(layoutOf([seriesOf([1], 1, { first: 7 })]).x.range).toEqual([6.5, 7.5]);
  });

  it("keeps every label on the chart and apart from the next", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = randomFrom(seed);
      const values = Array.from({ length: 2 + Math.floor(random() * 300) }, random);
      const stride = Math.ceil(10 ** (random() * 5));
      const layout = new Layout(dataOf([seriesOf(values, 1, { stride })]), FORMATS);
      const width = 140 + Math.floor(random() * 900);
      expect(layout.fit(width, 150, measure, 0)).toBe(true);
      const ends = layout.x.ticks.map((tick, i) => {
        const label = layout.x.labels[i] ?? "";
        const half = measure(label) / 2;
        const at = layout.left + layout.pixelOf(tick);
        if (label !== "") expect(at + half).toBeLessThanOrEqual(width);
        return { from: at - half, to: at + half, label };
      });
      const shown = ends.filter(({ label }) => label !== "");
      shown.forEach(({ from }, i) => {
        if (i > 0) expect(from).toBeGreaterThan(shown[i - 1]?.to ?? 0);
      });
    }
  });

  it("leads from steps to pixels and back in every unit", () => {
    const epochs = Float64Array.of(0, 0, 40, 1, 90, 2);
    const train = seriesOf(Array.from({ length: 120 }, () => 1));
    for (const xMode of ["step", "epoch", "time"] as const) {
      const layout = layoutOf([train], { xMode, epochs });
      expect(layout.pixelOf(0)).toBeCloseTo(0);
      expect(layout.pixelOf(119)).toBeCloseTo(layout.width);
      expect(layout.stepAt(layout.pixelOf(33))).toBeCloseTo(33);
    }
  });
});

describe("the y axis", () => {
  it("makes room for long labels, and keeps the room it had", () => {
    const usual = layoutOf([seriesOf([1, 2])]);
    const fine = layoutOf([seriesOf([0.99991, 0.99993])]);
    expect(fine.left).toBeGreaterThan(usual.left);
    expect(Math.max(...fine.y.labels.map(measure))).toBeLessThan(fine.left);
    const later = new Layout(dataOf([seriesOf([1, 2])]), FORMATS);
    later.fit(480, 150, measure, fine.left);
    expect(later.left).toBe(fine.left);
  });

  it("puts values where the axis says, and none where it cannot", () => {
    const layout = layoutOf([seriesOf([1, 100])], { logY: true });
    const [y0, y1] = layout.y.range;
    expect(layout.pixelOfValue(10)).toBeCloseTo(layout.height * (1 - (1 - y0) / (y1 - y0)));
    expect(layout.pixelOfValue(-1)).toBeNaN();
  });
});

it("fit says when there is no room", () => {
  const layout = new Layout(dataOf([]), FORMATS);
  expect(layout.fit(40, 150, measure, 0)).toBe(false);
  expect(layout.fit(400, MARGIN.top + MARGIN.bottom, measure, 0)).toBe(false);
});

describe("rings", () => {
  it("mark the best of a validation series in view", () => {
    const val = seriesOf([3, 1, 2], 1, { role: "val", best: [1, 1] });
    const train = seriesOf([3, 1, 2], 1, { best: [1, 1] });
    expect(layoutOf([train, val]).rings).toEqual([{ x: 1, y: 1, series: 1 }]);
    expect(layoutOf([train, val], { range: [1.5, 2] }).rings).toEqual([]);
    const hidden = { ...val, visible: false };
    expect(layoutOf([hidden]).rings).toEqual([]);
  });

  it("have no place on a log axis when the best is not positive", () => {
    const val = seriesOf([3, -1], 1, { role: "val", best: [1, -1] });
    expect(layoutOf([val], { logY: true }).rings).toEqual([]);
  });
});

describe("emptiness", () => {
  const bad = seriesOf([Number.NaN, Number.POSITIVE_INFINITY]);

  it("names the reason", () => {
    expect(layoutOf([]).emptiness).toBe("empty");
    expect(layoutOf([seriesOf([])]).emptiness).toBe("empty");
    expect(layoutOf([seriesOf([1], 1, { visible: false })]).emptiness).toBe("hidden");
    expect(layoutOf([seriesOf([1, 2])], { range: [50, 60] }).emptiness).toBe("no_range");
    expect(layoutOf([bad]).emptiness).toBe("not_finite");
    expect(layoutOf([seriesOf([-1, 0])], { logY: true }).emptiness).toBe("no_positive");
  });

  it("is none as soon as one value can be drawn", () => {
    expect(layoutOf([seriesOf([1])]).emptiness).toBeNull();
    expect(layoutOf([seriesOf([Number.NaN, 2, -1])], { logY: true }).emptiness).toBeNull();
  });

  it("counts what a log axis drops, and only there", () => {
    expect(layoutOf([seriesOf([1, -1, 0])], { logY: true }).dropped).toBe(2);
    expect(layoutOf([seriesOf([1, -1, 0])]).dropped).toBe(0);
  });
});

it("any values give finite axes with everything in place", () => {
  for (let seed = 1; seed <= 80; seed++) {
    const random = randomFrom(seed);
    const series = Array.from({ length: 1 + Math.floor(random() * 4) }, () =>
      seriesOf(awkwardValues(Math.floor(random() * 80), random), 1 + Math.floor(random() * 5)),
    );
    const layout = layoutOf(series, {
      logY: random() < 0.5,
      smoothing: random() * 0.99,
      xMode: (["step", "epoch", "time"] as const)[Math.floor(random() * 3)] ?? "step",
      epochs: Float64Array.of(0, 0, 10, 0.1, 20, 0.2),
      range: random() < 0.3 ? [random() * 30, 31 + random() * 30] : null,
    });
    for (const value of [...layout.x.range, ...layout.y.range, ...layout.y.ticks]) {
      expect(Number.isFinite(value)).toBe(true);
    }
    expect(layout.y.labels.length).toBe(layout.y.ticks.length);
  }
});
