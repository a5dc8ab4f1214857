/** What colours and shapes mean; the points of a class can be hidden. */

import { isDark } from "../ui/colormap";
import { type Button, button, checkbox } from "../ui/controls";
import { h, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { classColour } from "./picture/palette";
import type { Points, Surface } from "./state";

export interface LegendInput {
  surface: Surface | null;
  points: Points | null;
  classes: readonly string[];
  labelled: boolean;
  hidden: ReadonlySet<number>;
  dots: boolean;
}

export interface Legend {
  element: HTMLElement;
  draw(input: LegendInput): void;
}

export function legend(
  words: Words,
  signal: AbortSignal,
  actions: { toggle(k: number): void; dots(shown: boolean): void },
): Legend {
  const classes = h("div", {
    class: "nnw-legend-classes",
    role: "group",
    "aria-label": words("ui.boundary.legend.classes"),
  });
  const key = h("span", { class: "nnw-legend-key nnw-muted" });
  const shown = checkbox({
    label: words("ui.boundary.legend.points"),
    checked: true,
    signal,
    onChange: actions.dots,
  });
  const box = shown.querySelector("input") as HTMLInputElement;
  const element = h(
    "div",
    { class: "nnw-boundary-legend" },
    classes,
    h("div", { class: "nnw-legend-line" }, shown, key),
  );
  let made: { button: Button; swatch: HTMLElement }[] = [];
  let names = "";

  const build = (all: readonly string[]): void => {
    const now = JSON.stringify(all);
    if (now === names) return;
    names = now;
    made = all.map((name, k) => {
      const one = button({
        label: name,
        kind: "quiet",
        title: words("ui.boundary.legend.toggle", { name }),
        signal,
        onClick: () => actions.toggle(k),
      });
      const swatch = h("span", { class: "nnw-swatch-dot", "aria-hidden": "true" });
      one.element.classList.add("nnw-legend-class");
      one.element.prepend(swatch);
      return { button: one, swatch };
    });
    classes.replaceChildren(...made.map((one) => one.button.element));
  };

  return {
    element,
    draw({ surface, points, classes: all, labelled, hidden, dots }) {
      const dark = isDark(element);
      const classy = surface?.kind !== "values";
      build(classy ? all : []);
      setHidden(classes, !classy || all.length === 0);
      made.forEach(({ button: one, swatch }, k) => {
        one.set({ pressed: dots && !hidden.has(k), disabled: !labelled });
        swatch.style.background = classColour(k, dark);
      });
      const { train, test } = surface?.counts ?? points?.count ?? { train: 0, test: 0 };
      setText(key, keyParts(train, test, classy && labelled).join(" · "));
      setHidden(shown, train + test === 0);
      if (box.checked !== dots) box.checked = dots;
    },
  };

  /** "● train 240", "▲ test 60", "ringed: wrong" */
  function keyParts(train: number, test: number, known: boolean): string[] {
    if (train + test === 0) return [];
    return [
      train > 0 && words("ui.boundary.legend.train", { count: formatInteger(train) }),
      test > 0 && words("ui.boundary.legend.test", { count: formatInteger(test) }),
      known && words("ui.boundary.legend.wrong"),
    ].filter((part) => part !== false);
  }
}
