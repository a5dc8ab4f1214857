/** What is asked of the kernel, shown at once, and what comes of it. */

import { Asked } from "../asked";
import { Clicks, Dragged } from "../clicks";
import type { Link } from "../link";
import { connected } from "../session";
import type { LayerPicture, Unit } from "./blocks";
import type { Live, Source } from "./state";

/** Of these only the newest matters: a new one withdraws the one that still waits. */
const LATEST: readonly string[] = [
  "select",
  "unit",
  "sample",
  "tab",
  "sort",
  "source",
  "call",
  "direction",
  "output",
  "part",
  "depth",
  "channel",
];

export interface Reported {
  link: Link;
  live: Live | null;
  layer: LayerPicture | null;
}

/** What is chosen at the moment, whether or not the kernel has said so yet. */
export interface Choice {
  selected: string;
  tab: string;
  sample: number;
  unit: Unit | null;
  source: Source;
  cursor: number | null;
  /** The picture is not the one that was asked for. */
  loading: boolean;
}

const sameUnit = (a: Unit | null, b: Unit | null) => String(a) === String(b);

export class Asking extends Clicks {
  readonly #selected: Asked<string>;
  readonly #tab: Asked<string>;
  readonly #sample: Asked<number>;
  readonly #unit: Asked<Unit | null>;
  readonly #source: Asked<Source>;
  readonly #cursor: Dragged<number | null>;

  constructor(link: Link, signal: AbortSignal, redraw: () => void) {
    super(link, signal, redraw, LATEST);
    this.#selected = new Asked(signal, redraw);
    this.#tab = new Asked(signal, redraw);
    this.#sample = new Asked(signal, redraw);
    this.#unit = new Asked<Unit | null>(signal, redraw, sameUnit);
    this.#source = new Asked<Source>(signal, redraw);
    this.#cursor = new Dragged<number | null>(signal, redraw, (step) =>
      this.act("cursor", { step }),
    );
  }

  select = (name: string): void => this.#selected.ask(name, this.act("select", { layer: name }));
  tab = (tab: string): void => this.#tab.ask(tab, this.act("tab", { tab }));
  sample = (index: number): void => this.#sample.ask(index, this.act("sample", { index }));
  pickUnit = (unit: Unit | null): void => this.#unit.ask(unit, this.act("unit", { unit }));
  source = (source: Source): void => this.#source.ask(source, this.act("source", { source }));

  setCursor = (step: number | null): void => this.#cursor.ask(step);

  choice({ link, live, layer }: Reported): Choice {
    const reported = (name: string, otherwise: string): string => {
      const value = link.plain(name);
      return typeof value === "string" && value !== "" ? value : otherwise;
    };
    const asked = link.plain("selected");
    const index = link.plain("sample_index");
    const selected = this.#selected.shown(typeof asked === "string" ? asked : (layer?.name ?? ""));
    const tab = this.#tab.shown(reported("tab", layer?.tab || "activations"));
    return {
      selected,
      tab,
      sample: this.#sample.shown(typeof index === "number" ? index : (layer?.sampleIndex ?? 0)),
      unit: this.#unit.shown(layer?.unit ?? null),
      source: this.#source.shown(live?.source ?? "probe"),
      cursor: this.#cursor.shown(live?.cursor ?? null),
      loading:
        connected(link.connection) &&
        (layer === null ? selected !== "" : layer.name !== selected || layer.tab !== tab),
    };
  }

  /** A saved page may hold more layers than the one it was saved with. */
  override holds(action: string): boolean {
    const { actions } = (this.link.plain("_held") ?? {}) as { actions?: object };
    return actions !== undefined && Object.hasOwn(actions, action);
  }
}
