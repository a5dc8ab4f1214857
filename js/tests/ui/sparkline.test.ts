import { beforeEach, describe, expect, it } from "vitest";
import { finiteRange, sparkline } from "../../src/ui/sparkline";
import {
  awkwardValues,
  type Call,
  layOut,
  numbersIn,
  randomFrom,
  recordCanvases,
} from "./chart_fixtures";

let calls: Call[];
beforeEach(() => {
  calls = recordCanvases();
  layOut(100, 20);
});

function draw(values: number[], log = false): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  document.body.append(canvas);
  const x = Float64Array.from(values.keys());
  sparkline(canvas, x, Float32Array.from(values), "rgb(1, 2, 3)", { log });
  return canvas;
}
const count = (name: string): number => calls.filter((call) => call.name === name).length;

describe("sparkline", () => {
  it("is as sharp as the screen", () => {
    const canvas = draw([1, 2]);
    expect([canvas.width, canvas.height]).toEqual([
      100 * (devicePixelRatio || 1),
      20 * (devicePixelRatio || 1),
    ]);
  });

  it("breaks at values that are not finite and marks them", () => {
    draw([1, 2, Number.NaN, 3, Number.NEGATIVE_INFINITY, 4]);
    expect(count("lineTo")).toBe(1);
    const ticks = calls.filter(({ name }) => name === "fillRect").map(({ args }) => args[1]);
    expect(ticks).toEqual([0, 16 * (devicePixelRatio || 1)]);
  });

  it("shows points without a neighbour as dots, and the newest", () => {
    draw([1, Number.NaN, 2, Number.NaN, 3, 4]);
    expect(count("arc")).toBe(3);
  });

  it("breaks, unmarked, at what a log scale cannot show", () => {
    draw([1, 10, 0, 100, 1000], true);
    expect(count("lineTo")).toBe(2);
    expect(count("fillRect")).toBe(0);
  });

  it("draws finite numbers inside its edges, whatever the values", () => {
    for (let seed = 1; seed <= 40; seed++) {
      calls.length = 0;
      draw(awkwardValues(40, randomFrom(seed)), seed % 2 === 0);
      expect(numbersIn(calls).every(Number.isFinite)).toBe(true);
      for (const { name, args } of calls) {
        if (name !== "lineTo" && name !== "moveTo") continue;
        expect(args[1]).toBeGreaterThanOrEqual(0);
        expect(args[1]).toBeLessThanOrEqual(20 * (devicePixelRatio || 1));
      }
    }
  });

  it("draws nothing without values or without a size", () => {
    draw([]);
    expect(count("stroke")).toBe(0);
    layOut(0, 0);
    draw([1, 2]);
    expect(count("stroke")).toBe(0);
  });
});

it("finiteRange leaves out what cannot be drawn", () => {
  expect(finiteRange(Float32Array.of(Number.NaN, 2, Infinity, -1), false)).toEqual([-1, 2]);
  expect(finiteRange(Float32Array.of(-1, 0, 10, 1000), true)).toEqual([1, 3]);
  expect(finiteRange(Float32Array.of(Number.NaN), false)).toBeNull();
});
