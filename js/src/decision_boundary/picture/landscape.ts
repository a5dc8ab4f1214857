/** The loss around the weights: how it changes along two random directions from where they are. */

import { h, setText } from "../../ui/dom";
import { field } from "../../ui/field";
import { formatNumber } from "../../ui/format";
import type { Pen } from "../../ui/pen";
import { type Box, LEVELS } from "../../ui/raster";
import type { StageContext } from "../../ui/stage";
import type { NumberArray } from "../../wire";
import type { Landscape } from "../state";
import { levelLines } from "./level_lines";
import { axisBetween, upright } from "./upright";

/** Largest height and cell (CSS pixels). */
const LARGEST = { cell: 14, height: 280 };
/** Lines of equal loss, evenly between the least and the greatest. */
const LINES = 8;

export interface LandscapeView {
  element: HTMLElement;
  draw(landscape: Landscape): void;
  repaint(): void;
}

export function landscapeView(context: StageContext): LandscapeView {
  const { words } = context;
  const unit = h("span", { class: "nnw-muted" });
  let shown: Landscape | null = null;
  const at = (places: NumberArray, index: number) => formatNumber(places[index] ?? Number.NaN, 2);
  let codes: Uint8Array = new Uint8Array(0);
  const drawLines = ({ ctx }: Pen, [left, top, width, height]: Box): void => {
    const { rows = 0, columns = 0 } = shown?.loss ?? {};
    ctx.save();
    ctx.beginPath();
    for (let line = 1; line <= LINES; line++) {
      const level = (line * LEVELS) / (LINES + 1);
      const ends = levelLines(codes, rows, columns, level);
      for (let end = 0; end < ends.length; end += 2) {
        const x = left + (((ends[end] as number) + 0.5) / columns) * width;
        const y = top + (((ends[end + 1] as number) + 0.5) / rows) * height;
        if (end % 4 === 0) ctx.moveTo(x, y);
        else ctx.lineTo(x, y);
      }
    }
    // Dark under light: seen on every colour of the map.
    ctx.lineWidth = 2;
    ctx.strokeStyle = "rgb(0 0 0 / 35%)";
    ctx.stroke();
    ctx.lineWidth = 1;
    ctx.strokeStyle = "rgb(255 255 255 / 75%)";
    ctx.stroke();
    ctx.restore();
  };
  const picture = field({
    context,
    largest: LARGEST,
    square: true,
    unit,
    over: drawLines,
    describe({ row, column }, value) {
      if (shown === null) return "";
      const { alpha, beta, log, loss } = shown;
      const lost = log && Number.isFinite(value) ? 10 ** value : value;
      return words("ui.boundary.picture.loss_at", {
        x: at(alpha, column),
        y: at(beta, (loss?.rows ?? 1) - 1 - row),
        loss: formatNumber(lost),
      });
    },
  });
  return {
    element: picture.element,
    repaint: picture.repaint,
    draw(landscape) {
      shown = landscape;
      const { loss, low, high, log, alpha, beta } = landscape;
      if (loss === null || !(loss.data instanceof Uint8Array)) return;
      const { rows, columns } = loss;
      codes = upright(loss.data, rows, columns);
      const ends = (places: Float32Array) => [places[0] ?? -1, places.at(-1) ?? 1] as const;
      const name = words("ui.boundary.picture.direction.x");
      const upwards = words("ui.boundary.picture.direction.y");
      setText(
        unit,
        log ? words("ui.boundary.picture.loss_log") : words("ui.boundary.picture.loss"),
      );
      picture.draw(
        {
          data: codes,
          start: 0,
          rows,
          columns,
          scale: { low, high, signed: false, clipped: false },
          x: axisBetween(name, ...ends(alpha), columns, LARGEST.height, false),
          y: axisBetween(upwards, ...ends(beta), rows, LARGEST.height, true),
          picked: { row: (rows - 1) / 2, column: (columns - 1) / 2 },
        },
        words("ui.boundary.picture.landscape"),
      );
    },
  };
}
