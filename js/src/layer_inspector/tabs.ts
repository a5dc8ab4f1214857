/** The row of tabs over the panel: what of a layer is looked at. */

import { h, setAttribute } from "../ui/dom";
import type { Words } from "../ui/i18n";

export const TABS = [
  "activations",
  "weights",
  "gradients",
  "history",
  "contributions",
  "feature",
] as const;

export interface Tabs {
  element: HTMLElement;
  /** @param enabled names of those that have something to show; all, if none is named */
  draw(active: string, enabled: readonly string[]): void;
}

/** @param panel the element that shows what a tab stands for */
export function tabs(
  words: Words,
  signal: AbortSignal,
  panel: HTMLElement,
  choose: (tab: string) => void,
): Tabs {
  let usable: readonly string[] = TABS;
  const elements = TABS.map((name) => {
    const element = h(
      "button",
      { type: "button", class: "nnw-tab", role: "tab", tabindex: -1, id: `${panel.id}-${name}` },
      words(`ui.inspector.tab.${name}`),
    );
    setAttribute(element, "aria-controls", panel.id);
    element.addEventListener("click", () => usable.includes(name) && choose(name), { signal });
    return element;
  });
  const element = h(
    "div",
    { class: "nnw-tabs", role: "tablist", "aria-label": words("ui.inspector.tabs") },
    ...elements,
  );
  element.addEventListener(
    "keydown",
    (event) => {
      const open = TABS.map((_, index) => index).filter((index) => isUsable(TABS[index] ?? ""));
      const at = open.findIndex((index) => elements[index] === event.target);
      const moves: Record<string, number> = {
        ArrowRight: at + 1,
        ArrowLeft: at - 1,
        Home: 0,
        End: open.length - 1,
      };
      const move = moves[event.key];
      if (at < 0 || move === undefined) return;
      event.preventDefault();
      const to = open[(move + open.length) % open.length] ?? 0;
      elements[to]?.focus();
      choose(TABS[to] ?? "activations");
    },
    { signal },
  );
  const isUsable = (name: string) => usable.includes(name);

  return {
    element,
    draw(active, enabled) {
      usable = enabled.length === 0 ? TABS : enabled;
      const stop = (TABS as readonly string[]).includes(active) ? active : TABS[0];
      elements.forEach((tab, index) => {
        const name = TABS[index] ?? "";
        setAttribute(tab, "aria-selected", String(name === active));
        setAttribute(tab, "tabindex", name === stop ? 0 : -1);
        setAttribute(tab, "aria-disabled", isUsable(name) ? null : "true");
        setAttribute(tab, "title", isUsable(name) ? null : words("ui.inspector.tab.disabled"));
        if (name === active) setAttribute(panel, "aria-labelledby", tab.id);
      });
    },
  };
}
