/** A row of a table: signed bars that add up to the prediction, with the features' own values. */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { evenFormat } from "../ui/even_format";
import { formatInteger, formatNumber } from "../ui/format";
import { formatSigned } from "../ui/scale_bar";
import type { KindContext, KindView } from "./context";
import { featureName } from "./places";
import type { Pane } from "./state";
import { MOST, type Step, type Waterfall, waterfalls } from "./waterfall";

interface Row {
  element: HTMLElement;
  name: HTMLElement;
  value: HTMLElement;
  track: HTMLElement;
  bar: HTMLElement;
  link: HTMLElement;
  number: HTMLElement;
  spread: HTMLElement;
}

export function tableView(context: KindContext): KindView {
  const { words, signal } = context;
  const rows: Row[] = [];
  const heads = { name: "feature", value: "value", number: "evidence" } as const;
  const body = h(
    "ul",
    { class: "nnw-fall" },
    // Each row is read out whole: what its numbers are is for the eye.
    h(
      "li",
      { class: "nnw-fall-head nnw-muted", "aria-hidden": "true" },
      ...Object.entries(heads).map(([column, key]) =>
        h("span", { class: `nnw-fall-${column}` }, words(`ui.saliency.table.${key}`)),
      ),
    ),
  );
  const more = button({
    label: "",
    kind: "plain",
    signal,
    onClick() {
      all = !all;
      draw();
    },
  });
  const sentence = h("p", { class: "nnw-fall-sum nnw-muted" });
  const element = h("div", { class: "nnw-table-part" }, body, more.element, sentence);
  let pane: Pane | null = null;
  let panes: readonly Pane[] = [];
  let title = "";
  let all = false;
  let fall: Waterfall | null = null;

  body.addEventListener(
    "click",
    (event) => {
      const at = rows.findIndex(({ element: row }) => row.contains(event.target as Node));
      const step = fall?.steps[at];
      const row = rows[at];
      if (step?.kind === "feature" && row !== undefined) {
        context.inquire([step.feature], row.bar);
      }
    },
    { signal },
  );
  body.addEventListener(
    "keydown",
    (event) => {
      const usable = rows.filter((_, at) => fall?.steps[at]?.kind === "feature");
      const at = usable.findIndex(({ element: row }) => row === event.target);
      const moves: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: usable.length - 1,
      };
      const move = moves[event.key];
      if (event.key === "Escape") context.dismiss();
      if (at < 0 || move === undefined) return;
      event.preventDefault();
      usable[Math.min(Math.max(move, 0), usable.length - 1)]?.element.focus();
    },
    { signal },
  );

  const add = (): Row => {
    const spans = ["name", "value", "track", "number", "spread"].map((name) =>
      h("span", { class: `nnw-fall-${name}` }),
    ) as [HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement];
    const [name, value, track, number, spread] = spans;
    const bar = h("span", { class: "nnw-fall-bar" });
    const link = h("span", { class: "nnw-fall-link" });
    setAttribute(track, "aria-hidden", "true");
    track.append(link, bar);
    const row = h("button", { type: "button", class: "nnw-fall-row" }, ...spans);
    body.append(h("li", {}, row));
    return { element: row, name, value, track, bar, link, number, spread };
  };

  const draw = (): void => {
    if (pane === null) return;
    fall = waterfalls(panes, all)[Math.max(0, panes.indexOf(pane))] ?? null;
    if (fall === null) return;
    const { steps, low, high, adds } = fall;
    const count = pane.map?.data.length ?? 0;
    while (rows.length < steps.length) rows.push(add());
    for (const surplus of rows.splice(steps.length)) surplus.element.parentElement?.remove();
    const format = evenFormat(steps.map(({ value }) => value));
    const span = high - low || 1;
    const place = (value: number) => `${((100 * (value - low)) / span).toFixed(2)}%`;
    const size = (from: number, to: number) =>
      `${((100 * Math.abs(to - from)) / span).toFixed(2)}%`;
    const first = steps.findIndex(({ kind }) => kind === "feature");
    steps.forEach((step, at) => {
      const row = rows[at];
      if (row === undefined || pane === null) return;
      const { kind, value, from, to, feature } = step;
      const whole = kind === "baseline" || kind === "score";
      setAttribute(row.element, "data-kind", kind);
      row.element.tabIndex = at === first ? 0 : -1;
      setAttribute(row.element, "aria-disabled", kind === "feature" ? null : "true");
      setText(row.name, nameOf(step, pane));
      setAttribute(row.name, "title", row.name.textContent);
      const own = kind === "feature" ? pane.input?.data[feature] : undefined;
      setText(row.value, own === undefined ? "" : formatNumber(own));
      const finite = Number.isFinite(value) && Number.isFinite(from);
      setHidden(row.bar, !finite);
      if (finite) {
        const left = whole ? place(value) : place(Math.min(from, to));
        setAttribute(row.bar, "style", `left: ${left}; width: ${whole ? "0" : size(from, to)};`);
      }
      row.bar.classList.toggle("nnw-negative", !whole && value < 0);
      // The line that leads from one bar to the next.
      setHidden(row.link, !adds || !finite || at === steps.length - 1);
      setAttribute(row.link, "style", `left: ${place(to)};`);
      const sign = !whole && value > 0 ? "+" : "";
      setText(row.number, `${sign}${format(value)}`);
      row.number.classList.toggle("nnw-bad", !Number.isFinite(value));
      const wide = kind === "feature" ? pane.spread?.[feature] : undefined;
      setText(
        row.spread,
        wide === undefined ? "" : words("ui.saliency.spread", { value: formatNumber(wide, 2) }),
      );
    });
    body.classList.toggle("nnw-fall-adds", adds);
    body.style.setProperty("--nnw-zero", place(0));
    setAttribute(body, "aria-label", title);
    const long = count > MOST + 1;
    setHidden(more.element, !long);
    more.set({
      label: all
        ? words("ui.saliency.table.fewer")
        : words("ui.saliency.table.all", { count: formatInteger(count) }),
    });
    setText(sentence, sumText(pane, adds));
  };

  const nameOf = ({ kind, feature, count }: Step, { features, baseline }: Pane): string => {
    if (kind === "feature") return featureName(features, feature, words);
    if (kind === "others") {
      return words("ui.saliency.table.others", { count: formatInteger(count) });
    }
    if (kind === "gap") return words("ui.saliency.table.gap");
    if (kind === "score") return words("ui.saliency.table.score");
    return words("ui.saliency.table.baseline", { baseline: baseline ?? "" });
  };

  const sumText = ({ sum, score, baselineScore, unit }: Pane, adds: boolean): string => {
    if (!adds || sum === null || score === null || baselineScore === null) {
      return words("ui.saliency.table.no_sum");
    }
    return words("ui.saliency.table.sum", {
      baseline: formatNumber(baselineScore),
      sum: formatSigned(sum),
      score: formatNumber(score),
      unit: words(`ui.saliency.unit.${unit}`),
    });
  };

  return {
    element,
    repaint() {},
    draw(drawn) {
      pane = drawn.pane;
      panes = drawn.panes;
      title = drawn.title;
      draw();
    },
  };
}
