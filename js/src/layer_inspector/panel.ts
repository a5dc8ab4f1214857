/** The picture of one layer: what it is of, how it is looked at, the blocks, what can be done. */

import type { Samples } from "../samples";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { menu } from "../ui/popup";
import type { JsonObject } from "../wire";
import { blockList, type LayerPicture, type Unit } from "./blocks";
import { panelActions } from "./panel_actions";
import { controls, OF_SAMPLES } from "./panel_controls";
import type { How, Live, ModuleRow, Source, Tree } from "./state";
import { tabs } from "./tabs";

export interface PanelInput {
  tree: Tree;
  live: Live | null;
  layer: LayerPicture | null;
  how: How | null;
  samples: Samples | null;
  /** What is chosen, whether or not the kernel has shown it yet. */
  selected: string;
  tab: string;
  sample: number;
  unit: Unit | null;
  source: Source;
  /** The picture is not, or not yet, the one that was asked for. */
  loading: boolean;
  reachable: boolean;
  busy: boolean;
}

export type ExportFormat = "png" | "svg" | "html";

export interface PanelHooks {
  act(action: string, args?: JsonObject): Promise<boolean>;
  pickUnit(unit: Unit | null): void;
  tab(tab: string): void;
  source(source: Source): void;
  save(format: ExportFormat): void;
  redraw(): void;
}

export interface Panel {
  element: HTMLElement;
  draw(input: PanelInput): void;
  repaint(): void;
}

const FORMATS: readonly ExportFormat[] = ["png", "svg", "html"];

/**
 * What the picture is of, in words: "1×32×14×14, probe sample 4 of 10 (sample_index 3), step 3,412".
 * Samples are counted from one; Python's index is said beside it, so that nobody takes one for the
 * other.
 */
export function captionOf(layer: LayerPicture, total: number, words: Words): string {
  const parts: string[] = [];
  if (layer.shape !== "") parts.push(layer.shape);
  if (OF_SAMPLES.includes(layer.tab)) {
    const of = layer.source === "batch" ? "batch" : "probe";
    const index = layer.sampleIndex;
    const params = { number: formatInteger(index + 1), total: formatInteger(total), index };
    parts.push(words(`ui.inspector.of.${of}`, params));
  }
  if (layer.step !== null) {
    const step = formatInteger(layer.step);
    const past = layer.source === "snapshot";
    parts.push(words(past ? "ui.inspector.step_kept" : "ui.step_at", { step }));
  }
  return parts.join(words("ui.inspector.comma"));
}

/** "6 · ReLU"; the whole name, because the tree may be closed. */
export function headingOf(name: string, row: ModuleRow | undefined): string {
  if (row === undefined) return name;
  return name === "" ? row.label : `${name} · ${row.type}`;
}

/** Whether no layer is chosen: the model itself has no name, and is one where it stands in the tree. */
function isNone(selected: string, tree: Tree): boolean {
  return selected === "" && !tree.byName.has("");
}

export function panel(words: Words, signal: AbortSignal, hooks: PanelHooks): Panel {
  let reachable = true;
  const name = h("span", { class: "nnw-layer-heading" });
  const caption = h("span", { class: "nnw-muted" });
  const heading = h("h3", { class: "nnw-layer-title" }, name, " ", caption);
  const how = controls(words, signal, hooks);
  const blocks = blockList(words, signal, hooks);
  const actions = panelActions(words, signal, hooks.act);
  const emptyText = h("p", { class: "nnw-empty-text" });
  const example = h("code", {}, "LayerInspector(model, sample)");
  const empty = h("div", { class: "nnw-empty" }, emptyText, example);
  const scroll = h("div", { class: "nnw-layer-scroll" }, blocks.element, actions.element);
  const content = h(
    "div",
    { class: "nnw-layer", role: "tabpanel", id: uniqueId("nnw-layer"), tabindex: 0 },
    h("div", { class: "nnw-layer-head" }, heading, how.element),
    empty,
    scroll,
  );
  const bar = tabs(words, signal, content, hooks.tab);
  const files = menu({
    label: words("ui.export"),
    items: FORMATS.map((format) => ({
      label: () => words(`ui.inspector.export.${format}`),
      enabled: () => reachable,
      onChoose: () => hooks.save(format),
    })),
    signal,
  });
  files.button.element.title = words("ui.export");
  const element = h(
    "section",
    { class: "nnw-panel-part", "aria-label": words("ui.inspector.panel") },
    h(
      "div",
      { class: "nnw-tabs-row" },
      bar.element,
      h("span", { class: "nnw-spring" }),
      files.element,
    ),
    content,
  );

  const sentence = ({ selected, tree, layer, samples, loading }: PanelInput): string => {
    if (isNone(selected, tree)) {
      return tree.rows.length === 0
        ? words("ui.inspector.empty.no_layers")
        : words("ui.inspector.empty.choose");
    }
    if ((layer?.blocks.length ?? 0) > 0) return "";
    if (loading) return words("ui.inspector.loading");
    return (samples?.count ?? 0) === 0
      ? words("ui.inspector.empty.no_sample")
      : words("ui.inspector.empty.nothing");
  };

  return {
    element,
    repaint: blocks.repaint,
    draw(input) {
      const { tree, layer, selected, tab, loading } = input;
      reachable = input.reachable;
      const row = tree.rows[tree.byName.get(selected) ?? -1];
      setText(name, headingOf(selected, row));
      const own = layer !== null && layer.name === selected;
      setText(
        caption,
        own ? captionOf(layer, input.samples?.count ?? 1, words) : (row?.shape ?? ""),
      );
      setAttribute(heading, "title", heading.textContent);
      bar.draw(tab, own ? layer.tabs : []);
      how.draw({ ...input, layer: own ? layer : null });
      const none = isNone(selected, tree);
      setHidden(how.element, none);
      const text = sentence(input);
      setText(emptyText, text);
      setHidden(empty, text === "");
      setHidden(example, loading || none || (input.samples?.count ?? 0) > 0);
      setHidden(scroll, text !== "");
      setAttribute(content, "aria-busy", String(loading));
      content.classList.toggle("nnw-loading", loading);
      blocks.draw(text === "" ? layer : null);
      actions.draw({ ...input, layer: own ? layer : null });
    },
  };
}
