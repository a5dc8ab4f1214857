import { describe, expect, it } from "vitest";
import {
  extentOf,
  frameFor,
  held,
  ticksBetween,
  toPixels,
  toPlane,
} from "../../src/decision_boundary/picture/frame";
import { rectangleBetween } from "../../src/decision_boundary/picture/hands";
import { stepped } from "../../src/decision_boundary/picture/keys";
import { longestOf, splitLines } from "../../src/decision_boundary/picture/lines_layer";
import { hitAt, placed, radiusFor } from "../../src/decision_boundary/picture/points_layer";
import { cellOf, placeText } from "../../src/decision_boundary/picture/readout";
import {
  axisBetween,
  signedCodes,
  signedScale,
  upright,
} from "../../src/decision_boundary/picture/upright";
import { Verdicts } from "../../src/decision_boundary/picture/verdicts";
import { CODE, valueAt } from "../../src/ui/raster";
import { randomFrom } from "../ui/chart_fixtures";
import { pointsOf, surfaceOf } from "./picture_fixtures";

describe("the frame", () => {
  it("leads from the plane to the canvas and back", () => {
    const random = randomFrom(1);
    for (let trial = 0; trial < 200; trial++) {
      const left = (random() - 0.5) * 10 ** Math.floor(random() * 8 - 4);
      const bottom = (random() - 0.5) * 100;
      const frame = frameFor(300 + random() * 900, [left, left + 3, bottom, bottom + 0.01], true);
      const at = [left + 3 * random(), bottom + 0.01 * random()] as const;
      const [x, y] = toPlane(frame, ...toPixels(frame, ...at));
      expect(x).toBeCloseTo(at[0], 6);
      expect(y).toBeCloseTo(at[1], 6);
    }
  });

  it("puts the corners of the plane on the corners of its box, upwards", () => {
    const frame = frameFor(400, [0, 2, 10, 30], true);
    const [left, top, width, height] = frame.box;
    expect(toPixels(frame, 0, 30)).toEqual([left, top]);
    expect(toPixels(frame, 2, 10)).toEqual([left + width, top + height]);
  });

  it("fills its width, is nearly square, and never too high", () => {
    for (const width of [300, 480, 520, 900, 1400]) {
      const frame = frameFor(width, [-1, 1, -1, 1], true);
      const [left, top, across, down] = frame.box;
      expect(left + across).toBeLessThanOrEqual(width);
      expect(left + across).toBeGreaterThan(width - 3);
      expect(top + down).toBeLessThan(frame.height);
      expect(down).toBeLessThanOrEqual(520);
      if (width <= 520) expect(Math.abs(across - down)).toBeLessThan(12);
      expect(frame.x.labels.length).toBeGreaterThanOrEqual(3);
    }
  });

  it("has round ticks inside its ends", () => {
    expect(ticksBetween(-1.43, 1.2, 400, 64)).toEqual({
      values: [-1, -0.5, 0, 0.5, 1],
      labels: ["−1.0", "−0.5", "0.0", "0.5", "1.0"],
    });
  });

  it("is found around points alone, and not where there are none", () => {
    const [left, right, bottom, top] = extentOf(Float32Array.of(0, 5, 10, 5)) ?? [];
    expect([left, right, bottom, top]).toEqual([-1, 11, 4, 6]);
    expect(extentOf(new Float32Array(0))).toBeNull();
    expect(extentOf(Float32Array.of(Number.NaN, 1))).toBeNull();
  });

  it("cuts a rectangle out of itself, whichever way it is drawn", () => {
    const frame = frameFor(400, [-1, 1, -1, 1], true);
    expect(rectangleBetween(frame, [0.5, -0.5], [-5, 0.25])).toEqual([-1, 0.5, -0.5, 0.25]);
    expect(rectangleBetween(frame, [0, 0], [0.001, 0.5])).toBeNull();
    expect(held([-1, 1, -2, 2], [7, -9])).toEqual([1, -2]);
  });
});

