/** How the space is shown: which view of it, along which features, the others held where. */

import { chooser } from "../ui/chooser";
import { type Button, button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import type { Words } from "../ui/i18n";
import { menu } from "../ui/popup";
import type { JsonObject } from "../wire";
import type { Choice } from "./asking";
import { type HeldActions, heldPanel } from "./held";
import type { Choices, View } from "./state";

export type ExportFormat = "png" | "svg" | "html";

export interface BarInput {
  choices: Choices | null;
  choice: Choice;
  reachable: boolean;
  /** Whether a click would do something. */
  can(action: string, args?: JsonObject, given?: JsonObject): boolean;
}

export interface BarActions extends HeldActions {
  view(view: View): void;
  /** @param first the view in which one is shown alone, if another is shown now */
  interest(interest: number | null, first: View | null): void;
  axes(x: number, y: number): void;
  projection(projection: string): void;
  uncertainty(uncertainty: string | null): void;
  whole(): void;
  save(format: ExportFormat): void;
}

export interface Bar {
  element: HTMLElement;
  draw(input: BarInput): void;
}

const FORMATS: readonly ExportFormat[] = ["png", "svg", "html"];

export function bar(words: Words, signal: AbortSignal, actions: BarActions): Bar {
  let reachable = true;
  let axes: readonly [number, number] = [0, 1];
  /** One class alone is shown by its probability: that view comes first. */
  let first: View | null = null;
  const views = viewButtons(words, signal, actions.view);
  const interest = chooser({
    label: words("ui.boundary.interest"),
    hint: words("ui.boundary.interest.hint"),
    signal,
    onChange: (value) => actions.interest(value === "" ? null : Number(value), first),
  });
  const uncertain = chooser({
    label: words("ui.boundary.uncertain"),
    hint: words("ui.boundary.uncertain.hint"),
    signal,
    onChange: (value) => actions.uncertainty(value === "" ? null : value),
  });
  const projection = chooser({
    label: words("ui.boundary.projection"),
    signal,
    onChange: actions.projection,
  });
  /** The feature that the other axis shows changes places with it. */
  const along = (which: 0 | 1) => (value: string) => {
    const other = axes[1 - which] as number;
    const column = Number(value);
    const left = other === column ? (axes[which] as number) : other;
    if (which === 0) actions.axes(column, left);
    else actions.axes(left, column);
  };
  const across = chooser({
    label: words("ui.boundary.axes"),
    name: words("ui.boundary.axes.x"),
    signal,
    onChange: along(0),
  });
  const up = chooser({
    label: "×",
    name: words("ui.boundary.axes.y"),
    signal,
    onChange: along(1),
  });
  const plane = h("div", { class: "nnw-axes" }, across.element, up.element);
  const held = heldPanel(words, signal, actions);
  const whole = button({
    label: words("ui.boundary.zoom.whole"),
    icon: "whole",
    signal,
    onClick: actions.whole,
  });
  const files = menu({
    label: words("ui.export"),
    items: FORMATS.map((format) => ({
      label: () => words(`ui.boundary.export.${format}`),
      enabled: () => reachable,
      onChoose: () => actions.save(format),
    })),
    signal,
  });
  const element = h(
    "div",
    { class: "nnw-how" },
    views.element,
    interest.element,
    uncertain.element,
    // What the axes are goes to the next line as a whole, and leaves no Export there alone.
    h(
      "div",
      { class: "nnw-how-plane" },
      projection.element,
      plane,
      held.element,
      whole.element,
      files.element,
    ),
  );

  return {
    element,
    draw(input) {
      const { choices, choice, can } = input;
      reachable = input.reachable;
      axes = choice.axes ?? axes;
      views.draw(choices?.views ?? [], choice.view, (view) => can("view", { view }));
      drawInterest(input);
      const ways = choices?.uncertainties ?? [];
      setHidden(uncertain.element, ways.length === 0);
      uncertain.draw(
        [
          { value: "", label: words("ui.boundary.uncertain.none") },
          ...ways.map(({ name, label, problem }) => ({ value: name, label, problem })),
        ],
        choice.uncertain ?? "",
        reachable,
      );
      const projections = choices?.projections ?? [];
      setHidden(projection.element, projections.length < 2);
      projection.draw(
        projections.map(({ name, label }) => ({ value: name, label })),
        choice.projection,
        reachable,
      );
      const features = choices?.features ?? [];
      // Two features are the picture itself: there is nothing to choose.
      setHidden(plane, choice.axes === null || features.length < 3);
      const columns = features.map((label, column) => ({ value: String(column), label }));
      across.draw(columns, String(axes[0]), reachable);
      up.draw(columns, String(axes[1]), reachable);
      held.draw(input);
      setHidden(whole.element, choices?.zoomed !== true);
      whole.set({ disabled: !reachable });
      files.button.set({ disabled: !reachable });
    },
  };

  function drawInterest({ choices, choice, can }: BarInput): void {
    const values = choices?.kind === "values";
    const count = values ? (choices?.outputs ?? 1) : (choices?.classes.length ?? 0);
    const alone = values || choices?.views.includes("probability") === true;
    setHidden(interest.element, !alone || count < 2);
    if (!alone || count < 2) return;
    first = values || choice.view === "probability" ? null : "probability";
    const shown = first !== null ? null : (choice.interest ?? (values ? 0 : null));
    const given: JsonObject = first === null ? {} : { view: first };
    const item = (one: number | null, label: string) => ({
      value: String(one ?? ""),
      label,
      disabled: one !== shown && !can("interest", { interest: one }, given),
    });
    const items = Array.from({ length: count }, (_, place) =>
      item(place, choices?.classes[place] ?? words("ui.boundary.output", { number: place })),
    );
    if (!values) items.unshift(item(null, words("ui.boundary.interest.all")));
    const usable = items.some(({ value, disabled }) => value !== String(shown ?? "") && !disabled);
    interest.draw(items, String(shown ?? ""), usable);
  }
}

/** The views that apply, of which one is pressed. */
function viewButtons(words: Words, signal: AbortSignal, choose: (view: View) => void) {
  const element = h("div", {
    class: "nnw-segmented",
    role: "group",
    "aria-label": words("ui.boundary.views"),
  });
  let buttons: Button[] = [];
  let shown = "";
  return {
    element,
    draw(views: readonly View[], chosen: View, can: (view: View) => boolean) {
      const key = views.join();
      if (key !== shown) {
        shown = key;
        buttons = views.map((view) =>
          button({
            label: words(`ui.boundary.view.${view}`),
            title: words(`ui.boundary.view_hint.${view}`),
            kind: "segment",
            signal,
            onClick: () => choose(view),
          }),
        );
        element.replaceChildren(...buttons.map((one) => one.element));
      }
      setHidden(element, views.length < 2);
      buttons.forEach(({ set }, index) => {
        const view = views[index] as View;
        set({ pressed: view === chosen, disabled: view !== chosen && !can(view) });
      });
    },
  };
}
