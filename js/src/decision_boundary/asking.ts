/** What is asked of the kernel, shown at once, and what comes of it. */

import { Asked } from "../asked";
import { Clicks, Dragged } from "../clicks";
import type { Link } from "../link";
import { connected } from "../session";
import type { Place } from "./parts";
import type { PointSaid, Rules, Units } from "./said";
import { type Choices, type Live, type Others, type Surface, VIEWS, type View } from "./state";

/** Of these only the newest matters: a new one withdraws the one that still waits. */
const LATEST: readonly string[] = [
  "view",
  "interest",
  "axes",
  "held",
  "others",
  "projection",
  "uncertainty",
  "zoom",
  "point",
  "rules",
  "units",
  "unit",
];

/** A place that is explained, or the drawn point that stands there. */
export interface Chosen {
  at: Place;
  id: number | null;
}

/** What the features are held at that are not plotted. */
export interface HeldAt {
  others: Others;
  sample: number | null;
}

export interface Reported {
  live: Live | null;
  choices: Choices | null;
  surface: Surface | null;
  point: PointSaid | null;
  rules: Rules | null;
  units: Units | null;
}

/** What is chosen at the moment, whether or not the kernel has said so yet. */
export interface Choice {
  view: View;
  interest: number | null;
  /** Null: a projection is shown. */
  axes: readonly [number, number] | null;
  projection: string;
  others: HeldAt;
  uncertain: string | null;
  chosen: Chosen | null;
  /** Depth of the rules; null: none are shown. */
  rules: number | null;
  layer: string | null;
  unit: number | null;
  cursor: number | null;
  /** The picture is not the one that was asked for. */
  loading: boolean;
}

type Axes = readonly [number, number] | null;

const sameText = (a: unknown, b: unknown): boolean => String(a) === String(b);
const sameHeld = (a: HeldAt, b: HeldAt): boolean => a.others === b.others && a.sample === b.sample;

/** A drawn point is the same wherever it has been dragged to. */
export function samePlace(a: Chosen | null, b: Chosen | null): boolean {
  if (a === null || b === null) return a === b;
  return a.id === b.id && (a.id !== null || sameText(a.at, b.at));
}

/** The place that the kernel explains. */
export function chosenOf(point: PointSaid | null): Chosen | null {
  if (point === null || point.state === "none" || point.at === null) return null;
  return { at: point.at, id: point.id };
}

export class Asking extends Clicks {
  readonly #view: Asked<View>;
  readonly #interest: Asked<number | null>;
  readonly #axes: Asked<Axes>;
  readonly #projection: Asked<string>;
  readonly #others: Asked<HeldAt>;
  readonly #uncertain: Asked<string | null>;
  readonly #chosen: Asked<Chosen | null>;
  readonly #rules: Asked<number | null>;
  readonly #layer: Asked<string | null>;
  readonly #unit: Asked<number | null>;
  readonly #cursor: Dragged<number | null>;
  readonly #held = new Map<number, Dragged<number>>();

  constructor(link: Link, signal: AbortSignal, redraw: () => void) {
    super(link, signal, redraw, LATEST);
    this.#view = new Asked<View>(signal, redraw);
    this.#interest = new Asked<number | null>(signal, redraw);
    this.#axes = new Asked<Axes>(signal, redraw, sameText);
    this.#projection = new Asked<string>(signal, redraw);
    this.#others = new Asked<HeldAt>(signal, redraw, sameHeld);
    this.#uncertain = new Asked<string | null>(signal, redraw);
    this.#chosen = new Asked<Chosen | null>(signal, redraw, samePlace);
    this.#rules = new Asked<number | null>(signal, redraw);
    this.#layer = new Asked<string | null>(signal, redraw);
    this.#unit = new Asked<number | null>(signal, redraw);
    this.#cursor = new Dragged<number | null>(signal, redraw, (step) =>
      this.act("cursor", { step }),
    );
  }

  view = (view: View): void => this.#view.ask(view, this.act("view", { view }));
  /** @param first the view in which one is shown alone, if another is shown now */
  interest = (interest: number | null, first: View | null = null): void => {
    const ask = () => this.act("interest", { interest });
    if (first === null) {
      this.#interest.ask(interest, ask());
      return;
    }
    const turned = this.act("view", { view: first });
    this.#view.ask(first, turned);
    this.#interest.ask(
      interest,
      turned.then((taken) => taken && ask()),
    );
  };
  axes = (x: number, y: number): void => this.#axes.ask([x, y], this.act("axes", { x, y }));
  projection = (projection: string): void =>
    this.#projection.ask(projection, this.act("projection", { projection }));
  others = (others: Others, sample: number | null): void =>
    this.#others.ask({ others, sample }, this.act("others", { others, sample }));
  uncertainty = (uncertainty: string | null): void =>
    this.#uncertain.ask(uncertainty, this.act("uncertainty", { uncertainty }));
  explain = (at: Place, id: number | null): void =>
    this.#chosen.ask({ at, id }, this.act("point", { at: [...at], id }));
  unpoint = (): void => this.#chosen.ask(null, this.act("unpoint"));
  units = (layer: string | null): void => this.#layer.ask(layer, this.act("units", { layer }));
  unit = (unit: number | null): void => this.#unit.ask(unit, this.act("unit", { unit }));
  setCursor = (step: number | null): void => this.#cursor.ask(step);

  /** @param depth of the tree; null: no rules */
  rules = (depth: number | null, last: number): void =>
    this.#rules.ask(depth, this.act("rules", { on: depth !== null, max_depth: depth ?? last }));

  hold = (column: number, value: number): void => this.#dragged(column).ask(value);
  /** Where a feature is held, given what the kernel reports. */
  heldAt = (column: number, reported: number): number => this.#dragged(column).shown(reported);

  #dragged(column: number): Dragged<number> {
    const known = this.#held.get(column);
    if (known !== undefined) return known;
    const made = new Dragged<number>(this.signal, this.redraw, (value) =>
      this.act("held", { column, value }),
    );
    this.#held.set(column, made);
    return made;
  }

  choice({ live, choices, surface, point, rules, units }: Reported): Choice {
    const said = this.link.plain("view");
    const known = VIEWS.find((one) => one === said) ?? surface?.view ?? "probability";
    const view = this.#view.shown(known);
    const one = this.link.plain("interest");
    const interest = this.#interest.shown(typeof one === "number" ? one : null);
    const ruling = rules === null || rules.state === "none" ? null : rules.maxDepth;
    const other = surface !== null && (surface.view !== view || surface.interest !== interest);
    const late = surface === null || surface.state === "working";
    return {
      view,
      interest,
      axes: this.#axes.shown(choices?.axes ?? null),
      projection: this.#projection.shown(choices?.projection ?? "slice"),
      others: this.#others.shown({
        others: choices?.others ?? "median",
        sample: choices?.sample ?? null,
      }),
      uncertain: this.#uncertain.shown(choices?.uncertain ?? null),
      chosen: this.#chosen.shown(chosenOf(point)),
      rules: this.#rules.shown(ruling),
      layer: this.#layer.shown(units?.layer ?? null),
      unit: this.#unit.shown(units?.large ?? null),
      cursor: this.#cursor.shown(live?.cursor ?? null),
      loading: connected(this.link.connection) && surface?.state !== "failed" && (other || late),
    };
  }
}
