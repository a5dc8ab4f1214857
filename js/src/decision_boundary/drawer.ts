/** A button that opens a small panel with settings over the page. */

import { type Button, button } from "../ui/controls";
import { h } from "../ui/dom";
import { popup } from "../ui/popup";

export interface Drawer {
  element: HTMLElement;
  panel: HTMLElement;
  opener: Button;
  close(): void;
}

/** Escape closes it and gives the focus back, as does leaving it with Tab or the pointer. */
export function drawer(
  label: string,
  signal: AbortSignal,
  { hint }: { hint?: string } = {},
): Drawer {
  const panel = h("div", { class: "nnw-menu nnw-drawer", role: "dialog", "aria-label": label });
  const opener = button({
    label,
    icon: "down",
    signal,
    onClick: () => (overlay.isOpen ? close() : open()),
    ...(hint === undefined ? {} : { title: hint }),
  });
  opener.element.classList.add("nnw-menu-button");
  opener.element.setAttribute("aria-haspopup", "dialog");
  opener.element.setAttribute("aria-expanded", "false");
  const overlay = popup(panel, opener.element, signal, () =>
    opener.element.setAttribute("aria-expanded", "false"),
  );
  const open = () => {
    overlay.open();
    opener.element.setAttribute("aria-expanded", "true");
    panel.querySelector<HTMLElement>("input:enabled, select:enabled, button:enabled")?.focus();
  };
  const close = () => {
    const inside = panel.contains((panel.getRootNode() as Document | ShadowRoot).activeElement);
    overlay.close();
    if (inside) opener.element.focus();
  };
  panel.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
    },
    { signal },
  );
  panel.addEventListener(
    "focusout",
    ({ relatedTarget }) => {
      const next = relatedTarget as Node | null;
      if (next !== null && !panel.contains(next) && next !== opener.element) overlay.close();
    },
    { signal },
  );
  return {
    element: h("div", { class: "nnw-anchor" }, opener.element, panel),
    panel,
    opener,
    close,
  };
}
