/** How a layer is looked at: sorted how, which unit, which call, on which inputs, which way. */

import { button, segmented } from "../ui/controls";
import { h, setAttribute, setHidden } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { JsonObject } from "../wire";
import type { LayerPicture, Unit } from "./blocks";
import type { BlockData } from "./blocks/types";
import { PART_ACTIONS, partsOf } from "./parts";
import type { How, Source } from "./state";

export interface ControlsInput {
  layer: LayerPicture | null;
  how: How | null;
  tab: string;
  source: Source;
  unit: Unit | null;
  reachable: boolean;
}

export interface ControlActions {
  act(action: string, args?: JsonObject): Promise<boolean>;
  pickUnit(unit: Unit | null): void;
  source(source: Source): void;
}

export interface Controls {
  element: HTMLElement;
  draw(input: ControlsInput): void;
}

const SORTS = ["index", "activity", "variance", "contribution"] as const;
/** Filters are sorted by their size, whatever is asked for but their number. */
const FILTER_SORTS = ["index", "norm"] as const;
/** Blocks whose units can be sorted. */
const SORTABLE: readonly string[] = ["maps", "bars"];
/** Tabs that show what single inputs do in the layer. */
export const OF_SAMPLES: readonly string[] = ["activations", "contributions"];

/** A unit as it is written and typed: "23", "23, 4, 5". */
export function unitText(unit: Unit | null): string {
  if (unit === null) return "";
  return typeof unit === "number" ? String(unit) : unit.join(", ");
}

/** Reads what `unitText` writes; null for nothing, undefined for what is no unit. */
export function readTyped(text: string): Unit | null | undefined {
  if (text.trim() === "") return null;
  const parts = text
    .trim()
    .replace(/^[([]|[)\]]$/g, "")
    .split(/\s*[,;\s]\s*/);
  if (!parts.every((part) => /^\d{1,9}$/.test(part))) return undefined;
  const [first = 0, ...rest] = parts.map(Number);
  return rest.length === 0 ? first : [first, ...rest];
}

export function controls(words: Words, signal: AbortSignal, actions: ControlActions): Controls {
  const sort = chooser(words("ui.inspector.sort"), signal, (by) =>
    actions.act("sort", { by: by === "norm" ? "activity" : by }),
  );
  const call = chooser(words("ui.inspector.call"), signal, (index) =>
    actions.act("call", { index: Number(index) }),
  );
  const parts = PART_ACTIONS.map((action) => ({
    action,
    chooser: chooser(words(`ui.inspector.part.${action}`), signal, (index) =>
      actions.act(action, { index: Number(index) }),
    ),
  }));
  const unit = unitField(words, signal, actions.pickUnit);
  const source = switcher(
    words("ui.inspector.source"),
    (["probe", "batch"] as const).map((value) => ({
      value,
      label: words(`ui.inspector.source.${value}`),
      title: words(`ui.inspector.source.${value}.hint`),
    })),
    signal,
    (value) => actions.source(value === "batch" ? "batch" : "probe"),
  );
  const direction = switcher(
    words("ui.inspector.direction"),
    (["forward", "backward"] as const).map((value) => ({
      value,
      label: words(`ui.inspector.direction.${value}`),
      title: words(`ui.inspector.direction.${value}.hint`),
    })),
    signal,
    (value) => void actions.act("direction", { direction: value }),
  );
  const element = h(
    "div",
    { class: "nnw-layer-controls" },
    direction.element,
    source.element,
    call.element,
    ...parts.map(({ chooser: { element } }) => element),
    unit.element,
    sort.element,
  );

  return {
    element,
    draw({ layer, how, tab, source: inputs, unit: chosen, reachable }) {
      const same = layer?.tab === tab;
      const sortable = same && layer.blocks.some(({ kind }) => SORTABLE.includes(kind));
      const filters = same && tab !== "activations" && layer.blocks.some(isOfFilters);
      const asked = layer?.sort ?? "";
      setHidden(sort.element, asked === "" || !(filters || (sortable && tab === "activations")));
      sort.draw(
        (filters ? FILTER_SORTS : SORTS).map((by) => [by, words(`ui.inspector.sort.${by}`)]),
        filters && asked !== "index" ? "norm" : asked,
        reachable,
      );
      const calls = layer?.calls ?? 1;
      setHidden(call.element, calls < 2 || tab === "weights" || tab === "history");
      const places = Array.from({ length: Math.min(calls, 256) }, (_, index): [string, string] => [
        String(index),
        words("ui.inspector.call.of", {
          number: formatInteger(index + 1),
          count: formatInteger(calls),
        }),
      ]);
      call.draw(places, String(how?.call ?? 0), reachable);
      const offered = same ? partsOf(layer.blocks) : [];
      for (const { action, chooser: list } of parts) {
        const part = offered.find((one) => one.action === action);
        setHidden(list.element, part === undefined);
        if (part === undefined) continue;
        const names = part.names.map((name, index): [string, string] => [String(index), name]);
        list.draw(names, String(part.shown), reachable);
      }
      setHidden(unit.element, tab !== "contributions" && tab !== "feature");
      unit.draw(chosen, reachable);
      setHidden(source.element, tab !== "activations");
      source.draw(inputs, reachable);
      setHidden(direction.element, tab !== "contributions");
      direction.draw(how?.backward ? "backward" : "forward", reachable);
    },
  };
}

