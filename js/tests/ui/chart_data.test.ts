import { describe, expect, it } from "vitest";
import {
  bandOf,
  countNotPositive,
  debiasedAverage,
  extentSteps,
  extentY,
  lastAtOrBefore,
  nearest,
  prepare,
  rawLine,
  readAt,
  stopsOf,
  weightFor,
} from "../../src/ui/chart_data";
import type { SeriesView } from "../../src/ui/chart_types";
import { xUnits } from "../../src/ui/chart_units";
import { awkwardValues, randomFrom, seriesOf } from "./chart_fixtures";

const STEPS = xUnits("step", new Float64Array(0), []);
const line = (view: SeriesView, log = false) => {
  const { x, y } = rawLine(view, view.x, view.x1, log);
  return Array.from(x, (at, i) => [at, y[i]]);
};

describe("debiasedAverage", () => {
  it("is the weighted mean of what came before, with weights that add up to one", () => {
    const random = randomFrom(1);
    const values = Array.from({ length: 60 }, () => random() * 4 - 1);
    for (const weight of [0, 0.3, 0.9, 0.99]) {
      const smooth = debiasedAverage(values, weight);
      values.forEach((_, last) => {
        let sum = 0;
        let weights = 0;
        for (let i = 0; i <= last; i++) {
          const w = weight ** (last - i);
          sum += w * (values[i] as number);
          weights += w;
        }
        expect(smooth[last]).toBeCloseTo(sum / weights, 10);
      });
    }
  });

  it("keeps a constant and the first value", () => {
    expect(Array.from(debiasedAverage([3, 3, 3], 0.9))).toEqual(
      [3, 3, 3].map((v) => expect.closeTo(v)),
    );
    expect(debiasedAverage([7, 0], 0.99)[0]).toBeCloseTo(7);
  });

  it("has a gap where a value is not finite and goes on as if it had not been there", () => {
    const values = [1, Number.NaN, 2, Number.POSITIVE_INFINITY, 3];
    const smooth = debiasedAverage(values, 0.5);
    expect(smooth[1]).toBeNaN();
    expect(smooth[3]).toBeNaN();
    expect([smooth[0], smooth[2], smooth[4]]).toEqual(Array.from(debiasedAverage([1, 2, 3], 0.5)));
  });
});

describe("weightFor", () => {
  const dense = seriesOf(Array.from({ length: 400 }, () => 1));
  const sparse = seriesOf(Array.from({ length: 10 }, () => 1));

  it("gives the densest series what was asked for", () => {
    expect(weightFor(dense, [dense, sparse], 0.9)).toBe(0.9);
  });

  it("makes ten points beside four hundred reach equally far back", () => {
    expect(weightFor(sparse, [dense, sparse], 0.99)).toBeCloseTo(0.99 ** 40);
    expect(weightFor(sparse, [dense, sparse], 0)).toBe(0);
  });

  it("leaves few points alone where their average would be the points themselves", () => {
    expect(0.9 ** 40).toBeLessThan(0.1);
    expect(weightFor(sparse, [dense, sparse], 0.9)).toBe(0);
    expect(weightFor(seriesOf(Array(30).fill(1)), [dense], 0.6)).toBeCloseTo(0.6 ** (400 / 30));
  });

  it("smooths nothing on a chart of few points, a held rate beside them or not", () => {
    const held = seriesOf(Array(50).fill(1), 1, { stepLine: true });
    for (const all of [[sparse], [sparse, held]]) expect(weightFor(sparse, all, 0.9)).toBe(0);
    // thirty are enough; and a zoom in which few of many lie changes nothing
    const thirty = seriesOf(Array(30).fill(1));
    expect(weightFor(thirty, [thirty], 0.9)).toBe(0.9);
    const zoomed = { ...sparse, points: 400 };
    expect(weightFor(zoomed, [zoomed], 0.9)).toBe(0.9);
  });
});

