/** How the question is put: by which method, at which layer, against what, compared with what. */

import { type ChooserItem, chooser } from "../ui/chooser";
import { button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { menu } from "../ui/popup";
import type { JsonObject } from "../wire";
import type { Choice, Comparison } from "./asking";
import { methodMenu } from "./method_menu";
import { methodHint, methodName, offered } from "./methods";
import { type Choices, COMPARED, type Compared, type Pane, type Picture } from "./state";

export interface BarInput {
  choices: Choices | null;
  picture: Picture | null;
  choice: Choice;
  reachable: boolean;
  /** Whether a click would do something. */
  can(action: string, args?: JsonObject): boolean;
}

export type ExportFormat = "png" | "svg" | "html";

export interface BarActions {
  method(method: string): void;
  layer(layer: string): void;
  baseline(name: string): void;
  slot(slot: number): void;
  compare(chosen: Comparison): void;
  save(format: ExportFormat): void;
}

export interface Bar {
  element: HTMLElement;
  draw(input: BarInput): void;
}

const item = (value: string, label: string): ChooserItem => ({ value, label });

const FORMATS: readonly ExportFormat[] = ["png", "svg", "html"];

export function bar(words: Words, signal: AbortSignal, actions: BarActions): Bar {
  let reachable = true;
  const methods = methodButtons(words, signal, actions.method);
  const list = (label: string, onChange: (value: string) => void) =>
    chooser({ label, signal, onChange });
  const layer = list(words("ui.saliency.layer"), actions.layer);
  const baseline = list(words("ui.saliency.baseline"), actions.baseline);
  const slot = list(words("ui.saliency.slot"), (value) => actions.slot(Number(value)));
  const compare = comparer(words, signal, actions.compare);
  const files = menu({
    label: words("ui.export"),
    items: FORMATS.map((format) => ({
      label: () => words(`ui.saliency.export.${format}`),
      enabled: () => reachable,
      onChoose: () => actions.save(format),
    })),
    signal,
  });
  const element = h(
    "div",
    { class: "nnw-question" },
    methods.element,
    h(
      "div",
      { class: "nnw-question-how" },
      slot.element,
      layer.element,
      baseline.element,
      compare.element,
      files.element,
    ),
  );

  return {
    element,
    draw(input) {
      const { choices, choice, picture, can } = input;
      reachable = input.reachable;
      const uses = choices?.uses.get(choice.method);
      const pane = picture?.panes[0];
      methods.draw(choices, choice.method, (method) => can("method", { method }));
      const slots = (pane?.slots ?? []).map((name, place) => item(String(place), name));
      setHidden(slot.element, slots.length < 2);
      slot.draw(slots, String(choice.slot), reachable);
      const layers = (choices?.layers ?? []).map(({ name, type, shape }) =>
        item(name, `${name} · ${type}${shape === "" ? "" : ` ${shape}`}`),
      );
      // Whatever the method, the one that was used can be read.
      const used = choice.layer || (pane?.layer ?? "");
      setHidden(layer.element, uses?.layer !== true || layers.length === 0);
      layer.draw(layers, used, reachable);
      const baselines = (choices?.baselines ?? []).map(({ name, label }) => item(name, label));
      // Until the first map has come nobody knows which one it is.
      const known = baselines.some(({ value }) => value === choice.baseline);
      if (!known) baselines.unshift(item(choice.baseline, choice.baseline || "…"));
      setHidden(baseline.element, uses?.baseline !== true || (baselines.length === 1 && !known));
      baseline.draw(baselines, choice.baseline, reachable);
      compare.draw(input);
      files.button.set({ disabled: !reachable });
    },
  };
}

/** The first methods as buttons of which one is pressed, and the others in a menu. */
function methodButtons(words: Words, signal: AbortSignal, choose: (method: string) => void) {
  const group = h("div", {
    class: "nnw-segmented",
    role: "group",
    "aria-label": words("ui.saliency.methods"),
  });
  const more = methodMenu(words, signal, choose);
  let buttons: ReturnType<typeof button>[] = [];
  let shown = "";
  return {
    element: h("div", { class: "nnw-question-methods" }, group, more.element),
    draw(choices: Choices | null, chosen: string, can: (method: string) => boolean) {
      const { bar: first, more: rest } =
        choices === null ? { bar: [], more: [] } : offered(choices, chosen);
      const key = first.join("\n");
      if (key !== shown) {
        shown = key;
        buttons = first.map((method) =>
          button({
            label: methodName(method, words),
            title: methodHint(method, words),
            kind: "segment",
            signal,
            onClick: () => choose(method),
          }),
        );
        group.replaceChildren(...buttons.map(({ element }) => element));
      }
      setHidden(group, first.length === 0);
      buttons.forEach(({ set }, index) => {
        const method = first[index] ?? "";
        set({ pressed: method === chosen, disabled: method !== chosen && !can(method) });
      });
      more.draw({ more: rest, unavailable: choices?.unavailable ?? [], chosen, can });
    },
  };
}

/** "Compare": with what, and with which of them. */
function comparer(words: Words, signal: AbortSignal, choose: (chosen: Comparison) => void) {
  let values = new Map<Compared, ChooserItem[]>();
  let now: Comparison = { by: null, value: null };
  let of: readonly [Choices | null, Pane | undefined] | null = null;
  const typed = (by: Compared, value: string): string | number =>
    by === "target" || by === "step" ? Number(value) : value;
  const compareBy = (value: string): void => {
    const kind = COMPARED.find((one) => one === value) ?? null;
    const first = kind === null ? undefined : values.get(kind)?.[0];
    if (kind === null || first === undefined) choose({ by: null, value: null });
    else choose({ by: kind, value: typed(kind, first.value) });
  };
  const by = chooser({
    label: words("ui.saliency.compare"),
    hint: words("ui.saliency.compare.hint"),
    signal,
    onChange: compareBy,
  });
  const which = chooser({
    label: words("ui.saliency.compare.with"),
    signal,
    onChange(value) {
      if (now.by !== null) choose({ by: now.by, value: typed(now.by, value) });
    },
  });
  which.element.firstElementChild?.classList.add("nnw-spoken");
  return {
    element: h("div", { class: "nnw-compare" }, by.element, which.element),
    draw({ choices, picture, choice, reachable }: BarInput) {
      now = choice.compare;
      const pane = picture?.panes[0];
      if (of === null || of[0] !== choices || of[1] !== pane) {
        values = comparable(choices, pane, words);
      }
      of = [choices, pane];
      const kinds = COMPARED.filter((one) => (values.get(one)?.length ?? 0) > 0);
      by.draw(
        [
          item("", words("ui.saliency.compare.nothing")),
          ...kinds.map((one) => item(one, words(`ui.saliency.compare.${one}`))),
        ],
        now.by ?? "",
        reachable,
      );
      setHidden(which.element, now.by === null);
      if (now.by !== null) which.draw(values.get(now.by) ?? [], String(now.value), reachable);
    },
  };
}

/** What the map can be put beside, the most telling first. */
export function comparable(
  choices: Choices | null,
  pane: Pane | undefined,
  words: Words,
): Map<Compared, ChooserItem[]> {
  if (choices === null || pane === undefined) return new Map();
  const { outputs } = pane;
  const named = pane.classes.length > 0 ? pane.classes : choices.classes;
  const count = Math.max(named.length, outputs.length);
  const classes = Array.from({ length: count }, (_, index) => named[index] ?? String(index));
  const size = (index: number) => outputs[index] ?? Number.NEGATIVE_INFINITY;
  return new Map<Compared, ChooserItem[]>([
    [
      "method",
      choices.methods
        .filter((method) => method !== pane.method)
        .map((method) => item(method, methodName(method, words))),
    ],
    [
      "target",
      classes
        .map((name, index): [number, string] => [index, name])
        .filter(([index]) => index !== pane.target)
        .sort(([a], [b]) => size(b) - size(a) || a - b)
        .map(([index, name]) => item(String(index), name)),
    ],
    [
      "step",
      choices.steps
        .filter((step) => step !== pane.step)
        .map((step) => item(String(step), words("ui.step_at", { step: formatInteger(step) }))),
    ],
    [
      "checkpoint",
      choices.checkpoints
        .filter((name) => name !== pane.checkpoint)
        .map((name) => item(name, name)),
    ],
  ]);
}
