/** A map over the plane of an image, and the image itself. */

import { isDark, paletteOf } from "../ui/colormap";
import { h } from "../ui/dom";
import { formatInteger, formatNumber } from "../ui/format";
import { type Cell, cellAt } from "../ui/pointer";
import { type Box, codesOf, markCells, peakOf, Sheet, valueAt } from "../ui/raster";
import { formatSigned } from "../ui/scale_bar";
import { stage } from "../ui/stage";
import type { Drawn, KindContext, KindView } from "./context";
import { colorAt, fitted, over, paintOverlay, paintPicture, sidesOf } from "./pixels";
import type { Grid } from "./state";

export const LARGEST = 340;

/** The picture that was asked about. */
export function inputView(context: KindContext, linked: (cell: Cell | null) => void): KindView {
  const { words } = context;
  const sheet = new Sheet();
  let grid: Grid | null = null;
  let map: Grid | null = null;
  let box: Box = [0, 0, 1, 1];
  /** Counted in the places of the map, so that the same place can be shown in both. */
  const extent = () => {
    const [rows, columns] = sidesOf(map ?? grid ?? { data: new Float32Array(0), shape: [] });
    return { rows, columns };
  };
  const view = stage({
    context,
    layout(width) {
      if (grid === null) return null;
      const [across, down] = fitted(sidesOf(grid), width - 2, LARGEST);
      box = [1, 1, across, down];
      return down + 2;
    },
    paint({ ctx, color }) {
      if (grid === null) return;
      const [rows, columns] = sidesOf(grid);
      paintPicture(sheet, grid);
      sheet.draw(ctx, [0, 0, columns, rows], box);
      outline(ctx, box, color("line"));
    },
    extent,
    boxOf: (cell) => cellBox(cell, extent(), box),
    locate: (x, y) =>
      cellAt(x, y, { left: box[0], top: box[1], width: box[2], height: box[3] }, extent()),
    describe(cell) {
      if (grid === null) return "";
      const value = inputText(grid, cell, extent());
      return words("ui.saliency.at.input", { ...placeOf(cell), value });
    },
    point: linked,
    escape: context.dismiss,
  });
  const element = h("div", { class: "nnw-canvas-part" }, view.element, view.readout);
  return {
    element,
    repaint: view.repaint,
    follow: view.follow,
    draw({ pane, title }) {
      [grid, map] = [pane.input, pane.map];
      view.update(title);
    },
  };
}