describe("few points", () => {
  const prepared = (view: SeriesView, smoothing: number) =>
    prepare(view, STEPS, smoothing, false).few;

  it("are shown one by one, unless they are smoothed, held, or stand for more", () => {
    const values = [3, 1, 2];
    expect(prepared(seriesOf(values), 0)).toBe(true);
    expect(prepared(seriesOf(values), 0.5)).toBe(false);
    expect(prepared(seriesOf(values, 1, { stepLine: true }), 0)).toBe(false);
    expect(prepared(seriesOf(values, 2), 0)).toBe(false);
    expect(prepared(seriesOf(values, 1, { points: 30 }), 0)).toBe(false);
    expect(prepared(seriesOf(Array(30).fill(1)), 0)).toBe(false);
  });
});

describe("rawLine", () => {
  it("is the points themselves where buckets hold one each", () => {
    expect(line(seriesOf([1, 3, 2]))).toEqual([
      [0, 1],
      [1, 3],
      [2, 2],
    ]);
  });

  it("runs through both extremes of a bucket in the order they came", () => {
    expect(line(seriesOf([1, 5, 9, 2], 2))).toEqual([
      [0, 1],
      [1, 5],
      [2, 9],
      [3, 2],
    ]);
  });

  it("lifts the pen where a bucket has nothing finite", () => {
    expect(line(seriesOf([1, Number.NaN, 2])).map(([, y]) => y)).toEqual([1, Number.NaN, 2]);
  });

  it("keeps the positive part of a bucket on a log axis", () => {
    const ys = line(seriesOf([10, -1, 0, 0], 2), true).map(([, y]) => y);
    expect(ys).toEqual([1, 1, Number.NaN]);
  });

  it("holds a step line until the next point", () => {
    expect(line(seriesOf([1, 2], 1, { stepLine: true, stride: 10 }))).toEqual([
      [0, 1],
      [10, 1],
      [10, 2],
    ]);
  });
});

describe("bandOf", () => {
  it("is absent where nothing lies between", () => {
    const view = seriesOf([1, Number.NaN, 2]);
    expect(bandOf(view, view.x, view.x1, false)).toBeNull();
  });

  it("spans each bucket from lowest to highest, and reaches below a log axis", () => {
    const view = seriesOf([1, 100, -5, 10], 2);
    const band = bandOf(view, view.x, view.x1, true);
    expect(Array.from(band?.x ?? [])).toEqual([0, 1, 2, 3]);
    expect(Array.from(band?.hi ?? [])).toEqual([2, 2, 1, 1]);
    expect(Array.from(band?.lo ?? [])).toEqual([0, 0, -Infinity, -Infinity]);
  });
});

describe("extentY", () => {
  it("holds every finite value in view, whatever the values", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFrom(seed);
      const log = random() < 0.5;
      const values = awkwardValues(200, random);
      const view = seriesOf(values, 1 + Math.floor(random() * 9));
      const from = random() * 150;
      const to = from + random() * 50;
      const extent = extentY([prepare(view, STEPS, 0.6, log)], from, to);
      for (let i = 0; i < view.x.length; i++) {
        if ((view.x1[i] as number) < from || (view.x[i] as number) > to) continue;
        for (const value of [view.lo[i] as number, view.hi[i] as number]) {
          const shown = log ? Math.log10(value) : value;
          if (!Number.isFinite(shown)) continue;
          expect(extent).not.toBeNull();
          expect(shown).toBeGreaterThanOrEqual(extent?.[0] ?? Number.NaN);
          expect(shown).toBeLessThanOrEqual(extent?.[1] ?? Number.NaN);
        }
      }
    }
  });

  it("shows a spike of one step among many at every bucket width", () => {
    const values = Array.from({ length: 10_000 }, () => 0.3);
    values[6401] = 9;
    for (const per of [1, 7, 25, 100, 2500]) {
      const { raw } = prepare(seriesOf(values, per), STEPS, 0.9, false);
      expect(Math.max(...raw.y)).toBe(9);
    }
  });

  it("is null where nothing can be drawn", () => {
    const gone = prepare(seriesOf([Number.NaN, Number.NaN]), STEPS, 0.5, false);
    expect(extentY([gone], 0, 1)).toBeNull();
    const negative = prepare(seriesOf([-1, -2]), STEPS, 0.5, true);
    expect(extentY([negative], 0, 1)).toBeNull();
    expect(extentY([prepare(seriesOf([1, 2]), STEPS, 0, false)], 5, 9)).toBeNull();
  });

  it("counts a segment that crosses the view although both its points lie outside", () => {
    const view = seriesOf([2, 4], 1, { stride: 100 });
    expect(extentY([prepare(view, STEPS, 0, false)], 40, 60)).toEqual([2, 4]);
  });
});