/** Whether a picture is of filters, in an order that can be chosen. */
const isOfFilters = ({ kind, meta }: BlockData): boolean =>
  kind === "maps" && meta.units !== false && (meta.sort === "index" || meta.sort === "norm");

/** A list whose choices change with the layer. */
function chooser(label: string, signal: AbortSignal, onChange: (value: string) => unknown) {
  const list = h("select", { class: "nnw-select", "aria-label": label });
  list.addEventListener("change", () => void onChange(list.value), { signal });
  const element = h(
    "label",
    { class: "nnw-field" },
    h("span", { class: "nnw-muted" }, label),
    list,
  );
  let shown = "";
  return {
    element,
    draw(choices: readonly [string, string][], value: string, reachable: boolean) {
      const key = JSON.stringify(choices);
      if (key !== shown) {
        shown = key;
        list.replaceChildren(...choices.map(([name, text]) => h("option", { value: name }, text)));
      }
      if (list.value !== value) list.value = value;
      list.disabled = !reachable;
    },
  };
}

/** Buttons of which one is pressed. */
function switcher(
  label: string,
  choices: readonly { value: string; label: string; title: string }[],
  signal: AbortSignal,
  onChoose: (value: string) => void,
) {
  const buttons = choices.map((choice) =>
    button({
      label: choice.label,
      title: choice.title,
      kind: "segment",
      signal,
      onClick: () => onChoose(choice.value),
    }),
  );
  return {
    element: segmented(label, buttons),
    draw(value: string, reachable: boolean) {
      buttons.forEach(({ set }, index) => {
        set({ pressed: choices[index]?.value === value, disabled: !reachable });
      });
    },
  };
}

/** The chosen unit as a number to read and to type. */
function unitField(words: Words, signal: AbortSignal, pick: (unit: Unit | null) => void) {
  const field = h("input", {
    type: "text",
    class: "nnw-unit-field",
    inputmode: "numeric",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: words("ui.inspector.choose_unit.none"),
    "aria-label": words("ui.inspector.choose_unit"),
    title: words("ui.inspector.choose_unit.hint"),
  });
  let shown: Unit | null = null;
  const send = () => {
    const unit = readTyped(field.value);
    setAttribute(field, "aria-invalid", unit === undefined ? "true" : null);
    if (unit === undefined || unitText(unit) === unitText(shown)) return;
    pick(unit);
  };
  field.addEventListener("change", send, { signal });
  field.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape") field.value = unitText(shown);
    },
    { signal },
  );
  return {
    element: h(
      "label",
      { class: "nnw-field" },
      h("span", { class: "nnw-muted" }, words("ui.inspector.choose_unit")),
      field,
    ),
    draw(unit: Unit | null, reachable: boolean) {
      shown = unit;
      const active = (field.getRootNode() as Document | ShadowRoot).activeElement;
      if (active !== field) {
        field.value = unitText(unit);
        setAttribute(field, "aria-invalid", null);
      }
      field.disabled = !reachable;
    },
  };
}
