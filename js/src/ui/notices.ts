/** Lines that say what is not as usual: a click that waits, no kernel, something that went wrong. */

import type { Connection } from "../link";
import type { Pending } from "../requests";
import { connected, type Session } from "../session";
import { button } from "./controls";
import { h, setHidden, setText } from "./dom";
import { formatPercent } from "./format";
import type { Words } from "./i18n";

export interface QueueNotice {
  element: HTMLElement;
  draw(pending: readonly Pending[], live: Session | null): void;
}

export interface QueueNoticeOptions {
  /** What an action is called; null for one of which nobody wants to know that it waits. */
  label(action: string): string | null;
  /** What an action is called that came from elsewhere. */
  other: string;
  withdraw(id: number): void;
}

/** Says which click waits, and for what; lies over the picture, so that nothing moves. */
export function queueNotice(
  words: Words,
  signal: AbortSignal,
  options: QueueNoticeOptions,
): QueueNotice {
  let current: Pending | null = null;
  const text = h("span");
  const cancel = button({
    label: words("ui.withdraw"),
    kind: "plain",
    signal,
    onClick: () => {
      if (current !== null) options.withdraw(current.id);
    },
  });
  const element = h(
    "div",
    { class: "nnw-queued", role: "status", hidden: true },
    text,
    cancel.element,
  );

  const reason = (waits: string | null, live: Session | null): string => {
    if (waits === null && live?.state === "running" && !live.route.live) return "cell";
    return waits ?? "answer";
  };
  return {
    element,
    draw(pending, live) {
      current =
        pending.find((item) => item.state !== "sent" && options.label(item.action) !== null) ??
        null;
      const action = current?.action ?? live?.queued?.action ?? null;
      setHidden(element, action === null);
      if (action === null) return;
      const label = options.label(action) ?? options.other;
      if (current?.state === "working") {
        const share = current.fraction === null ? "" : formatPercent(current.fraction);
        const parts = [words("ui.working", { action: label }), share, current.note];
        setText(text, parts.filter((part) => part !== "").join(" "));
      } else {
        const waits = reason(current?.waits ?? live?.queued?.waits ?? null, live);
        setText(text, words(`ui.queued.${waits}`, { action: label }));
      }
      setHidden(cancel.element, current === null);
    },
  };
}

export interface ConnectionBanner {
  element: HTMLElement;
  draw(connection: Connection): void;
}

/** @param lost says what is shown, and what cannot be done, without a kernel */
export function connectionBanner(lost: (connection: Connection) => string): ConnectionBanner {
  const element = h("p", { class: "nnw-banner", role: "status", hidden: true });
  return {
    element,
    draw(connection) {
      const reached = connected(connection);
      setText(element, reached ? "" : lost(connection));
      setHidden(element, reached);
    },
  };
}

export interface ProblemLine {
  element: HTMLElement;
  /**
   * @param problem what went wrong with a click; can be dismissed
   * @param standing what is wrong in the kernel, and stays until it is mended
   */
  draw(problem: string | null, standing: string | null): void;
}

export function problemLine(words: Words, signal: AbortSignal, dismiss: () => void): ProblemLine {
  const text = h("span");
  const close = button({ label: words("ui.dismiss"), kind: "plain", signal, onClick: dismiss });
  const element = h(
    "div",
    { class: "nnw-problem", role: "alert", hidden: true },
    text,
    close.element,
  );
  return {
    element,
    draw(problem, standing) {
      const sentence = problem ?? standing ?? "";
      setText(text, sentence);
      setHidden(element, sentence === "");
      setHidden(close.element, problem === null);
    },
  };
}
