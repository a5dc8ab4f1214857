/** How far a map can be trusted: what was tried, what came out, and what follows. */

import type { Pending } from "../requests";
import type { Work } from "../ui/busy";
import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { formatInteger, formatNumber, formatPercent, unbroken } from "../ui/format";
import type { Words } from "../ui/i18n";
import { curveView } from "./curves";
import { methodName } from "./methods";
import type { Level, Pane, Trust } from "./state";

const SIGNS: Readonly<Record<Level, string>> = { good: "✓", warn: "!", bad: "✕", unknown: "?" };

export interface TrustInput {
  trust: Trust | null;
  pane: Pane | undefined;
  /** A check that this page asked for. */
  working: Pending | null;
  /** What the kernel says of a check, whoever asked for it. */
  elsewhere: Work | null;
  reachable: boolean;
  busy: boolean;
}

export interface TrustActions {
  check(): void;
  cancel(id: number): void;
  /** Ends a check that another page has asked for. */
  stop(): void;
}

export interface TrustPanel {
  element: HTMLElement;
  draw(input: TrustInput): void;
  repaint(): void;
}

/** Whether what was checked is the map on show. */
export function isOf(trust: Trust, pane: Pane | undefined): boolean {
  return (
    pane !== undefined &&
    trust.method === pane.method &&
    trust.index === pane.index &&
    trust.target === pane.target
  );
}

