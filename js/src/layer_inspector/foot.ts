/** Below the panel: which sample is looked at, and at which step of the run. */

import type { Samples } from "../samples";
import { nearestPosition } from "../session";
import { button } from "../ui/controls";
import { h } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { samplePicker } from "../ui/sample_picker";
import { slider } from "../ui/slider";

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
      time.set(
        cursor === null ? Math.max(1, snapshots.length) : nearestPosition(snapshots, cursor),
      );
      time.refresh();
      time.setDisabled(!past || !reachable);
      live.set({ pressed: cursor === null, disabled: !reachable });
      again.set({ disabled: !reachable });
    },
  };
}
