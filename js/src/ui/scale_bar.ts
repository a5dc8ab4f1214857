/** What the colours of a map mean: its two ends, zero, and the signs for what is not finite. */

import { paletteOf } from "./colormap";
import { h, setAttribute, setHidden, setText } from "./dom";
import { formatInteger, formatNumber } from "./format";
import type { Words } from "./i18n";
import { CODE, type Marks, type Scale } from "./raster";

const KINDS = ["nan", "plus", "minus"] as const;
const SIGNS = { nan: "×", plus: "▲", minus: "▼" } as const;

export interface ScaleBar {
  element: HTMLElement;
  draw(scale: Scale, marks: Marks, dark: boolean): void;
  /** Marks where on the scale the value under the pointer lies. */
  point(value: number | null): void;
}

/** A number of a signed scale, with its sign. */
export function formatSigned(value: number, digits = 3): string {
  return value > 0 ? `+${formatNumber(value, digits)}` : formatNumber(value, digits);
}

/** How many numbers are not finite: "NaN: 12 · +∞: 3"; nothing where all are. */
export function marksText(words: Words, marks: Marks): string {
  return KINDS.filter((kind) => marks[kind] > 0)
    .map((kind) => words(`ui.inspector.mark.${kind}`, { count: formatInteger(marks[kind]) }))
    .join(" · ");
}

export function scaleBar(words: Words): ScaleBar {
  const low = h("span", { class: "nnw-scale-end" });
  const high = h("span", { class: "nnw-scale-end" });
  const tick = h("span", { class: "nnw-scale-tick", hidden: true });
  const bar = h("span", { class: "nnw-scale-bar" }, tick);
  const root = h("span", { hidden: true });
  const colors = h("span", { class: "nnw-scale-colors", role: "img" }, low, bar, high);
  const legend = KINDS.map((kind) => {
    const swatch = h("span", { class: "nnw-scale-swatch", "aria-hidden": "true" }, SIGNS[kind]);
    const text = h("span");
    return { kind, swatch, text, element: h("span", { class: "nnw-scale-mark" }, swatch, text) };
  });
  const element = h(
    "div",
    { class: "nnw-scale" },
    colors,
    root,
    ...legend.map((mark) => mark.element),
  );
  let shown: Scale = { low: 0, high: 0, signed: false };

  return {
    element,
    draw(scale, marks, dark) {
      shown = scale;
      const palette = paletteOf(scale.signed, dark);
      const format = scale.signed ? formatSigned : formatNumber;
      const atLeast = scale.clipped === true ? "≥\u202f" : "";
      const ends = { low: format(scale.low), high: atLeast + format(scale.high) };
      if (bar.style.backgroundImage !== palette.gradient) {
        bar.style.backgroundImage = palette.gradient;
      }
      setText(low, ends.low);
      setText(high, ends.high);
      setAttribute(colors, "aria-label", words("ui.inspector.scale", ends));
      bar.classList.toggle("nnw-scale-signed", scale.signed);
      setHidden(root, scale.root !== true);
      const middle = format(scale.low + (scale.high - scale.low) / 4);
      setText(root, scale.root === true ? words("ui.inspector.scale.root", { middle }) : "");
      for (const { kind, element: mark, swatch, text } of legend) {
        const count = marks[kind];
        setHidden(mark, count === 0);
        if (count === 0) continue;
        swatch.style.backgroundColor = palette.css(CODE[kind]);
        setText(text, words(`ui.inspector.mark.${kind}`, { count: formatInteger(count) }));
      }
    },
    point(value) {
      const share = value === null ? Number.NaN : (value - shown.low) / (shown.high - shown.low);
      setHidden(tick, !Number.isFinite(share));
      if (Number.isFinite(share)) {
        const inside = Math.min(1, Math.max(0, share));
        const place = shown.root === true ? Math.sqrt(inside) : inside;
        tick.style.insetInlineStart = `${(100 * place).toFixed(1)}%`;
      }
    },
  };
}
