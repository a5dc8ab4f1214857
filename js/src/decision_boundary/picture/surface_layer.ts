/** The surface: what the model says at every place of the grid, as colours. */

import { paletteOf } from "../../ui/colormap";
import { type Box, CODE, LEVELS } from "../../ui/raster";
import type { Surface } from "../state";
import { type Painted, pixelTable, type Rgb } from "./palette";

/** A grid of codes with the colours that they stand for; row 0 is the bottom one. */
export type Sheet = Painted & Pick<Surface, "rows" | "columns" | "label" | "value">;

/** Pixels of the surface, and of what on it is not finite; both have the top row first. */
export interface Pixels {
  surface: Uint32Array;
  /** Null where everything is finite. */
  marks: Uint32Array | null;
}

const coloured = ({ palette }: Sheet): boolean => palette === "classes" || palette === "labels";

/** The code that stands at a place of the grid; null where there is no picture. */
export function codeAt(sheet: Sheet, index: number): number | null {
  const { label, value } = sheet;
  if (coloured(sheet) && label?.[index] === 255) return CODE.nan;
  return value?.[index] ?? (label === null ? null : LEVELS);
}

/** Colours a sheet into `pixels`, which has its size. */
export function paintPixels(sheet: Sheet, table: Uint32Array, pixels: Uint32Array): Pixels {
  const { rows, columns, value } = sheet;
  const label = coloured(sheet) ? sheet.label : null;
  const signs = paletteOf(false, false).pixels;
  let marks: Uint32Array | null = null;
  for (let row = 0; row < rows; row++) {
    const to = (rows - 1 - row) * columns;
    for (let column = 0; column < columns; column++) {
      const index = row * columns + column;
      const k = label?.[index] ?? 0;
      const code = value === null ? LEVELS : (value[index] as number);
      // Class 255 is none: its place lies behind the end of the table.
      const pixel = table[k * 256 + code] ?? 0;
      pixels[to + column] = pixel;
      if (pixel !== 0) continue;
      marks ??= new Uint32Array(rows * columns);
      marks[to + column] = signs[code > LEVELS ? code : CODE.nan] as number;
    }
  }
  return { surface: pixels, marks };
}

/** Keeps the canvas on which one pixel stands for one place. */
export class SurfaceLayer {
  readonly #small = document.createElement("canvas");
  readonly #signs = document.createElement("canvas");
  #image: ImageData | null = null;
  #key = "";
  #table: Uint32Array = new Uint32Array(0);
  #marked = false;

  /** Colours a sheet; what is drawn from then on. */
  paint(sheet: Sheet, classes: number, dark: boolean, ground: Rgb): void {
    const { rows, columns, palette, low, high } = sheet;
    // How much of a class's colour covers the ground goes by its probability; maps have a scale.
    const scale = palette === "classes" ? [low, high] : [];
    const key = [palette, classes, dark, ground, scale].join();
    if (key !== this.#key) this.#table = pixelTable(sheet, Math.max(1, classes), dark, ground);
    this.#key = key;
    if (this.#image?.width !== columns || this.#image.height !== rows) {
      for (const canvas of [this.#small, this.#signs]) {
        canvas.width = columns;
        canvas.height = rows;
      }
      this.#image = new ImageData(columns, rows);
    }
    const target = new Uint32Array(this.#image.data.buffer);
    const { marks } = paintPixels(sheet, this.#table, target);
    this.#small.getContext("2d")?.putImageData(this.#image, 0, 0);
    this.#marked = marks !== null;
    if (marks === null) return;
    const image = new ImageData(columns, rows);
    new Uint32Array(image.data.buffer).set(marks);
    this.#signs.getContext("2d")?.putImageData(image, 0, 0);
  }

  /** @param smooth neighbouring places flow into one another, as numbers between them would */
  draw(ctx: CanvasRenderingContext2D, [left, top, width, height]: Box, smooth: boolean): void {
    const image = this.#image;
    if (image === null) return;
    // The outermost places lie on the edges: half of their pixels is outside.
    const across = width / Math.max(1, image.width - 1);
    const down = height / Math.max(1, image.height - 1);
    const to: Box = [left - across / 2, top - down / 2, width + across, height + down];
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.imageSmoothingEnabled = smooth;
    ctx.drawImage(this.#small, ...to);
    if (this.#marked) this.#drawMarks(ctx, to);
    ctx.restore();
  }

  /** What is not finite, hatched: no eye must take it for a class. */
  #drawMarks(ctx: CanvasRenderingContext2D, [left, top, width, height]: Box): void {
    const own = document.createElement("canvas");
    own.width = Math.ceil(width);
    own.height = Math.ceil(height);
    const hatch = own.getContext("2d");
    if (hatch === null) return;
    hatch.imageSmoothingEnabled = false;
    hatch.drawImage(this.#signs, 0, 0, width, height);
    hatch.globalCompositeOperation = "source-atop";
    hatch.strokeStyle = "#000";
    hatch.lineWidth = 1.5;
    hatch.beginPath();
    for (let x = -height; x < width; x += 8) {
      hatch.moveTo(x, height);
      hatch.lineTo(x + height, 0);
    }
    hatch.stroke();
    ctx.drawImage(own, left, top, width, height);
  }
}
