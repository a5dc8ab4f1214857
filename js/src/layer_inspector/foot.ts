/** Below the panel: which sample is looked at, and at which step of the run. */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { Sheet } from "../ui/raster";
import { slider } from "../ui/slider";
import { drawPicture } from "./blocks/thumbs";
import type { Samples } from "./state";

export interface FootInput {
  samples: Samples | null;
  sample: number;
  /** Steps that can be gone back to, ascending. */
  snapshots: Float64Array;
  /** The newest step of the run. */
  step: number;
  cursor: number | null;
  reachable: boolean;
}

export interface Foot {
  element: HTMLElement;
  draw(input: FootInput): void;
}

/** So many samples get a button; a larger set has a field for the number as well. */
const MOST = 64;
/** Longest side of a thumbnail, in CSS pixels. */
const SIDE = 26;

export function foot(
  words: Words,
  signal: AbortSignal,
  actions: {
    sample(index: number): void;
    setCursor(step: number | null): void;
    /** Look again: weights may have changed where no step was seen. */
    refresh(): void;
  },
): Foot {
  const picker = samplePicker(words, signal, actions.sample);
  let steps: Float64Array = new Float64Array(0);
  let newest = 0;
  /** The last position of the slider is the newest step, whatever it is by then. */
  const stepAt = (position: number): number | null => steps[position] ?? null;
  const time = slider({
    label: words("ui.inspector.step_shown"),
    min: 0,
    max: 1,
    step: 1,
    value: 1,
    valueWidth: 7,
    format: (position) => formatInteger(stepAt(position) ?? newest),
    signal,
    onInput: (position) => actions.setCursor(stepAt(position)),
  });
  const live = button({
    label: words("ui.live"),
    icon: "live",
    title: words("ui.live.hint"),
    signal,
    onClick: () => actions.setCursor(null),
  });
  live.element.classList.add("nnw-live");
  const again = button({
    label: words("ui.inspector.refresh"),
    icon: "reset",
    kind: "quiet",
    title: words("ui.inspector.refresh.hint"),
    signal,
    onClick: actions.refresh,
  });
  again.element.classList.add("nnw-icon-only");
  const when = h(
    "div",
    { class: "nnw-when", role: "group", "aria-label": words("ui.time") },
    time.element,
    live.element,
    again.element,
  );
  const element = h("div", { class: "nnw-foot" }, picker.element, when);

  return {
    element,
    draw({ samples, sample, snapshots, step, cursor, reachable }) {
      picker.draw(samples, sample, reachable);
      steps = snapshots;
      newest = step;
      // Nothing to go back to yet: the place stays, so that nothing moves when there is.
      const past = snapshots.length > 0;
      time.setRange(0, Math.max(1, snapshots.length));
      time.set(cursor === null ? Math.max(1, snapshots.length) : nearest(snapshots, cursor));
      time.refresh();
      time.setDisabled(!past || !reachable);
      live.set({ pressed: cursor === null, disabled: !reachable });
      again.set({ disabled: !reachable });
    },
  };
}

/** Position of the step nearest to `step`. */
export function nearest(steps: Float64Array, step: number): number {
  let best = 0;
  steps.forEach((value, index) => {
    if (Math.abs(value - step) < Math.abs((steps[best] as number) - step)) best = index;
  });
  return best;
}

/** A row of thumbnails of which one is chosen: a radio group with one tab stop. */
function samplePicker(words: Words, signal: AbortSignal, choose: (index: number) => void) {
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
