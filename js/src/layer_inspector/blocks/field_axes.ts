/** How large the cells of a field are, and what is written beside them. */

import type { Box } from "../../ui/raster";
import type { Axis, FieldData } from "./field";
import type { Pen } from "./stage";

/** Height (CSS pixels) of a line of small text. */
const LINE = 13;
/** Width that a letter of it takes at most, on the average, and a label altogether. */
const LETTER = 6.4;
const LONGEST = 84;
/** Lowest row that can still be pointed at, where there is room. */
const LOW_ROW = 8;

interface Margins {
  left: number;
  bottom: number;
}

/** Longest label of an axis, in CSS pixels; guessed, so that it is the same on every screen. */
function longest(axis: Axis, count: number): number {
  let letters = 0;
  for (let index = 0; index < count; index++) {
    letters = Math.max(letters, axis.label(index).length);
  }
  return Math.min(LONGEST, Math.ceil(letters * LETTER));
}

const isNumber = (label: string): boolean => /^[\d,.]*$/.test(label);

function areNumbers(axis: Axis, count: number): boolean {
  return count === 0 || (isNumber(axis.label(0)) && isNumber(axis.label(count - 1)));
}

export function marginsOf({ x, y, columns, rows }: FieldData): Margins {
  const below = areNumbers(x, columns) ? LINE : longest(x, columns);
  return {
    left: y.shown ? longest(y, rows) + 6 : 0,
    bottom: x.shown ? below + 6 : 0,
  };
}

/** Size of the whole field: large cells for small fields, everything in sight for large ones. */
export function cellSize(
  { columns, rows }: Pick<FieldData, "columns" | "rows">,
  room: number,
  largest: { cell: number; height: number },
  square: boolean,
): { width: number; height: number } {
  let across = Math.min(largest.cell, room / columns);
  let down = Math.min(largest.cell, largest.height / rows);
  if (square) {
    // A strip of one row would be a hair: squareness gives way to what can be pointed at.
    const side = Math.min(across, down);
    const low = Math.min(28, largest.height) / rows;
    const narrow = Math.min(28, room) / columns;
    [across, down] = [Math.max(side, narrow), Math.max(side, low)];
  } else {
    down = Math.min(down, Math.max(across, Math.min(LOW_ROW, largest.height / rows)));
  }
  // Whole pixels where that costs little: all cells look alike then.
  const whole = (size: number) => (size >= 4 ? Math.floor(size) : size);
  return { width: whole(across) * columns, height: whole(down) * rows };
}

/** Every how-manieth label there is room for: 1, 2, 5, 10 … */
export function strideOf(size: number, needed: number): number {
  if (size >= needed) return 1;
  const least = needed / Math.max(size, 1e-6);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= least) ?? 10 * power;
}

export function writeRows(pen: Pen, { y, rows }: FieldData, [left, top, , height]: Box): void {
  if (!y.shown) return;
  const size = height / rows;
  const stride = strideOf(size, LINE - 1);
  for (let row = 0; row < rows; row += stride) {
    pen.write(y.label(row), left - 5, top + (row + 0.5) * size, { align: "right", most: LONGEST });
  }
}

export function writeColumns(
  pen: Pen,
  { x, columns }: FieldData,
  [left, top, width, height]: Box,
  across: (column: number) => number,
): void {
  if (!x.shown) return;
  const upright = !areNumbers(x, columns);
  const needed = upright ? LINE - 1 : longest(x, columns) + 8;
  const { ctx } = pen;
  let free = Number.NEGATIVE_INFINITY;
  const stride = upright || areEven(across, columns) ? strideOf(width / columns, needed) : 1;
  for (let column = 0; column < columns; column += stride) {
    const middle = left + ((across(column) + across(column + 1)) / 2) * width;
    const label = x.label(column);
    if (upright) {
      ctx.save();
      ctx.translate(middle, top + height + 5);
      ctx.rotate(-Math.PI / 2);
      pen.write(label, 0, 0, { align: "right", most: LONGEST });
      ctx.restore();
      continue;
    }
    // Not cut off at the edges of the canvas.
    const half = (label.length * LETTER) / 2;
    const at = Math.min(Math.max(middle, half), pen.width - half);
    if (at - half < free) continue;
    free = at + half + 6;
    pen.write(label, at, top + height + 5, { align: "center", baseline: "top" });
  }
}

function areEven(across: (column: number) => number, columns: number): boolean {
  return across(1) * columns < 1.001 && across(1) * columns > 0.999;
}
