/**
 * What the viewer shows, read out of the traits; pure, and forgiving of what is missing.
 *
 * A saved page (`offline.ts`) can be clicked through if its state has, in the trait `_held`,
 *
 *     {"trait": "_picture", "by": ["index", "method", "target"],
 *      "actions": {"index": ["index", "index"], "method": ["method", "method"],
 *                  "target": ["target", "target"]},
 *      "resets": {"index": ["target"], "method": ["target"]},
 *      "pages": {"0\nsaliency\nnull": <packed _picture>, "0\nsaliency\n3": …}}
 *
 * A page's key holds the traits of `by` as text, one to a line, `null` for the predicted class.
 * Where a click leads to no page, the traits named in `resets` for it become null, and the page of
 * that is shown if there is one. What leads nowhere is drawn as switched off.
 */

import { list, number, object, text } from "../read";
import { readSession, type Session } from "../session";
import type { Work } from "../ui/busy";
import type { Scale } from "../ui/raster";
import type { Json, JsonObject, NumberArray, Unpacked } from "../wire";

export interface Live extends Session {
  /** Long work in the kernel. */
  busy: Work | null;
}

export interface LayerChoice {
  name: string;
  type: string;
  shape: string;
}

/** What a method takes, and how it is. */
export interface Uses {
  layer: boolean;
  baseline: boolean;
  random: boolean;
  slow: boolean;
}

export interface Choices {
  methods: string[];
  unavailable: { name: string; why: string }[];
  default: string;
  layers: LayerChoice[];
  baselines: { name: string; label: string }[];
  classes: string[];
  /** Steps whose weights are kept, ascending. */
  steps: number[];
  checkpoints: string[];
  uses: ReadonlyMap<string, Uses>;
}

export const COMPARED = ["method", "target", "step", "checkpoint"] as const;
export type Compared = (typeof COMPARED)[number];

export type Kind = "image" | "table" | "tokens" | "signal" | "sequence" | "other";
export type PaneState = "ready" | "working" | "stale" | "failed";
export type Unit = "logit" | "probability" | "value";

/** An array with its sides. */
export interface Grid {
  data: NumberArray;
  shape: number[];
}

/** One map: what it is of, and the numbers that are drawn. */
export interface Pane {
  index: number;
  method: string;
  target: number | null;
  targetName: string;
  layer: string | null;
  baseline: string | null;
  step: number;
  /** The weights are stored ones of an earlier step. */
  past: boolean;
  checkpoint: string | null;
  kind: Kind;
  state: PaneState;
  problem: string | null;
  warnings: string[];
  /** On the picture of the input: how it was made. */
  note: string | null;
  delta: number | null;
  seconds: number | null;
  evaluations: number;
  /** Of the values themselves, which may be larger than what is drawn. */
  shape: number[];
  sum: number | null;
  score: number | null;
  baselineScore: number | null;
  classes: string[];
  unit: Unit;
  features: string[];
  tokens: string[];
  slots: string[];
  slot: number;
  r2: number | null;
  map: Grid | null;
  input: Grid | null;
  /** Of each class; raw scores where the model gives no probabilities. */
  outputs: NumberArray;
  spread: NumberArray | null;
}

export interface Picture {
  compare: Compared | null;
  /** Shared by all panes; a signed one has zero in its middle. */
  scale: Scale;
  panes: Pane[];
}

export interface Film {
  method: string;
  index: number;
  steps: Float64Array;
  /** Rank correlation of each frame with the one before; NaN where there is none. */
  drift: NumberArray;
  frames: Grid | null;
  scale: Scale;
}

export type Level = "good" | "warn" | "bad" | "unknown";

export interface Check {
  kind: string;
  level: Level;
  text: string;
  value: number | null;
}

