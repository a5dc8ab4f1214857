/** "Hidden units": a layer to choose, and what each of its units does all over the picture. */

import { chooser } from "../ui/chooser";
import { h, setHidden } from "../ui/dom";
import type { StageContext } from "../ui/stage";
import { unitStrip } from "./picture/units";
import { say } from "./section";
import type { Choices, Units } from "./state";

export interface UnitsInput {
  units: Units | null;
  choices: Choices | null;
  layer: string | null;
  unit: number | null;
  reachable: boolean;
  /** Something is still to come from the kernel. */
  awaited: boolean;
}

export interface UnitsPart {
  element: HTMLElement;
  draw(input: UnitsInput): void;
  repaint(): void;
}

export function unitsPart(
  context: StageContext,
  actions: { layer(layer: string | null): void; unit(unit: number | null): void },
): UnitsPart {
  const { words, signal } = context;
  const layers = chooser({
    label: words("ui.boundary.units"),
    hint: words("ui.boundary.units.hint"),
    signal,
    onChange: (value) => actions.layer(value === "" ? null : value),
  });
  const strip = unitStrip({ ...context, enlarge: actions.unit });
  const note = h("span", { class: "nnw-muted" });
  const element = h("div", { class: "nnw-units" }, layers.element, note, strip.element);
  return {
    element,
    draw({ units, choices, layer, unit, reachable, awaited }) {
      const all = choices?.layers ?? [];
      setHidden(element, all.length === 0);
      layers.draw(
        [
          { value: "", label: words("ui.boundary.units.none") },
          ...all.map(({ name, type }) => ({ value: name, label: `${name} · ${type}` })),
        ],
        layer ?? "",
        reachable,
      );
      const shown = units !== null && layer !== null && units.layer === layer ? units : null;
      setHidden(strip.element, shown === null || shown.values === null);
      if (shown !== null) strip.draw({ units: shown, chosen: unit, reachable });
      say(note, noteText(shown, layer, awaited));
      note.classList.toggle("nnw-bad", shown?.problem !== null && shown !== null);
    },
    repaint: strip.repaint,
  };

  function noteText(units: Units | null, layer: string | null, awaited: boolean): string {
    if (layer === null) return "";
    if (units?.problem != null) return units.problem;
    if (units === null || units.values === null) {
      return words(awaited ? "ui.boundary.units.working" : "ui.boundary.stopped");
    }
    const shown = units.units.length;
    return shown < units.count ? words("ui.boundary.units.of", { shown, all: units.count }) : "";
  }
}
