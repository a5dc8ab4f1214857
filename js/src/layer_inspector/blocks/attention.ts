/**
 * Attention: how much each query (row) looks at each key (column). All heads stand side by side;
 * the one that is chosen, or their mean, is drawn large below them, with its numbers.
 */

import { setHidden } from "../../ui/dom";
import { field } from "../../ui/field";
import { formatNumber } from "../../ui/format";
import { codesOf, valueAt } from "../../ui/raster";
import type { NumberArray } from "../../wire";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { headsGrid } from "./heads";
import { axisOf, scaleOf } from "./matrix";
import { type BlockData, textsOf } from "./types";

const MEAN = "mean";

export function attentionBlock(context: BlockContext): BlockView {
  const { words, memory } = context;
  let head = memory.get("head") ?? "0";
  let shown: BlockData | null = null;
  let [query, key] = axesOf(null);

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
  let choices: string[] = [];
  const all = headsGrid(context, (index) => {
    head = choices[index] ?? "0";
    memory.set("head", head);
    paint();
  });
  const part = frame("attention", words, all.element, picture.element);

  const name = (which: string): string =>
    which === MEAN ? words("ui.inspector.head.mean") : words("ui.inspector.head", { head: which });

  const paint = (): void => {
    if (shown === null) return;
    const title = part.draw(shown);
    const [heads = 0, rows = 0, columns = 0] = shown.shapes.pixels ?? [];
    choices = [...Array.from({ length: heads }, (_, index) => String(index)), MEAN];
    if (!choices.includes(head)) head = "0";
    const pixels = shown.arrays.pixels ?? new Float32Array(0);
    const scale = scaleOf(shown);
    const size = rows * columns;
    const mean = meanOf(pixels, heads, size, scale.low, scale.high);
    setHidden(all.element, heads < 2);
    if (heads > 1) {
      const codes = codesOf(pixels, scale);
      all.draw({
        heads: choices.map((which, index) => ({
          name: name(which),
          codes:
            which === MEAN
              ? codesOf(mean, scale)
              : codes.subarray(index * size, (index + 1) * size),
        })),
        chosen: choices.indexOf(head),
        rows,
        columns,
        scale,
      });
    }
    const ofMean = head === MEAN;
    picture.draw(
      {
        data: ofMean ? mean : pixels,
        start: ofMean ? 0 : Number(head) * size,
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
    repaint() {
      all.repaint();
      picture.repaint();
    },
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
