/** What the model gives for each class; after an ablation, also what it gave before. */

import { h, setHidden } from "../../ui/dom";
import { formatInteger } from "../../ui/format";
import { barRows } from "./bar_rows";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { textsOf } from "./types";

/** Classes that are listed; of more, those with the largest values before or after. */
const MOST = 20;

export function outputsBlock(context: BlockContext): BlockView {
  const { words } = context;
  const rows = barRows(context);
  const before = h(
    "span",
    { class: "nnw-outputs-key" },
    swatch(0),
    words("ui.inspector.outputs.before"),
  );
  const after = h(
    "span",
    { class: "nnw-outputs-key" },
    swatch(1),
    words("ui.inspector.outputs.after"),
  );
  const legend = h("p", { class: "nnw-outputs-legend nnw-muted" }, before, after);
  const part = frame("outputs", words, legend, rows.element);

  return {
    element: part.element,
    repaint() {},
    draw(block) {
      part.draw(block);
      const first = block.arrays.before ?? block.arrays.after ?? new Float32Array(0);
      const second = block.arrays.before === undefined ? undefined : block.arrays.after;
      const labels = textsOf(block.meta.labels);
      const order = largest(first, second, MOST);
      setHidden(legend, second === undefined);
      part.note(
        order.length < first.length
          ? words("ui.inspector.outputs.shown", {
              shown: formatInteger(order.length),
              all: formatInteger(first.length),
            })
          : "",
      );
      rows.draw(
        order.map((index) => ({
          name: labels[index] ?? formatInteger(index),
          values:
            second === undefined
              ? [first[index] ?? Number.NaN]
              : [first[index] ?? Number.NaN, second[index] ?? Number.NaN],
          picked: false,
        })),
      );
    },
  };
}

function swatch(which: number): HTMLElement {
  return h("span", { class: `nnw-outputs-swatch nnw-bar-${which}`, "aria-hidden": "true" });
}

/** The `most` places with the largest value in either array, in their own order. */
export function largest(
  first: ArrayLike<number>,
  second: ArrayLike<number> | undefined,
  most: number,
): number[] {
  const places = Array.from({ length: first.length }, (_, place) => place);
  if (places.length <= most) return places;
  const size = (place: number): number => {
    const [a, b] = [first[place] ?? 0, second?.[place] ?? Number.NEGATIVE_INFINITY];
    // What is not finite must not be hidden.
    return Number.isFinite(a) && !Number.isNaN(b) ? Math.max(a, b) : Number.POSITIVE_INFINITY;
  };
  return places
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}
