/** What opens over the page: menus and explanations. */

import { type Button, button } from "./controls";
import { h, setText, uniqueId } from "./dom";
import type { IconName } from "./icons";

/** Opens `panel` under `anchor`, in the top layer where the browser has one. */
function place(panel: HTMLElement, anchor: HTMLElement): void {
  const box = anchor.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  // Within the widget where there is room: beyond its edge begins what is not ours.
  const edge = anchor.closest(".nnw")?.getBoundingClientRect().right ?? window.innerWidth;
  const right = Math.min(window.innerWidth - 8, edge - 8);
  const left = Math.max(4, Math.min(box.left, right - size.width));
  const below = box.bottom + 4;
  const fits = below + size.height <= window.innerHeight - 4;
  panel.style.left = `${left}px`;
  panel.style.top = `${fits ? below : Math.max(4, box.top - size.height - 4)}px`;
}

export interface Popup {
  open(): void;
  close(): void;
  readonly isOpen: boolean;
}

export function popup(
  panel: HTMLElement,
  anchor: HTMLElement,
  signal: AbortSignal,
  closed: () => void = () => undefined,
): Popup {
  const layered = typeof panel.showPopover === "function";
  if (layered) panel.setAttribute("popover", "manual");
  panel.hidden = true;
  let opened: AbortController | null = null;
  const close = () => {
    if (opened === null) return;
    opened.abort();
    opened = null;
    if (layered && panel.isConnected) panel.hidePopover();
    panel.hidden = true;
    closed();
  };
  signal.addEventListener("abort", close, { once: true });
  return {
    get isOpen() {
      return opened !== null;
    },
    close,
    open() {
      if (opened !== null) return;
      opened = new AbortController();
      panel.hidden = false;
      if (layered) panel.showPopover();
      place(panel, anchor);
      const options = { signal: opened.signal, capture: true };
      const outside = (event: Event) => {
        const path = event.composedPath();
        if (!path.includes(panel) && !path.includes(anchor)) close();
      };
      document.addEventListener("pointerdown", outside, options);
      document.addEventListener("scroll", outside, options);
      window.addEventListener("resize", close, options);
    },
  };
}

export interface MenuOptions {
  label: string;
  /** What an item says and whether it can be chosen is asked each time the menu opens. */
  items: readonly { label(): string; enabled?(): boolean; onChoose(): void }[];
  signal: AbortSignal;
}

export interface Menu {
  element: HTMLElement;
  button: Button;
}

/** A button with a menu: arrows move, Enter chooses, Escape closes and gives the focus back. */
export function menu(options: MenuOptions): Menu {
  const { signal } = options;
  const panel = h("div", { class: "nnw-menu", role: "menu", "aria-label": options.label });
  const opener = button({
    label: options.label,
    icon: "down",
    signal,
    onClick: () => (overlay.isOpen ? close() : open(0)),
  });
  opener.element.classList.add("nnw-menu-button");
  opener.element.setAttribute("aria-haspopup", "menu");
  opener.element.setAttribute("aria-expanded", "false");
  const overlay = popup(panel, opener.element, signal, () =>
    opener.element.setAttribute("aria-expanded", "false"),
  );
  const items = options.items.map((item) => {
    const element = h("button", { type: "button", role: "menuitem", tabindex: -1 }, item.label());
    element.addEventListener(
      "click",
      () => {
        close();
        item.onChoose();
      },
      { signal },
    );
    return element;
  });
  panel.append(...items);

  const focus = (index: number) => {
    const usable = items.filter((item) => !item.disabled);
    usable[(index + usable.length) % usable.length]?.focus();
  };
  const open = (index: number) => {
    options.items.forEach((item, i) => {
      const element = items[i];
      if (element === undefined) return;
      setText(element, item.label());
      element.disabled = item.enabled?.() === false;
    });
    overlay.open();
    opener.element.setAttribute("aria-expanded", "true");
    focus(index);
  };
  const close = () => {
    const inside = panel.contains((panel.getRootNode() as Document | ShadowRoot).activeElement);
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
    "keydown",
    (event) => {
      const usable = items.filter((item) => !item.disabled);
      const at = usable.indexOf(event.target as HTMLButtonElement);
      const moves: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: usable.length - 1,
      };
      const to = moves[event.key];
      if (to !== undefined) focus(to);
      else if (event.key === "Escape" || event.key === "Tab") close();
      else return;
      // JupyterLab listens for arrows and Escape too: they are ours while the menu is open.
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
  return { element: h("div", { class: "nnw-anchor" }, opener.element, panel), button: opener };
}

export interface Tip {
  element: HTMLElement;
  set(label: string, explanation: string): void;
}

/** Words that explain themselves when pointed at, focused or clicked. */
export function tip(signal: AbortSignal, symbol?: IconName): Tip {
  const panel = h("div", { class: "nnw-tip", role: "tooltip", id: uniqueId("nnw-tip") });
  const opener = button({
    label: "",
    kind: "quiet",
    signal,
    onClick: () => overlay.open(),
    ...(symbol === undefined ? {} : { icon: symbol }),
  });
  opener.element.classList.add("nnw-tip-button");
  opener.element.setAttribute("aria-describedby", panel.id);
  const element = h("div", { class: "nnw-anchor" }, opener.element, panel);
  const overlay = popup(panel, opener.element, signal);
  const open = () => overlay.open();
  const close = () => overlay.close();
  const options = { signal };
  opener.element.addEventListener("pointerenter", open, options);
  element.addEventListener("pointerleave", close, options);
  opener.element.addEventListener("focus", open, options);
  opener.element.addEventListener("blur", close, options);
  opener.element.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !overlay.isOpen) return;
      event.stopPropagation();
      close();
    },
    options,
  );
  return {
    element,
    set(label, explanation) {
      opener.set({ label });
      setText(panel, explanation);
    },
  };
}
