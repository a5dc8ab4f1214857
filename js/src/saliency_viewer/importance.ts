/** Which features matter over the whole set: how much worse the model gets when one is shuffled. */

import type { Pending } from "../requests";
import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { evenFormat } from "../ui/even_format";
import { formatInteger, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { featureName } from "./places";
import type { Importance } from "./state";
import { ranked } from "./waterfall";

const MOST = 15;

export interface ImportanceInput {
  importance: Importance | null;
  working: Pending | null;
  reachable: boolean;
  busy: boolean;
}

export interface ImportancePanel {
  element: HTMLElement;
  draw(input: ImportanceInput): void;
}

export function importancePanel(
  words: Words,
  signal: AbortSignal,
  ask: () => void,
): ImportancePanel {
  const heading = h(
    "h3",
    { class: "nnw-part-title", id: uniqueId("nnw-importance") },
    words("ui.saliency.importance"),
  );
  const go = button({
    label: words("ui.saliency.importance.ask"),
    title: words("ui.saliency.importance.hint"),
    signal,
    onClick: ask,
  });
  const note = h("p", { class: "nnw-muted" });
  const rows = h("ul", { class: "nnw-cascade", "aria-labelledby": heading.id });
  const element = h(
    "section",
    { class: "nnw-importance", "aria-labelledby": heading.id },
    h("div", { class: "nnw-part-head nnw-apart" }, heading, go.element),
    note,
    rows,
  );
  let drawn: Importance | null = null;

  const build = ({ features, mean, spread }: Importance): void => {
    const order = ranked(mean).slice(0, MOST);
    const format = evenFormat(mean);
    const largest = Math.max(
      ...order.map((place) => Math.abs(mean[place] as number)).filter(Number.isFinite),
      1e-12,
    );
    rows.replaceChildren(
      ...order.map((place) => {
        const value = mean[place] as number;
        const filled = h("span", { class: "nnw-class-bar" });
        const width = Number.isFinite(value) ? (100 * Math.abs(value)) / largest : 0;
        setAttribute(filled, "style", `left: 0; width: ${width.toFixed(1)}%;`);
        filled.classList.toggle("nnw-negative", value < 0);
        const wide = spread[place];
        const number = h("span", { class: "nnw-class-number" }, format(value));
        setAttribute(
          number,
          "title",
          wide === undefined ? null : words("ui.saliency.spread", { value: formatNumber(wide, 2) }),
        );
        const name = featureName(features, place, words);
        return h(
          "li",
          { class: "nnw-cascade-row" },
          h("span", { class: "nnw-class-name", title: name }, name),
          h("span", { class: "nnw-class-track", "aria-hidden": "true" }, filled),
          number,
        );
      }),
    );
  };

  return {
    element,
    draw({ importance, working, reachable, busy }) {
      go.set({ disabled: !reachable || busy || working !== null });
      if (importance !== null && importance !== drawn) build(importance);
      if (importance === null) rows.replaceChildren();
      drawn = importance;
      const known = importance !== null && importance.mean.length > 0;
      setHidden(rows, !known);
      const problem = importance?.problem ?? null;
      setText(
        note,
        problem ??
          (known
            ? words("ui.saliency.importance.of", {
                score: importance.score,
                base: formatNumber(importance.base ?? Number.NaN),
                count: formatInteger(importance.count),
              })
            : words("ui.saliency.importance.none")),
      );
      note.classList.toggle("nnw-bad", problem !== null);
    },
  };
}
