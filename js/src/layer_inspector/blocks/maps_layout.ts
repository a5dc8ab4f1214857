/** Where each of many maps stands: as large as may be while all of them stay in sight. */

export interface Grid {
  columns: number;
  /** Of one map (CSS pixels), without its line of words. */
  width: number;
  height: number;
  /** Height of all of it. */
  total: number;
  /** Left and top of a map. */
  corner(tile: number): [left: number, top: number];
  /** The map at a point, its line of words included; -1 beside all. */
  tileAt(x: number, y: number): number;
}

/** Kept in step with blocks.css. */
export const GAP = 6;
export const CAPTION = 18;

const SMALLEST = 54;
const LARGEST = 112;
/** Height (CSS pixels) that the maps should not exceed by much. */
const HIGHEST = 400;

export function layOutMaps(
  room: number,
  count: number,
  columns: number,
  rows: number,
  highest = HIGHEST,
): Grid {
  const heightOf = (width: number): number => {
    // Long signals become strips, long columns are squeezed: both can still be pointed at.
    const natural = (width * rows) / columns;
    return Math.round(Math.min(Math.max(natural, 18), width * 1.5));
  };
  let across = 1;
  let width = Math.min(room, LARGEST);
  for (let tried = LARGEST; tried >= SMALLEST; tried -= 2) {
    across = Math.max(1, Math.floor((room + GAP) / (tried + GAP)));
    width = tried;
    const lines = Math.ceil(count / across);
    if (lines * (heightOf(tried) + CAPTION + GAP) <= highest) break;
  }
  if (count > across) width = Math.floor((room - GAP * (across - 1)) / across);
  width = Math.max(1, Math.min(width, Math.floor(room)));
  const height = heightOf(width);
  const lines = Math.ceil(count / across);
  const [stepX, stepY] = [width + GAP, height + CAPTION + GAP];
  return {
    columns: across,
    width,
    height,
    total: Math.max(0, lines * stepY - GAP),
    corner: (tile) => [(tile % across) * stepX, Math.floor(tile / across) * stepY],
    tileAt(x, y) {
      const [column, row] = [Math.floor(x / stepX), Math.floor(y / stepY)];
      const tile = row * across + column;
      const outside = column < 0 || row < 0 || column >= across || tile >= count;
      return outside || x - column * stepX >= width || y - row * stepY >= stepY - GAP ? -1 : tile;
    },
  };
}
