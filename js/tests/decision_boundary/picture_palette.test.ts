import { describe, expect, it } from "vitest";
import golden from "../../../tests/golden/class_colours.json";
import {
  CLASSES,
  classColour,
  mix,
  pixelTable,
  type Rgb,
  rgbOf,
  strengthOf,
} from "../../src/decision_boundary/picture/palette";
import { paintPixels, type Sheet } from "../../src/decision_boundary/picture/surface_layer";
import { paletteOf } from "../../src/ui/colormap";
import { CODE } from "../../src/ui/raster";

const hex = (parts: readonly number[]) =>
  `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
const bytesOf = (pixel: number | undefined): number[] => [
  ...new Uint8Array(Uint32Array.of(pixel ?? 0).buffer),
];
const WHITE: Rgb = [255, 255, 255];

describe("colours of classes", () => {
  it("are those of the kernel's figures, and come again after twenty", () => {
    for (const [dark, colours] of [
      [false, golden.light],
      [true, golden.dark],
    ] as const) {
      expect(colours.map((_, k) => classColour(k, dark))).toEqual(colours);
      expect(classColour(CLASSES + 3, dark)).toBe(colours[3]);
    }
    expect(golden.light).toHaveLength(CLASSES);
  });

  it("cover the ground as much as in the figures", () => {
    for (const { dark, label, probability, classes, colour } of golden.examples) {
      const ground = rgbOf(dark ? golden.ground.dark : golden.ground.light);
      // Of a scale that ends at this probability, its highest code.
      const low = Math.min(1 / classes, probability);
      const scale = { palette: "classes", low, high: probability } as const;
      const table = pixelTable(scale, classes, dark, ground);
      expect(hex(bytesOf(table[label * 256 + 250]).slice(0, 3))).toBe(colour);
    }
    expect([strengthOf(0.25, 0.25), strengthOf(1, 0.25)]).toEqual(golden.strength);
    expect(strengthOf(0.1, 0.25)).toBe(golden.strength[0]);
    // Classes that do not exclude each other: their scale begins where they are as likely as not.
    expect([strengthOf(0.5, 0.5), strengthOf(0.4, 0)]).toEqual([
      golden.strength[0],
      expect.closeTo(0.6 * (golden.strength[0] ?? 0) + 0.4 * (golden.strength[1] ?? 0), 9),
    ]);
  });

  it("are one shade each where only labels are shown", () => {
    const table = pixelTable({ palette: "labels", low: 0, high: 1 }, 3, false, WHITE);
    const half = mix(rgbOf(golden.light[2] as string), WHITE, golden.label);
    expect(bytesOf(table[2 * 256 + 250])).toEqual([...half, 255]);
  });
});

describe("a sheet of codes", () => {
  const sheet: Sheet = {
    palette: "classes",
    low: 0.5,
    high: 1,
    rows: 2,
    columns: 2,
    label: Uint8Array.of(0, 1, 255, 0),
    value: Uint8Array.of(250, 0, 100, CODE.plus),
  };
  const table = pixelTable(sheet, 2, false, WHITE);

  it("stands on its head on the canvas, its bottom row last", () => {
    const { surface } = paintPixels(sheet, table, new Uint32Array(4));
    expect(surface[2]).toBe(table[250]);
    expect(surface[3]).toBe(table[256]);
    expect(surface[2]).not.toBe(surface[3]);
  });

  it("is open where nothing is finite, and marked there", () => {
    const { surface, marks } = paintPixels(sheet, table, new Uint32Array(4).fill(9));
    const signs = paletteOf(false, false).pixels;
    expect([...surface.subarray(0, 2)]).toEqual([0, 0]);
    expect([...(marks ?? [])]).toEqual([signs[CODE.nan], signs[CODE.plus], 0, 0]);
    const whole = { ...sheet, label: Uint8Array.of(0, 1, 1, 0), value: new Uint8Array(4) };
    expect(paintPixels(whole, table, new Uint32Array(4)).marks).toBeNull();
  });

  it("of a map has the colours of the map, whatever the labels say", () => {
    const map: Sheet = { ...sheet, palette: "diverging", label: new Uint8Array(4).fill(255) };
    const colours = pixelTable(map, 2, true, WHITE);
    const { surface } = paintPixels(map, colours, new Uint32Array(4));
    const { pixels } = paletteOf(true, true);
    expect([...surface]).toEqual([pixels[100], 0, pixels[250], pixels[0]]);
  });
});
