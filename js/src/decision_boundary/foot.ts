/** Below the picture: the hidden units, and the picture through the training as a film. */

import { nearestPosition } from "../session";
import { button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { slider } from "../ui/slider";
import type { Film } from "./state";

export interface FootInput {
  film: Film | null;
  /** Steps whose weights are kept, ascending; they can be gone to without a frame. */
  kept: readonly number[];
  /** The newest step of the run. */
  step: number;
  cursor: number | null;
  reachable: boolean;
  /** Frames can be looked through, with or without a kernel. */
  browsable: boolean;
}

export interface Foot {
  element: HTMLElement;
  draw(input: FootInput): void;
}

/**
 * All steps that can be gone back to, ascending: those whose weights are kept; where none are, or
 * nobody has them any more, those of which the film has a frame.
 */
export function stepsOf(film: Film | null, kept: readonly number[]): Float64Array {
  return Float64Array.from(kept.length > 0 ? kept : (film?.steps ?? [])).sort();
}

export function foot(
  words: Words,
  signal: AbortSignal,
  units: HTMLElement,
  actions: {
    setCursor(step: number | null): void;
    /** The slider is held at a step, whose frame is to be seen at once. */
    browse(step: number | null): void;
    /** The slider was let go of. */
    settle(): void;
    refresh(): void;
  },
): Foot {
  let steps: Float64Array = new Float64Array(0);
  let newest = 0;
  /** The last position of the slider is the newest step, whatever it is by then. */
  const stepAt = (position: number): number | null => steps[position] ?? null;
  const time = slider({
    label: words("ui.boundary.film"),
    min: 0,
    max: 1,
    step: 1,
    value: 1,
    valueWidth: 7,
    format: (position) => formatInteger(stepAt(position) ?? newest),
    signal,
    onInput(position) {
      const step = stepAt(position);
      actions.browse(step);
      actions.setCursor(step);
    },
    onChange: actions.settle,
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
    label: words("ui.boundary.refresh"),
    icon: "reset",
    kind: "quiet",
    title: words("ui.boundary.refresh.hint"),
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
  const element = h("div", { class: "nnw-foot" }, units, when);

  return {
    element,
    draw({ film, kept, step, cursor, reachable, browsable }) {
      steps = stepsOf(film, kept);
      newest = step;
      const end = Math.max(1, steps.length);
      time.setRange(0, end);
      time.set(cursor === null ? end : nearestPosition(steps, cursor));
      time.refresh();
      time.setDisabled(steps.length === 0 || !browsable);
      // One step that is the newest one is no past.
      setHidden(time.element, steps.length === 0 || (steps.length === 1 && steps[0] === step));
      // Without a kernel and a film there is no other time to go to.
      setHidden(when, !browsable && steps.length === 0);
      live.set({
        pressed: cursor === null,
        disabled: !browsable || (!reachable && cursor === null),
      });
      again.set({ disabled: !reachable });
    },
  };
}
