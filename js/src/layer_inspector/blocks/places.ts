/**
 * Places of a map as shown and as computed: a map larger than 64 × 64 arrives averaged down, and
 * a place of it stands for several.
 */

import type { Words } from "../../ui/i18n";
import type { Cell } from "../../ui/pointer";

export interface Places {
  /** Row and column in the layer's own output: the middle of what the cell stands for. */
  real(cell: Cell): [row: number, column: number];
  /** A cell in words. */
  name(cell: Cell): string;
  /** The same without the dimensions that the layer does not have. */
  unit(cell: Cell): number[];
  /** The cell in which a unit `[channel, …, row, column]` lies; null if it names no place. */
  cell(unit: readonly number[]): Cell | null;
}

/**
 * @param shape of the layer's output with the batch: "1×32×14×14"
 * @param shown rows and columns of the map as it arrived
 */
export function placesOf(shape: string, shown: readonly number[], words: Words): Places {
  const sides = shape.split("×").map(Number).filter(Number.isInteger);
  const [rows = 1, columns = 1] = shown;
  // Batch, channel, and then the places: none, a time, or row and column (of a depth).
  const spatial = sides.slice(2);
  const width = Math.max(spatial.at(-1) ?? columns, columns);
  const height = Math.max(spatial.length >= 2 ? (spatial.at(-2) ?? rows) : rows, rows);
  const real = ({ row, column }: Cell): [number, number] => [
    Math.floor(((row + 0.5) * height) / rows),
    Math.floor(((column + 0.5) * width) / columns),
  ];
  return {
    real,
    name(cell) {
      const [row, column] = real(cell);
      return spatial.length === 1
        ? words("ui.inspector.position", { column })
        : words("ui.inspector.place", { row, column });
    },
    unit(cell) {
      const [row, column] = real(cell);
      return spatial.length === 1 ? [column] : [row, column];
    },
    cell(unit) {
      const places = unit.slice(1);
      if (places.length === 0) return null;
      const column = places.at(-1) ?? 0;
      const row = places.length > 1 ? (places.at(-2) ?? 0) : 0;
      return {
        row: Math.min(rows - 1, Math.floor((row * rows) / height)),
        column: Math.min(columns - 1, Math.floor((column * columns) / width)),
      };
    },
  };
}
