import { beforeEach, describe, expect, it } from "vitest";
import { paletteOf } from "../../src/ui/colormap";
import {
  CODE,
  codeOf,
  codesOf,
  countMarks,
  markCells,
  openCanvas,
  peakOf,
  Sheet,
  valueAt,
} from "../../src/ui/raster";
import { unpack } from "../../src/wire";
import { type Call, randomFrom, recordCanvases } from "./chart_fixtures";

const SCALE = { low: -1, high: 1, signed: true };
/** Made with `encode` and `decode` of nnwidgets/probe/blocks.py, which this must agree with. */
const VALUES = [-2, -1, -0.5, 0, 0.013, 0.25, 0.7499, 1, 3, Number.NaN, Infinity, -Infinity];
const CODES = [0, 0, 62, 125, 127, 156, 219, 250, 250, 253, 254, 255];
const DECODED = [-1, -1, -0.504, 0, 0.016, 0.248, 0.752, 1, 1, Number.NaN, Infinity, -Infinity];

describe("codes", () => {
  it("are those of the kernel", () => {
    // Half-way cases (-0.5, 0.25) may be rounded to either side: a 250th of the scale.
    const codes = VALUES.map((value) => codeOf(value, SCALE));
    codes.forEach((code, index) => {
      expect(Math.abs(code - (CODES[index] as number))).toBeLessThanOrEqual(1);
    });
    expect(codes.slice(9)).toEqual([CODE.nan, CODE.plus, CODE.minus]);
  });

  it("go with the square root where the scale says so", () => {
    const scale = { low: 0, high: 4, signed: false, root: true };
    expect([0, 0.04, 1, 4, 9].map((value) => codeOf(value, scale))).toEqual([0, 25, 125, 250, 250]);
    expect(codeOf(Number.NaN, scale)).toBe(CODE.nan);
    expect([...codesOf(Uint8Array.of(0, 10, 250, CODE.nan), scale)]).toEqual([
      0,
      50,
      250,
      CODE.nan,
    ]);
  });

  it("tell the values that the kernel's own decoder tells", () => {
    const data = Uint8Array.from(CODES);
    const values = CODES.map((_, index) => valueAt(data, index, SCALE));
    values.forEach((value, index) => {
      const expected = DECODED[index] as number;
      if (Number.isFinite(expected)) expect(value).toBeCloseTo(expected, 12);
      else expect(value).toBe(expected);
    });
  });

  it("keep every value within half a level, and what is not finite apart", () => {
    const random = randomFrom(5);
    for (let trial = 0; trial < 200; trial++) {
      const low = (random() - 0.5) * 10 ** Math.floor(random() * 20 - 10);
      const scale = { low, high: low + random() * Math.abs(low) + 1e-9, signed: false };
      const value = scale.low + random() * (scale.high - scale.low);
      const code = codeOf(value, scale);
      const back = valueAt(Uint8Array.of(code), 0, scale);
      expect(Math.abs(back - value)).toBeLessThanOrEqual(((scale.high - scale.low) / 500) * 1.0001);
    }
  });

  it("of float32 and of codes paint alike", () => {
    const floats = Float32Array.from(DECODED);
    expect([...codesOf(floats, SCALE)]).toEqual([...codesOf(Uint8Array.from(CODES), SCALE)]);
  });

  it("of a scale without width lie at zero, not at the lowest", () => {
    const flat = { low: 0, high: 0, signed: true };
    expect([...codesOf(Float32Array.of(0, Number.NaN), flat)]).toEqual([125, 253]);
    expect([...codesOf(Uint8Array.of(0, 253, 255), flat)]).toEqual([125, 253, 255]);
    expect([...codesOf(Float32Array.of(7), { low: 7, high: 7, signed: false })]).toEqual([0]);
  });

  it("can be read from bytes that lie anywhere in a message", () => {
    const values = Float32Array.of(-1, 0, Number.NaN, 1);
    for (let shift = 0; shift < 4; shift++) {
      const bytes = new Uint8Array(shift + values.byteLength);
      bytes.set(new Uint8Array(values.buffer), shift);
      const data = new DataView(bytes.buffer, shift);
      const message = { v: 1, meta: {}, arrays: { pixels: ["float32", [2, 2], 0] }, data };
      const { pixels } = unpack(message).arrays;
      expect([...codesOf(pixels as Float32Array, SCALE)]).toEqual([0, 125, 253, 250]);
    }
  });
});