/** The map, by itself or over the picture. */
export function imageView(context: KindContext, linked: (cell: Cell | null) => void): KindView {
  const { words } = context;
  const sheet = new Sheet();
  let shown: Drawn | null = null;
  let codes: Uint8Array = new Uint8Array(0);
  let box: Box = [0, 0, 1, 1];
  let picked: Cell | null = null;

  const extent = () => {
    const [rows, columns] = shown?.pane.map ? sidesOf(shown.pane.map) : [0, 0];
    return { rows, columns };
  };
  const numberAt = ({ row, column }: Cell): number =>
    shown?.pane.map
      ? valueAt(shown.pane.map.data, row * extent().columns + column, shown.scale)
      : Number.NaN;
  const describe = (cell: Cell): string => {
    const format = shown?.scale.signed ? formatSigned : formatNumber;
    const parts = [words("ui.saliency.at", { ...placeOf(cell), value: format(numberAt(cell)) })];
    const { spread, input } = shown?.pane ?? {};
    const wide = spread?.[cell.row * extent().columns + cell.column];
    if (wide !== undefined) parts.push(words("ui.saliency.spread", { value: formatNumber(wide) }));
    // Beside the map stands the input, with a line of its own.
    if (input && shown?.display !== "beside") {
      parts.push(words("ui.saliency.input_is", { value: inputText(input, cell, extent()) }));
    }
    return parts.join(" · ");
  };
  const view = stage({
    context,
    layout(width) {
      const { map, input } = shown?.pane ?? {};
      const picture = input ?? map;
      if (!picture) return null;
      const [across, down] = fitted(sidesOf(picture), width - 2, LARGEST);
      box = [1, 1, across, down];
      return down + 2;
    },
    paint({ ctx, color }) {
      if (shown === null) return;
      const { pane, scale, display, opacity } = shown;
      const { rows, columns } = extent();
      const palette = paletteOf(scale.signed, isDark(view.element));
      if (pane.map === null) {
        if (pane.input === null) return;
        // Where the map will stand: beside the input an empty frame, else the input itself.
        if (display !== "beside") {
          const [down, across] = sidesOf(pane.input);
          paintPicture(sheet, pane.input);
          sheet.draw(ctx, [0, 0, across, down], box);
        }
      } else if (display === "overlay" && pane.input !== null) {
        paintOverlay(sheet, pane.input, codes, [rows, columns], scale, palette, opacity);
        const [down, across] = sidesOf(pane.input);
        sheet.draw(ctx, [0, 0, Math.max(across, columns), Math.max(down, rows)], box);
      } else {
        sheet.resize(columns, rows);
        sheet.codes(codes, 0, [0, 0, columns, rows], palette);
        sheet.commit();
        sheet.draw(ctx, [0, 0, columns, rows], box);
      }
      markCells(ctx, codes, 0, [columns, rows], box);
      outline(ctx, box, color("line"));
    },
    extent,
    boxOf: (cell) => cellBox(cell, extent(), box),
    locate: (x, y) =>
      cellAt(x, y, { left: box[0], top: box[1], width: box[2], height: box[3] }, extent()),
    describe,
    point(cell) {
      linked(cell);
      context.point(cell === null ? null : numberAt(cell));
    },
    pick(cell) {
      picked = cell;
      update();
      context.inquire([cell.row, cell.column], view.anchor);
    },
    escape() {
      picked = null;
      update();
      context.dismiss();
    },
  });
  /** What is seen first: how large it is, from where to where, and what stands out. */
  const summary = (): string => {
    if (shown === null) return "";
    const { scale, title } = shown;
    if (shown.pane.map === null) return title;
    const { rows, columns } = extent();
    const format = scale.signed ? formatSigned : formatNumber;
    const parts = [
      words("ui.saliency.map", {
        title,
        rows: formatInteger(rows),
        columns: formatInteger(columns),
        low: format(scale.low),
        high: format(scale.high),
      }),
    ];
    const peak = peakOf(codes, scale);
    if (peak >= 0) {
      const cell = { row: Math.floor(peak / columns), column: peak % columns };
      parts.push(words("ui.saliency.map.peak", { where: describe(cell) }));
    }
    return parts.join(" ");
  };
  const update = (): void => {
    const place = picked;
    view.update(summary(), () => (place === null ? null : cellBox(place, extent(), box)));
  };
  const element = h("div", { class: "nnw-canvas-part" }, view.element, view.readout);

  return {
    element,
    repaint: view.repaint,
    follow: view.follow,
    draw(drawn) {
      const same = shown?.pane.index === drawn.pane.index;
      shown = drawn;
      codes =
        drawn.pane.map === null ? new Uint8Array(0) : codesOf(drawn.pane.map.data, drawn.scale);
      const { rows, columns } = extent();
      if (picked !== null && (!same || picked.row >= rows || picked.column >= columns)) {
        picked = null;
      }
      update();
    },
  };
}

const placeOf = ({ row, column }: Cell) => ({
  row: formatInteger(row),
  column: formatInteger(column),
});

/** The colour of the picture at a place of the map: "128", "255 0 31". */
function inputText(
  grid: Grid,
  { row, column }: Cell,
  { rows, columns }: { rows: number; columns: number },
): string {
  const [down, across] = sidesOf(grid);
  const parts = colorAt(grid, over(row, rows, down), over(column, columns, across));
  return (grid.shape[2] ?? 1) >= 3 ? parts.join(" ") : String(parts[0]);
}

function cellBox(
  { row, column }: Cell,
  { rows, columns }: { rows: number; columns: number },
  [left, top, width, height]: Box,
): Box {
  const [across, down] = [width / Math.max(1, columns), height / Math.max(1, rows)];
  return [left + column * across, top + row * down, across, down];
}

function outline(ctx: CanvasRenderingContext2D, box: Box, color: string): void {
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.strokeRect(box[0] - 0.5, box[1] - 0.5, box[2] + 1, box[3] + 1);
}
