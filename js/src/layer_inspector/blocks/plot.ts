/** Values over a row of places: the y axis, labels below, and the place that is looked at. */

import { type Range, type Scale, scaleY } from "../../ui/chart_axes";
import { writeAlong } from "../../ui/field_axes";
import { type Area, type Cell, cellAt } from "../../ui/pointer";
import type { Box } from "../../ui/raster";
import { type Pen, stage } from "../../ui/stage";
import type { BlockContext } from "./context";

export interface PlotData {
  /** How many places there are, side by side. */
  count: number;
  /** The finite values to be shown, from lowest to highest; null if there are none. */
  extent: Range | null;
  /** Where each place begins and ends as shares of the width, if they are not all as wide. */
  edges?: Float64Array;
  /** Words below for a plot so wide, at shares of it; those that do not fit are left out. */
  labels(width: number): readonly [share: number, text: string][];
  picked: number | null;
  /** The y axis, where it is no linear one around `extent`. */
  scale?: Scale;
}

export interface PlotOptions {
  context: BlockContext;
  height: number;
  paint(pen: Pen, area: Area, toY: (value: number) => number): void;
  describe(place: number): string;
  pick?(place: number): void;
  escape?(): void;
}

export interface Plot {
  element: HTMLElement;
  readout: HTMLElement;
  draw(data: PlotData, summary: string): void;
  repaint(): void;
}

const LINE = 16;
const LETTER = 6.6;

export function plot(options: PlotOptions): Plot {
  let shown: PlotData | null = null;
  let scale: Scale = { range: [0, 1], ticks: [], labels: [] };
  let area: Area = { left: 0, top: 0, width: 1, height: 1 };

  const extent = () => ({ columns: shown?.count ?? 0, rows: 1 });
  const share = (place: number): number =>
    shown?.edges?.[place] ?? place / Math.max(1, shown?.count ?? 1);
  const boxOf = ({ column }: Pick<Cell, "column">): Box => {
    const [from, to] = [share(column), share(column + 1)];
    // A place thinner than a line would be lost: its outline may be wider than it.
    const width = Math.max((to - from) * area.width, 3);
    const middle = area.left + ((from + to) / 2) * area.width;
    return [middle - width / 2, area.top, width, area.height];
  };
  const toY = (value: number): number => {
    const [low, high] = scale.range;
    return area.top + (1 - (value - low) / (high - low)) * area.height;
  };
  const view = stage({
    context: options.context,
    layout(width) {
      if (shown === null || shown.count === 0) return null;
      const height = options.height - LINE - 6;
      scale = shown.scale ?? scaleY(shown.extent, false, 22 / height, null);
      const letters = Math.max(1, ...scale.labels.map((label) => label.length));
      const left = Math.ceil(letters * LETTER) + 8;
      area = { left, top: 6, width: Math.max(1, width - left - 1), height };
      return options.height;
    },
    paint(pen) {
      if (shown === null) return;
      const { ctx } = pen;
      ctx.lineWidth = 1;
      scale.ticks.forEach((tick, index) => {
        const y = Math.round(toY(tick)) + 0.5;
        ctx.strokeStyle = pen.color(tick === 0 ? "control-line" : "line");
        ctx.beginPath();
        ctx.moveTo(area.left, y);
        ctx.lineTo(area.left + area.width, y);
        ctx.stroke();
        pen.write(scale.labels[index] ?? "", area.left - 6, y, { align: "right" });
      });
      options.paint(pen, area, toY);
      writeAlong(pen, shown.labels(area.width), area.left, area.width, area.top + area.height + 5);
    },
    extent,
    boxOf,
    locate(x, y) {
      const cell = cellAt(x, y, area, extent());
      if (cell === null || shown?.edges === undefined) return cell;
      const at = (x - area.left) / area.width;
      let column = 0;
      while (column + 1 < shown.count && share(column + 1) <= at) column++;
      return { column, row: 0 };
    },
    describe: ({ column }) => options.describe(column),
    ...(options.pick && { pick: ({ column }: Cell) => options.pick?.(column) }),
    ...(options.escape && { escape: options.escape }),
  });

  return {
    element: view.element,
    readout: view.readout,
    repaint: view.repaint,
    draw(data, summary) {
      shown = data;
      view.update(summary, () => (data.picked === null ? null : boxOf({ column: data.picked })));
    },
  };
}
