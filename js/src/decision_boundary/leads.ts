/** Sentences of which some lead to a place of the picture; of many, the first few. */

import { type Button, button } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { Place } from "./state";

export interface Lead {
  text: string;
  /** Where it leads; null: nowhere in the picture. */
  at: Place | null;
  id: number | null;
  /** Of the class that it is about. */
  color: string | null;
}

/** So many are listed until somebody wants all. */
const FEW = 5;

export function leads(
  words: Words,
  signal: AbortSignal,
  go: (at: Place, id: number | null) => void,
) {
  const list = h("ul", { class: "nnw-leads" });
  let shown: readonly Lead[] = [];
  let all = false;
  let usable = true;
  const more = button({
    label: "",
    kind: "plain",
    signal,
    onClick() {
      all = !all;
      write();
    },
  });
  more.element.classList.add("nnw-more");
  const element = h("div", {}, list, more.element);
  /** Rows stay the same elements: what is said changes with every step, the focus must not. */
  const rows: { row: HTMLElement; mark: HTMLElement; text: HTMLElement; lead: Button }[] = [];
  const add = (place: number): void => {
    const mark = h("span", { class: "nnw-swatch-dot", "aria-hidden": "true" });
    const text = h("span", {});
    const onClick = () => {
      const { at, id } = shown[place] ?? { at: null, id: null };
      if (at !== null) go(at, id);
    };
    const lead = button({ label: "", kind: "quiet", signal, onClick });
    const row = h("li", {}, mark, text, lead.element);
    rows.push({ row, mark, text, lead });
    list.append(row);
  };
  const write = (): void => {
    const count = all ? shown.length : Math.min(FEW, shown.length);
    while (rows.length < count) add(rows.length);
    for (const surplus of rows.splice(count)) surplus.row.remove();
    rows.forEach(({ mark, text, lead }, place) => {
      const one = shown[place] as Lead;
      setHidden(mark, one.color === null);
      mark.style.background = one.color ?? "";
      setText(text, one.at === null ? one.text : "");
      setHidden(text, one.at !== null);
      lead.set({ label: one.at === null ? "" : one.text, disabled: !usable });
      setHidden(lead.element, one.at === null);
    });
    const rest = formatInteger(shown.length - FEW);
    more.set({
      label: all ? words("ui.boundary.fewer") : words("ui.boundary.point.more", { count: rest }),
    });
    setAttribute(more.element, "aria-expanded", String(all));
    setHidden(more.element, shown.length <= FEW);
  };
  return {
    element,
    draw(said: readonly Lead[], reachable: boolean) {
      shown = said;
      usable = reachable;
      write();
    },
  };
}
