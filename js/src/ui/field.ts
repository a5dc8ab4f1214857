/** A field of numbers as colours, with its axes, its scale, and the value under the pointer. */

import type { NumberArray } from "../wire";
import { isDark, paletteOf } from "./colormap";
import { h, setHidden, setText } from "./dom";
import { cellSize, marginsOf, writeColumns, writeRows } from "./field_axes";
import { formatInteger, formatNumber } from "./format";
import { type Cell, cellAt } from "./pointer";
import {
  type Box,
  codesOf,
  countMarks,
  markCells,
  peakOf,
  type Scale,
  Sheet,
  valueAt,
} from "./raster";
import { formatSigned, scaleBar } from "./scale_bar";
import { type Pen, type StageContext, stage } from "./stage";

export interface Axis {
  /** As people call it: "token". */
  name: string;
  /** The name of the cell at this place of the axis: a number, a word. */
  label(index: number): string;
  /** Written beside the field; otherwise only in the readout. */
  shown: boolean;
  /** It counts upwards, and its words stand at these shares of its length. */
  up?: boolean;
  ticks?: readonly [share: number, text: string][];
}

export interface FieldData {
  data: NumberArray;
  /** Where in `data` the field begins. */
  start: number;
  columns: number;
  rows: number;
  scale: Scale;
  x: Axis;
  y: Axis;
  /** Cells that are picked: one, or without a row or a column all of them. */
  picked: Partial<Cell> | null;
  /** Where columns begin and end as shares of the width, if they are not all as wide. */
  edges?: Float64Array;
}

export interface FieldOptions {
  context: StageContext;
  /** Largest side of a cell and height of the whole (CSS pixels). */
  largest: { cell: number; height: number };
  /** Cells are as wide as high. */
  square: boolean;
  /** Stands beside the scale: what its numbers count. */
  unit?: HTMLElement;
  describe(cell: Cell, value: number): string;
  /** Draws over the cells, which take this box. */
  over?(pen: Pen, box: Box): void;
  /** Told of the value that is looked at; null for none. */
  point?(value: number | null): void;
  pick?(cell: Cell): void;
  escape?(): void;
}

export interface Field {
  element: HTMLElement;
  draw(data: FieldData, title: string): void;
  repaint(): void;
  /** Stands over the cell that is picked. */
  anchor: HTMLElement;
}

/** "↓ token   → feature" */
function axesText({ x, y }: FieldData): string {
  return x.shown || y.shown ? `${y.up === true ? "↑" : "↓"} ${y.name}   → ${x.name}` : "";
}

