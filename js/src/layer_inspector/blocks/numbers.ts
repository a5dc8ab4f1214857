/** Numbers with their names, in a line that wraps. */

import { h, setText } from "../../ui/dom";
import { formatInteger, formatNumber, formatPercent } from "../../ui/format";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";

export function numbersBlock({ words }: BlockContext): BlockView {
  const list = h("dl", { class: "nnw-numbers" });
  const part = frame("numbers", words, list);
  const pairs: { box: HTMLElement; name: HTMLElement; value: HTMLElement }[] = [];

  return {
    element: part.element,
    repaint() {},
    draw(block) {
      part.draw(block);
      const items = Array.isArray(block.meta.items) ? block.meta.items : [];
      while (pairs.length < items.length) {
        const [name, value] = [h("dt", { class: "nnw-muted" }), h("dd")];
        const box = h("div", {}, name, value);
        list.append(box);
        pairs.push({ box, name, value });
      }
      for (const surplus of pairs.splice(items.length)) surplus.box.remove();
      items.forEach((item, index) => {
        const [key, format, text] = Array.isArray(item) ? item : [];
        const pair = pairs[index];
        if (pair === undefined) return;
        const number = block.arrays.values?.[index] ?? Number.NaN;
        setText(pair.name, words(String(key ?? "")));
        setText(pair.value, typeof text === "string" ? text : formatAs(String(format), number));
        const bad = typeof text !== "string" && !Number.isFinite(number);
        pair.value.classList.toggle("nnw-bad", bad);
      });
    },
  };
}

/** A number as its kind is written. */
export function formatAs(format: string, value: number): string {
  if (format === "integer") return formatInteger(value);
  return format === "percent" ? formatPercent(value) : formatNumber(value);
}
