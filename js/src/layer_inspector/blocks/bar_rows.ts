/** Named values as rows: name, a bar from zero, the number. One value a row, or before and after. */

import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { evenFormat } from "../../ui/even_format";
import { extentOf } from "../../ui/pooling";
import type { BlockContext } from "./context";

export interface BarRow {
  name: string;
  /** One value, or two: before and after. */
  values: readonly number[];
  picked: boolean;
}

export interface BarRows {
  element: HTMLElement;
  draw(rows: readonly BarRow[]): void;
}

interface RowElements {
  row: HTMLElement;
  name: HTMLElement;
  bars: HTMLElement[];
  numbers: HTMLElement[];
}

export function barRows(context: BlockContext, pick?: (row: number) => void): BarRows {
  const { signal } = context;
  const element = h("ul", { class: "nnw-bar-rows" });
  const rows: RowElements[] = [];

  const add = (): RowElements => {
    const index = rows.length;
    const name = h("span", { class: "nnw-bar-name" });
    const bars = [0, 1].map((which) => h("span", { class: `nnw-bar nnw-bar-${which}` }));
    const numbers = [0, 1].map((which) =>
      h("span", { class: `nnw-bar-number nnw-bar-number-${which}` }),
    );
    const content = [
      name,
      h("span", { class: "nnw-bar-track", "aria-hidden": "true" }, ...bars),
      ...numbers,
    ];
    const inner =
      pick === undefined
        ? h("div", { class: "nnw-bar-row" }, ...content)
        : h("button", { type: "button", class: "nnw-bar-row" }, ...content);
    if (pick !== undefined) inner.addEventListener("click", () => pick(index), { signal });
    element.append(h("li", {}, inner));
    return { row: inner, name, bars, numbers };
  };

  return {
    element,
    draw(data) {
      while (rows.length < data.length) rows.push(add());
      for (const surplus of rows.splice(data.length)) surplus.row.parentElement?.remove();
      const extent = extentOf(data.flatMap(({ values }) => values)) ?? [0, 0];
      const [low, high] = [Math.min(0, extent[0]), Math.max(0, extent[1])];
      const span = high - low || 1;
      const format = evenFormat(data.flatMap(({ values }) => values));
      const letters = data.flatMap(({ values }) => values.map((value) => format(value).length));
      element.style.setProperty("--nnw-number-width", `${Math.max(4, ...letters) + 1}ch`);
      data.forEach(({ name, values, picked }, index) => {
        const cells = rows[index];
        if (cells === undefined) return;
        setText(cells.name, name);
        setAttribute(cells.name, "title", name);
        if (pick !== undefined) setAttribute(cells.row, "aria-pressed", String(picked));
        cells.bars.forEach((bar, which) => {
          const value = values[which];
          setHidden(bar, value === undefined);
          if (value === undefined) return;
          const [from, to] = Number.isFinite(value)
            ? [Math.min(0, value), Math.max(0, value)]
            : [0, 0];
          setAttribute(
            bar,
            "style",
            `left: ${percent((from - low) / span)}; width: ${percent((to - from) / span)};`,
          );
        });
        cells.numbers.forEach((number, which) => {
          const value = values[which];
          setHidden(number, value === undefined);
          if (value === undefined) return;
          setText(number, format(value));
          number.classList.toggle("nnw-bad", !Number.isFinite(value));
        });
      });
    },
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;
