import { describe, expect, it } from "vitest";
import {
  formatDuration,
  formatFactor,
  formatInteger,
  formatNumber,
  formatPercent,
  formatRate,
  formatRatio,
  formatSi,
  formatTick,
  unbroken,
} from "../src/ui/format";

const SPACE = "\u202f";

describe("formatNumber", () => {
  it.each([
    [0.104, "0.104"],
    [0.1, "0.100"],
    [1.42, "1.42"],
    [0.9996, "1.00"],
    [99.96, "100"],
    [9.999, "10.0"],
    [92, "92.0"],
    [3412.4, "3,412"],
    [123456, "123,456"],
    [1234567, "1.23e6"],
    [0.00012, "1.20e−4"],
    [-0.274, "−0.274"],
    [-3412, "−3,412"],
    [0, "0.00"],
    [-0, "0.00"],
    [5e-324, "4.94e−324"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NEGATIVE_INFINITY, "−∞"],
  ])("%d is %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("keeps its width while a value wanders between two powers of ten", () => {
    const widths = new Set<number>();
    for (let value = 1; value < 10; value += 0.0137) widths.add(formatNumber(value).length);
    expect([...widths]).toEqual([4]);
  });

  it("stays within half a unit of the last digit", () => {
    for (const value of [0.001234, 0.0987, 1.005, 12.345, 999.4, 999_999]) {
      const read = Number(formatNumber(value).replaceAll(",", ""));
      expect(Math.abs(read - value) / value).toBeLessThanOrEqual(0.005);
    }
  });
});

describe("formatTick", () => {
  it.each([
    [0, "0"],
    [1e-17, "0"],
    [0.05, "0.05"],
    [0.30000000000000004, "0.3"],
    [-2, "−2"],
    [5000, "5000"],
    [20_000, "20k"],
    [3_000_000, "3M"],
    [0.00001, "1e−5"],
    [2.5e20, "2.5e20"],
    [Number.NaN, "NaN"],
  ])("%d is %s", (value, text) => {
    expect(formatTick(value)).toBe(text);
  });
});

describe("other numbers", () => {
  it("counts", () => {
    expect(formatInteger(3412)).toBe("3,412");
    expect(formatInteger(-1234567)).toBe("−1,234,567");
    expect(formatInteger(-0.2)).toBe("0");
    expect(formatSi(12_500)).toBe("12.5k");
    expect(formatSi(999.9, 3)).toBe("1k");
    expect(formatSi(-2_000_000)).toBe("−2M");
    expect(formatSi(42)).toBe("42");
  });

  it("shares", () => {
    expect(formatPercent(0.009)).toBe(`0.9${SPACE}%`);
    expect(formatPercent(0.09949)).toBe(`9.9${SPACE}%`);
    expect(formatPercent(0.0996)).toBe(`10${SPACE}%`);
    expect(formatPercent(1)).toBe(`100${SPACE}%`);
    expect(formatPercent(Number.NaN)).toBe("NaN");
  });

  it("times", () => {
    expect(formatDuration(18)).toBe("0:18");
    expect(formatDuration(252)).toBe("4:12");
    expect(formatDuration(3723)).toBe("1:02:03");
    expect(formatDuration(86_400 * 2 + 3 * 3600 + 15 * 60)).toBe("2d 03:15");
    expect(formatDuration(-3)).toBe("0:00");
    expect(formatDuration(Number.POSITIVE_INFINITY)).toBe("∞");
  });

  it("paces", () => {
    expect(formatRate(124.3)).toBe("124 it/s");
    expect(formatRate(3.14)).toBe("3.1 it/s");
    expect(formatRate(0.4)).toBe("2.5 s/it");
    expect(formatRate(0)).toBe("– it/s");
    expect(formatRate(Number.NaN)).toBe("– it/s");
  });

  it("keeps a number and its per cent sign on one line", () => {
    expect(unbroken("rose to 0.9 (+83 %), 1 of 2 % signs")).toBe(
      `rose to 0.9 (+83${SPACE}%), 1 of 2${SPACE}% signs`,
    );
  });

  it("factors and ratios", () => {
    expect(formatFactor(1)).toBe("×1.0");
    expect(formatFactor(0.5)).toBe("×0.50");
    expect(formatFactor(0.05)).toBe("×0.05");
    expect(formatFactor(100)).toBe("×100");
    expect(formatRatio(0.00114)).toBe("1.1e−3");
    expect(formatRatio(0.25)).toBe("0.25");
    expect(formatRatio(Number.NaN)).toBe("NaN");
  });
});
