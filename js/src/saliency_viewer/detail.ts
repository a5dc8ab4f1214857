/** The numbers behind a place of a map, opened beside it. */

import { button } from "../ui/controls";
import { h, setText } from "../ui/dom";
import type { Words } from "../ui/i18n";
import { type Popup, popup } from "../ui/popup";
import type { Json } from "../wire";

/** Reads the answer to `at`: pairs of a label and a number in words. */
export function readItems(result: Json): [label: string, value: string][] {
  const items = (result as { items?: Json } | null)?.items;
  if (!Array.isArray(items)) return [];
  return items.flatMap((item): [string, string][] =>
    Array.isArray(item) ? [[String(item[0] ?? ""), String(item[1] ?? "")]] : [],
  );
}

export interface Detail {
  element: HTMLElement;
  /** Asks, and opens what is answered beside `anchor`. */
  open(anchor: HTMLElement, answer: Promise<{ result: Json } | null>): void;
  close(): void;
}

export function detail(words: Words, signal: AbortSignal, say: (text: string) => void): Detail {
  const list = h("dl", { class: "nnw-detail-items" });
  const note = h("p", { class: "nnw-muted" });
  const title = words("ui.saliency.detail");
  const panel = h("div", { class: "nnw-detail nnw-menu", role: "dialog", "aria-label": title });
  let opened: Popup | null = null;
  let shown = new AbortController();
  let back: HTMLElement | null = null;

  const close = (): void => {
    const { activeElement } = panel.getRootNode() as Document | ShadowRoot;
    const inside = panel.contains(activeElement);
    opened?.close();
    shown.abort();
    if (inside) back?.focus();
    opened = null;
  };
  const shut = button({ label: words("ui.saliency.close"), kind: "plain", signal, onClick: close });
  panel.append(h("p", { class: "nnw-detail-title" }, title), list, note, shut.element);
  panel.hidden = true;
  panel.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    },
    { signal },
  );

  return {
    element: panel,
    close,
    open(anchor, answer) {
      close();
      shown = new AbortController();
      const { signal: mine } = shown;
      signal.addEventListener("abort", () => shown.abort(), { once: true, signal: mine });
      back = anchor.closest<HTMLElement>("[tabindex]") ?? anchor;
      void answer.then((reply) => {
        if (reply === null || mine.aborted) return;
        const items = readItems(reply.result);
        list.replaceChildren(
          ...items.map(([label, value]) =>
            h("div", {}, h("dt", { class: "nnw-muted" }, label), h("dd", {}, value)),
          ),
        );
        setText(note, items.length === 0 ? words("ui.saliency.detail.none") : "");
        opened = popup(panel, anchor, mine);
        opened.open();
        say(items.map(([label, value]) => `${label} ${value}`).join(", "));
      });
    },
  };
}
