/** A signal: a line for each channel, with the map as a coloured band behind it. */

import { isDark, paletteOf } from "../ui/colormap";
import { h } from "../ui/dom";
import { strideOf, writeAlong } from "../ui/field_axes";
import { formatInteger, formatNumber } from "../ui/format";
import type { Cell } from "../ui/pointer";
import { extentOf, pool } from "../ui/pooling";
import { type Box, codesOf, peakOf, Sheet, valueAt } from "../ui/raster";
import { formatSigned } from "../ui/scale_bar";
import { type Pen, stage } from "../ui/stage";
import type { Drawn, KindContext, KindView } from "./context";
import { sidesOf } from "./pixels";
import { featureName } from "./places";

/** Heights (CSS pixels): of a channel, of all, and of the positions below. */
const ROW = 64;
const MOST = 420;
const BELOW = 18;
const GAP = 4;

/** About how wide small text is: characters of Chinese are as wide as they are high. */
const widthOf = (text: string): number =>
  Array.from(text).reduce((sum, letter) => sum + (letter > "\u2e80" ? 11.5 : 6.6), 0);

export function signalView(context: KindContext): KindView {
  const { words } = context;
  const sheet = new Sheet();
  let shown: Drawn | null = null;
  let codes: Uint8Array = new Uint8Array(0);
  let left = 0;
  let across = 1;
  let row = ROW;
  let picked: Cell | null = null;

  const sides = () => (shown?.pane.map ? sidesOf(shown.pane.map) : ([0, 0] as const));
  const extent = () => ({ rows: sides()[0], columns: sides()[1] });
  const indexOf = (cell: Cell) => cell.row * extent().columns + cell.column;
  const numberAt = (cell: Cell): number =>
    shown?.pane.map ? valueAt(shown.pane.map.data, indexOf(cell), shown.scale) : Number.NaN;
  const channel = (index: number) => featureName(shown?.pane.features ?? [], index, words);
  const describe = (cell: Cell): string => {
    const format = shown?.scale.signed ? formatSigned : formatNumber;
    const parts = [
      words("ui.saliency.at.signal", {
        channel: channel(cell.row),
        position: formatInteger(cell.column),
        value: format(numberAt(cell)),
      }),
    ];
    const given = shown?.pane.input?.data[indexOf(cell)];
    if (given !== undefined) {
      parts.push(words("ui.saliency.input_is", { value: formatNumber(given) }));
    }
    const wide = shown?.pane.spread?.[indexOf(cell)];
    if (wide !== undefined) parts.push(words("ui.saliency.spread", { value: formatNumber(wide) }));
    return parts.join(" · ");
  };
  const boxOf = (cell: Cell): Box => {
    const width = across / Math.max(1, extent().columns);
    // A position thinner than a line would be lost.
    const wide = Math.max(width, 3);
    const middle = left + (cell.column + 0.5) * width;
    return [middle - wide / 2, cell.row * row, wide, row - GAP];
  };
  const drawLine = (pen: Pen, index: number, top: number): void => {
    const { columns } = extent();
    const data = shown?.pane.input?.data.subarray(index * columns, (index + 1) * columns);
    if (data === undefined || data.length === 0) return;
    const { ctx } = pen;
    const [low, high] = extentOf(data) ?? [0, 0];
    const height = row - GAP - 8;
    const toY = (value: number) =>
      top + 4 + (high > low ? (high - value) / (high - low) : 0.5) * height;
    const places = Math.min(columns, Math.max(1, Math.round(across)));
    const pooled = pool(data, places);
    const width = across / places;
    ctx.beginPath();
    let run = 0;
    for (let place = 0; place < places; place++) {
      const [least, most] = [pooled.low[place] as number, pooled.high[place] as number];
      if (Number.isNaN(least)) {
        run = 0;
        continue;
      }
      const x = left + (place + 0.5) * width;
      if (run === 0) ctx.moveTo(x, toY(least));
      else ctx.lineTo(x, toY(least));
      // A column of many positions shows its lowest and its highest.
      if (most > least) ctx.lineTo(x, toY(most));
      run++;
    }
    ctx.lineJoin = "round";
    // An edge of the page's colour keeps the line apart from any band.
    ctx.strokeStyle = pen.color("surface");
    ctx.lineWidth = 3;
    ctx.stroke();
    ctx.strokeStyle = pen.color("text");
    ctx.lineWidth = 1.25;
    ctx.stroke();
  };
  const view = stage({
    context,
    layout(width) {
      const { rows } = extent();
      if (rows === 0) return null;
      const names = Array.from({ length: rows }, (_, index) => widthOf(channel(index)));
      left = Math.min(110, Math.ceil(Math.max(...names)) + 8);
      across = Math.max(10, width - left - 2);
      row = Math.max(22, Math.min(rows === 1 ? 2 * ROW : ROW, MOST / rows));
      return row * rows + BELOW;
    },
    paint(pen) {
      if (shown === null) return;
      const { rows, columns } = extent();
      const { ctx } = pen;
      sheet.resize(columns, rows);
      sheet.codes(
        codes,
        0,
        [0, 0, columns, rows],
        paletteOf(shown.scale.signed, isDark(view.element)),
      );
      sheet.commit();
      for (let index = 0; index < rows; index++) {
        const top = index * row;
        sheet.draw(ctx, [0, index, columns, 1], [left, top, across, row - GAP]);
        ctx.strokeStyle = pen.color("line");
        ctx.lineWidth = 1;
        ctx.strokeRect(left - 0.5, top + 0.5, across + 1, row - GAP - 1);
        drawLine(pen, index, top);
        pen.write(channel(index), left - 6, top + (row - GAP) / 2, { align: "right", most: 104 });
      }
      const stride = strideOf(across / columns, 8 * formatInteger(columns).length + 8);
      const places = Array.from({ length: Math.ceil(columns / stride) }, (_, k) => k * stride);
      writeAlong(
        pen,
        places.map((place) => [(place + 0.5) / columns, formatInteger(place)]),
        left,
        across,
        rows * row + 2,
      );
    },
    extent,
    boxOf,
    locate(x, y) {
      const { rows, columns } = extent();
      const cell = {
        column: Math.floor(((x - left) / across) * columns),
        row: Math.floor(y / row),
      };
      const inside = cell.column >= 0 && cell.column < columns && cell.row < rows && y >= 0;
      return inside ? cell : null;
    },
    describe,
    point: (cell) => context.point(cell === null ? null : numberAt(cell)),
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
  const update = (): void => {
    if (shown === null) return;
    const { rows, columns } = extent();
    const parts = [
      words("ui.saliency.map.signal", {
        title: shown.title,
        channels: formatInteger(rows),
        length: formatInteger(columns),
      }),
    ];
    const peak = peakOf(codes, shown.scale);
    if (peak >= 0) {
      const cell = { row: Math.floor(peak / columns), column: peak % columns };
      parts.push(words("ui.saliency.map.peak", { where: describe(cell) }));
    }
    const place = picked;
    view.update(parts.join(" "), () => (place === null ? null : boxOf(place)));
  };

  return {
    element: h("div", { class: "nnw-canvas-part" }, view.element, view.readout),
    repaint: view.repaint,
    draw(drawn) {
      if (shown?.pane.index !== drawn.pane.index) picked = null;
      shown = drawn;
      codes =
        drawn.pane.map === null ? new Uint8Array(0) : codesOf(drawn.pane.map.data, drawn.scale);
      update();
    },
  };
}
