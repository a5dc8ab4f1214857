import { describe, expect, it } from "vitest";
import {
  linearLabels,
  multiples,
  niceDuration,
  niceStep,
  percentSuffix,
  scaleY,
  ticksX,
  valueFormat,
  widened,
  zoomed,
} from "../../src/ui/chart_axes";
import { randomFrom } from "./chart_fixtures";

const GAP = 0.2;

/** Extents of every size and sign, down to denormals and up to the end of float32. */
function extents(seed: number): [number, number] {
  const random = randomFrom(seed);
  const size = 10 ** (random() * 80 - 42);
  const low = (random() - 0.3) * size;
  const kind = random();
  return [low, low + (kind < 0.2 ? 0 : kind < 0.4 ? size * 1e-5 : size) * random()];
}

describe("niceStep", () => {
  it("is 1, 2, 2.5 or 5 times a power of ten, not below and less than 2.5 times what was asked", () => {
    for (let seed = 1; seed < 200; seed++) {
      const value = 10 ** (randomFrom(seed)() * 60 - 30);
      const step = niceStep(value);
      expect(step).toBeGreaterThanOrEqual(value * (1 - 1e-8));
      expect(step).toBeLessThan(value * 2.5);
      const mantissa = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
      expect([1, 2, 2.5, 5].some((one) => Math.abs(one - mantissa) < 1e-6)).toBe(true);
    }
  });

  it("has an answer for nonsense", () => {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(niceStep(value)).toBe(1);
    expect(niceStep(5e-324)).toBeGreaterThan(0);
  });
});

describe("scaleY", () => {
  it("clips nothing and has a few evenly spaced, distinct labels, whatever the values", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const extent = extents(seed);
      const { range, ticks, labels } = scaleY(extent, false, GAP, null);
      expect(range[0]).toBeLessThanOrEqual(extent[0]);
      expect(range[1]).toBeGreaterThanOrEqual(extent[1]);
      expect(range[1]).toBeGreaterThan(range[0]);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(8);
      expect(new Set(labels).size).toBe(ticks.length);
    }
  });

  it("does not waste more than half of the axis on a curve that varies", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const [low, high] = extents(seed);
      if (high - low <= Math.max(Math.abs(low), Math.abs(high)) * 1e-6) continue;
      const { range } = scaleY([low, high], false, GAP, null);
      expect(high - low).toBeGreaterThan((range[1] - range[0]) * 0.4);
    }
  });

  it("centres a constant", () => {
    for (const value of [0.05, -3, 0, 1e-40, 2.5e38]) {
      const { range } = scaleY([value, value], false, GAP, null);
      const middle = range[0] / 2 + range[1] / 2;
      expect(Math.abs(middle - value)).toBeLessThanOrEqual((range[1] - range[0]) * 0.13);
    }
  });

  it("begins at zero when the curve comes close to it, and not when it is far", () => {
    expect(scaleY([0.1, 2.3], false, GAP, null).range[0]).toBe(0);
    expect(scaleY([0.91, 0.98], false, GAP, null).range[0]).toBeGreaterThan(0.8);
    expect(scaleY([-2.3, -0.1], false, GAP, null).range[1]).toBeCloseTo(0);
  });

  it("ends a share of a whole at the whole", () => {
    expect(scaleY([0.1, 1], false, 0.22, " %")).toMatchObject({
      range: [0, 1],
      labels: ["0 %", "25 %", "50 %", "75 %", "100 %"],
    });
  });

  it("moves seldom while a curve grows", () => {
    const ranges = new Set<string>();
    for (let high = 1; high < 2; high += 0.001) {
      ranges.add(String(scaleY([0, high], false, GAP, null).range));
    }
    expect(ranges.size).toBeLessThanOrEqual(8);
  });

  it("has no ticks without data", () => {
    expect(scaleY(null, true, GAP, null)).toEqual({ range: [0, 1], ticks: [], labels: [] });
  });
});