export function field(options: FieldOptions): Field {
  const { context, square, largest } = options;
  const { words } = context;
  const sheet = new Sheet();
  const bar = scaleBar(words);
  const axes = h("div", { class: "nnw-field-axes nnw-muted", "aria-hidden": "true" });
  let shown: FieldData | null = null;
  let codes: Uint8Array = new Uint8Array(0);
  let box: Box = [0, 0, 1, 1];

  const codesHere = (): Uint8Array =>
    shown === null ? codes : codes.subarray(shown.start, shown.start + shown.columns * shown.rows);
  const drawScale = (): void => {
    if (shown !== null) bar.draw(shown.scale, countMarks(codesHere()), isDark(view.element));
  };
  const cellValue = ({ column, row }: Cell): number =>
    shown === null
      ? Number.NaN
      : valueAt(shown.data, shown.start + row * shown.columns + column, shown.scale);
  const across = (column: number): number =>
    shown?.edges?.[column] ?? column / Math.max(1, shown?.columns ?? 1);
  const boxOf = ({ column, row }: Partial<Cell>): Box => {
    const [left, top, width, height] = box;
    const rows = Math.max(1, shown?.rows ?? 1);
    const from = column === undefined ? 0 : across(column);
    const to = column === undefined ? 1 : across(column + 1);
    const down = row === undefined ? 0 : row / rows;
    return [
      left + from * width,
      top + down * height,
      (to - from) * width,
      row === undefined ? height : height / rows,
    ];
  };
  const draw = (pen: Pen): void => {
    if (shown === null) return;
    const { columns, rows, edges, start } = shown;
    const palette = paletteOf(shown.scale.signed, isDark(view.element));
    sheet.resize(columns, rows);
    sheet.codes(codes, start, [0, 0, columns, rows], palette);
    sheet.commit();
    if (edges === undefined) {
      sheet.draw(pen.ctx, [0, 0, columns, rows], box);
      markCells(pen.ctx, codes, start, [columns, rows], box);
    } else {
      for (let column = 0; column < columns; column++) {
        const [left, top, width, height] = boxOf({ column });
        // Half a pixel more than its own: columns must not show the page between them.
        sheet.draw(pen.ctx, [column, 0, 1, rows], [left, top, width + 0.5, height]);
      }
    }
    options.over?.(pen, box);
    pen.ctx.strokeStyle = pen.color("line");
    pen.ctx.lineWidth = 1;
    pen.ctx.strokeRect(box[0] - 0.5, box[1] - 0.5, box[2] + 1, box[3] + 1);
    writeRows(pen, shown, box);
    writeColumns(pen, shown, box);
  };

  /** What is seen first: how large it is, from where to where, and what stands out. */
  const summary = (title: string, here: Uint8Array): string => {
    if (shown === null) return title;
    const { columns, rows, scale } = shown;
    const format = scale.signed ? formatSigned : formatNumber;
    const size = {
      title,
      rows: formatInteger(rows),
      columns: formatInteger(columns),
      low: format(scale.low),
      high: format(scale.high),
    };
    const peak = peakOf(here, scale);
    const parts = [words("ui.inspector.field", size)];
    if (peak >= 0) {
      const cell = { column: peak % columns, row: Math.floor(peak / columns) };
      parts.push(
        words("ui.inspector.field.peak", { where: options.describe(cell, cellValue(cell)) }),
      );
    }
    return parts.join(" ");
  };

  const view = stage({
    context,
    layout(width) {
      if (shown === null || shown.columns === 0 || shown.rows === 0) return null;
      const margin = marginsOf(shown);
      const room = Math.max(20, width - margin.left - 2);
      const cells = cellSize(shown, room, largest, square);
      box = [margin.left + 1, 1, cells.width, cells.height];
      return cells.height + 2 + margin.bottom;
    },
    paint: draw,
    extent: () => ({ columns: shown?.columns ?? 0, rows: shown?.rows ?? 0 }),
    boxOf,
    locate(x, y) {
      if (shown === null) return null;
      const [left, top, width, height] = box;
      const cell = cellAt(x, y, { left, top, width, height }, shown);
      if (cell === null || shown.edges === undefined) return cell;
      const place = (x - left) / width;
      let column = 0;
      while (column + 1 < shown.columns && across(column + 1) <= place) column++;
      return { row: cell.row, column };
    },
    describe: (cell) => options.describe(cell, cellValue(cell)),
    point(cell) {
      const value = cell === null ? null : cellValue(cell);
      bar.point(value);
      options.point?.(value);
    },
    ...(options.pick && { pick: options.pick }),
    ...(options.escape && { escape: options.escape }),
  });
  const foot = h("div", { class: "nnw-stage-foot" }, bar.element, options.unit, view.readout);
  const element = h("div", { class: "nnw-field-part" }, axes, view.element, foot);

  return {
    element,
    anchor: view.anchor,
    draw(data, title) {
      shown = data;
      codes = codesOf(data.data, data.scale);
      drawScale();
      setText(axes, axesText(data));
      setHidden(axes, axes.textContent === "");
      view.update(summary(title, codesHere()), () =>
        data.picked === null ? null : boxOf(data.picked),
      );
    },
    repaint() {
      drawScale();
      view.repaint();
    },
  };
}
