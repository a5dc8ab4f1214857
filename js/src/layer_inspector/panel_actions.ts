/** What can be done with a layer: switch parts of it off, or look for what drives a unit. */

import { button } from "../ui/controls";
import { h, setHidden, setText } from "../ui/dom";
import type { Words } from "../ui/i18n";
import type { JsonObject } from "../wire";
import type { LayerPicture, Unit } from "./blocks";
import { unitText } from "./panel_controls";
import type { How } from "./state";

export interface ActionsInput {
  layer: LayerPicture | null;
  how: How | null;
  tab: string;
  unit: Unit | null;
  reachable: boolean;
  /** The kernel is at something that takes long. */
  busy: boolean;
}

export interface PanelActions {
  element: HTMLElement;
  draw(input: ActionsInput): void;
}

/** The channel, feature or unit that an index into the output belongs to. */
export function unitOf(unit: Unit | null): number | null {
  return typeof unit === "number" ? unit : (unit?.[0] ?? null);
}

export function panelActions(
  words: Words,
  signal: AbortSignal,
  act: (action: string, args?: JsonObject) => Promise<boolean>,
): PanelActions {
  let off: number[] = [];
  let chosen: number | null = null;
  const make = (label: string, onClick: () => void) => button({ label, signal, onClick });
  const unitOff = make("", () => {
    if (chosen === null) return;
    const units = off.includes(chosen) ? off.filter((unit) => unit !== chosen) : [...off, chosen];
    if (units.length === 0) void act("restore");
    else void act("ablate", { units });
  });
  const layerOff = make(
    words("ui.inspector.ablate.layer"),
    () => void act("ablate", { units: null }),
  );
  const restore = make(words("ui.inspector.restore"), () => void act("restore"));
  const said = h("span", { class: "nnw-muted" });
  const ablation = h(
    "div",
    { class: "nnw-layer-actions", role: "group", "aria-label": words("ui.inspector.ablate") },
    said,
    unitOff.element,
    layerOff.element,
    restore.element,
  );
  const feature = make(words("ui.inspector.seek.input"), () => void act("feature"));
  const best = make(words("ui.inspector.seek.samples"), () => void act("best_samples"));
  const search = h(
    "div",
    { class: "nnw-layer-actions", role: "group", "aria-label": words("ui.inspector.tab.feature") },
    best.element,
    feature.element,
  );
  const element = h("div", { class: "nnw-layer-actions-part" }, ablation, search);

  return {
    element,
    draw({ layer, how, tab, unit, reachable, busy }) {
      const same = layer !== null && layer.tab === tab && layer.blocks.length > 0;
      const ablating = same && tab === "activations" && layer.source !== "batch";
      const searching = same && tab === "feature";
      setHidden(element, !ablating && !searching);
      setHidden(ablation, !ablating);
      setHidden(search, !searching);
      const ablated = how?.ablated ?? null;
      off = Array.isArray(ablated) ? ablated : [];
      chosen = unitOf(unit);
      const params = { unit: chosen === null ? "" : unitText(chosen) };
      const again = chosen !== null && off.includes(chosen);
      unitOff.set({
        label:
          chosen === null
            ? words("ui.inspector.ablate.unit")
            : words(again ? "ui.inspector.restore.unit" : "ui.inspector.ablate.this", params),
        disabled: chosen === null || ablated === "layer" || !reachable,
      });
      layerOff.set({ disabled: ablated === "layer" || !reachable });
      restore.set({ disabled: ablated === null || !reachable });
      const sentence =
        ablated === null
          ? words("ui.inspector.ablate.none")
          : ablated === "layer"
            ? words("ui.inspector.ablate.all_off")
            : ablated === "some"
              ? words("ui.inspector.ablate.some")
              : words("ui.inspector.ablate.off", { units: off.join(", ") });
      setText(said, sentence);
      feature.set({ disabled: chosen === null || busy || !reachable });
      best.set({ disabled: chosen === null || busy || !reachable });
    },
  };
}
