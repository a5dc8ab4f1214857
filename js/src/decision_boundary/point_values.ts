/** The features of a place: a few at once, many when they are asked for. */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { PointSaid } from "./state";

/** More features than these are written when somebody wants to see them. */
const FEW = 6;

export function pointValues(words: Words, signal: AbortSignal) {
  const list = h("dl", { class: "nnw-point-values" });
  let shown: PointSaid["point"] = [];
  let open = false;
  const toggle = button({
    label: "",
    kind: "plain",
    signal,
    onClick() {
      open = !open;
      write();
    },
  });
  toggle.element.classList.add("nnw-more");
  const element = h("div", {}, toggle.element, list);
  const write = (): void => {
    const many = shown.length > FEW;
    const count = formatInteger(shown.length);
    const key = open ? "ui.boundary.point.values.hide" : "ui.boundary.point.values";
    toggle.set({ label: words(key, { count }) });
    setAttribute(toggle.element, "aria-expanded", String(open));
    setHidden(toggle.element, !many);
    setHidden(list, many && !open);
    list.replaceChildren(
      ...shown.map(({ name, value }) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
  };
  return {
    element,
    draw(values: PointSaid["point"]) {
      shown = values;
      // Of two features the heading says all.
      setHidden(element, values.length <= 2);
      write();
    },
  };
}
