/** What each hidden unit says all over the plane: small pictures in a row, and one of them large. */

import { isDark, paletteOf } from "../../ui/colormap";
import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { field } from "../../ui/field";
import { formatInteger } from "../../ui/format";
import { openCanvas, Sheet } from "../../ui/raster";
import { formatSigned } from "../../ui/scale_bar";
import type { StageContext } from "../../ui/stage";
import type { Units } from "../state";
import { signedCodes, signedScale, upright } from "./upright";

/** Side of a small picture (CSS pixels). */
const SIDE = 34;

export interface UnitContext extends StageContext {
  /** Asks for a unit as a large picture; null: for none. */
  enlarge(unit: number | null): void;
}

export interface UnitsInput {
  units: Units;
  /** The unit that is shown large, or has been asked for. */
  chosen: number | null;
  reachable: boolean;
}

export interface UnitStrip {
  element: HTMLElement;
  draw(input: UnitsInput): void;
  repaint(): void;
}

export function unitStrip(context: UnitContext): UnitStrip {
  const { words, signal } = context;
  const row = h("div", {
    class: "nnw-unit-row",
    role: "group",
    "aria-label": words("ui.boundary.picture.units"),
  });
  const title = h("p", { class: "nnw-unit-title" });
  const large = field({
    context,
    largest: { cell: 8, height: 208 },
    square: true,
    describe: (_cell, value) => formatSigned(value),
  });
  const enlarged = h("div", { class: "nnw-unit-large" }, title, large.element);
  const element = h("div", { class: "nnw-unit-strip" }, row, enlarged);
  const sheet = new Sheet();
  const items: { button: HTMLButtonElement; canvas: HTMLCanvasElement }[] = [];
  let shown: UnitsInput | null = null;
  let painted: unknown = null;

  const itemAt = (place: number) => {
    let item = items[place];
    if (item === undefined) {
      const canvas = h("canvas", { "aria-hidden": "true" });
      const button = h("button", { class: "nnw-unit", type: "button" }, canvas);
      button.addEventListener(
        "click",
        () => {
          const unit = shown?.units.units[place] ?? null;
          context.enlarge(unit === shown?.chosen ? null : unit);
        },
        { signal },
      );
      item = { button, canvas };
      items.push(item);
      row.append(button);
    }
    return item;
  };
  const paint = (): void => {
    if (shown === null || shown.units.values === null) return;
    const { values, rows, columns, low, high, units } = shown.units;
    const palette = paletteOf(true, isDark(element));
    const size = rows * columns;
    units.forEach((_, place) => {
      const { canvas } = itemAt(place);
      const opened = openCanvas(canvas, SIDE, SIDE);
      if (opened === null) return;
      const part = values.subarray(place * size, (place + 1) * size);
      const codes = signedCodes(part, low[place] ?? 0, high[place] ?? 0);
      sheet.resize(columns, rows);
      sheet.codes(upright(codes, rows, columns), 0, [0, 0, columns, rows], palette);
      sheet.commit();
      sheet.draw(opened.ctx, [0, 0, columns, rows], [0, 0, SIDE, SIDE]);
    });
  };
  const drawLarge = ({ largeValues, large: unit, largeLow, largeHigh }: Units): void => {
    if (unit === null || !(largeValues?.data instanceof Uint8Array)) return;
    const { data, rows, columns } = largeValues;
    const named = words("ui.boundary.picture.unit_large", { unit: formatInteger(unit) });
    const axis = { name: "", label: String, shown: false };
    setText(title, named);
    large.draw(
      {
        data: upright(signedCodes(data, largeLow, largeHigh), rows, columns),
        start: 0,
        rows,
        columns,
        scale: signedScale(largeLow, largeHigh),
        x: axis,
        y: axis,
        picked: null,
      },
      named,
    );
  };

  return {
    element,
    draw(input) {
      shown = input;
      const { units, chosen, reachable } = input;
      units.units.forEach((unit, place) => {
        const { button } = itemAt(place);
        const ends = {
          unit: formatInteger(unit),
          low: formatSigned(units.low[place] ?? Number.NaN),
          high: formatSigned(units.high[place] ?? Number.NaN),
        };
        const label = words("ui.boundary.picture.unit_small", ends);
        setAttribute(button, "aria-label", label);
        setAttribute(button, "title", label);
        setAttribute(button, "aria-pressed", String(unit === chosen));
        button.disabled = !reachable;
      });
      items.forEach(({ button }, place) => {
        setHidden(button, place >= units.units.length);
      });
      const open = chosen !== null && units.large === chosen && units.largeValues !== null;
      setHidden(enlarged, !open);
      if (painted === units) return;
      painted = units;
      paint();
      if (open) drawLarge(units);
    },
    repaint() {
      paint();
      large.repaint();
    },
  };
}
