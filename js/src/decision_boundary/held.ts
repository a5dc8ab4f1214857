/** "Held fixed": where the features are that are not plotted, each with a slider. */

import { chooser } from "../ui/chooser";
import { button } from "../ui/controls";
import { h, setHidden, setText } from "../ui/dom";
import { formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { type Slider, slider } from "../ui/slider";
import type { BarInput } from "./bar";
import { drawer } from "./drawer";
import type { Held, Others } from "./state";

export interface HeldActions {
  hold(column: number, value: number): void;
  /** Where a feature is held, given what the kernel reports. */
  heldAt(column: number, reported: number): number;
  others(others: Others, sample: number | null): void;
}

export interface HeldPanel {
  element: HTMLElement;
  draw(input: BarInput): void;
}

/** Steps of a slider. */
const STEPS = 200;
const KNOWN: readonly Others[] = ["median", "mean", "sample"];

interface Row {
  column: number;
  element: HTMLElement;
  slider: Slider;
}

export function heldPanel(words: Words, signal: AbortSignal, actions: HeldActions): HeldPanel {
  const number = h("input", {
    type: "number",
    class: "nnw-select nnw-number",
    min: 0,
    step: 1,
    "aria-label": words("ui.boundary.held.number"),
  });
  const where = chooser({
    label: words("ui.boundary.held.at"),
    signal,
    onChange: () => choose(),
  });
  const sampleAsked = (): number => Math.max(0, Math.round(number.valueAsNumber || 0));
  const choose = (): void => {
    const others = KNOWN.find((one) => one === where.list.value);
    if (others !== undefined) actions.others(others, others === "sample" ? sampleAsked() : null);
  };
  number.addEventListener("change", () => actions.others("sample", sampleAsked()), { signal });
  // A slider leaves the choice as it is, so the list alone could not lead back to it.
  const again = button({
    label: words("ui.boundary.held.again"),
    kind: "plain",
    signal,
    onClick: () => choose(),
  });
  const rows = h("div", { class: "nnw-held-rows" });
  const note = h("p", { class: "nnw-muted" });
  const { element, panel, opener } = drawer(words("ui.boundary.held"), signal, {
    hint: words("ui.boundary.held.hint"),
  });
  panel.classList.add("nnw-held");
  panel.append(
    h("div", { class: "nnw-held-head" }, where.element, number, again.element),
    rows,
    note,
  );
  let made: Row[] = [];
  let of = "";

  const build = (held: readonly Held[]): void => {
    const key = JSON.stringify(
      held.map(({ column, name, low, high }) => [column, name, low, high]),
    );
    if (key === of) return;
    of = key;
    made = held.map(({ column, name, value, low, high }) => {
      const end = high > low ? high : low + 1;
      const one = slider({
        label: name,
        min: low,
        max: end,
        step: (end - low) / STEPS,
        value,
        showLabel: false,
        valueWidth: 8,
        format: (now) => formatNumber(now),
        signal,
        onInput: (now) => actions.hold(column, now),
      });
      const label = h("span", { class: "nnw-held-name", title: name, "aria-hidden": "true" }, name);
      return {
        column,
        slider: one,
        element: h("div", { class: "nnw-held-row" }, label, one.element),
      };
    });
    rows.replaceChildren(...made.map((row) => row.element));
  };

  return {
    element,
    draw({ choices, choice, reachable }) {
      const held = choices?.held ?? [];
      setHidden(element, held.length === 0 || choice.axes === null);
      build(held);
      const { others, sample } = choice.others;
      const given = others === "given" ? [others] : [];
      where.draw(
        [...KNOWN, ...given].map((value) => ({
          value,
          label: words(`ui.boundary.held.${value}`),
        })),
        others,
        reachable,
      );
      setHidden(number, others !== "sample");
      number.max = String(Math.max(0, (choices?.samples ?? 0) - 1));
      number.disabled = !reachable;
      if (sample !== null && document.activeElement !== number) number.value = String(sample);
      again.set({ disabled: !reachable });
      made.forEach((row, at) => {
        row.slider.set(actions.heldAt(row.column, held[at]?.value ?? 0));
        row.slider.setDisabled(!reachable);
      });
      const features = choices?.features.length ?? 0;
      const more = features - 2 - held.length;
      setText(note, more > 0 ? words("ui.boundary.held.more", { count: more }) : "");
      setHidden(note, more <= 0);
      opener.set({ disabled: held.length === 0 });
    },
  };
}
