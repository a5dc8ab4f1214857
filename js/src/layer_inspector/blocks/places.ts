/**
 * Places of a map as shown and as computed: a map larger than 64 × 64 arrives averaged down, and
 * a place of it stands for several.
 */

import type { Words } from "../../ui/i18n";
import type { Cell } from "../../ui/pointer";
import { type BlockData, type LayerPicture, numberOr, type Unit } from "./types";

export interface Places {
  /** Row and column in the layer's own output: the middle of what the cell stands for. */
  real(cell: Cell): [row: number, column: number];
  /** A cell in words. */
  name(cell: Cell): string;
  /** The unit of a channel at a cell: an index into the layer's output without the batch. */
  unit(channel: number, cell: Cell): number[];
  /** The cell in which a unit lies; null if it names no place, or one in another slice. */
  cell(unit: Unit | null): Cell | null;
}

/**
 * @param block of maps: `meta.shape` are the rows and columns before averaging, `meta.depth` the
 *   slice of a volume, `meta.channel_axis` where the channel stands among a unit's numbers
 */
export function placesOf(block: BlockData, layer: LayerPicture, words: Words): Places {
  const { meta } = block;
  const colored = meta.rgb === true;
  const [rows = 1, columns = 1] = (block.shapes.pixels ?? []).slice(colored ? -3 : -2);
  const whole = Array.isArray(meta.shape) ? meta.shape : [];
  const height = numberOr(whole[0], rows);
  const width = numberOr(whole[1], columns);
  const axis = numberOr(meta.channel_axis, 0);
  const depth = typeof meta.depth === "number" ? [meta.depth] : [];
  // A signal (channel × length) arrives as maps of one row, which its units do not know of.
  const dims = layer.shape.split("×").length - 1;
  const signal = height === 1 && dims === 2;
  const real = ({ row, column }: Cell): [number, number] => [
    middle(row, rows, height),
    middle(column, columns, width),
  ];
  return {
    real,
    name(cell) {
      const [row, column] = real(cell);
      return signal
        ? words("ui.inspector.position", { column })
        : words("ui.inspector.place", { row, column });
    },
    unit(channel, cell) {
      const [row, column] = real(cell);
      const place = signal ? [column] : [...depth, row, column];
      return [...place.slice(0, axis), channel, ...place.slice(axis)];
    },
    cell(unit) {
      if (!Array.isArray(unit) || unit.length < 2) return null;
      const place = unit.filter((_, index) => index !== axis);
      if (depth.length > 0 && place.length === 3 && place[0] !== depth[0]) return null;
      const [row = 0, column = 0] = signal ? [0, place[0]] : place.slice(-2);
      const cell = {
        row: cellOf(row, rows, height),
        column: cellOf(column, columns, width),
      };
      return cell.row < rows && cell.column < columns ? cell : null;
    },
  };
}

/** The first of the `size` places that a cell averages (`cell_starts` in pooling.py). */
const startOf = (cell: number, cells: number, size: number): number =>
  Math.floor((cell * size) / cells);

function middle(cell: number, cells: number, size: number): number {
  const [first, next] = [startOf(cell, cells, size), startOf(cell + 1, cells, size)];
  return Math.floor((first + next - 1) / 2);
}

/** The last cell that begins at this place or before it. */
const cellOf = (place: number, cells: number, size: number): number =>
  Math.ceil(((place + 1) * cells) / size) - 1;
