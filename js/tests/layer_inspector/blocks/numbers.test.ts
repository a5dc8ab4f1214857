import { describe, expect, it } from "vitest";
import { layerOf } from "../../../demo/blocks/layers";
import { meanOf } from "../../../src/layer_inspector/blocks/attention";
import { largest } from "../../../src/layer_inspector/blocks/outputs";
import { placesOf } from "../../../src/layer_inspector/blocks/places";
import { columnEdges, sharesOf } from "../../../src/layer_inspector/blocks/ridge";
import { inputText, sumOf, sumText } from "../../../src/layer_inspector/blocks/terms";
import type { BlockData } from "../../../src/layer_inspector/blocks/types";
import { evenFormat } from "../../../src/ui/even_format";
import { cellSize, strideOf } from "../../../src/ui/field_axes";
import { wordsFor } from "../../../src/ui/i18n";
import { extentOf, FLAG_MINUS, FLAG_NAN, FLAG_PLUS, pool } from "../../../src/ui/pooling";
import { awkwardValues, randomFrom } from "../../ui/chart_fixtures";

const words = wordsFor("en");
const block = (parts: Partial<BlockData>): BlockData => ({
  kind: "",
  title: null,
  meta: {},
  arrays: {},
  shapes: {},
  ...parts,
});

describe("pooling of bars", () => {
  it("agrees with the slow, obvious way, whatever the values", () => {
    const random = randomFrom(2);
    for (let trial = 0; trial < 60; trial++) {
      const values = awkwardValues(1 + Math.floor(random() * 400), random);
      const columns = 1 + Math.floor(random() * Math.min(90, values.length));
      const pooled = pool(values, columns);
      for (let column = 0; column < columns; column++) {
        const mine = values.filter(
          (_, index) => Math.floor((index * columns) / values.length) === column,
        );
        const finite = mine.filter(Number.isFinite);
        expect(pooled.low[column]).toBe(finite.length > 0 ? Math.min(...finite) : Number.NaN);
        expect(pooled.high[column]).toBe(finite.length > 0 ? Math.max(...finite) : Number.NaN);
        expect(pooled.flags[column]).toBe(
          (mine.some(Number.isNaN) ? FLAG_NAN : 0) |
            (mine.includes(Infinity) ? FLAG_PLUS : 0) |
            (mine.includes(-Infinity) ? FLAG_MINUS : 0),
        );
      }
    }
  });

  it("keeps the one spike among thousands", () => {
    const values = new Float32Array(50_000);
    values[31_234] = 9;
    values[31_235] = -4;
    expect(Math.max(...pool(values, 300).high)).toBe(9);
    expect(Math.min(...pool(values, 300).low)).toBe(-4);
    expect(extentOf(values)).toEqual([-4, 9]);
    expect(extentOf([Number.NaN])).toBeNull();
  });
});