export interface Trust {
  state: "none" | "working" | "ready" | "stale" | "failed";
  method: string;
  index: number;
  target: number | null;
  step: number | null;
  fraction: number | null;
  checks: Check[];
  verdict: string;
  problem: string | null;
  /** Share of the elements that have been changed, and the probabilities then. */
  fractions: NumberArray;
  curves: { deletion: Curve; insertion: Curve };
  cascade: { layer: string; similarity: number }[];
}

/** A curve and that of random maps; empty where there is none. */
export interface Curve {
  map: NumberArray;
  random: NumberArray;
}

export interface Importance {
  features: string[];
  score: string;
  base: number | null;
  count: number;
  state: string;
  problem: string | null;
  mean: NumberArray;
  spread: NumberArray;
}

const KINDS: readonly Json[] = ["image", "table", "tokens", "signal", "sequence"];
const UNITS: readonly Json[] = ["logit", "probability"];
const PANE_STATES: readonly Json[] = ["working", "stale", "failed"];
const TRUST_STATES: readonly Json[] = ["working", "ready", "stale", "failed"];
const LEVELS: readonly Json[] = ["good", "warn", "bad"];
const NO_NUMBERS = new Float32Array(0);

const texts = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.map((item) => String(item ?? "")) : [];
const numbers = (value: Json | undefined): number[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "number") : [];
const oneOf = <T extends Json>(known: readonly Json[], value: Json | undefined, other: T): T =>
  value !== undefined && known.includes(value) ? (value as T) : other;

export function readLive({ meta, arrays }: Unpacked): Live {
  const busy = object(meta.busy);
  const action = text(busy.action);
  return {
    ...readSession(meta, arrays.numbers?.[1]),
    busy: action === "" ? null : { action, fraction: number(busy.fraction), note: text(busy.note) },
  };
}

export function readChoices({ meta }: Unpacked): Choices {
  const unavailable = Array.isArray(meta.unavailable) ? meta.unavailable : [];
  return {
    methods: texts(meta.methods),
    unavailable: unavailable.flatMap((item) =>
      Array.isArray(item) ? [{ name: String(item[0] ?? ""), why: String(item[1] ?? "") }] : [],
    ),
    default: text(meta.default),
    layers: list(meta.layers).map(({ name, type, shape }) => ({
      name: text(name),
      type: text(type),
      shape: Array.isArray(shape) ? shape.join("×") : text(shape),
    })),
    baselines: list(meta.baselines).map(({ name, label }) => ({
      name: text(name),
      label: text(label) || text(name),
    })),
    classes: texts(meta.classes),
    steps: numbers(meta.steps),
    checkpoints: texts(meta.checkpoints),
    uses: new Map(
      Object.entries(object(meta.uses)).map(([name, value]) => {
        const { layer, baseline, random, slow } = object(value);
        return [
          name,
          {
            layer: layer === true,
            baseline: baseline === true,
            random: random === true,
            slow: slow === true,
          },
        ];
      }),
    ),
  };
}

const readScale = ({ low, high, signed }: JsonObject): Scale => ({
  low: number(low) ?? 0,
  high: number(high) ?? 0,
  signed: signed === true,
});

export function readPicture(unpacked: Unpacked): Picture {
  const { meta } = unpacked;
  const panes = list(meta.panes).map((pane, place) => readPane(pane, place, unpacked));
  // Panes that are compared are of one sample: its input travels once.
  for (const pane of panes) {
    if (pane.kind === panes[0]?.kind) pane.input ??= panes[0].input;
  }
  return {
    compare: oneOf<Compared | "">(COMPARED, meta.compare, "") || null,
    scale: readScale(meta),
    panes,
  };
}

