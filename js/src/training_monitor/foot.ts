/** The time cursor: which step all widgets look at, and the way back to the newest. */

import { button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { slider } from "../ui/slider";

export interface Foot {
  element: HTMLElement;
  draw(range: [number, number] | null, cursor: number | null, zoomed: boolean): void;
}

export function foot(
  words: Words,
  signal: AbortSignal,
  actions: { setCursor(step: number | null): void; resetZoom(): void },
): Foot {
  const time = slider({
    label: words("ui.cursor"),
    min: 0,
    max: 1,
    step: 1,
    value: 1,
    valueWidth: 9,
    format: (step) => formatInteger(step),
    signal,
    onInput: (step) => actions.setCursor(step),
  });
  const live = button({
    label: words("ui.live"),
    icon: "live",
    title: words("ui.live.hint"),
    signal,
    onClick: () => actions.setCursor(null),
  });
  live.element.classList.add("nnw-live");
  const whole = button({
    label: words("ui.reset_zoom"),
    icon: "reset",
    signal,
    onClick: actions.resetZoom,
  });
  const hint = h("span", { class: "nnw-foot-hint nnw-muted" }, words("ui.zoom.hint"));
  const element = h(
    "div",
    { class: "nnw-foot", role: "group", "aria-label": words("ui.time") },
    whole.element,
    hint,
    h("span", { class: "nnw-spring" }),
    time.element,
    live.element,
  );

  return {
    element,
    draw(range, cursor, zoomed) {
      setHidden(element, range === null);
      if (range === null) return;
      const [first, last] = range;
      time.setRange(first, last > first ? last : first + 1);
      time.set(cursor ?? last);
      live.set({ pressed: cursor === null });
      setHidden(whole.element, !zoomed);
      setHidden(hint, zoomed);
    },
  };
}
