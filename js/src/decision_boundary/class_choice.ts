/** One class of all: a button for each, or a list where there are many. */

import { chooser } from "../ui/chooser";
import { isDark } from "../ui/colormap";
import { type Button, button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { classColour } from "./picture/palette";

/** So many classes have a button each; more of them are a list. */
const MOST_BUTTONS = 6;

export interface ClassChoice {
  element: HTMLElement;
  /** @param chosen null: none is */
  draw(classes: readonly string[], chosen: number | null, usable: boolean): void;
}

export function classChoice(
  label: string,
  signal: AbortSignal,
  choose: (k: number) => void,
): ClassChoice {
  const buttons = h("div", { class: "nnw-segmented", role: "group", "aria-label": label });
  const list = chooser({ label, signal, onChange: (value) => choose(Number(value)) });
  const element = h("div", { class: "nnw-class-choice" }, buttons, list.element);
  let made: { button: Button; swatch: HTMLElement }[] = [];
  let names = "";

  const build = (classes: readonly string[]): void => {
    const key = JSON.stringify(classes);
    if (key === names) return;
    names = key;
    made = classes.map((name, k) => {
      const one = button({ label: name, kind: "segment", signal, onClick: () => choose(k) });
      const swatch = h("span", { class: "nnw-swatch-dot", "aria-hidden": "true" });
      one.element.prepend(swatch);
      return { button: one, swatch };
    });
    buttons.replaceChildren(...made.map((item) => item.button.element));
  };

  return {
    element,
    draw(classes, chosen, usable) {
      const few = classes.length <= MOST_BUTTONS;
      // One class is no choice.
      setHidden(buttons, !few || classes.length < 2);
      setHidden(list.element, few);
      build(few ? classes : []);
      const dark = isDark(element);
      made.forEach(({ button: one, swatch }, k) => {
        one.set({ pressed: k === chosen, disabled: !usable });
        swatch.style.background = classColour(k, dark);
      });
      if (few) return;
      const none = chosen === null ? [{ value: "", label: "–", disabled: true }] : [];
      const all = classes.map((name, k) => ({ value: String(k), label: name }));
      list.draw([...none, ...all], String(chosen ?? ""), usable);
    },
  };
}
