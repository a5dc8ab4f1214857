/** What the score does while elements are taken away or put back: the map's order and random ones. */

import { h } from "../ui/dom";
import { writeAlong } from "../ui/field_axes";
import { formatNumber, formatPercent } from "../ui/format";
import { cellAt } from "../ui/pointer";
import { extentOf } from "../ui/pooling";
import { type StageContext, stage, type Token } from "../ui/stage";
import type { NumberArray } from "../wire";
import type { Curve } from "./state";

const HEIGHT = 92;
const BELOW = 16;

export interface CurveInput {
  fractions: NumberArray;
  curve: Curve;
}

export interface CurveView {
  element: HTMLElement;
  draw(input: CurveInput): void;
  repaint(): void;
}

/** Area under a curve over shares from 0 to 1, by trapezia; NaN without two points. */
export function areaUnder(fractions: NumberArray, values: NumberArray): number {
  if (values.length < 2 || fractions.length < values.length) return Number.NaN;
  let area = 0;
  for (let at = 1; at < values.length; at++) {
    const width = (fractions[at] as number) - (fractions[at - 1] as number);
    area += (width * ((values[at] as number) + (values[at - 1] as number))) / 2;
  }
  return area;
}

/** @param kind `deletion` or `insertion` */
export function curveView(context: StageContext, kind: "deletion" | "insertion"): CurveView {
  const { words } = context;
  let shown: CurveInput | null = null;
  let [low, high] = [0, 1];
  const area = { left: 30, top: 5, width: 1, height: HEIGHT - BELOW - 9 };
  const name = words(`ui.saliency.curve.${kind}`);
  const extent = () => ({ columns: shown?.fractions.length ?? 0, rows: 1 });
  const fraction = (place: number) => shown?.fractions[place] ?? 0;
  const toX = (share: number) => area.left + share * area.width;
  const toY = (value: number) => area.top + (1 - (value - low) / (high - low || 1)) * area.height;

  const view = stage({
    context,
    layout(width) {
      if (shown === null || shown.curve.map.length < 2) return null;
      area.width = Math.max(10, width - area.left - 6);
      return HEIGHT;
    },
    paint(pen) {
      if (shown === null) return;
      const { ctx } = pen;
      ctx.lineWidth = 1;
      for (const end of [low, high]) {
        const y = Math.round(toY(end)) + 0.5;
        ctx.strokeStyle = pen.color("line");
        ctx.beginPath();
        ctx.moveTo(area.left, y);
        ctx.lineTo(area.left + area.width, y);
        ctx.stroke();
        pen.write(formatNumber(end, 2), area.left - 5, y, { align: "right", most: area.left - 6 });
      }
      const line = (values: NumberArray, color: Token, dash: number[]): void => {
        ctx.strokeStyle = pen.color(color);
        ctx.lineWidth = 1.5;
        ctx.setLineDash(dash);
        ctx.beginPath();
        let run = 0;
        values.forEach((value, place) => {
          if (!Number.isFinite(value)) {
            run = 0;
            return;
          }
          if (run === 0) ctx.moveTo(toX(fraction(place)), toY(value));
          else ctx.lineTo(toX(fraction(place)), toY(value));
          run++;
        });
        ctx.stroke();
        ctx.setLineDash([]);
      };
      line(shown.curve.random, "muted", [4, 3]);
      line(shown.curve.map, "series-1", []);
      const ticks: [number, string][] = [0, 0.5, 1].map((share) => [
        share,
        `${100 * share}\u202f%`,
      ]);
      writeAlong(pen, ticks, area.left, area.width, area.top + area.height + 4);
    },
    extent,
    boxOf: ({ column }) => [toX(fraction(column)) - 1, area.top, 2, area.height],
    locate(x, y) {
      if (cellAt(x, y, area, { columns: 1, rows: 1 }) === null) return null;
      let best = 0;
      for (let place = 0; place < extent().columns; place++) {
        if (Math.abs(toX(fraction(place)) - x) < Math.abs(toX(fraction(best)) - x)) best = place;
      }
      return { column: best, row: 0 };
    },
    describe: ({ column }) =>
      words("ui.saliency.curve.at", {
        share: formatPercent(fraction(column)),
        map: formatNumber(shown?.curve.map[column] ?? Number.NaN),
        random: formatNumber(shown?.curve.random[column] ?? Number.NaN),
      }),
  });
  const title = h("h4", { class: "nnw-curve-title" }, name);
  const element = h("div", { class: "nnw-curve" }, title, view.element, view.readout);

  return {
    element,
    repaint: view.repaint,
    draw(input) {
      shown = input;
      const { fractions, curve } = input;
      const ends = extentOf([...curve.map, ...curve.random]) ?? [0, 1];
      // Probabilities are shown whole, so that two curves can be compared.
      [low, high] = ends[0] >= 0 && ends[1] <= 1 ? [0, 1] : ends;
      view.update(
        words("ui.saliency.curve.summary", {
          name,
          map: formatNumber(areaUnder(fractions, curve.map)),
          random: formatNumber(areaUnder(fractions, curve.random)),
        }),
      );
    },
  };
}
