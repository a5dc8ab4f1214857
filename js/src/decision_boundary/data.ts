/** "Data": well-known sets of points in place of those that are there. */

import { button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { slider } from "../ui/slider";
import { drawer } from "./drawer";

export interface Toy {
  name: string;
  noise: number;
  n: number;
  seed: number;
}

export interface DataActions {
  toy(toy: Toy): void;
}

const USUAL = { noise: 0.1, n: 200 } as const;

export function dataDrawer(words: Words, signal: AbortSignal, actions: DataActions) {
  /** Each click draws another sample of the set. */
  let seed = 0;
  const { element, panel, opener, close } = drawer(words("ui.boundary.data"), signal, {
    hint: words("ui.boundary.data.hint"),
  });
  const noise = slider({
    label: words("ui.boundary.data.noise"),
    min: 0,
    max: 0.5,
    step: 0.01,
    value: USUAL.noise,
    valueWidth: 4,
    format: (value) => value.toFixed(2),
    signal,
  });
  const count = slider({
    label: words("ui.boundary.data.count"),
    min: 20,
    max: 1000,
    step: 20,
    value: USUAL.n,
    valueWidth: 4,
    format: formatInteger,
    signal,
  });
  const sets = h("div", {
    class: "nnw-toys",
    role: "group",
    "aria-label": words("ui.boundary.data"),
  });
  panel.classList.add("nnw-data");
  panel.append(sets, noise.element, count.element);
  let shown = "";

  return {
    element,
    draw(toys: readonly string[], usable: boolean) {
      setHidden(element, toys.length === 0);
      opener.set({ disabled: !usable });
      if (!usable) close();
      if (toys.join() === shown) return;
      shown = toys.join();
      sets.replaceChildren(
        ...toys.map((name) => {
          const key = `ui.boundary.toy.${name}`;
          // A set that we have no word for goes by its own name.
          const label = words.has(key) ? words(key) : name;
          const choose = () => {
            const n = count.input.valueAsNumber;
            actions.toy({ name, noise: noise.input.valueAsNumber, n, seed: seed++ });
          };
          return button({ label, signal, onClick: choose }).element;
        }),
      );
    },
  };
}
