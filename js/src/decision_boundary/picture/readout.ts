/** What the picture says in words: of one place, of one point, and of the whole. */

import { evenFormat } from "../../ui/even_format";
import { formatInteger, formatNumber, formatPercent } from "../../ui/format";
import type { Words } from "../../ui/i18n";
import { CODE, LEVELS, valueAt } from "../../ui/raster";
import type { Place, Points, Rectangle, Surface } from "../state";
import { codeAt, type Sheet } from "./surface_layer";

/** The place of the grid nearest to a place of the plane; -1 outside. */
export function cellOf({ rows, columns }: Sheet, rectangle: Rectangle, [x, y]: Place): number {
  const [left, right, bottom, top] = rectangle;
  const column = Math.round(((x - left) / (right - left)) * (columns - 1));
  const row = Math.round(((y - bottom) / (top - bottom)) * (rows - 1));
  const inside = column >= 0 && column < columns && row >= 0 && row < rows;
  return inside ? row * columns + column : -1;
}

/** "x₁ 0.42 · x₂ −0.31", with as many decimals as can be told apart in the picture. */
export function placeText(
  [left, right, bottom, top]: Rectangle,
  labels: readonly [string, string],
  at: Place,
): string {
  const parts = [evenFormat([right - left])(at[0]), evenFormat([top - bottom])(at[1])];
  return parts.map((value, axis) => `${labels[axis]} ${value}`).join(" · ");
}

export const nameOf = (classes: readonly string[], k: number): string => classes[k] ?? String(k);

/** What the model says at a place of the grid; empty where there is no picture. */
export function answerText(
  words: Words,
  surface: Surface,
  sheet: Sheet,
  index: number,
  classes: readonly string[],
): string {
  const code = index < 0 ? null : codeAt(sheet, index);
  if (code === null) return "";
  const label = sheet.label?.[index] ?? 255;
  const name = label === 255 ? null : nameOf(classes, label);
  if (code === CODE.nan || (code > LEVELS && sheet.palette === "classes")) {
    return words("ui.boundary.picture.nothing");
  }
  if (sheet.palette === "labels" || sheet.value === null) return name ?? "";
  const scale = { low: sheet.low, high: sheet.high, signed: false };
  const value = valueAt(sheet.value, index, scale);
  if (sheet.palette === "classes") return `${name} ${formatPercent(value)}`;
  const shown = surface.unit === "probability" ? formatPercent(value) : formatNumber(value);
  const of = surface.interestName;
  const measured = words(`ui.boundary.picture.unit.${surface.unit}`, { value: shown });
  const what = of === null ? measured : `${of}: ${measured}`;
  return name === null ? what : `${what} · ${name}`;
}

/** "training point B, the model says A: wrong" */
export function pointText(
  words: Words,
  points: Points,
  index: number,
  classes: readonly string[],
  said: number | null,
  wrong: number,
): string {
  const y = points.y[index] as number;
  const values = points.kind === "values";
  const write = (value: number) => (values ? formatNumber(value) : nameOf(classes, value));
  const known = values ? !Number.isNaN(y) : y !== 255;
  const name = known ? write(y) : words("ui.boundary.picture.unlabelled");
  const point =
    points.test[index] === 1
      ? words("ui.boundary.picture.test_point", { name })
      : words("ui.boundary.picture.train_point", { name });
  if (said === null || (!values && said === 255)) return point;
  const told = { point, answer: write(said) };
  if (values) return words("ui.boundary.picture.says_value", told);
  return wrong === 1
    ? words("ui.boundary.picture.says_wrong", told)
    : words("ui.boundary.picture.says", told);
}

/** The picture for those who do not see it. */
export function summaryOf(
  words: Words,
  surface: Surface,
  rectangle: Rectangle,
  points: Points | null,
  classes: readonly string[],
): string {
  const [left, right, bottom, top] = rectangle.map((value) => formatNumber(value));
  const { interestName: name, view, labels, accuracy, kind } = surface;
  const title =
    name !== null && view === "probability"
      ? words("ui.boundary.picture.view.one", { name })
      : words(`ui.boundary.picture.view.${view}`);
  const parts = [
    words("ui.boundary.picture.label", {
      view: title,
      x: labels[0],
      y: labels[1],
      left: left ?? "",
      right: right ?? "",
      bottom: bottom ?? "",
      top: top ?? "",
    }),
  ];
  if (kind === "classes" && surface.label !== null) {
    const counts = new Map<number, number>();
    for (const k of surface.label) if (k !== 255) counts.set(k, (counts.get(k) ?? 0) + 1);
    const shares = [...counts]
      .sort(([a], [b]) => a - b)
      .map(([k, count]) => {
        const share = formatPercent(count / (surface.label?.length ?? 1));
        return `${nameOf(classes, k)} ${share}`;
      });
    parts.push(words("ui.boundary.picture.areas", { list: shares.join(", ") }));
  }
  if (points !== null) {
    const { train, test } = points.count;
    parts.push(
      words("ui.boundary.picture.points", {
        train: formatInteger(train),
        test: formatInteger(test),
      }),
    );
  }
  const values = kind === "values";
  const shown = (value: number) => (values ? formatNumber(value) : formatPercent(value));
  if (accuracy.train !== null) {
    const value = shown(accuracy.train);
    if (values) parts.push(words("ui.boundary.picture.r2_train", { value }));
    else parts.push(words("ui.boundary.picture.right_train", { value }));
  }
  if (accuracy.test !== null) {
    const value = shown(accuracy.test);
    if (values) parts.push(words("ui.boundary.picture.r2_test", { value }));
    else parts.push(words("ui.boundary.picture.right_test", { value }));
  }
  return parts.join(" ");
}
