/** A sequence of feature vectors: time from left to right, a row for each feature. */

import { h, setHidden, setText } from "../ui/dom";
import { type FieldData, field } from "../ui/field";
import { formatInteger, formatNumber } from "../ui/format";
import type { Cell } from "../ui/pointer";
import { extentOf } from "../ui/pooling";
import type { Scale } from "../ui/raster";
import { formatSigned } from "../ui/scale_bar";
import type { NumberArray } from "../wire";
import type { Drawn, KindContext, KindView } from "./context";
import { unitText } from "./methods";
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

/** The scale of numbers that stand by themselves; signed if they lie on both sides of zero. */
export function scaleOf(data: NumberArray): Scale {
  const [low, high] = extentOf(data) ?? [0, 0];
  const most = Math.max(-low, high);
  return low < 0 && high > 0
    ? { low: -most, high: most, signed: true }
    : { low, high, signed: false };
}

export function sequenceView(context: KindContext): KindView {
  const { words } = context;
  let shown: Drawn | null = null;
  let picked: Cell | null = null;

  const inputAt = ({ row, column }: Cell): number | undefined => {
    const { map, input } = shown?.pane ?? {};
    return map ? input?.data[column * sidesOf(map)[1] + row] : undefined;
  };
  const unit = h("span", { class: "nnw-muted" });
  const picture = field({
    context,
    largest: { cell: 34, height: 380 },
    square: false,
    unit,
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
  /** What went in, in its own numbers: its scale is another one, and stands below it. */
  const given = field({
    context,
    largest: { cell: 34, height: 240 },
    square: false,
    describe: ({ row, column }, value) =>
      words("ui.saliency.at.sequence", {
        time: formatInteger(column),
        feature: featureName(shown?.pane.features ?? [], row, words),
        value: formatNumber(value),
      }),
  });
  const inputTitle = words("ui.saliency.input");
  const input = h(
    "div",
    { class: "nnw-sequence-input" },
    h("h4", { class: "nnw-curve-title" }, inputTitle),
    given.element,
  );
  const axes = (): Pick<FieldData, "x" | "y"> => ({
    x: { name: words("ui.saliency.time"), label: formatInteger, shown: true },
    y: {
      name: words("ui.saliency.features"),
      label: (row) => featureName(shown?.pane.features ?? [], row, words),
      shown: true,
    },
  });
  const drawInput = (): void => {
    const grid = shown?.pane.input ?? null;
    setHidden(input, grid === null);
    if (grid === null) return;
    const [times, features] = sidesOf(grid);
    given.draw(
      {
        data: turned(grid.data, times, features),
        start: 0,
        columns: times,
        rows: features,
        scale: scaleOf(grid.data),
        ...axes(),
        picked: null,
      },
      inputTitle,
    );
  };
  const draw = (): void => {
    const map = shown?.pane.map;
    if (shown === null || !map) return;
    const [times, features] = sidesOf(map);
    picture.draw(
      {
        data: turned(map.data, times, features),
        start: 0,
        columns: times,
        rows: features,
        scale: shown.scale,
        ...axes(),
        picked,
      },
      shown.title,
    );
  };

  return {
    element: h("div", { class: "nnw-canvas-part" }, picture.element, input),
    repaint() {
      picture.repaint();
      given.repaint();
    },
    draw(drawn) {
      if (shown?.pane.index !== drawn.pane.index) picked = null;
      shown = drawn;
      setText(unit, unitText(drawn.pane.method, drawn.pane.unit, words));
      draw();
      drawInput();
    },
  };
}
