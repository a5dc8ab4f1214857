/** Long work in the kernel: what it is, how far it is, and the way to end it. */

import type { Pending } from "../requests";
import { button } from "./controls";
import { h, setAttribute, setHidden, setText } from "./dom";
import { formatPercent } from "./format";
import type { Words } from "./i18n";

/** Work in the kernel, and what is done of it (0 to 1) where that is known. */
export interface Work {
  action: string;
  fraction: number | null;
  note: string;
}

export interface BusyLine {
  element: HTMLElement;
  /**
   * @param own a click of this page that is being worked on: it can be cancelled here
   * @param other what the kernel says that it is at, whoever asked for it
   */
  draw(own: Pending | null, other: Work | null): void;
}

export function busyLine(
  words: Words,
  signal: AbortSignal,
  options: {
    label(action: string): string;
    cancel(id: number): void;
    /** Ends what this page has not asked for, where the kernel can be told to. */
    stop?(): void;
  },
): BusyLine {
  let current: Pending | null = null;
  const text = h("span", { role: "status" });
  const bar = h("div", { class: "nnw-progress-bar" });
  const progress = h(
    "div",
    { class: "nnw-progress", role: "progressbar", "aria-label": words("ui.progress") },
    bar,
  );
  const share = h("span", { class: "nnw-busy-share nnw-muted" });
  const cancel = button({
    label: words("ui.inspector.cancel"),
    kind: "plain",
    signal,
    onClick: () => (current === null ? options.stop?.() : options.cancel(current.id)),
  });
  const element = h(
    "div",
    { class: "nnw-busy", hidden: true },
    text,
    progress,
    share,
    cancel.element,
  );
  return {
    element,
    draw(own, other) {
      current = own;
      const work = own ?? other;
      setHidden(element, work === null);
      setHidden(cancel.element, own === null && options.stop === undefined);
      if (work === null) return;
      const parts = [words("ui.working", { action: options.label(work.action) }), work.note];
      setText(text, parts.filter((part) => part !== "").join(" "));
      const { fraction } = work;
      setHidden(progress, fraction === null);
      setText(share, fraction === null ? "" : formatPercent(fraction));
      setAttribute(
        progress,
        "aria-valuenow",
        fraction === null ? null : Math.round(fraction * 100),
      );
      bar.style.transform = `scaleX(${(fraction ?? 0).toFixed(4)})`;
    },
  };
}
