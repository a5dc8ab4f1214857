/**
 * Colours of classes, and of the surface where a class is so probable.
 *
 * The same numbers stand in `nnwidgets/export/class_colours.py`, which says how they were found;
 * `tests/golden/class_colours.json` holds the two together.
 */

import { paletteOf } from "../../ui/colormap";
import { LEVELS } from "../../ui/raster";
import { parseColor } from "../../ui/theme";
import type { Surface } from "../state";

const LIGHT =
  "2f72c4d9772b2b9a77563280b3202e235b60bfbb66db8fc893a5ead8359c8f1a55ae6ae6623f0fdb7885d8bfa276904ad0a61e7ee58a8c6551791526";
const DARK =
  "6cabf2f0a2645cc7a37b63e0d0324f86ecfbf3ca3db5428faef285f7bcd84f7fd8b9e2b88a68bdba865cfb917fc9dc8c8c8567f660b5de5a359e4c06";

export const CLASSES = LIGHT.length / 6;
/** How much of its colour covers the ground where a class is least and most probable. */
const [FAINT, STRONG] = [0.08, 0.62];
/** How much where only the label is shown. */
const FLAT = 0.5;

export type Rgb = readonly [red: number, green: number, blue: number];

/** The colour of a class, "#rrggbb"; after twenty they come again. */
export function classColour(k: number, dark: boolean): string {
  const at = (k % CLASSES) * 6;
  return `#${(dark ? DARK : LIGHT).slice(at, at + 6)}`;
}

export function rgbOf(css: string): Rgb {
  const [red, green, blue] = parseColor(css) ?? [128, 128, 128];
  return [red, green, blue];
}

export const mix = (over: Rgb, ground: Rgb, share: number): number[] =>
  over.map((part, index) => Math.round(part * share + (ground[index] as number) * (1 - share)));

/** How much of the colour covers the ground at a probability, on a scale from `low` to 1. */
export function strengthOf(probability: number, low: number): number {
  const lead = low < 1 ? Math.min(1, Math.max(0, (probability - low) / (1 - low))) : 1;
  return FAINT + (STRONG - FAINT) * lead;
}

/** What the colours of a picture depend on. */
export type Painted = Pick<Surface, "palette" | "low" | "high">;

/**
 * One pixel for each pair of class and code, the code counting faster, in the machine's byte order;
 * of maps of one number, for each code. What is not finite is left open.
 */
export function pixelTable(
  { palette, low, high }: Painted,
  classes: number,
  dark: boolean,
  ground: Rgb,
): Uint32Array {
  if (palette === "sequential" || palette === "diverging") {
    const table = paletteOf(palette === "diverging", dark).pixels.slice();
    table.fill(0, LEVELS + 1);
    return table;
  }
  const bytes = new Uint8ClampedArray(classes * 256 * 4);
  for (let k = 0; k < classes; k++) {
    const color = rgbOf(classColour(k, dark));
    for (let code = 0; code <= LEVELS; code++) {
      const probability = low + (code / LEVELS) * (high - low);
      const share = palette === "labels" ? FLAT : strengthOf(probability, low);
      bytes.set([...mix(color, ground, share), 255], (k * 256 + code) * 4);
    }
  }
  return new Uint32Array(bytes.buffer);
}