describe("lines", () => {
  const lines = Float32Array.from({ length: 18 }, (_, index) => index);

  it("are taken apart at their ends; one of a single point is none", () => {
    const parts = splitLines({ lines, lineEnds: Int32Array.of(2, 3, 9) });
    expect(parts.map((part) => [...part])).toEqual([
      [0, 1, 2, 3],
      [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
    ]);
    expect(splitLines({ lines: new Float32Array(0), lineEnds: new Int32Array(0) })).toEqual([]);
  });

  it("of one level are labelled on the longest", () => {
    const lineEnds = Int32Array.of(2, 6, 9);
    const shown = { kind: "values", lines, lineEnds, lineOf: Int32Array.of(1, 0, 1), levels: [] };
    expect([...longestOf(shown as never)]).toEqual([
      [1, [6, 9]],
      [0, [2, 6]],
    ]);
  });
});

describe("points", () => {
  it("are hit nearest first, as the slow way finds them", () => {
    const random = randomFrom(2);
    const at = Float32Array.from({ length: 400 }, () => random() * 100);
    at.fill(Number.NaN, 20, 40);
    for (let trial = 0; trial < 100; trial++) {
      const [x, y, reach] = [random() * 100, random() * 100, random() * 12];
      const far = Array.from({ length: 200 }, (_, index) =>
        Math.hypot((at[2 * index] as number) - x, (at[2 * index + 1] as number) - y),
      );
      const near = far.filter((one) => one <= reach);
      const expected = near.length === 0 ? -1 : far.indexOf(Math.min(...near));
      expect(hitAt(at, x, y, reach)).toBe(expected);
    }
  });

  it("get smaller the more there are", () => {
    const sizes = [10, 100, 500, 3000].map((count) => radiusFor(count, 440));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(sizes[0]).toBeLessThanOrEqual(5);
    expect(sizes[3]).toBeGreaterThanOrEqual(2);
    expect(radiusFor(500, 250)).toBeLessThan(radiusFor(500, 440));
  });

  it("stand where hands have put them, not where they are hidden or outside", () => {
    const points = pointsOf({ xy: Float32Array.of(-0.5, 0.5, 9, 9, 0.5, -0.5) });
    const frame = frameFor(480, [-1, 1, -1, 1], true);
    const at = placed(
      points,
      frame,
      (index) => index === 0,
      (id) => (id === 12 ? [0, 0] : null),
    );
    expect([...at.subarray(0, 4)].every(Number.isNaN)).toBe(true);
    const [x, y] = toPixels(frame, 0, 0);
    expect(at[4]).toBeCloseTo(x, 3);
    expect(at[5]).toBeCloseTo(y, 3);
  });

  it("keep what was said of them while others come and go", () => {
    const verdicts = new Verdicts();
    const points = pointsOf();
    verdicts.update(surfaceOf(), points);
    expect([0, 1, 2].map((index) => verdicts.of(points, index).wrong)).toEqual([0, 1, 0]);
    const fewer = pointsOf({ version: 2, id: Float64Array.of(11, 99) });
    // A surface that is about other points says nothing of these.
    verdicts.update(surfaceOf({ wrong: Uint8Array.of(0, 0) }), fewer);
    expect(verdicts.of(fewer, 0)).toEqual({ wrong: 1, said: 1 });
    expect(verdicts.of(fewer, 1)).toEqual({ wrong: 2, said: null });
  });
});

describe("places", () => {
  it("are those of the grid, whose outermost lie on the edges", () => {
    const sheet = surfaceOf();
    const rectangle = [-1, 1, -1, 1] as const;
    expect(cellOf(sheet, rectangle, [-1, -1])).toBe(0);
    expect(cellOf(sheet, rectangle, [1, -1])).toBe(10);
    expect(cellOf(sheet, rectangle, [-1, 1])).toBe(110);
    expect(cellOf(sheet, rectangle, [0.09, -0.81])).toBe(16);
    expect(cellOf(sheet, rectangle, [1.2, 0])).toBe(-1);
  });

  it("are written as finely as they can be told apart", () => {
    expect(placeText([-1, 1, 0, 500], ["a", "b"], [-0.0004, 3])).toBe("a 0.00 · b 3");
    expect(placeText([1000, 1000.1, 0, 1], ["a", "b"], [1000.0312, -0.2])).toBe(
      "a 1000.031 · b −0.20",
    );
  });

  it("are gone to by keys, from the middle, a hundredth at a time", () => {
    const frame = frameFor(480, [0, 10, -1, 1], true);
    const key = (name: string, shiftKey = false) => ({
      key: name,
      shiftKey,
      ctrlKey: false,
      metaKey: false,
    });
    expect(stepped(frame, null, key("ArrowRight"))).toEqual([5, 0]);
    expect(stepped(frame, [5, 0], key("ArrowRight"))?.[0]).toBeCloseTo(5.1);
    expect(stepped(frame, [5, 0], key("ArrowUp", true))?.[1]).toBeCloseTo(0.2);
    expect(stepped(frame, [9.99, 0], key("PageDown"))?.[0]).toBe(10);
    expect(stepped(frame, [5, 0], key("x"))).toBeNull();
  });
});

describe("small pictures", () => {
  it("are turned the right way up", () => {
    expect([...upright(Uint8Array.of(1, 2, 3, 4, 5, 6), 3, 2)]).toEqual([5, 6, 3, 4, 1, 2]);
  });

  it("are told on a scale around zero, what is not finite as before", () => {
    const codes = Uint8Array.of(0, 125, 250, CODE.nan, CODE.minus);
    const [low, high] = [-1, 3];
    const signed = signedCodes(codes, low, high);
    const scale = signedScale(low, high);
    expect(scale).toEqual({ low: -3, high: 3, signed: true });
    const values = [0, 1, 2].map((index) => valueAt(signed, index, scale));
    values.forEach((value, index) => {
      expect(Math.abs(value - ([-1, 1, 3][index] as number))).toBeLessThanOrEqual(6 / 500);
    });
    expect([...signed.subarray(3)]).toEqual([CODE.nan, CODE.minus]);
  });

  it("have their ends in the middles of the outermost cells", () => {
    const across = axisBetween("a", -1, 1, 5, 100, false).ticks ?? [];
    expect(across.map(([, text]) => text)).toEqual(["−1", "0", "1"]);
    expect(across.map(([share]) => share)).toEqual([0.1, 0.5, 0.9]);
    const upwards = axisBetween("a", -1, 1, 5, 100, true).ticks ?? [];
    expect(upwards.map(([share]) => share.toFixed(6))).toEqual([
      "0.900000",
      "0.500000",
      "0.100000",
    ]);
  });
});
