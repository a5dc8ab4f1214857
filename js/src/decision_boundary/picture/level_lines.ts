/** Lines of equal height through a small grid of codes, by marching squares. */

import { LEVELS } from "../../ui/raster";

/** The edges of a square, clockwise from the top one: from which corner to which. */
const EDGES = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 0],
] as const;
/** Its corners, clockwise from the top left one: column and row. */
const CORNERS = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
] as const;

/**
 * Pieces of the line at one height: x and y of both ends, in columns and rows from the middle of
 * the first cell. A square with something that is not finite has none; in a saddle the pieces
 * keep the two higher corners apart.
 */
export function levelLines(
  codes: Uint8Array,
  rows: number,
  columns: number,
  level: number,
): number[] {
  const pieces: number[] = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const heights = CORNERS.map(([x, y]) => codes[(row + y) * columns + column + x] as number);
      if (heights.some((height) => height > LEVELS)) continue;
      // Going round a higher corner, the line enters and leaves on the edges beside it.
      const crossed: number[][] = [];
      for (const [from, to] of EDGES) {
        const [a, b] = [heights[from] as number, heights[to] as number];
        if (a >= level === b >= level) continue;
        const share = (level - a) / (b - a);
        const [[x, y], [toX, toY]] = [CORNERS[from], CORNERS[to]];
        crossed.push([column + x + share * (toX - x), row + y + share * (toY - y)]);
      }
      // Four crossings: the first corner is low, and so is the third, or both are high.
      const turned = crossed.length === 4 && (heights[0] as number) >= level;
      if (turned) crossed.unshift(crossed.pop() as number[]);
      pieces.push(...crossed.flat());
    }
  }
  return pieces;
}