function readPane(pane: JsonObject, place: number, { arrays, shapes }: Unpacked): Pane {
  const grid = (name: string): Grid | null => {
    const data = arrays[`${place}.${name}`];
    return data === undefined || data.length === 0
      ? null
      : { data, shape: shapes[`${place}.${name}`] ?? [data.length] };
  };
  return {
    index: number(pane.index) ?? 0,
    method: text(pane.method),
    target: number(pane.target),
    targetName: text(pane.target_name),
    layer: text(pane.layer) || null,
    baseline: text(pane.baseline) || null,
    step: number(pane.step) ?? 0,
    past: pane.past === true,
    checkpoint: text(pane.checkpoint) || null,
    kind: oneOf<Kind>(KINDS, pane.kind, "other"),
    state: oneOf<PaneState>(PANE_STATES, pane.state, "ready"),
    problem: text(pane.problem) || null,
    warnings: texts(pane.warnings),
    note: text(pane.note) || null,
    delta: number(pane.delta),
    seconds: number(pane.seconds),
    evaluations: number(pane.evaluations) ?? 0,
    shape: numbers(pane.shape),
    sum: number(pane.sum),
    score: number(pane.score),
    baselineScore: number(pane.baseline_score),
    classes: texts(pane.classes),
    unit: oneOf<Unit>(UNITS, pane.target_unit, "value"),
    features: texts(pane.features),
    tokens: texts(pane.tokens),
    slots: texts(pane.slots),
    slot: number(pane.slot) ?? 0,
    r2: number(object(pane.details).r2),
    map: grid("map"),
    input: grid("input"),
    outputs: arrays[`${place}.probabilities`] ?? NO_NUMBERS,
    spread: grid("spread")?.data ?? null,
  };
}

export function readFilm({ meta, arrays, shapes }: Unpacked): Film {
  const { steps, drift, frames } = arrays;
  return {
    method: text(meta.method),
    index: number(meta.index) ?? 0,
    steps: steps instanceof Float64Array ? steps : new Float64Array(0),
    drift: drift ?? NO_NUMBERS,
    frames:
      frames === undefined || frames.length === 0
        ? null
        : { data: frames, shape: shapes.frames ?? [frames.length] },
    scale: readScale(meta),
  };
}

export function readTrust({ meta, arrays }: Unpacked): Trust {
  const layers = texts(meta.cascade_layers);
  const curve = (name: string): Curve => ({
    map: arrays[name] ?? NO_NUMBERS,
    random: arrays[`random_${name}`] ?? NO_NUMBERS,
  });
  return {
    state: oneOf<Trust["state"]>(TRUST_STATES, meta.state, "none"),
    method: text(meta.method),
    index: number(meta.index) ?? 0,
    target: number(meta.target),
    step: number(meta.step),
    fraction: number(meta.fraction),
    checks: list(meta.checks).map((check) => ({
      kind: text(check.kind),
      level: oneOf<Level>(LEVELS, check.level, "unknown"),
      text: text(check.text),
      value: number(check.value),
    })),
    verdict: text(meta.verdict),
    problem: text(meta.problem) || null,
    fractions: arrays.fraction ?? NO_NUMBERS,
    curves: { deletion: curve("deletion"), insertion: curve("insertion") },
    cascade: Array.from(arrays.cascade ?? [], (similarity, place) => ({
      layer: layers[place] ?? String(place),
      similarity,
    })),
  };
}

export function readImportance({ meta, arrays }: Unpacked): Importance {
  return {
    features: texts(meta.features),
    score: text(meta.score),
    base: number(meta.base),
    count: number(meta.count) ?? 0,
    state: text(meta.state),
    problem: text(meta.problem) || null,
    mean: arrays.mean ?? NO_NUMBERS,
    spread: arrays.spread ?? NO_NUMBERS,
  };
}

/** What is wrong with a map as a whole, so that nobody reads anything into it; null if nothing. */
export type Flaw = "empty" | "not_finite" | "zero" | "constant";

export function flawOf(map: Grid | null): Flaw | null {
  if (map === null) return "empty";
  const { data } = map;
  let finite = 0;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    // Codes above 250 stand for what is not finite.
    if (!Number.isFinite(value) || (data instanceof Uint8Array && value > 250)) continue;
    finite += 1;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (finite < data.length) return "not_finite";
  if (low !== high || data.length === 1) return null;
  return low === 0 && !(data instanceof Uint8Array) ? "zero" : "constant";
}
