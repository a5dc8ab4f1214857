/** Maps and pictures as pixels, and one over the other. */

import type { Palette } from "../ui/colormap";
import { LEVELS, type Scale, type Sheet } from "../ui/raster";
import type { Grid } from "./state";

/** Ends of the signed scale over a picture, where paler shades would be lost: blue and red. */
const BELOW = [38, 108, 240] as const;
const ABOVE = [232, 38, 44] as const;

/** Rows and columns of a map; of a picture with colours, without those. */
export const sidesOf = ({ shape }: Grid): [rows: number, columns: number] => [
  shape[0] ?? 0,
  shape[1] ?? 0,
];

/** Red, green and blue of a place of a picture in natural colours. */
export function colorAt({ data, shape }: Grid, row: number, column: number): number[] {
  const parts = shape[2] ?? 1;
  const at = (row * (shape[1] ?? 0) + column) * parts;
  const red = data[at] ?? 0;
  return parts >= 3 ? [red, data[at + 1] ?? 0, data[at + 2] ?? 0] : [red, red, red];
}

/** The place of one grid that lies over a place of another. */
export const over = (place: number, count: number, onto: number): number =>
  Math.min(onto - 1, Math.floor(((place + 0.5) * onto) / Math.max(1, count)));

/** Puts a picture in natural colours onto a sheet. */
export function paintPicture(sheet: Sheet, picture: Grid): void {
  const [rows, columns] = sidesOf(picture);
  sheet.resize(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [red = 0, green = 0, blue = 0] = colorAt(picture, row, column);
      sheet.color(column, row, red, green, blue);
    }
  }
  sheet.commit();
}

/**
 * Colour and weight (0 to 1) that a code has over a picture: the weight grows with the size of the
 * value, so that the picture stays clear where the map says nothing.
 */
export function tint(
  code: number,
  signed: boolean,
  palette: Palette,
): [color: readonly number[], weight: number] {
  if (code > LEVELS) return [partsOf(palette, code), 1];
  if (!signed) return [partsOf(palette, code), Math.sqrt(code / LEVELS)];
  const share = (code - LEVELS / 2) / (LEVELS / 2);
  return [share < 0 ? BELOW : ABOVE, Math.abs(share) ** 0.7];
}

function partsOf({ pixels }: Palette, code: number): number[] {
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset + 4 * code, 3);
  return Array.from(bytes);
}

/** Puts a map over a picture onto a sheet, with as many pixels as the finer of both has. */
export function paintOverlay(
  sheet: Sheet,
  picture: Grid,
  codes: Uint8Array,
  [mapRows, mapColumns]: readonly [number, number],
  { signed }: Scale,
  palette: Palette,
  opacity: number,
): void {
  const [pictureRows, pictureColumns] = sidesOf(picture);
  const rows = Math.max(pictureRows, mapRows);
  const columns = Math.max(pictureColumns, mapColumns);
  const tints = Array.from({ length: 256 }, (_, code) => tint(code, signed, palette));
  sheet.resize(columns, rows);
  for (let row = 0; row < rows; row++) {
    const mapRow = over(row, rows, mapRows) * mapColumns;
    const pictureRow = over(row, rows, pictureRows);
    for (let column = 0; column < columns; column++) {
      const code = codes[mapRow + over(column, columns, mapColumns)] ?? 0;
      const [color, weight] = tints[code] ?? [BELOW, 0];
      const share = weight * opacity;
      const below = colorAt(picture, pictureRow, over(column, columns, pictureColumns));
      const mix = (part: number) =>
        Math.round((below[part] ?? 0) * (1 - share) + (color[part] ?? 0) * share);
      sheet.color(column, row, mix(0), mix(1), mix(2));
    }
  }
  sheet.commit();
}

/** Size on the page: as large as there is room, in the proportions of the picture. */
export function fitted(
  [rows, columns]: readonly [number, number],
  room: number,
  largest: number,
): [width: number, height: number] {
  const scale = Math.min(room / Math.max(1, columns), largest / Math.max(1, rows));
  // Whole pixels where that costs little: all cells look alike then.
  const whole = scale >= 4 ? Math.floor(scale) : scale;
  return [Math.max(1, Math.round(columns * whole)), Math.max(1, Math.round(rows * whole))];
}
