/** The loss around the weights: asked for, computed, drawn, and what it says. */

import type { Pending } from "../requests";
import type { Work } from "../ui/busy";
import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger, formatNumber, formatPercent } from "../ui/format";
import type { StageContext } from "../ui/stage";
import { landscapeView } from "./picture/landscape";
import { say, section, sentences } from "./section";
import type { Landscape } from "./state";

export interface LandscapeInput {
  landscape: Landscape | null;
  /** A click of this page that is being worked on. */
  own: Pending | null;
  /** What the kernel says of the work, whoever asked for it. */
  work: Work | null;
  reachable: boolean;
}

export interface LandscapePart {
  element: HTMLElement;
  draw(input: LandscapeInput): void;
  repaint(): void;
}

export function landscapePart(
  context: StageContext,
  actions: {
    show(on: boolean): void;
    cancel(id: number): void;
    /** Ends what another page has asked for. */
    stop(): void;
  },
): LandscapePart {
  const { words, signal } = context;
  let current: Pending | null = null;
  const compute = button({
    label: words("ui.boundary.landscape.compute"),
    signal,
    onClick: () => actions.show(true),
  });
  const hide = button({
    label: words("ui.boundary.landscape.hide"),
    kind: "plain",
    signal,
    onClick() {
      actions.show(false);
      // The button goes, and the focus must not go with it.
      compute.element.focus();
    },
  });
  const cancel = button({
    label: words("ui.boundary.stop"),
    kind: "plain",
    signal,
    onClick: () => (current === null ? actions.stop() : actions.cancel(current.id)),
  });
  const bar = h("div", { class: "nnw-progress-bar" });
  const progress = h(
    "div",
    { class: "nnw-progress", role: "progressbar", "aria-label": words("ui.progress") },
    bar,
  );
  const share = h("span", { class: "nnw-busy-share nnw-muted" });
  const working = h("div", { class: "nnw-working" }, progress, share, cancel.element);
  const text = h("p", { class: "nnw-muted", role: "status" });
  const picture = landscapeView(context);
  const says = h("p");
  const notes = sentences();
  const { element } = section(
    words("ui.boundary.landscape"),
    [compute.element, hide.element],
    text,
    working,
    picture.element,
    says,
    notes.element,
  );

  return {
    element,
    draw({ landscape, own, work: elsewhere, reachable }) {
      current = own;
      const work = own ?? elsewhere;
      const state = landscape?.state ?? "none";
      const running = work !== null || state === "working";
      const shown = landscape !== null && landscape.loss !== null && !running ? landscape : null;
      const again = shown === null ? "compute" : "again";
      compute.set({
        label: words(`ui.boundary.landscape.${again}`),
        disabled: !reachable || running,
      });
      setHidden(hide.element, shown === null);
      hide.set({ disabled: !reachable });
      setHidden(working, !running);
      cancel.set({ disabled: !reachable });
      const fraction = work?.fraction ?? null;
      setAttribute(
        progress,
        "aria-valuenow",
        fraction === null ? null : Math.round(fraction * 100),
      );
      bar.style.transform = `scaleX(${(fraction ?? 0).toFixed(4)})`;
      setText(share, fraction === null ? "" : formatPercent(fraction));
      const problem = running ? null : (landscape?.problem ?? null);
      const hint =
        shown === null && !running && reachable ? words("ui.boundary.landscape.hint") : "";
      say(text, problem ?? (running ? words("ui.boundary.landscape.working") : hint));
      text.classList.toggle("nnw-bad", problem !== null);
      setHidden(picture.element, shown === null);
      if (shown !== null) picture.draw(shown);
      say(says, shown === null ? "" : caption(shown));
      notes.draw(shown?.notes ?? []);
    },
    repaint: picture.repaint,
  };

  function caption({ centre, step, lossName: name }: Landscape): string {
    if (centre === null) return name;
    const loss = formatNumber(centre);
    if (step === null) return words("ui.boundary.landscape.centre", { name, loss });
    return words("ui.boundary.landscape.centre_at", { name, loss, step: formatInteger(step) });
  }
}
