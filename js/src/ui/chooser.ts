/** A list whose choices change. */

import { h } from "./dom";

export interface ChooserItem {
  value: string;
  label: string;
  /** Why it cannot be chosen; null or absent: it can. */
  problem?: string | null;
  /** It cannot be chosen now, for a reason that stands elsewhere. */
  disabled?: boolean;
}

export interface Chooser {
  element: HTMLElement;
  list: HTMLSelectElement;
  draw(items: readonly ChooserItem[], value: string, usable: boolean): void;
}

/**
 * @param options.label beside the list
 * @param options.name for those who do not see where it stands; the label, unless it is given
 * @param options.hint explains the choice to whoever points at it
 */
export function chooser(options: {
  label: string;
  name?: string;
  hint?: string;
  signal: AbortSignal;
  onChange(value: string): void;
}): Chooser {
  const { label, name = label, hint, signal } = options;
  const list = h("select", { class: "nnw-select", "aria-label": name, title: hint });
  list.addEventListener("change", () => options.onChange(list.value), { signal });
  const element = h(
    "label",
    { class: "nnw-field" },
    h("span", { class: "nnw-muted" }, label),
    list,
  );
  let shown = "";
  return {
    element,
    list,
    draw(items, value, usable) {
      // A value that is in no list is shown all the same: it may have been given in Python.
      const given = items.some((item) => item.value === value);
      const all: readonly ChooserItem[] = given ? items : [...items, { value, label: value }];
      const key = JSON.stringify(all);
      if (key !== shown) {
        shown = key;
        list.replaceChildren(
          ...all.map(({ value: one, label: text, problem, disabled }) => {
            const why = problem ?? "";
            const off = disabled === true || why !== "";
            const words = why === "" ? text : `${text} – ${why}`;
            return h("option", { value: one, disabled: off, title: problem }, words);
          }),
        );
      }
      if (list.value !== value) list.value = value;
      if (list.disabled === usable) list.disabled = !usable;
    },
  };
}
