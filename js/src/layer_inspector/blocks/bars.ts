/**
 * A bar for each unit, up from zero or down. Thousands of them share the pixels: a column of
 * pixels then reaches from its lowest to its highest bar. A few with names are written as rows.
 */

import { paletteOf } from "../../ui/colormap";
import { h, setHidden } from "../../ui/dom";
import { strideOf } from "../../ui/field_axes";
import { formatInteger, formatNumber } from "../../ui/format";
import type { Area } from "../../ui/pointer";
import { extentOf, FLAG_MINUS, FLAG_NAN, FLAG_PLUS, pool } from "../../ui/pooling";
import { CODE, codesOf, countMarks } from "../../ui/raster";
import { marksText } from "../../ui/scale_bar";
import type { Pen } from "../../ui/stage";
import { type BarRows, barRows } from "./bar_rows";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { canPick, isChosen, toggled } from "./picking";
import { plot } from "./plot";
import { type BlockData, type LayerPicture, textsOf } from "./types";

/** So many named bars are rows; more are a picture, with the names in the readout. */
const MOST_ROWS = 24;
const HEIGHT = 150;
/** A scale on which only what is not finite has codes of its own. */
const FLAT = { low: 0, high: 0, signed: false };

export function barsBlock(context: BlockContext): BlockView {
  const { words, hooks } = context;
  let shown: { block: BlockData; layer: LayerPicture } | null = null;
  let values: ArrayLike<number> = [];
  let labels: string[] = [];

  const unitAt = (place: number): number => shown?.block.arrays.units?.[place] ?? place;
  const nameAt = (place: number): string =>
    labels[place] ??
    (shown === null || canPick(shown.block, shown.layer) === "none"
      ? words("ui.inspector.index", { index: formatInteger(unitAt(place)) })
      : words("ui.inspector.unit", { unit: formatInteger(unitAt(place)) }));
  const describe = (place: number): string =>
    words("ui.inspector.at", {
      place: nameAt(place),
      value: formatNumber(values[place] ?? Number.NaN),
    });
  const pick = (place: number): void => {
    if (shown === null || canPick(shown.block, shown.layer) === "none") return;
    hooks.pickUnit(toggled(unitAt(place), shown.layer));
  };
  const picture = plot({
    context,
    height: HEIGHT,
    describe,
    paint: (pen, area, toY) => paintBars(pen, area, toY, values),
    pick,
    escape: () => hooks.pickUnit(null),
  });
  const rows: BarRows = barRows(context, pick);
  const part = frame("bars", words, h("div", {}, picture.element, rows.element));
  part.aside.before(picture.readout);

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block, layer) {
      shown = { block, layer };
      values = block.arrays.values ?? [];
      labels = textsOf(block.meta.labels);
      const title = part.draw(block);
      const count = values.length;
      const asRows = labels.length > 0 && count <= MOST_ROWS;
      setHidden(picture.element, asRows);
      setHidden(picture.readout, asRows);
      part.note(
        asRows ? "" : marksText(words, countMarks(codesOf(Float32Array.from(values), FLAT))),
      );
      setHidden(rows.element, !asRows);
      const picked = Array.from({ length: count }, (_, place) => place).find((place) =>
        isChosen(unitAt(place), block, layer),
      );
      if (asRows) {
        rows.draw(
          Array.from(values, (value, place) => ({
            name: nameAt(place),
            values: [value],
            picked: place === picked,
          })),
        );
        return;
      }
      const extent = extentOf(values);
      picture.draw(
        {
          count,
          extent: extent === null ? null : [Math.min(0, extent[0]), Math.max(0, extent[1])],
          labels: (width) => (labels.length > 0 ? [] : unitLabels(count, width, unitAt)),
          picked: picked ?? null,
        },
        summary(title),
      );
    },
  };

  function summary(title: string): string {
    const extent = extentOf(values);
    if (extent === null) return words("ui.inspector.bars.none", { title });
    const largest = Array.from(values).indexOf(extent[1]);
    return words("ui.inspector.bars.summary", {
      title,
      count: formatInteger(values.length),
      low: formatNumber(extent[0]),
      high: formatNumber(extent[1]),
      name: nameAt(largest),
    });
  }
}

/** The units' numbers below the bars, at even places. */
function unitLabels(
  count: number,
  width: number,
  unitAt: (place: number) => number,
): [number, string][] {
  const stride = strideOf(width / count, 44);
  const places = Array.from({ length: Math.ceil(count / stride) }, (_, index) => index * stride);
  return places.map((place) => [(place + 0.5) / count, formatInteger(unitAt(place))]);
}

function paintBars(
  pen: Pen,
  area: Area,
  toY: (value: number) => number,
  values: ArrayLike<number>,
): void {
  const { ctx, ratio } = pen;
  const count = values.length;
  const most = Math.max(1, Math.floor(area.width * ratio));
  const columns = Math.min(count, most);
  const { low, high, flags } = pool(values, columns);
  const width = area.width / columns;
  const gap = width >= 4 ? 1 : 0;
  const zero = toY(0);
  ctx.fillStyle = pen.color("series-1");
  for (let column = 0; column < columns; column++) {
    const [down, up] = [low[column] as number, high[column] as number];
    if (Number.isNaN(down)) continue;
    const top = Math.min(toY(Math.max(0, up)), zero - (up > 0 ? 1 / ratio : 0));
    const bottom = Math.max(toY(Math.min(0, down)), zero + (down < 0 ? 1 / ratio : 0));
    // Half a device pixel more than its own, or bars without gaps would show seams.
    ctx.fillRect(
      area.left + column * width,
      top,
      width - gap + (gap ? 0 : 0.5 / ratio),
      bottom - top,
    );
  }
  const palette = paletteOf(false, false);
  const kinds = [
    [FLAG_NAN, CODE.nan, true],
    [FLAG_PLUS, CODE.plus, true],
    [FLAG_MINUS, CODE.minus, false],
  ] as const;
  for (const [flag, code, above] of kinds) {
    ctx.fillStyle = palette.css(code);
    for (let column = 0; column < columns; column++) {
      if (((flags[column] as number) & flag) === 0) continue;
      const y = above ? area.top : area.top + area.height - 6;
      ctx.fillRect(area.left + column * width, y, Math.max(width - gap, 2), 6);
    }
  }
}