describe("prepare", () => {
  it("smooths neither a step line nor without smoothing", () => {
    expect(prepare(seriesOf([1, 2], 1, { stepLine: true }), STEPS, 0.9, false).smooth).toBeNull();
    expect(prepare(seriesOf([1, 2]), STEPS, 0, false).smooth).toBeNull();
    expect(prepare(seriesOf([1, 2]), STEPS, 0.9, false).smooth).not.toBeNull();
  });

  it("draws the smoothed curve through the middle of each bucket", () => {
    const { smooth } = prepare(seriesOf([1, 3, 5, 7], 2), STEPS, 0.5, false);
    expect(Array.from(smooth?.x ?? [])).toEqual([0.5, 2.5]);
  });
});

describe("countNotPositive", () => {
  it("counts buckets in view with something at or below zero", () => {
    const one = prepare(seriesOf([1, -1, 0, Number.NaN, 2, -3]), STEPS, 0, true);
    expect(countNotPositive([one], 0, 5)).toBe(3);
    expect(countNotPositive([one], 2, 4)).toBe(1);
  });
});

describe("readAt", () => {
  it("reads the bucket that holds the step", () => {
    const view = seriesOf([1, 5, 9, 3], 2);
    expect(readAt(view, 1)).toMatchObject({ index: 0, exact: true, lo: 1, hi: 5, value: 3 });
    expect(readAt(view, 2)).toMatchObject({ index: 1, exact: true });
  });

  it("reads the nearest one elsewhere, and says where it is from", () => {
    const view = seriesOf([4, 8], 1, { stride: 10 });
    expect(readAt(view, 3)).toMatchObject({ exact: false, step: 0, value: 4 });
    expect(readAt(view, 7)).toMatchObject({ exact: false, step: 10, value: 8 });
    expect(readAt(view, 99)).toMatchObject({ exact: false, step: 10 });
    expect(readAt(view, -5)).toMatchObject({ exact: false, step: 0 });
  });

  it("reads a held value from the point before", () => {
    const view = seriesOf([4, 8], 1, { stride: 10, stepLine: true });
    expect(readAt(view, 9)).toMatchObject({ value: 4 });
    expect(readAt(view, -1)).toBeNull();
  });

  it("tells what was not finite", () => {
    const view = seriesOf([1, Number.NaN, 2, Number.NEGATIVE_INFINITY], 4);
    expect(readAt(view, 2)).toMatchObject({ notFinite: 5, lo: 1, hi: 2 });
  });

  it("is null without data", () => {
    expect(readAt(seriesOf([]), 0)).toBeNull();
  });
});

describe("searching", () => {
  it("finds the last element not greater, as a plain scan does", () => {
    const random = randomFrom(5);
    for (let n = 0; n < 12; n++) {
      const sorted = Float64Array.from({ length: n }, () => Math.floor(random() * 9)).sort();
      for (let value = -1; value <= 9; value += 0.5) {
        const scan = Array.from(sorted).filter((one) => one <= value).length - 1;
        expect(lastAtOrBefore(sorted, value)).toBe(scan);
      }
    }
  });

  it("finds the nearest element", () => {
    const sorted = Float64Array.of(0, 10, 20);
    expect([-4, 4, 6, 19, 99].map((v) => nearest(sorted, v))).toEqual([0, 0, 10, 20, 20]);
    expect(nearest(new Float64Array(0), 1)).toBeNull();
  });

  it("lists the steps of all series once, ascending", () => {
    const views = [seriesOf([1, 1, 1]), seriesOf([1, 1], 1, { stride: 2, first: 1 }), seriesOf([])];
    expect(Array.from(stopsOf(views))).toEqual([0, 1, 2, 3]);
    expect(extentSteps(views)).toEqual([0, 3]);
    expect(extentSteps([seriesOf([])])).toBeNull();
  });
});