export function trustPanel(words: Words, signal: AbortSignal, actions: TrustActions): TrustPanel {
  const heading = h("h3", { class: "nnw-part-title", id: uniqueId("nnw-trust") });
  setText(heading, words("ui.saliency.trust"));
  const check = button({
    label: words("ui.saliency.trust.check"),
    title: words("ui.saliency.trust.check.hint"),
    signal,
    onClick: actions.check,
  });
  const text = h("p", { class: "nnw-muted", role: "status" });
  const bar = h("div", { class: "nnw-progress-bar" });
  const progress = h(
    "div",
    { class: "nnw-progress", role: "progressbar", "aria-label": words("ui.progress") },
    bar,
  );
  const share = h("span", { class: "nnw-busy-share nnw-muted" });
  let current: Pending | null = null;
  const cancel = button({
    label: words("ui.saliency.cancel"),
    kind: "plain",
    signal,
    onClick: () => (current === null ? actions.stop() : actions.cancel(current.id)),
  });
  const work = h("div", { class: "nnw-trust-work" }, progress, share, cancel.element);
  const checks = h("ul", { class: "nnw-checks" });
  const verdict = h("p", { class: "nnw-verdict" });
  const spoken = h("span", { class: "nnw-spoken", role: "status" });
  const context = { words, signal, say: (said: string) => setText(spoken, said) };
  const curves = [curveView(context, "deletion"), curveView(context, "insertion")] as const;
  const key = h(
    "p",
    { class: "nnw-curve-key nnw-muted" },
    h("span", { class: "nnw-curve-line", "aria-hidden": "true" }),
    words("ui.saliency.curve.map"),
    h("span", { class: "nnw-curve-line nnw-dashed", "aria-hidden": "true" }),
    words("ui.saliency.curve.random"),
  );
  const curvesPart = h(
    "div",
    { class: "nnw-curves-part" },
    h("div", { class: "nnw-curves" }, curves[0].element, curves[1].element),
    key,
  );
  const cascadeTitle = h("h4", { class: "nnw-curve-title" }, words("ui.saliency.cascade"));
  const cascade = h("ul", { class: "nnw-cascade", "aria-label": words("ui.saliency.cascade") });
  const cascadePart = h("div", { class: "nnw-cascade-part" }, cascadeTitle, cascade);
  const element = h(
    "section",
    { class: "nnw-trust", "aria-labelledby": heading.id },
    h(
      "div",
      { class: "nnw-part-head" },
      heading,
      h("span", { class: "nnw-spring" }),
      check.element,
    ),
    text,
    work,
    // First what follows, then what it follows from.
    verdict,
    checks,
    curvesPart,
    cascadePart,
    spoken,
  );
  let drawn: Trust | null = null;

  const build = (trust: Trust | null): void => {
    checks.replaceChildren(
      ...(trust?.checks ?? []).map(({ level, text: says }) =>
        h(
          "li",
          { class: "nnw-trust-check", "data-level": level },
          h("span", { class: "nnw-sign", "aria-hidden": "true" }, SIGNS[level]),
          h("span", { class: "nnw-spoken" }, words(`ui.saliency.level.${level}`), " "),
          h("span", {}, unbroken(says)),
        ),
      ),
    );
    setText(verdict, unbroken(trust?.verdict ?? ""));
    cascade.replaceChildren(
      ...(trust?.cascade ?? []).map(({ layer, similarity }) => {
        const track = h("span", { class: "nnw-class-track", "aria-hidden": "true" });
        const filled = h("span", { class: "nnw-class-bar" });
        const size = Number.isFinite(similarity) ? Math.min(1, Math.max(0, similarity)) : 0;
        setAttribute(filled, "style", `left: 0; width: ${(100 * size).toFixed(1)}%;`);
        track.append(filled);
        return h(
          "li",
          { class: "nnw-cascade-row" },
          h("span", { class: "nnw-class-name", title: layer }, layer),
          track,
          h("span", { class: "nnw-class-number" }, formatNumber(similarity, 2)),
        );
      }),
    );
  };
  /** What is not said by the checks themselves. */
  const sentence = (trust: Trust | null, pane: Pane | undefined, running: boolean): string => {
    if (running) return words("ui.saliency.trust.working");
    if (trust === null || trust.state === "none") return words("ui.saliency.trust.none");
    if (trust.state === "failed") return trust.problem ?? words("ui.saliency.trust.failed");
    if (trust.state !== "stale" && isOf(trust, pane)) return "";
    return words("ui.saliency.trust.stale", {
      method: methodName(trust.method, words),
      number: formatInteger(trust.index + 1),
      step: trust.step === null ? "–" : formatInteger(trust.step),
    });
  };

  return {
    element,
    repaint() {
      for (const curve of curves) curve.repaint();
    },
    draw({ trust, pane, working, elsewhere, reachable, busy }) {
      current = working;
      const running = working !== null || elsewhere !== null;
      const fraction = (working ?? elsewhere)?.fraction ?? null;
      setHidden(work, !running);
      setText(share, fraction === null ? "" : formatPercent(fraction));
      const now = fraction === null ? null : Math.round(100 * fraction);
      setAttribute(progress, "aria-valuenow", now);
      bar.style.transform = `scaleX(${(fraction ?? 0).toFixed(4)})`;
      const usable = pane?.map !== null && pane !== undefined;
      check.set({
        disabled: !reachable || busy || running || !usable,
        label: words(
          (trust?.checks.length ?? 0) > 0 ? "ui.saliency.trust.again" : "ui.saliency.trust.check",
        ),
      });
      const says = sentence(trust, pane, running);
      setText(text, says);
      setHidden(text, says === "");
      text.classList.toggle("nnw-bad", trust?.state === "failed" && !running);
      const newer = trust !== drawn;
      if (newer) build(trust);
      drawn = trust;
      const outdated = trust !== null && (trust.state === "stale" || !isOf(trust, pane));
      element.classList.toggle("nnw-outdated", outdated);
      setHidden(verdict, (trust?.verdict ?? "") === "");
      setHidden(curvesPart, trust === null || trust.curves.deletion.map.length < 2);
      setHidden(cascadePart, (trust?.cascade.length ?? 0) === 0);
      if (trust === null || !newer) return;
      const { fractions } = trust;
      curves[0].draw({ fractions, curve: trust.curves.deletion });
      curves[1].draw({ fractions, curve: trust.curves.insertion });
    },
  };
}
