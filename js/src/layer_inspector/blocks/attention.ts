/** Attention: how much each query (row) looks at each key (column), one head at a time. */

import { button, segmented, select } from "../../ui/controls";
import { h } from "../../ui/dom";
import { field } from "../../ui/field";
import { formatNumber } from "../../ui/format";
import { valueAt } from "../../ui/raster";
import type { NumberArray } from "../../wire";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { axisOf, scaleOf } from "./matrix";
import { type BlockData, textsOf } from "./types";

/** So many heads fit into a bar of buttons; more become a list. */
const BUTTONS = 8;
const MEAN = "mean";

export function attentionBlock(context: BlockContext): BlockView {
  const { words, signal, memory } = context;
  let head = memory.get("head") ?? "0";
  let shown: BlockData | null = null;
  let offered = 0;
  let [query, key] = axesOf(null);
  let mark: (head: string) => void = () => {};

  function axesOf(block: BlockData | null) {
    const labels = textsOf(block?.meta.row_labels ?? block?.meta.labels);
    const others = textsOf(block?.meta.column_labels ?? block?.meta.labels);
    const numbers = block?.arrays ?? {};
    return [
      axisOf("query", labels, numbers.row_numbers, words),
      axisOf("key", others, numbers.column_numbers, words),
    ] as const;
  }

  const picture = field({
    context,
    largest: { cell: 28, height: 400 },
    square: true,
    describe({ row, column }, value) {
      const place = `${query.name} ${query.label(row)} → ${key.name} ${key.label(column)}`;
      return words("ui.inspector.at", { place, value: formatNumber(value) });
    },
  });
  const part = frame("attention", words, picture.element);

  const show = (which: string): void => {
    head = which;
    memory.set("head", head);
    paint();
  };
  const name = (which: string): string =>
    which === MEAN ? words("ui.inspector.head.mean") : words("ui.inspector.head", { head: which });

  /** The bar or the list of heads, made anew when their number changes. */
  const offer = (heads: number): void => {
    if (heads === offered) return;
    offered = heads;
    const choices = [...Array.from({ length: heads }, (_, index) => String(index)), MEAN];
    if (!choices.includes(head)) head = "0";
    if (heads <= 1) {
      part.aside.replaceChildren();
      mark = () => {};
    } else if (heads <= BUTTONS) {
      const buttons = choices.map((value) => {
        const made = button({
          label: value === MEAN ? name(value) : value,
          kind: "segment",
          signal,
          onClick: () => show(value),
        });
        made.element.setAttribute("aria-label", name(value));
        return made;
      });
      const label = words("ui.inspector.heads");
      const bar = h("div", { class: "nnw-field" }, segmented(label, buttons));
      bar.prepend(h("span", { class: "nnw-muted", "aria-hidden": "true" }, label));
      part.aside.replaceChildren(bar);
      mark = (which) => {
        for (const [index, choice] of choices.entries()) {
          buttons[index]?.set({ pressed: choice === which });
        }
      };
    } else {
      const list = select({
        label: words("ui.inspector.heads"),
        name: words("ui.inspector.heads"),
        value: head,
        choices: choices.map((value) => ({ value, label: name(value) })),
        signal,
        onChange: show,
      });
      part.aside.replaceChildren(list);
      mark = () => {};
    }
  };

  const paint = (): void => {
    if (shown === null) return;
    const title = part.draw(shown);
    const [heads = 0, rows = 0, columns = 0] = shown.shapes.pixels ?? [];
    offer(heads);
    mark(head);
    const pixels = shown.arrays.pixels ?? new Float32Array(0);
    const scale = scaleOf(shown);
    const mean = head === MEAN;
    picture.draw(
      {
        data: mean ? meanOf(pixels, heads, rows * columns, scale.low, scale.high) : pixels,
        start: mean ? 0 : Number(head) * rows * columns,
        columns,
        rows,
        scale,
        x: key,
        y: query,
        picked: null,
      },
      heads > 1 ? `${title}, ${name(head)}` : title,
    );
  };

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block) {
      shown = block;
      [query, key] = axesOf(block);
      part.note(block.meta.reduced === true ? words("ui.inspector.reduced") : "");
      paint();
    },
  };
}

/** The mean over the heads at each place; NaN where one is. */
export function meanOf(
  pixels: NumberArray,
  heads: number,
  size: number,
  low: number,
  high: number,
): Float32Array {
  const scale = { low, high, signed: false };
  const mean = new Float32Array(size);
  for (let head = 0; head < heads; head++) {
    for (let index = 0; index < size; index++) {
      mean[index] = (mean[index] as number) + valueAt(pixels, head * size + index, scale) / heads;
    }
  }
  return mean;
}
