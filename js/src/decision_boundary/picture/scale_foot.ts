/** What the colours of the surface mean: the scale of a map, or how strong colours of classes get. */

import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { formatPercent } from "../../ui/format";
import type { Words } from "../../ui/i18n";
import { countMarks, valueAt } from "../../ui/raster";
import { scaleBar } from "../../ui/scale_bar";
import type { Surface } from "../state";
import { strengthOf } from "./palette";
import type { Sheet } from "./surface_layer";

export interface ScaleFoot {
  element: HTMLElement;
  draw(surface: Surface | null, sheet: Sheet | null, dark: boolean): void;
  /** Marks what stands at a place of the grid; -1 for none. */
  point(index: number): void;
}

/** Views of which not all know what their nats are of. */
const NATS = { entropy: 1, epistemic: 1, aleatoric: 1 };
const NONE = { nan: 0, plus: 0, minus: 0 };

export function scaleFoot(words: Words): ScaleFoot {
  const bar = scaleBar(words);
  const unit = h("span", { class: "nnw-muted" });
  const low = h("span");
  const high = h("span");
  const colors = h("span", { class: "nnw-scale-bar nnw-plane-strength" });
  const strength = h("span", { class: "nnw-scale-colors", role: "img" }, low, colors, high);
  const own = h(
    "span",
    { class: "nnw-plane-own nnw-muted" },
    strength,
    words("ui.boundary.picture.scale.strength"),
  );
  const element = h("div", { class: "nnw-plane-scale" }, own, bar.element, unit);
  let shown: Sheet | null = null;
  let map = false;

  return {
    element,
    draw(surface, sheet, dark) {
      shown = sheet;
      map = sheet !== null && (sheet.palette === "sequential" || sheet.palette === "diverging");
      setHidden(bar.element, sheet === null);
      setHidden(unit, !map);
      setHidden(own, map || sheet?.palette !== "classes");
      // Of a picture of classes, the bar keeps the signs for what is not finite.
      bar.element.classList.toggle("nnw-plane-signs", !map);
      if (sheet === null) return;
      const found = sheet.value === null ? NONE : countMarks(sheet.value);
      const signed = sheet.palette === "diverging";
      bar.draw({ low: sheet.low, high: sheet.high, signed }, found, dark);
      if (map) {
        const name = surface?.interestName;
        const counted = surface?.unit ?? "value";
        const named = counted === "nats" && (surface?.view ?? "") in NATS;
        const what = words(`ui.boundary.picture.scale.${named ? surface?.view : counted}`);
        setText(unit, name ? `${what} · ${name}` : what);
        return;
      }
      const ends = { low: formatPercent(sheet.low), high: formatPercent(sheet.high) };
      setText(low, ends.low);
      setText(high, ends.high);
      setAttribute(strength, "aria-label", words("ui.boundary.picture.scale.class", ends));
      const [from, to] = [sheet.low, sheet.high].map((end) => 100 * strengthOf(end, sheet.low));
      const mixed = (share: number | undefined) =>
        `color-mix(in srgb, var(--nnw-text) ${share?.toFixed(0)}%, var(--nnw-surface))`;
      colors.style.backgroundImage = `linear-gradient(to right, ${mixed(from)}, ${mixed(to)})`;
    },
    point(index) {
      const value = shown?.value;
      if (!map || !shown || !value) return;
      const { low: from, high: to } = shown;
      bar.point(index < 0 ? null : valueAt(value, index, { low: from, high: to, signed: false }));
    },
  };
}