describe("places of a map", () => {
  const places = (shape: string, pixels: number[], meta: BlockData["meta"] = {}) =>
    placesOf(block({ shapes: { pixels }, meta }), layerOf([], { shape }), words);

  it("are those of the layer where nothing was averaged", () => {
    const all = places("1×8×14×20", [8, 14, 20]);
    expect(all.real({ row: 13, column: 19 })).toEqual([13, 19]);
    expect(all.unit(5, { row: 3, column: 4 })).toEqual([5, 3, 4]);
    expect(all.cell([5, 3, 4])).toEqual({ row: 3, column: 4 });
    expect(all.name({ row: 3, column: 4 })).toBe("row 3, column 4");
  });

  it("lie in the cell that they were averaged into, and each cell finds itself", () => {
    for (const [height, width] of [
      [64, 64],
      [100, 70],
      [231, 65],
    ] as const) {
      const all = places(`1×8×${height}×${width}`, [8, 64, 64], { shape: [height, width] });
      for (let row = 0; row < 64; row++) {
        const cell = { row, column: 63 - row };
        expect(all.cell(all.unit(2, cell))).toEqual(cell);
      }
      expect(all.cell([2, height - 1, width - 1])).toEqual({ row: 63, column: 63 });
    }
  });

  it("have as many numbers as the layer has dimensions", () => {
    const signal = places("1×8×50", [8, 1, 50], { shape: [1, 50] });
    expect(signal.unit(5, { row: 0, column: 4 })).toEqual([5, 4]);
    expect(signal.cell([5, 4])).toEqual({ row: 0, column: 4 });
    expect(signal.name({ row: 0, column: 4 })).toBe("position 4");
    const volume = places("1×8×3×4×5", [8, 4, 5], { depth: 2, depths: 3 });
    expect(volume.unit(5, { row: 1, column: 4 })).toEqual([5, 2, 1, 4]);
    expect(volume.cell([5, 2, 1, 4])).toEqual({ row: 1, column: 4 });
    expect(volume.cell([5, 0, 1, 4])).toBeNull();
    const last = places("1×4×5×8", [8, 4, 5], { channel_axis: 2 });
    expect(last.unit(7, { row: 1, column: 4 })).toEqual([1, 4, 7]);
    expect(last.cell([1, 4, 7])).toEqual({ row: 1, column: 4 });
  });

  it("are none for a whole unit or one that the map does not have", () => {
    const all = places("1×8×14×20", [8, 14, 20]);
    for (const unit of [null, 5, [5], [5, 14, 0]]) expect(all.cell(unit)).toBeNull();
  });
});

describe("the sum of terms", () => {
  const terms = (product: number[], meta: BlockData["meta"]) =>
    block({ arrays: { product: Float32Array.from(product) }, meta });

  it("is spelled out with the others and the bias", () => {
    const found = terms([0.5, -0.25], { total: 10, rest: -0.125, bias: 0.25, sum: 0.375 });
    const sum = sumOf(found);
    expect(sum).toEqual({ listed: 0.25, rest: -0.125, others: 8, bias: 0.25, total: 0.375 });
    expect(sum.listed + sum.rest + (sum.bias ?? 0)).toBe(sum.total);
    expect(sumText(sum, 2, words)).toBe(
      "0.250 (2 terms) − 0.125 (8 others) + 0.250 (bias) = 0.375",
    );
  });

  it("leaves out what is not there", () => {
    const sum = sumOf(terms([1, 2], { total: 2, rest: null, bias: null, sum: 3 }));
    expect(sumText(sum, 2, words)).toBe("3.00 (2 terms) = 3.00");
  });

  it("says NaN where a number is not finite", () => {
    const sum = sumOf(terms([Number.NaN], { total: 5, rest: null, bias: null, sum: null }));
    expect(sumText(sum, 1, words)).toBe("NaN (1 term) + NaN (4 others) = NaN");
  });

  it("names inputs by all their numbers", () => {
    expect(inputText([17])).toBe("17");
    expect(inputText([3, 4, 7])).toBe("3 · 4, 7");
    expect(inputText([])).toBe("");
  });
});

