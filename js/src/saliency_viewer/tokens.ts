/** Text as coloured tokens: point at one for its number, click it for more. */

import { isDark, paletteOf } from "../ui/colormap";
import { h, setAttribute, setText } from "../ui/dom";
import { formatInteger, formatNumber } from "../ui/format";
import { codeOf, type Scale, valueAt } from "../ui/raster";
import { formatSigned } from "../ui/scale_bar";
import { contrast, parseColor, type Rgba } from "../ui/theme";
import type { KindContext, KindView } from "./context";
import { tokenText } from "./places";
import type { Pane } from "./state";

const INKS: readonly [string, Rgba][] = [
  ["#000", [0, 0, 0, 1]],
  ["#fff", [255, 255, 255, 1]],
];

/** The ink that can be read on a colour. */
export function inkOn(color: string): string {
  const back = parseColor(color) ?? [255, 255, 255, 1];
  return INKS.reduce((best, ink) =>
    contrast(ink[1], back) > contrast(best[1], back) ? ink : best,
  )[0];
}

export function tokensView(context: KindContext): KindView {
  const { words, signal } = context;
  const text = h("div", { class: "nnw-tokens", role: "group" });
  const readout = h("p", { class: "nnw-readout", "aria-hidden": "true" });
  const element = h("div", { class: "nnw-tokens-part" }, text, readout);
  let pane: Pane | null = null;
  let scale: Scale = { low: 0, high: 0, signed: false };
  let buttons: HTMLButtonElement[] = [];
  let written = "";
  let picked = -1;

  const numberAt = (index: number): number =>
    pane?.map ? valueAt(pane.map.data, index, scale) : Number.NaN;
  const nameOf = (index: number): string => pane?.tokens[index] ?? `#${index}`;
  const describe = (index: number): string => {
    const format = scale.signed ? formatSigned : formatNumber;
    const parts = [
      words("ui.saliency.at.token", {
        number: formatInteger(index),
        token: tokenText(nameOf(index)),
        value: format(numberAt(index)),
      }),
    ];
    const wide = pane?.spread?.[index];
    if (wide !== undefined) parts.push(words("ui.saliency.spread", { value: formatNumber(wide) }));
    return parts.join(" · ");
  };
  const look = (index: number): void => {
    setText(readout, index < 0 ? "" : describe(index));
    context.point(index < 0 ? null : numberAt(index));
  };
  const indexOf = (event: Event): number => {
    const item = (event.target as Element).closest("button");
    return item === null ? -1 : buttons.indexOf(item);
  };
  const mark = (): void => {
    const stop = Math.max(0, picked);
    buttons.forEach((item, index) => {
      setAttribute(item, "aria-pressed", String(index === picked));
      item.tabIndex = index === stop ? 0 : -1;
    });
  };
  text.addEventListener("pointerover", (event) => look(indexOf(event)), { signal });
  text.addEventListener("pointerleave", () => look(-1), { signal });
  text.addEventListener("focusin", (event) => look(indexOf(event)), { signal });
  text.addEventListener("focusout", () => look(-1), { signal });
  text.addEventListener(
    "click",
    (event) => {
      const index = indexOf(event);
      const item = buttons[index];
      if (item === undefined) return;
      picked = index;
      mark();
      context.inquire([index], item);
    },
    { signal },
  );
  text.addEventListener(
    "keydown",
    (event) => {
      const at = indexOf(event);
      const moves: Record<string, number> = {
        ArrowRight: at + 1,
        ArrowDown: at + 1,
        ArrowLeft: at - 1,
        ArrowUp: at - 1,
        Home: 0,
        End: buttons.length - 1,
      };
      if (event.key === "Escape") {
        picked = -1;
        mark();
        context.dismiss();
      }
      const move = moves[event.key];
      if (at < 0 || move === undefined) return;
      event.preventDefault();
      buttons[Math.min(Math.max(move, 0), buttons.length - 1)]?.focus();
    },
    { signal },
  );

  const build = (count: number): void => {
    const key = JSON.stringify(pane?.tokens ?? count);
    if (key === written && buttons.length === count) return;
    written = key;
    picked = -1;
    buttons = Array.from({ length: count }, (_, index) =>
      h("button", { type: "button", class: "nnw-token" }, tokenText(nameOf(index))),
    );
    text.replaceChildren(...buttons);
  };
  const paint = (): void => {
    const palette = paletteOf(scale.signed, isDark(text));
    buttons.forEach((item, index) => {
      const color = palette.css(codeOf(numberAt(index), scale));
      item.style.backgroundColor = color;
      item.style.color = inkOn(color);
      setAttribute(item, "aria-label", describe(index));
    });
  };

  return {
    element,
    repaint: paint,
    draw(drawn) {
      pane = drawn.pane;
      scale = drawn.scale;
      setAttribute(text, "aria-label", drawn.title);
      build(pane.map?.data.length ?? 0);
      paint();
      mark();
    },
  };
}
