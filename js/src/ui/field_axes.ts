/** How large the cells of a field are, and what is written beside them. */

import type { Axis, FieldData } from "./field";
import type { Box } from "./raster";
import type { Pen } from "./stage";

/** Height (CSS pixels) of a line of small text. */
const LINE = 13;
/** Width that a letter of it takes at most, on the average, and a label altogether. */
const LETTER = 6.4;
const LONGEST = 84;
/** Lowest row that can still be pointed at, or that has room for its name, where there is room. */
const LOW_ROW = 8;
const NAMED_ROW = 13;

interface Margins {
  left: number;
  bottom: number;
}

/** Longest label of an axis, in CSS pixels; guessed, so that it is the same on every screen. */
function longest(axis: Axis, count: number): number {
  let letters = Math.max(0, ...(axis.ticks ?? []).map(([, text]) => text.length));
  if (axis.ticks !== undefined) return Math.min(LONGEST, Math.ceil(letters * LETTER));
  for (let index = 0; index < count; index++) {
    letters = Math.max(letters, axis.label(index).length);
  }
  return Math.min(LONGEST, Math.ceil(letters * LETTER));
}

const isNumber = (label: string): boolean => /^[\d,.]*$/.test(label);

function areNumbers(axis: Axis, count: number): boolean {
  return (
    axis.ticks !== undefined ||
    count === 0 ||
    (isNumber(axis.label(0)) && isNumber(axis.label(count - 1)))
  );
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
  { columns, rows, y, edges }: Pick<FieldData, "columns" | "rows" | "y" | "edges">,
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
    const low = y.shown && !areNumbers(y, rows) ? NAMED_ROW : LOW_ROW;
    down = Math.min(down, Math.max(across, Math.min(low, largest.height / rows)));
  }
  if (edges !== undefined) return { width: room, height: down * rows };
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
  const write = (text: string, at: number): void => {
    // Not cut off at the edges of the canvas.
    const middle = Math.min(Math.max(at, 6), pen.height - 6);
    pen.write(text, left - 5, middle, { align: "right", most: LONGEST });
  };
  if (y.ticks !== undefined) {
    for (const [share, text] of y.ticks) write(text, top + share * height);
    return;
  }
  const size = height / rows;
  const stride = strideOf(size, LINE - 1);
  for (let row = 0; row < rows; row += stride) {
    write(y.label(row), top + (row + 0.5) * size);
  }
}

export function writeColumns(
  pen: Pen,
  { x, columns }: FieldData,
  [left, top, width, height]: Box,
): void {
  if (!x.shown) return;
  const { ctx } = pen;
  const size = width / columns;
  if (!areNumbers(x, columns)) {
    for (let column = 0; column < columns; column += strideOf(size, LINE - 1)) {
      ctx.save();
      ctx.translate(left + (column + 0.5) * size, top + height + 5);
      ctx.rotate(-Math.PI / 2);
      pen.write(x.label(column), 0, 0, { align: "right", most: LONGEST });
      ctx.restore();
    }
    return;
  }
  const stride = strideOf(size, longest(x, columns) + 8);
  const counted = Array.from({ length: Math.ceil(columns / stride) }, (_, index) => index * stride);
  const ticks = x.ticks ?? counted.map((column) => [(column + 0.5) / columns, x.label(column)]);
  writeAlong(pen, ticks as [number, string][], left, width, top + height + 5);
}

/** Words at shares of a width, not cut off at the edges; those that do not fit are left out. */
export function writeAlong(
  pen: Pen,
  ticks: readonly [share: number, text: string][],
  left: number,
  width: number,
  y: number,
): void {
  let free = Number.NEGATIVE_INFINITY;
  for (const [share, text] of ticks) {
    const half = (text.length * LETTER) / 2;
    const at = Math.max(Math.min(left + share * width, pen.width - half), half);
    if (at - half < free) continue;
    free = at + half + 8;
    pen.write(text, at, y, { align: "center", baseline: "top" });
  }
}
