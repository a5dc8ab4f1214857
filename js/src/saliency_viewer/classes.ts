/** What the model answers, class by class; a click asks about another one. */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { evenFormat } from "../ui/even_format";
import { formatInteger, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { JsonObject, NumberArray } from "../wire";
import type { Choice } from "./asking";
import type { Pane } from "./state";

/** Classes that are listed; of more, those with the largest values and the one asked about. */
const MOST = 12;

export interface ClassesInput {
  pane: Pane;
  choice: Choice;
  can(action: string, args?: JsonObject): boolean;
}

export interface Classes {
  element: HTMLElement;
  draw(input: ClassesInput): void;
}

interface Row {
  button: HTMLButtonElement;
  name: HTMLElement;
  bar: HTMLElement;
  number: HTMLElement;
}

/** The places that are listed, in their own order. */
export function listed(values: NumberArray, count: number, asked: number | null): number[] {
  const places = Array.from({ length: count }, (_, place) => place);
  if (count <= MOST) return places;
  const size = (place: number): number => {
    const value = values[place] ?? Number.NEGATIVE_INFINITY;
    // What is not finite must not be hidden.
    return place === asked || !Number.isFinite(value) ? Number.POSITIVE_INFINITY : value;
  };
  return places
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, MOST)
    .sort((a, b) => a - b);
}

export function classes(
  words: Words,
  signal: AbortSignal,
  choose: (target: number | null) => void,
): Classes {
  const heading = h("h3", { class: "nnw-part-title", id: uniqueId("nnw-classes") });
  const note = h("span", { class: "nnw-muted" });
  const back = button({
    label: words("ui.saliency.classes.predicted"),
    kind: "plain",
    title: words("ui.saliency.classes.predicted.hint"),
    signal,
    onClick: () => choose(null),
  });
  const rows = h("ul", { class: "nnw-classes" });
  const other = h("select", {
    class: "nnw-select",
    "aria-label": words("ui.saliency.classes.other"),
  });
  const element = h(
    "section",
    { class: "nnw-answer", "aria-labelledby": heading.id },
    h("div", { class: "nnw-part-head" }, heading, note),
    rows,
    other,
    back.element,
  );
  const made: Row[] = [];
  let places: number[] = [];
  let names = "";

  rows.addEventListener(
    "click",
    (event) => {
      const at = made.findIndex(({ button: row }) => row.contains(event.target as Node));
      const place = places[at];
      if (place !== undefined && made[at]?.button.getAttribute("aria-disabled") !== "true") {
        choose(place);
      }
    },
    { signal },
  );
  rows.addEventListener(
    "keydown",
    (event) => {
      const at = made.findIndex(({ button: row }) => row === event.target);
      const moves: Record<string, number> = {
        ArrowDown: at + 1,
        ArrowUp: at - 1,
        Home: 0,
        End: made.length - 1,
      };
      const move = moves[event.key];
      if (at < 0 || move === undefined) return;
      event.preventDefault();
      made[(move + made.length) % made.length]?.button.focus();
    },
    { signal },
  );
  other.addEventListener("change", () => choose(Number(other.value)), { signal });

  const add = (): Row => {
    const [name, bar, number] = [
      h("span", { class: "nnw-class-name" }),
      h("span", { class: "nnw-class-bar" }),
      h("span", { class: "nnw-class-number" }),
    ];
    const track = h("span", { class: "nnw-class-track", "aria-hidden": "true" }, bar);
    const row = h("button", { type: "button", class: "nnw-class" }, name, track, number);
    rows.append(h("li", {}, row));
    return { button: row, name, bar, number };
  };

  return {
    element,
    draw({ pane, choice, can }) {
      const { outputs, unit } = pane;
      const count = Math.max(outputs.length, pane.classes.length);
      const probable = unit !== "value" && isDistribution(outputs);
      setText(heading, words(count > 1 ? "ui.saliency.classes" : "ui.saliency.output"));
      const asked = choice.target ?? pane.target;
      places = listed(outputs, count, asked);
      const values = places.map((place) => outputs[place] ?? Number.NaN);
      const scaled = probable ? values.map((value) => 100 * value) : values;
      const format = probable
        ? (value: number) =>
            Number.isFinite(value) ? `${value.toFixed(1)}\u202f%` : formatNumber(value)
        : evenFormat(values);
      const finite = values.filter(Number.isFinite);
      const low = probable ? 0 : Math.min(0, ...finite);
      const span = (probable ? 1 : Math.max(0, ...finite)) - low || 1;
      while (made.length < places.length) made.push(add());
      for (const surplus of made.splice(places.length)) surplus.button.parentElement?.remove();
      const chosen = Math.max(0, places.indexOf(asked ?? -1));
      made.forEach((row, at) => {
        const place = places[at] ?? 0;
        const value = values[at] ?? Number.NaN;
        const name = pane.classes[place] ?? (count > 1 ? String(place) : pane.targetName);
        setText(row.name, name);
        setAttribute(row.name, "title", name);
        setText(row.number, format(scaled[at] ?? Number.NaN));
        row.number.classList.toggle("nnw-bad", !Number.isFinite(value));
        const [from, to] = Number.isFinite(value)
          ? [Math.min(0, value), Math.max(0, value)]
          : [0, 0];
        const left = (100 * (from - low)) / span;
        setAttribute(
          row.bar,
          "style",
          `left: ${left.toFixed(2)}%; width: ${((100 * (to - from)) / span).toFixed(2)}%;`,
        );
        setAttribute(row.button, "aria-pressed", count > 1 && String(place === asked));
        setAttribute(row.button, "tabindex", at === chosen ? 0 : -1);
        const usable = count > 1 && (place === asked || can("target", { target: place }));
        setAttribute(row.button, "aria-disabled", usable ? null : "true");
      });
      setText(
        note,
        [
          probable ? "%" : "",
          places.length < count
            ? words("ui.saliency.classes.shown", {
                shown: places.length,
                all: formatInteger(count),
              })
            : "",
        ]
          .filter((part) => part !== "")
          .join(" · "),
      );
      setHidden(back.element, choice.target === null || !can("target", { target: null }));
      drawOther(pane, count, asked, can("target", { target: asked }));
    },
  };

  /** All classes by name, where not all are listed. */
  function drawOther(pane: Pane, count: number, asked: number | null, usable: boolean): void {
    setHidden(other, count <= MOST);
    if (count <= MOST) return;
    const key = JSON.stringify(pane.classes);
    if (key !== names || other.options.length !== count) {
      names = key;
      other.replaceChildren(
        ...Array.from({ length: count }, (_, place) =>
          h("option", { value: place }, pane.classes[place] ?? String(place)),
        ),
      );
    }
    other.value = String(asked);
    other.disabled = !usable;
  }
}

/** Whether the numbers are shares of one whole, or each a share on its own. */
function isDistribution(values: NumberArray): boolean {
  return values.every((value) => !(value < 0) && !(value > 1.0001));
}
