/** The loss around the weights: how it changes along two random directions from where they are. */

import { h, setText } from "../../ui/dom";
import { field } from "../../ui/field";
import { formatNumber } from "../../ui/format";
import type { StageContext } from "../../ui/stage";
import type { NumberArray } from "../../wire";
import type { Landscape } from "../state";
import { axisBetween, upright } from "./upright";

/** Largest height and cell (CSS pixels). */
const LARGEST = { cell: 14, height: 280 };

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
  const picture = field({
    context,
    largest: LARGEST,
    square: true,
    unit,
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
      const ends = (places: Float32Array) => [places[0] ?? -1, places.at(-1) ?? 1] as const;
      const name = words("ui.boundary.picture.direction.x");
      const upwards = words("ui.boundary.picture.direction.y");
      setText(
        unit,
        log ? words("ui.boundary.picture.loss_log") : words("ui.boundary.picture.loss"),
      );
      picture.draw(
        {
          data: upright(loss.data, rows, columns),
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