describe("histograms over the steps", () => {
  const [steps, bins] = [Float64Array.of(0, 10, 30), 4];
  const ridge = (counts: number[]) =>
    sharesOf(
      block({
        arrays: {
          steps,
          counts: Float32Array.from(counts),
          edges: Float64Array.of(-2, -1, 0, 1, 2),
        },
        shapes: { counts: [3, bins] },
      }),
    );

  it("become shares of each step, the highest bin on top", () => {
    const { values, rows, bin } = ridge([1, 1, 2, 0, 0, 5, 5, 0, 0, 0, 0, 0]);
    expect(rows).toBe(4);
    expect([...values]).toEqual([0, 0, 0, 0.5, 0.5, 0, 0.25, 0.5, 0, 0.25, 0, 0]);
    expect(bin(0)).toEqual({ low: 1, high: 2 });
    expect(bin(3)).toEqual({ low: -2, high: -1 });
  });

  it("reach half-way to their neighbours", () => {
    expect([...columnEdges(steps)]).toEqual([0, 5 / 30, 20 / 30, 1]);
    expect([...columnEdges(Float64Array.of(7))]).toEqual([0, 1]);
    expect([...columnEdges(Float64Array.of(7, 7))]).toEqual([0, 0.5, 1]);
  });

  it("do not let one bin hide all the others", () => {
    const one = Array.from({ length: 64 }, (_, bin) => (bin === 0 ? 10_000 : 10));
    const shares = sharesOf(
      block({
        arrays: { steps: Float64Array.of(1), counts: Float32Array.from(one) },
        shapes: { counts: [1, 64] },
      }),
    );
    expect(shares.clipped).toBe(true);
    expect(shares.high).toBeLessThan(0.01);
    expect(ridge([1, 1, 2, 0, 0, 5, 5, 0, 0, 0, 0, 0]).clipped).toBe(false);
  });

  it("leave the zeros of a ReLU at the end of the scale, where few bins hold the rest", () => {
    const one = Array.from({ length: 64 }, (_, bin) => (bin === 0 ? 600 : bin < 25 ? 10 : 0));
    const { clipped, high } = sharesOf(
      block({
        arrays: { steps: Float64Array.of(1), counts: Float32Array.from(one) },
        shapes: { counts: [1, 64] },
      }),
    );
    expect(clipped).toBe(true);
    expect(high).toBeCloseTo(10 / 840, 6);
  });
});

describe("smaller sums", () => {
  it("the mean over heads is the mean, from numbers and from codes", () => {
    expect([...meanOf(Float32Array.of(0, 1, 0.5, 0.25), 2, 2, 0, 1)]).toEqual([0.25, 0.625]);
    const codes = meanOf(Uint8Array.of(0, 250, 125, 253), 2, 2, 0, 4);
    expect(codes[0]).toBeCloseTo(1, 6);
    expect(codes[1]).toBeNaN();
  });

  it("the largest outputs keep their order, and hide nothing that is not finite", () => {
    const before = [0.1, 0.5, 0.2, 0, Number.NaN, 0.05];
    const after = [0.1, 0.1, 0.2, 0.9, 0, 0.05];
    expect(largest(before, after, 3)).toEqual([1, 3, 4]);
    expect(largest(before, undefined, 2)).toEqual([1, 4]);
    expect(largest(before, after, 10)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("numbers below each other have their points below each other", () => {
    const format = evenFormat([0.84, -0.003, Number.NaN]);
    expect([0.84, 0.01, -0.003, -0.0001, Number.NaN].map(format)).toEqual([
      "0.840",
      "0.010",
      "−0.003",
      "0.000",
      "NaN",
    ]);
    expect(evenFormat([1234.5])(1234.5)).toBe("1235");
    expect(evenFormat([2e7])(2e7)).toBe("2.00e7");
    expect(evenFormat([])(0)).toBe("0.00");
  });

  it("labels thin out in steps that people count in", () => {
    expect([30, 14, 7, 3, 0.9].map((size) => strideOf(size, 12))).toEqual([1, 1, 2, 5, 20]);
  });

  it("cells fit into the room, and rows can be pointed at", () => {
    const y = { name: "", label: String, shown: true };
    for (const [rows, columns] of [
      [12, 64],
      [256, 256],
      [1, 900],
      [4, 4],
      [256, 3],
    ] as const) {
      for (const square of [true, false]) {
        const size = cellSize({ rows, columns, y }, 300, { cell: 24, height: 380 }, square);
        expect(size.width).toBeLessThanOrEqual(300);
        expect(size.height).toBeLessThanOrEqual(381);
        expect(size.height / rows).toBeGreaterThan(square ? 0.1 : 1.4);
      }
    }
  });
});
