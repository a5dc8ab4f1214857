/** The samples as a row of small pictures, or of numbers, of which one is chosen. */

import type { Samples } from "../samples";
import { h, setAttribute, setHidden, setText } from "./dom";
import { formatInteger } from "./format";
import type { Words } from "./i18n";
import { Sheet } from "./raster";
import { onResize } from "./stage";
import { drawPicture } from "./thumbs";

/** So many samples get a button; a larger set has a field for the number as well. */
const MOST = 64;
/** Longest side of a thumbnail, in CSS pixels. */
const SIDE = 26;

export interface SamplePicker {
  element: HTMLElement;
  draw(samples: Samples | null, chosen: number, reachable: boolean): void;
}

/** A row of thumbnails of which one is chosen: a radio group with one tab stop. */
export function samplePicker(
  words: Words,
  signal: AbortSignal,
  choose: (index: number) => void,
): SamplePicker {
  const row = h("div", {
    class: "nnw-picker-row",
    role: "radiogroup",
    "aria-label": words("ui.inspector.samples"),
  });
  const number = h("input", {
    type: "number",
    class: "nnw-number-field",
    min: 1,
    "aria-label": words("ui.inspector.samples.number"),
  });
  const label = h("span", { class: "nnw-muted" }, words("ui.inspector.samples"));
  const element = h("div", { class: "nnw-picker", hidden: true }, label, row, number);
  let drawn: Samples | null = null;
  let items: HTMLButtonElement[] = [];
  let count = 0;

  number.addEventListener(
    "change",
    () => {
      const index = Math.round(number.valueAsNumber) - 1;
      if (index >= 0 && index < count) choose(index);
    },
    { signal },
  );
  row.addEventListener(
    "click",
    (event) => {
      const item = (event.target as Element).closest("button");
      const index = item === null ? -1 : items.indexOf(item);
      if (index >= 0) choose(index);
    },
    { signal },
  );
  row.addEventListener(
    "keydown",
    (event) => {
      const at = items.indexOf(event.target as HTMLButtonElement);
      const moves: Record<string, number> = {
        ArrowRight: at + 1,
        ArrowDown: at + 1,
        ArrowLeft: at - 1,
        ArrowUp: at - 1,
        Home: 0,
        End: items.length - 1,
      };
      const move = moves[event.key];
      if (at < 0 || move === undefined) return;
      event.preventDefault();
      const to = (move + items.length) % items.length;
      items[to]?.focus();
      choose(to);
    },
    { signal },
  );

  const showMore = () => {
    const hidden = row.scrollWidth - row.clientWidth - row.scrollLeft;
    row.classList.toggle("nnw-more", hidden > 4);
  };
  row.addEventListener("scroll", showMore, { signal, passive: true });
  onResize(row, signal, showMore);

  const build = (samples: Samples) => {
    count = samples.count;
    const sheet = new Sheet();
    items = Array.from({ length: Math.min(count, MOST) }, (_, index) => {
      const named = samples.labels[index] ?? "";
      const params = { number: formatInteger(index + 1), label: named };
      const name = words(
        named === "" ? "ui.inspector.samples.one" : "ui.inspector.samples.labelled",
        params,
      );
      const item = h("button", {
        type: "button",
        class: "nnw-pick",
        role: "radio",
        "aria-label": name,
        title: name,
      });
      const picture = thumbnail(samples, index, sheet);
      item.append(picture ?? String(index + 1));
      item.classList.toggle("nnw-wordy", picture === null);
      return item;
    });
    row.replaceChildren(...items);
    setAttribute(number, "max", count);
    setHidden(number, count <= MOST);
    showMore();
  };

  return {
    element,
    draw(samples: Samples | null, chosen: number, reachable: boolean) {
      setHidden(element, (samples?.count ?? 0) === 0);
      if (samples !== null && samples !== drawn) build(samples);
      drawn = samples;
      items.forEach((item, index) => {
        setAttribute(item, "aria-checked", String(index === chosen));
        setAttribute(item, "tabindex", index === Math.min(chosen, items.length - 1) ? 0 : -1);
        if (item.disabled === reachable) item.disabled = !reachable;
      });
      setText(label, words("ui.inspector.samples"));
      const active = (number.getRootNode() as Document | ShadowRoot).activeElement;
      if (active !== number) number.value = String(chosen + 1);
      number.disabled = !reachable;
    },
  };
}

/** A sample's picture; null where it has none. */
function thumbnail(samples: Samples, index: number, sheet: Sheet): HTMLCanvasElement | null {
  const { thumbs, width, height, channels } = samples;
  const size = width * height * channels;
  if (thumbs === null || size === 0 || (index + 1) * size > thumbs.length) return null;
  const canvas = h("canvas", { class: "nnw-pick-thumb" });
  drawPicture(canvas, sheet, thumbs, index * size, [height, width, channels], SIDE);
  return canvas;
}
