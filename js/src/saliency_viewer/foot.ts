/** Below the picture: which sample is looked at, and its map through the training as a film. */

import type { Samples } from "../samples";
import { nearestPosition } from "../session";
import { isDark, paletteOf } from "../ui/colormap";
import { button } from "../ui/controls";
import { h, setHidden, setText } from "../ui/dom";
import { formatInteger, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { codesOf, type Scale, Sheet } from "../ui/raster";
import { samplePicker } from "../ui/sample_picker";
import { slider } from "../ui/slider";
import { fitted } from "./pixels";
import type { Film } from "./state";

export interface FootInput {
  samples: Samples | null;
  index: number;
  film: Film | null;
  /** Steps whose weights are kept, ascending; they can be gone to without a frame. */
  kept: readonly number[];
  /** The newest step of the run. */
  step: number;
  cursor: number | null;
  reachable: boolean;
  /** Another sample can be looked at. */
  browsable: boolean;
}

export interface Foot {
  element: HTMLElement;
  draw(input: FootInput): void;
}

/** Longest side of a frame under the pointer, in CSS pixels. */
const SIDE = 84;

/**
 * All steps that can be gone back to, ascending: those whose weights are kept. Where none are, as of
 * a model that is too large for it, those of which the film has a frame.
 */
export function stepsOf(film: Film | null, kept: readonly number[]): Float64Array {
  return Float64Array.from(kept.length > 0 ? kept : (film?.steps ?? [])).sort();
}

export interface Frame {
  codes: Uint8Array;
  rows: number;
  columns: number;
}

/** The frame of a step as codes; a row of values is folded into lines of at most 32. */
export function frameAt(film: Film | null, step: number): Frame | null {
  const place = film?.steps.indexOf(step) ?? -1;
  if (film === null || film.frames === null || place < 0) return null;
  const [, first = 0, second] = film.frames.shape;
  const size = first * (second ?? 1);
  const data = film.frames.data.subarray(place * size, (place + 1) * size);
  if (data.length === 0) return null;
  const codes = codesOf(data, film.scale);
  if (second !== undefined) return { codes, rows: first, columns: second };
  const columns = Math.min(first, 32);
  const rows = Math.ceil(first / columns);
  const whole = new Uint8Array(rows * columns).fill(film.scale.signed ? 125 : 0);
  whole.set(codes);
  return { codes: whole, rows, columns };
}

/** "similarity 0.96": how like the frame before a frame is; nothing where that is not known. */
export function driftText(film: Film | null, step: number, words: Words): string {
  const place = film?.steps.indexOf(step) ?? -1;
  const drift = film?.drift[place];
  if (drift === undefined || !Number.isFinite(drift)) return "";
  return words("ui.saliency.drift", { drift: formatNumber(drift, 2) });
}

export function foot(
  words: Words,
  signal: AbortSignal,
  actions: {
    index(index: number): void;
    setCursor(step: number | null): void;
    refresh(): void;
  },
): Foot {
  const picker = samplePicker(words, signal, actions.index);
  let steps: Float64Array = new Float64Array(0);
  let newest = 0;
  let film: Film | null = null;
  /** The last position of the slider is the newest step, whatever it is by then. */
  const stepAt = (position: number): number | null => steps[position] ?? null;
  const time = slider({
    label: words("ui.saliency.film"),
    min: 0,
    max: 1,
    step: 1,
    value: 1,
    valueWidth: 7,
    format: (position) => formatInteger(stepAt(position) ?? newest),
    signal,
    onInput(position) {
      actions.setCursor(stepAt(position));
      showFrame(position);
    },
  });
  const drift = h("span", { class: "nnw-drift nnw-muted", title: words("ui.saliency.drift.hint") });
  const live = button({
    label: words("ui.live"),
    icon: "live",
    title: words("ui.live.hint"),
    signal,
    onClick: () => actions.setCursor(null),
  });
  live.element.classList.add("nnw-live");
  const again = button({
    label: words("ui.saliency.refresh"),
    icon: "reset",
    kind: "quiet",
    title: words("ui.saliency.refresh.hint"),
    signal,
    onClick: actions.refresh,
  });
  again.element.classList.add("nnw-icon-only");
  const sheet = new Sheet();
  const canvas = h("canvas", { class: "nnw-frame-canvas" });
  const caption = h("span");
  const frame = h(
    "div",
    { class: "nnw-frame", hidden: true, "aria-hidden": "true" },
    canvas,
    caption,
  );
  const when = h(
    "div",
    { class: "nnw-when", role: "group", "aria-label": words("ui.time") },
    time.element,
    drift,
    live.element,
    again.element,
    frame,
  );
  const element = h("div", { class: "nnw-foot" }, picker.element, when);

  const hideFrame = (): void => setHidden(frame, true);
  const showFrame = (position: number): void => {
    const step = stepAt(position) ?? film?.steps.at(-1) ?? Number.NaN;
    const found = frameAt(film, step);
    setHidden(frame, found === null);
    if (found === null || film === null) return;
    paint(found, film.scale);
    setText(
      caption,
      [words("ui.step_at", { step: formatInteger(step) }), driftText(film, step, words)]
        .filter((part) => part !== "")
        .join(" · "),
    );
    const { input } = time;
    const share = position / Math.max(1, Number(input.max));
    const middle = input.offsetLeft + 7 + share * (input.offsetWidth - 14);
    // Not over the edges of the widget, where it would be cut off.
    const half = frame.offsetWidth / 2 + 4;
    const [first, last] = [half - when.offsetLeft, element.clientWidth - when.offsetLeft - half];
    frame.style.left = `${Math.max(first, Math.min(last, middle)).toFixed(0)}px`;
  };
  const paint = ({ codes, rows, columns }: Frame, { signed }: Scale): void => {
    sheet.resize(columns, rows);
    sheet.codes(codes, 0, [0, 0, columns, rows], paletteOf(signed, isDark(element)));
    sheet.commit();
    const [across, down] = fitted([rows, columns], SIDE, SIDE);
    [canvas.width, canvas.height] = [across, down];
    const ctx = canvas.getContext("2d");
    if (ctx !== null) sheet.draw(ctx, [0, 0, columns, rows], [0, 0, across, down]);
  };
  time.input.addEventListener(
    "pointermove",
    ({ clientX }) => {
      if (time.input.disabled) return;
      const { left, width } = time.input.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (clientX - left - 7) / Math.max(1, width - 14)));
      showFrame(Math.round(share * Number(time.input.max)));
    },
    { signal },
  );
  for (const end of ["pointerleave", "blur", "pointercancel"]) {
    time.input.addEventListener(end, hideFrame, { signal });
  }

  return {
    element,
    draw({ samples, index, film: shown, kept, step, cursor, reachable, browsable }) {
      picker.draw(samples, index, browsable);
      film = shown;
      steps = stepsOf(shown, kept);
      newest = step;
      const end = Math.max(1, steps.length);
      time.setRange(0, end);
      time.set(cursor === null ? end : nearestPosition(steps, cursor));
      time.refresh();
      time.setDisabled(steps.length === 0 || !reachable);
      setText(drift, driftText(shown, cursor ?? shown?.steps.at(-1) ?? Number.NaN, words));
      live.set({ pressed: cursor === null, disabled: !reachable });
      again.set({ disabled: !reachable });
    },
  };
}
