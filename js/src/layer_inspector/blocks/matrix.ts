/** A matrix as a heat map, its rows and columns named. */

import { type Axis, field } from "../../ui/field";
import { formatInteger, formatNumber } from "../../ui/format";
import type { Words } from "../../ui/i18n";
import type { Cell } from "../../ui/pointer";
import type { Scale } from "../../ui/raster";
import { formatSigned } from "../../ui/scale_bar";
import type { Json, NumberArray } from "../../wire";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { canPick } from "./picking";
import { type BlockData, type LayerPicture, numberOr, textOr, textsOf, type Unit } from "./types";

export const scaleOf = ({ meta }: BlockData): Scale => ({
  low: numberOr(meta.low, 0),
  high: numberOr(meta.high, 0),
  signed: meta.signed === true,
});

/** A value as the readouts write it. */
export const formatValue = (value: number, { signed }: Pick<Scale, "signed">): string =>
  signed ? formatSigned(value) : formatNumber(value);

/** What an axis counts: "token". It is told by this name or by the catalogue's key for it. */
const axisKind = (name: Json | undefined): string => textOr(name, "").replace(/^.*\./, "");

/** The name of an axis: the catalogue's where it has one. */
export function axisName(name: string, words: Words): string {
  const key = `ui.inspector.axis.${name}`;
  return words.has(key) ? words(key) : name;
}

/** An axis whose cells have labels, or numbers of their own, or are simply counted. */
export function axisOf(
  name: string,
  labels: readonly string[],
  numbers: NumberArray | undefined,
  words: Words,
): Axis & { number(index: number): number } {
  const number = (index: number) => numbers?.[index] ?? index;
  return {
    name: axisName(name, words),
    label: (index) => labels[index] ?? formatInteger(number(index)),
    number,
    shown: true,
  };
}

export function matrixBlock(context: BlockContext): BlockView {
  const { words, hooks } = context;
  let shown: { block: BlockData; layer: LayerPicture } | null = null;
  let [rows, columns] = axesOf(null, words);

  const picture = field({
    context,
    largest: { cell: 22, height: 380 },
    square: false,
    describe({ row, column }, value) {
      const place = `${rows.name} ${rows.label(row)} · ${columns.name} ${columns.label(column)}`;
      const number = formatValue(value, shown === null ? { signed: false } : scaleOf(shown.block));
      return words("ui.inspector.at", { place, value: number });
    },
    pick(cell) {
      if (shown === null) return;
      const unit = unitAt(cell);
      if (unit === null) return;
      hooks.pickUnit(String(unit) === String(shown.layer.unit) ? null : unit);
    },
    escape: () => hooks.pickUnit(null),
  });
  const part = frame("matrix", words, picture.element);

  /** What a cell stands for in the layer's output; null if it is no unit. */
  const unitAt = ({ row, column }: Cell): Unit | null => {
    if (shown === null || canPick(shown.block, shown.layer) === "none") return null;
    const { meta } = shown.block;
    if (axisKind(meta.rows) === "output") return rows.number(row);
    if (axisKind(meta.columns) === "output") return columns.number(column);
    const places = ["token", "time"].includes(axisKind(meta.rows));
    return places ? [rows.number(row), columns.number(column)] : null;
  };

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block, layer) {
      shown = { block, layer };
      [rows, columns] = axesOf(block, words);
      const title = part.draw(block);
      const [height = 0, width = 0] = block.shapes.pixels ?? [];
      part.note(block.meta.reduced === true ? words("ui.inspector.reduced") : "");
      picture.draw(
        {
          data: block.arrays.pixels ?? new Float32Array(0),
          start: 0,
          columns: width,
          rows: height,
          scale: scaleOf(block),
          x: columns,
          y: rows,
          picked: pickedIn(block, layer, rows, columns, [height, width]),
        },
        title,
      );
    },
  };
}

function axesOf(block: BlockData | null, words: Words) {
  const { meta, arrays }: Pick<BlockData, "meta" | "arrays"> = block ?? { meta: {}, arrays: {} };
  return [
    axisOf(axisKind(meta.rows) || "row", textsOf(meta.row_labels), arrays.row_numbers, words),
    axisOf(
      axisKind(meta.columns) || "column",
      textsOf(meta.column_labels),
      arrays.column_numbers,
      words,
    ),
  ] as const;
}

type NumberedAxis = ReturnType<typeof axisOf>;

function pickedIn(
  block: BlockData,
  layer: LayerPicture,
  rows: NumberedAxis,
  columns: NumberedAxis,
  [height, width]: readonly [number, number],
): Partial<Cell> | null {
  if (canPick(block, layer) === "none") return null;
  const { meta } = block;
  const { unit } = layer;
  const row = (number: number | undefined) => placeOf(rows, height, number, meta.reduced === true);
  const column = (number: number | undefined) =>
    placeOf(columns, width, number, meta.reduced === true);
  const [first, second] = Array.isArray(unit) ? unit : [unit ?? undefined];
  let picked: Partial<Cell>;
  if (axisKind(meta.rows) === "output") picked = { row: row(first) };
  else if (axisKind(meta.columns) === "output" || second === undefined) {
    picked = { column: column(first) };
  } else picked = { row: row(first), column: column(second) };
  return Object.values(picked).some((place) => place < 0) ? null : picked;
}

/** Where a number stands on an axis; -1 if it does not. */
function placeOf(
  axis: NumberedAxis,
  count: number,
  number: number | undefined,
  reduced: boolean,
): number {
  if (number === undefined) return -1;
  let before = -1;
  for (let index = 0; index < count; index++) {
    if (axis.number(index) === number) return index;
    if (axis.number(index) < number) before = index;
  }
  // A cell of a reduced matrix stands for all numbers from its own to the next one's.
  return reduced ? before : -1;
}
