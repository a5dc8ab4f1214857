/**
 * Fields of numbers as pixels.
 *
 * Numbers arrive as float32, or as codes 0 … 250 between two stated ends with codes of their own
 * for what is not finite (`encode` in `nnwidgets/probe/blocks.py`). Either way they are painted
 * through one table of 256 colours.
 */

import type { NumberArray } from "../wire";
import type { Palette } from "./colormap";

export const LEVELS = 250;
export const CODE = { nan: 253, plus: 254, minus: 255 } as const;

/** Ends of a scale; a signed one has zero in its middle. */
export interface Scale {
  low: number;
  high: number;
  signed: boolean;
  /** Some numbers lie above `high` and are drawn as if they were it. */
  clipped?: boolean;
  /** Colours go with the square root: small shares can be told apart beside a large one. */
  root?: boolean;
}

/** How many numbers are not finite. */
export interface Marks {
  nan: number;
  plus: number;
  minus: number;
}

/** The number that stands at `index`; of codes, as exactly as they tell. */
export function valueAt(data: NumberArray, index: number, { low, high }: Scale): number {
  const raw = data[index] ?? Number.NaN;
  if (!(data instanceof Uint8Array)) return raw;
  if (raw === CODE.nan) return Number.NaN;
  if (raw === CODE.plus) return Number.POSITIVE_INFINITY;
  if (raw === CODE.minus) return Number.NEGATIVE_INFINITY;
  return low + (raw / LEVELS) * (high - low);
}

/** The code of one number; where the scale has no width, zero's place on a signed one. */
export function codeOf(value: number, { low, high, signed, root }: Scale): number {
  if (Number.isNaN(value)) return CODE.nan;
  if (value === Number.POSITIVE_INFINITY) return CODE.plus;
  if (value === Number.NEGATIVE_INFINITY) return CODE.minus;
  if (!(high > low)) return signed ? LEVELS / 2 : 0;
  const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return Math.round((root === true ? Math.sqrt(share) : share) * LEVELS);
}

/** The codes of a field of numbers. */
export function codesOf(data: NumberArray, scale: Scale): Uint8Array {
  const told = data instanceof Uint8Array && scale.root !== true;
  if (told && (scale.high > scale.low || !scale.signed)) return data;
  const codes = new Uint8Array(data.length);
  for (let index = 0; index < data.length; index++) {
    codes[index] = codeOf(valueAt(data, index, scale), scale);
  }
  return codes;
}

export function countMarks(codes: Uint8Array): Marks {
  const marks = { nan: 0, plus: 0, minus: 0 };
  for (const code of codes) {
    if (code <= LEVELS) continue;
    if (code === CODE.nan) marks.nan++;
    else if (code === CODE.plus) marks.plus++;
    else if (code === CODE.minus) marks.minus++;
  }
  return marks;
}

/**
 * Where the number stands that catches the eye: the highest, or on a signed scale the one farthest
 * from zero. -1 if nothing is finite.
 */
export function peakOf(codes: Uint8Array, { signed }: Scale): number {
  let best = -1;
  let size = -1;
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index] as number;
    if (code > LEVELS) continue;
    const here = signed ? Math.abs(code - LEVELS / 2) : code;
    if (here > size) [best, size] = [index, here];
  }
  return best;
}

/** Pixels of a picture before it is enlarged: one for each number. */
export class Sheet {
  readonly #canvas = document.createElement("canvas");
  #image: ImageData | null = null;
  #pixels = new Uint32Array(0);

  get width(): number {
    return this.#image?.width ?? 0;
  }

  /** Makes the sheet so large; what is on it stays only if its size does. */
  resize(width: number, height: number): void {
    if (this.#image?.width === width && this.#image.height === height) return;
    this.#canvas.width = Math.max(1, width);
    this.#canvas.height = Math.max(1, height);
    this.#image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  /** Colours `columns` × `rows` codes from `start` on, with their corner at (x, y). */
  codes(codes: Uint8Array, start: number, [x, y, columns, rows]: Box, { pixels }: Palette): void {
    for (let row = 0; row < rows; row++) {
      const from = start + row * columns;
      const to = (y + row) * this.width + x;
      for (let column = 0; column < columns; column++) {
        this.#pixels[to + column] = pixels[codes[from + column] as number] as number;
      }
    }
  }

  /** Puts one pixel in its natural colour, parts from 0 to 255. */
  color(x: number, y: number, red: number, green: number, blue: number): void {
    this.#image?.data.set([red, green, blue, 255], (y * this.width + x) * 4);
  }

  /** Hands the pixels over to be drawn. */
  commit(): void {
    if (this.#image !== null) this.#canvas.getContext("2d")?.putImageData(this.#image, 0, 0);
  }

  /** Draws a part of the sheet, each number as a block without blur unless it must shrink. */
  draw(ctx: CanvasRenderingContext2D, from: Box, to: Box): void {
    ctx.imageSmoothingEnabled = to[2] < from[2] || to[3] < from[3];
    ctx.drawImage(this.#canvas, ...from, ...to);
  }
}

/** Left, top, width, height. */
export type Box = readonly [number, number, number, number];

/** Cells smaller than this (device pixels) carry colour only; more marks than this are noise. */
const SMALLEST_MARK = 6;
const MOST_MARKS = 4096;

/** Signs over what is not finite, for those who tell them from numbers by shape: × ▲ ▼. */
export function markCells(
  ctx: CanvasRenderingContext2D,
  codes: Uint8Array,
  start: number,
  [columns, rows]: readonly [number, number],
  [left, top, width, height]: Box,
): void {
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  const size = Math.min(cellWidth, cellHeight);
  if (size < SMALLEST_MARK) return;
  const half = Math.min(size, 24) * 0.28;
  ctx.lineWidth = Math.max(1, half / 2.5);
  ctx.strokeStyle = ctx.fillStyle = "#000";
  let drawn = 0;
  for (let index = 0; index < columns * rows && drawn < MOST_MARKS; index++) {
    const code = codes[start + index] as number;
    if (code <= LEVELS) continue;
    drawn++;
    const x = left + ((index % columns) + 0.5) * cellWidth;
    const y = top + (Math.floor(index / columns) + 0.5) * cellHeight;
    ctx.beginPath();
    if (code === CODE.nan) {
      ctx.moveTo(x - half, y - half);
      ctx.lineTo(x + half, y + half);
      ctx.moveTo(x + half, y - half);
      ctx.lineTo(x - half, y + half);
      ctx.stroke();
    } else {
      const tip = code === CODE.plus ? -half : half;
      ctx.moveTo(x - half, y - tip);
      ctx.lineTo(x + half, y - tip);
      ctx.lineTo(x, y + tip);
      ctx.fill();
    }
  }
}

/**
 * Gives a canvas this size on the page, as sharp as the screen.
 *
 * @returns its context, cleared and in CSS pixels, and the device pixels in one of those; null
 *   while there is nothing to draw on
 */
export function openCanvas(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): { ctx: CanvasRenderingContext2D; ratio: number } | null {
  if (!(width > 0 && height > 0)) return null;
  const ratio = globalThis.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  const [cssWidth, cssHeight] = [`${width}px`, `${height}px`];
  if (canvas.style.width !== cssWidth) canvas.style.width = cssWidth;
  if (canvas.style.height !== cssHeight) canvas.style.height = cssHeight;
  const ctx = canvas.getContext("2d");
  if (ctx === null) return null;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, ratio };
}
