/** A sequence of feature vectors: time from left to right, a row for each feature. */

import { h } from "../ui/dom";
import { field } from "../ui/field";
import { formatInteger, formatNumber } from "../ui/format";
import type { Cell } from "../ui/pointer";
import { formatSigned } from "../ui/scale_bar";
import type { NumberArray } from "../wire";
import type { Drawn, KindContext, KindView } from "./context";
import { sidesOf } from "./pixels";
import { featureName } from "./places";

/** [rows, columns] row by row becomes [columns, rows]; codes stay codes. */
export function turned(data: NumberArray, rows: number, columns: number): NumberArray {
  const result = data.slice();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = data[row * columns + column] as number;
    }
  }
  return result;
}

export function sequenceView(context: KindContext): KindView {
  const { words } = context;
  let shown: Drawn | null = null;
  let picked: Cell | null = null;

  const inputAt = ({ row, column }: Cell): number | undefined => {
    const { map, input } = shown?.pane ?? {};
    return map ? input?.data[column * sidesOf(map)[1] + row] : undefined;
  };
  const picture = field({
    context,
    largest: { cell: 34, height: 380 },
    square: false,
    scale: false,
    describe(cell, value) {
      const format = shown?.scale.signed ? formatSigned : formatNumber;
      const parts = [
        words("ui.saliency.at.sequence", {
          time: formatInteger(cell.column),
          feature: featureName(shown?.pane.features ?? [], cell.row, words),
          value: format(value),
        }),
      ];
      const given = inputAt(cell);
      if (given !== undefined) {
        parts.push(words("ui.saliency.input_is", { value: formatNumber(given) }));
      }
      return parts.join(" · ");
    },
    point: (value) => context.point(value),
    pick(cell) {
      picked = cell;
      draw();
      context.inquire([cell.column, cell.row], picture.anchor);
    },
    escape() {
      picked = null;
      draw();
      context.dismiss();
    },
  });
  const draw = (): void => {
    const map = shown?.pane.map;
    if (shown === null || !map) return;
    const [times, features] = sidesOf(map);
    const names = shown.pane.features;
    picture.draw(
      {
        data: turned(map.data, times, features),
        start: 0,
        columns: times,
        rows: features,
        scale: shown.scale,
        x: { name: words("ui.saliency.time"), label: formatInteger, shown: true },
        y: {
          name: words("ui.saliency.features"),
          label: (row) => featureName(names, row, words),
          shown: true,
        },
        picked,
      },
      shown.title,
    );
  };

  return {
    element: h("div", { class: "nnw-canvas-part" }, picture.element),
    repaint: picture.repaint,
    draw(drawn) {
      if (shown?.pane.index !== drawn.pane.index) picked = null;
      shown = drawn;
      draw();
    },
  };
}
