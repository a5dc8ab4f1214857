/** "More": the methods that the bar has no room for, and why the others do not apply. */

import { button } from "../ui/controls";
import { h, setAttribute } from "../ui/dom";
import type { Words } from "../ui/i18n";
import { popup } from "../ui/popup";
import { methodHint, methodName } from "./methods";

export interface MethodMenuInput {
  more: readonly string[];
  unavailable: readonly { name: string; why: string }[];
  chosen: string;
  can(method: string): boolean;
}

export interface MethodMenu {
  element: HTMLElement;
  draw(input: MethodMenuInput): void;
}

export function methodMenu(
  words: Words,
  signal: AbortSignal,
  choose: (method: string) => void,
): MethodMenu {
  const label = words("ui.saliency.more");
  const panel = h("div", {
    class: "nnw-menu nnw-methods-menu",
    role: "menu",
    "aria-label": words("ui.saliency.methods"),
  });
  const opener = button({
    label,
    icon: "down",
    signal,
    onClick: () => (overlay.isOpen ? close() : open(0)),
  });
  opener.element.classList.add("nnw-menu-button");
  setAttribute(opener.element, "aria-haspopup", "menu");
  setAttribute(opener.element, "aria-expanded", "false");
  const overlay = popup(panel, opener.element, signal, () =>
    setAttribute(opener.element, "aria-expanded", "false"),
  );
  let items: HTMLButtonElement[] = [];
  let drawn = "";

  const focus = (index: number) => items[(index + items.length) % items.length]?.focus();
  const open = (index: number) => {
    overlay.open();
    setAttribute(opener.element, "aria-expanded", "true");
    focus(index);
  };
  const close = () => {
    const { activeElement } = panel.getRootNode() as Document | ShadowRoot;
    const inside = panel.contains(activeElement);
    overlay.close();
    if (inside) opener.element.focus();
  };
  opener.element.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      open(event.key === "ArrowDown" ? 0 : -1);
    },
    { signal },
  );
  panel.addEventListener(
    "click",
    (event) => {
      const item = (event.target as Element).closest("button");
      if (item === null || item.getAttribute("aria-disabled") === "true") return;
      close();
      choose(item.dataset.method ?? "");
    },
    { signal },
  );
  panel.addEventListener(
    "keydown",
    (event) => {
      const at = items.indexOf(event.target as HTMLButtonElement);
      const moves: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: items.length - 1,
      };
      const to = moves[event.key];
      if (to !== undefined) focus(to);
      else if (event.key === "Escape" || event.key === "Tab") close();
      else return;
      event.stopPropagation();
      if (event.key !== "Tab") event.preventDefault();
    },
    { signal },
  );
  panel.addEventListener(
    "focusout",
    (event) => {
      const next = event.relatedTarget as Node | null;
      if (next !== null && !panel.contains(next) && next !== opener.element) close();
    },
    { signal },
  );

  /** Those that do not apply can be reached too: why is worth reading. */
  const item = (method: string, says: string, usable: boolean, chosen: boolean) => {
    const element = h(
      "button",
      { type: "button", role: "menuitemradio", tabindex: -1, "aria-checked": String(chosen) },
      h("span", { class: "nnw-method-name" }, methodName(method, words)),
      says !== "" && h("span", { class: "nnw-method-says" }, says),
    );
    element.dataset.method = method;
    setAttribute(element, "aria-disabled", usable ? null : "true");
    return element;
  };

  return {
    element: h("div", { class: "nnw-anchor" }, opener.element, panel),
    draw({ more, unavailable, chosen, can }) {
      const usable = more.map((method) => can(method));
      const key = JSON.stringify([more, unavailable, chosen, usable]);
      opener.set({ disabled: more.length + unavailable.length === 0 });
      if (key === drawn) return;
      drawn = key;
      items = [
        ...more.map((method, index) =>
          item(method, methodHint(method, words), usable[index] === true, method === chosen),
        ),
        ...unavailable.map(({ name, why }) => item(name, why, false, false)),
      ];
      const heading = h(
        "p",
        { class: "nnw-methods-rest", role: "presentation" },
        words("ui.saliency.unavailable"),
      );
      panel.replaceChildren(
        ...items.slice(0, more.length),
        ...(unavailable.length > 0 ? [heading] : []),
        ...items.slice(more.length),
      );
    },
  };
}