describe("scaleY on a log axis", () => {
  it("clips nothing and has two or more distinct ascending ticks inside, whatever the values", () => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = randomFrom(seed);
      const low = random() * 80 - 45;
      const extent: [number, number] = [low, Math.min(38.5, low + random() ** 4 * 60)];
      const { range, ticks, labels } = scaleY(extent, true, GAP, null);
      expect(range[0]).toBeLessThanOrEqual(extent[0]);
      expect(range[1]).toBeGreaterThanOrEqual(extent[1]);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(8);
      expect(new Set(labels).size).toBe(ticks.length);
      expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
      for (const tick of ticks) {
        expect(tick).toBeGreaterThanOrEqual(range[0] - 1e-9);
        expect(tick).toBeLessThanOrEqual(range[1] + 1e-9);
      }
    }
  });

  it("writes powers that people read, and the others as powers", () => {
    expect(scaleY([-3, 1], true, GAP, null).labels).toEqual(["0.001", "0.01", "0.1", "1", "10"]);
    expect(scaleY([-12, 12], true, GAP, null).labels).toContain("10⁻¹⁰");
    expect(scaleY([-2, 0], true, GAP, "%").labels).toContain("100%");
  });
});

describe("linearLabels", () => {
  it("align: as many decimals as the step needs, on each", () => {
    expect(linearLabels([0, 0.25, 0.5], 0.25, null)).toEqual(["0.00", "0.25", "0.50"]);
    expect(linearLabels([0, 0.2, 0.4], 0.2, null)).toEqual(["0.0", "0.2", "0.4"]);
    expect(linearLabels([-5, 0, 5], 5, null)).toEqual(["−5", "0", "5"]);
    expect(linearLabels([0.5, 0.525], 0.025, " %")).toEqual(["50.0 %", "52.5 %"]);
  });

  it("use powers of ten for what would be too long", () => {
    expect(linearLabels([0, 1e38, 2e38], 1e38, null)).toEqual(["0", "1e38", "2e38"]);
    expect(linearLabels([0, 2.5e-5, 5e-5], 2.5e-5, null)).toEqual(["0", "2.5e−5", "5.0e−5"]);
  });
});

describe("valueFormat", () => {
  const coarse = (value: number): string => value.toPrecision(3);

  it("leaves a formatter alone that tells ticks apart", () => {
    expect(valueFormat(scaleY([0.1, 2.3], false, GAP, null), false, coarse)).toBe(coarse);
  });

  it("writes finer where it does not", () => {
    const scale = scaleY([0.99991, 0.99993], false, GAP, null);
    const format = valueFormat(scale, false, coarse);
    expect(format(0.999915)).not.toBe(format(0.99992));
    expect(format(5)).toBe("5.00");
  });
});

describe("ticksX", () => {
  it("are whole steps, inside the range, no closer than asked", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = randomFrom(seed);
      const from = Math.floor(random() * 1e6);
      const to = from + 1 + Math.floor(random() * 10 ** (random() * 7));
      const ticks = ticksX([from, to], "step", 0.15);
      ticks.forEach((tick, i) => {
        expect(Number.isInteger(tick)).toBe(true);
        expect(tick).toBeGreaterThanOrEqual(from);
        expect(tick).toBeLessThanOrEqual(to);
        if (i > 0) {
          const gap = tick - (ticks[i - 1] as number);
          expect(gap).toBeGreaterThanOrEqual((to - from) * 0.15 * (1 - 1e-6));
        }
      });
    }
  });

  it("are clock times for seconds", () => {
    expect(ticksX([0, 100], "time", 0.2)).toEqual([0, 30, 60, 90]);
    expect(niceDuration(700)).toBe(900);
    expect(niceDuration(100_000)).toBe(172_800);
    expect(niceDuration(0.3)).toBe(0.5);
  });

  it("divide an epoch when zoomed into one", () => {
    expect(ticksX([2, 3], "epoch", 0.2)).toEqual(
      [2, 2.2, 2.4, 2.6, 2.8, 3].map((v) => expect.closeTo(v)),
    );
  });
});

it("multiples never run away", () => {
  expect(multiples([0, 1e300], 1).length).toBe(100);
});

it("a single point stands in the middle of a range", () => {
  expect(widened([5, 5])).toEqual([4.5, 5.5]);
  const [from, to] = widened([1e9, 1e9]);
  expect(to).toBeGreaterThan(from);
});

it("tells percentages from other numbers", () => {
  expect(percentSuffix((v) => `${v * 100} %`)).toBe(" %");
  expect(percentSuffix(String)).toBeNull();
});

describe("zoomed", () => {
  it("keeps the centre in its place and stays inside", () => {
    expect(zoomed([0, 100], 20, 0.5, [0, 100])).toEqual([10, 60]);
    expect(zoomed([0, 10], 0, 2, [0, 100])).toEqual([0, 20]);
    expect(zoomed([90, 100], 90, 2, [0, 100])).toEqual([80, 100]);
  });

  it("is null once it would be everything", () => {
    expect(zoomed([10, 80], 40, 2, [0, 100])).toBeNull();
  });
});
