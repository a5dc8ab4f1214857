import { describe, expect, it } from "vitest";
import { interpolate, xUnits } from "../../src/ui/chart_units";
import { randomFrom, seriesOf } from "./chart_fixtures";

const table = (...pairs: [number, number][]) => Float64Array.from(pairs.flat());

describe("epochs", () => {
  const units = xUnits("epoch", table([0, 0], [100, 1], [300, 3]), []);

  it("are whole where they begin and linear between", () => {
    expect([0, 50, 100, 200, 300].map(units.toUnit)).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  it("go on at the pace of the last one", () => {
    expect(units.toUnit(500)).toBe(3);
    expect(units.toStep(3)).toBe(500);
  });

  it("fall back to steps while there is only one", () => {
    expect(xUnits("epoch", table([0, 0]), []).mode).toBe("step");
    expect(xUnits("epoch", table(), []).mode).toBe("step");
  });

  it("stand still for an epoch without a step and ignore a count that starts again", () => {
    const odd = xUnits("epoch", table([0, 0], [10, 1], [10, 2], [20, 3], [5, 4], [30, 5]), []);
    expect([0, 10, 20, 30].map(odd.toUnit)).toEqual([0, 2, 3, 5]);
  });
});

describe("time", () => {
  it("is that of the points", () => {
    const view = seriesOf([1, 2, 3, 4], 1, { stride: 10 });
    const units = xUnits("time", table(), [view]);
    expect(units.toUnit(20)).toBeCloseTo(0.2);
    expect(units.toStep(0.15)).toBeCloseTo(15);
    expect(Array.from(units.buckets(view).from)).toEqual(Array.from(view.t));
  });

  it("never runs backwards, although a validation is logged later at an earlier step", () => {
    const train = seriesOf([1, 1, 1, 1]);
    const val = seriesOf([1, 1], 1, { stride: 2, t: Float32Array.of(0.5, 0.01) });
    const units = xUnits("time", table(), [train, val]);
    const seconds = [0, 1, 2, 3].map(units.toUnit);
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
  });

  it("takes the mean pace beyond the last recorded moment", () => {
    const train = seriesOf(
      Array.from({ length: 200 }, () => 1),
      100,
    );
    // A long validation just after the last bucket began is no reason to expect hours.
    const val = seriesOf([1], 1, { first: 101, t: Float32Array.of(600) });
    const units = xUnits("time", table(), [train, val]);
    expect(units.toUnit(199)).toBeLessThan(1300);
  });

  it("falls back to steps without two moments", () => {
    expect(xUnits("time", table(), [seriesOf([1])]).mode).toBe("step");
  });
});

describe("conversion", () => {
  it("leads back to where it came from", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = randomFrom(seed);
      let step = 0;
      let seconds = 0;
      const pairs = Array.from({ length: 2 + Math.floor(random() * 20) }, (): [number, number] => {
        step += 1 + Math.floor(random() * 500);
        seconds += 0.1 + random() * 60;
        return [step, seconds];
      });
      for (const mode of ["step", "epoch", "time"] as const) {
        const units = xUnits(mode, table(...pairs), []);
        for (let i = 0; i < 20; i++) {
          const at = random() * step * 1.2;
          expect(units.toStep(units.toUnit(at))).toBeCloseTo(at, 5);
        }
      }
    }
  });

  it("keeps ascending buckets ascending", () => {
    const view = seriesOf(
      Array.from({ length: 500 }, () => 1),
      5,
    );
    const epochs = table([0, 0], [90, 1], [91, 2], [400, 3]);
    for (const mode of ["step", "epoch", "time"] as const) {
      const { from, to } = xUnits(mode, epochs, [view]).buckets(view);
      for (let i = 0; i < from.length; i++) {
        expect(to[i]).toBeGreaterThanOrEqual(from[i] as number);
        if (i > 0) expect(from[i]).toBeGreaterThanOrEqual(from[i - 1] as number);
      }
    }
  });
});

describe("interpolate", () => {
  it("stays finite where knots coincide", () => {
    expect(interpolate([0, 0], [1, 2], 5)).toBe(1);
    expect(interpolate([0, 1, 1, 2], [0, 1, 3, 4], 1)).toBe(3);
  });
});