it("countMarks and peakOf tell what stands out", () => {
  const codes = Uint8Array.of(253, 253, 254, 255, 3, 120, 249);
  expect(countMarks(codes)).toEqual({ nan: 2, plus: 1, minus: 1 });
  expect(peakOf(codes, { low: 0, high: 1, signed: false })).toBe(6);
  expect(peakOf(Uint8Array.of(130, 2, 200), SCALE)).toBe(1);
  expect(peakOf(Uint8Array.of(253, 254), SCALE)).toBe(-1);
});

describe("on a canvas", () => {
  let calls: Call[];
  beforeEach(() => {
    calls = recordCanvases();
  });
  const named = (name: string) => calls.filter((call) => call.name === name);

  it("each number becomes the pixel of its colour", () => {
    const sheet = new Sheet();
    sheet.resize(3, 2);
    const palette = paletteOf(false, false);
    sheet.codes(Uint8Array.of(9, 9, 0, 250, 253, 125), 2, [1, 0, 2, 2], palette);
    sheet.commit();
    const image = named("putImageData")[0]?.args[0] as ImageData;
    const pixel = (x: number, y: number) => [
      ...image.data.subarray((y * 3 + x) * 4, (y * 3 + x) * 4 + 4),
    ];
    const color = (code: number) => [...palette.css(code).matchAll(/\d+/g), "255"].map(Number);
    expect([pixel(1, 0), pixel(2, 0)]).toEqual([color(0), color(250)]);
    expect([pixel(1, 1), pixel(2, 1)]).toEqual([color(253), color(125)]);
    expect(pixel(0, 0)).toEqual([0, 0, 0, 0]);
  });

  it("enlarges without blur, and shrinks without losing pixels", () => {
    const sheet = new Sheet();
    sheet.resize(8, 8);
    const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    sheet.draw(context, [0, 0, 8, 8], [0, 0, 80, 80]);
    expect(context.imageSmoothingEnabled).toBe(false);
    sheet.draw(context, [0, 0, 8, 8], [0, 0, 80, 4]);
    expect(context.imageSmoothingEnabled).toBe(true);
  });

  it("is as sharp as the screen, and not touched while it has no size", () => {
    const canvas = document.createElement("canvas");
    expect(openCanvas(canvas, 0, 20)).toBeNull();
    const ratio = devicePixelRatio || 1;
    expect(openCanvas(canvas, 33, 20)?.ratio).toBe(ratio);
    expect([canvas.width, canvas.height]).toEqual([33 * ratio, 20 * ratio]);
    expect(canvas.style.width).toBe("33px");
  });

  it("signs what is not finite by shape, where there is room", () => {
    const { ctx } = openCanvas(document.createElement("canvas"), 40, 40) as {
      ctx: CanvasRenderingContext2D;
    };
    const codes = Uint8Array.of(253, 254, 255, 7);
    calls.length = 0;
    markCells(ctx, codes, 0, [2, 2], [0, 0, 40, 40]);
    expect(named("stroke")).toHaveLength(1);
    const tips = named("lineTo").filter((_, index) => index % 2 === 1);
    expect(named("fill")).toHaveLength(2);
    // The tip of +inf lies above its middle (30, 10), that of -inf below (10, 30).
    expect(tips[1]?.args[1]).toBeLessThan(10);
    expect(tips[2]?.args[1]).toBeGreaterThan(30);
    calls.length = 0;
    markCells(ctx, codes, 0, [2, 2], [0, 0, 8, 8]);
    expect(calls).toEqual([]);
  });
});
