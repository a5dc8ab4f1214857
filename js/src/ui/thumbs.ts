/** Pictures of samples in their natural colours. */

import type { NumberArray } from "../wire";
import { openCanvas, type Sheet } from "./raster";

/**
 * Draws one picture as large as its canvas may be, keeping its proportions.
 *
 * @param pixels [height, width] or [height, width, 3], from 0 to 255
 * @param start where in `pixels` the picture begins
 * @param most the longest side on the page (CSS pixels)
 */
export function drawPicture(
  canvas: HTMLCanvasElement,
  sheet: Sheet,
  pixels: NumberArray,
  start: number,
  shape: readonly number[],
  most: number,
): void {
  const [height = 0, width = 0, parts = 1] = shape;
  if (height === 0 || width === 0) return;
  sheet.resize(width, height);
  for (let index = 0; index < width * height; index++) {
    const at = start + index * parts;
    const red = pixels[at] ?? 0;
    const [green, blue] = parts >= 3 ? [pixels[at + 1] ?? 0, pixels[at + 2] ?? 0] : [red, red];
    sheet.color(index % width, Math.floor(index / width), red, green, blue);
  }
  sheet.commit();
  const scale = most / Math.max(width, height);
  const [across, down] = [
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  ];
  const opened = openCanvas(canvas, across, down);
  if (opened !== null) sheet.draw(opened.ctx, [0, 0, width, height], [0, 0, across, down]);
}
