/** What is asked of the kernel, shown at once, and what comes of it. */

import { Asked } from "../asked";
import { Clicks, Dragged } from "../clicks";
import type { Link } from "../link";
import { connected } from "../session";
import type { Compared, Live, Pane, Picture } from "./state";

/** Of these only the newest matters: a new one withdraws the one that still waits. */
const LATEST: readonly string[] = [
  "index",
  "target",
  "method",
  "layer",
  "baseline",
  "slot",
  "compare",
  "at",
];

/** One of two: what is compared, and with which. */
export interface Comparison {
  by: Compared | null;
  value: string | number | null;
}

export interface Reported {
  live: Live | null;
  picture: Picture | null;
}

/** What is chosen at the moment, whether or not the kernel has said so yet. */
export interface Choice {
  index: number;
  method: string;
  /** Null: the class that the model predicts. */
  target: number | null;
  layer: string;
  baseline: string;
  slot: number;
  compare: Comparison;
  cursor: number | null;
  /** The picture is not the one that was asked for. */
  loading: boolean;
}

const sameComparison = (a: Comparison, b: Comparison) =>
  a.by === b.by && String(a.value) === String(b.value);

/** What the second pane differs in. */
export function comparisonOf(picture: Picture | null): Comparison {
  const by = picture?.compare ?? null;
  const other: Pane | undefined = picture?.panes[1];
  return { by, value: by === null || other === undefined ? null : other[by] };
}

export class Asking extends Clicks {
  readonly #index: Asked<number>;
  readonly #method: Asked<string>;
  readonly #target: Asked<number | null>;
  readonly #layer: Asked<string>;
  readonly #baseline: Asked<string>;
  readonly #slot: Asked<number>;
  readonly #compare: Asked<Comparison>;
  readonly #cursor: Dragged<number | null>;

  constructor(link: Link, signal: AbortSignal, redraw: () => void) {
    super(link, signal, redraw, LATEST);
    this.#index = new Asked(signal, redraw);
    this.#method = new Asked(signal, redraw);
    this.#target = new Asked<number | null>(signal, redraw);
    this.#layer = new Asked(signal, redraw);
    this.#baseline = new Asked(signal, redraw);
    this.#slot = new Asked(signal, redraw);
    this.#compare = new Asked<Comparison>(signal, redraw, sameComparison);
    this.#cursor = new Dragged<number | null>(signal, redraw, (step) =>
      this.act("cursor", { step }),
    );
  }

  index = (index: number): void => this.#index.ask(index, this.act("index", { index }));
  method = (method: string): void => this.#method.ask(method, this.act("method", { method }));
  target = (target: number | null): void =>
    this.#target.ask(target, this.act("target", { target }));
  layer = (layer: string): void => this.#layer.ask(layer, this.act("layer", { layer }));
  baseline = (name: string): void =>
    this.#baseline.ask(name, this.act("baseline", { baseline: name }));
  slot = (slot: number): void => this.#slot.ask(slot, this.act("slot", { slot }));
  compare = (chosen: Comparison): void =>
    this.#compare.ask(chosen, this.act("compare", { by: chosen.by, value: chosen.value }));

  setCursor = (step: number | null): void => this.#cursor.ask(step);

  choice({ live, picture }: Reported): Choice {
    const pane = picture?.panes[0];
    const plain = <T>(name: string, kind: string, otherwise: T): T => {
      const value = this.link.plain(name);
      return typeof value === kind && value !== "" ? (value as T) : otherwise;
    };
    const index = this.#index.shown(plain("index", "number", pane?.index ?? 0));
    const method = this.#method.shown(plain("method", "string", pane?.method ?? ""));
    const target = this.#target.shown(plain<number | null>("target", "number", null));
    const layer = this.#layer.shown(plain("layer", "string", pane?.layer ?? ""));
    const baseline = this.#baseline.shown(pane?.baseline ?? "");
    const slot = this.#slot.shown(pane?.slot ?? 0);
    const compare = this.#compare.shown(comparisonOf(picture));
    const other =
      pane === undefined ||
      pane.index !== index ||
      pane.method !== method ||
      pane.slot !== slot ||
      (pane.baseline ?? "") !== baseline ||
      (target !== null && pane.target !== target);
    return {
      index,
      method,
      target,
      layer,
      baseline,
      slot,
      compare,
      cursor: this.#cursor.shown(live?.cursor ?? null),
      loading: connected(this.link.connection) && other && pane?.state !== "failed",
    };
  }
}
