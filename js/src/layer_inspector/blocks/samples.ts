/** Samples in the order of what they do to a unit; a click looks at one. */

import { h, setAttribute, setHidden, setText } from "../../ui/dom";
import { formatInteger, formatNumber } from "../../ui/format";
import { Sheet } from "../../ui/raster";
import { drawPicture } from "../../ui/thumbs";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { type BlockData, numberOr } from "./types";

const SIDE = 56;

interface Entry {
  item: HTMLElement;
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  spoken: HTMLElement;
  name: HTMLElement;
  value: HTMLElement;
}

export function samplesBlock(context: BlockContext): BlockView {
  const { words, signal, hooks } = context;
  const sheet = new Sheet();
  const list = h("ul", { class: "nnw-samples" });
  const part = frame("samples", words, list);
  const entries: Entry[] = [];
  let shown: BlockData | null = null;

  const indexAt = (place: number): number => {
    const indices = shown?.meta.indices;
    return Array.isArray(indices) ? numberOr(indices[place], place) : place;
  };
  const add = (): Entry => {
    const place = entries.length;
    const canvas = h("canvas", { "aria-hidden": "true" });
    const [name, value] = [h("span"), h("span", { class: "nnw-maps-value" })];
    const spoken = h("span", { class: "nnw-spoken" });
    const seen = h("span", { class: "nnw-sample-words", "aria-hidden": "true" }, name, value);
    const button = h("button", { type: "button", class: "nnw-sample" }, canvas, spoken, seen);
    button.addEventListener("click", () => void hooks.act("sample", { index: indexAt(place) }), {
      signal,
    });
    const item = h("li", {}, button);
    list.append(item);
    return { item, button, canvas, spoken, name, value };
  };
  const paint = (): void => {
    const [count = 0, ...shape] = shown?.shapes.thumbs ?? [];
    const pixels = shown?.arrays.thumbs;
    const size = shape.reduce((product, side) => product * side, 1);
    entries.forEach(({ canvas }, place) => {
      const some = pixels !== undefined && place < count;
      setHidden(canvas, !some);
      if (some) drawPicture(canvas, sheet, pixels, place * size, shape, SIDE);
    });
  };

  return {
    element: part.element,
    repaint: paint,
    draw(block, layer) {
      shown = block;
      part.draw(block);
      const { indices } = block.meta;
      const values = block.arrays.values;
      const count = Array.isArray(indices) ? indices.length : (values?.length ?? 0);
      while (entries.length < count) entries.push(add());
      for (const surplus of entries.splice(count)) surplus.item.remove();
      entries.forEach(({ button, spoken, name, value }, place) => {
        // Counted from one, as in the row of all samples and in the heading.
        const sample = formatInteger(indexAt(place) + 1);
        const text = values === undefined ? "" : formatNumber(values[place] ?? Number.NaN);
        setText(name, sample);
        setText(value, text);
        const title = words("ui.inspector.sample", { index: sample });
        setText(spoken, text === "" ? title : `${title}: ${text}`);
        const chosen = numberOr(block.meta.chosen, layer.sampleIndex);
        setAttribute(button, "aria-pressed", String(indexAt(place) === chosen));
      });
      paint();
    },
  };
}
