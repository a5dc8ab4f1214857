/** What the widget says besides its picture: of a place, rules, hidden units, the loss around. */

import { list, number, object, text } from "../read";
import type { Json, Unpacked } from "../wire";
import {
  codes,
  floats,
  type Grid,
  numbers,
  oneOf,
  orElse,
  type Place,
  placeOf,
  type Rectangle,
  rectangleOf,
  texts,
} from "./parts";

const STATES = ["none", "working", "ready", "stale", "failed"] as const;
export type SaidState = (typeof STATES)[number];

/** Small pictures of what each hidden unit does all over the plane. */
export interface Units {
  layer: string | null;
  /** Units of the layer; of these `units` are shown. */
  count: number;
  units: number[];
  state: SaidState;
  problem: string | null;
  step: number | null;
  /** (units × rows × columns) codes, each unit between its own `low` and `high`. */
  values: Uint8Array | null;
  rows: number;
  columns: number;
  low: Float32Array;
  high: Float32Array;
  /** The unit that is shown as large as the picture. */
  large: number | null;
  largeLow: number;
  largeHigh: number;
  largeValues: Grid | null;
}

/** How unsure several models are together. */
export interface Unsure {
  total: number | null;
  aleatoric: number | null;
  epistemic: number | null;
  members: number;
  text: string;
}

export interface Change {
  feature: string;
  text: string;
  to: number | null;
  /** The class that the model says then. */
  answer: number | null;
  /** Where it leads in the picture. */
  at: Place | null;
}

/** What the model says of one place, and why. */
export interface PointSaid {
  state: SaidState;
  problem: string | null;
  at: Place | null;
  /** Name and value of each feature. */
  point: { name: string; value: string }[];
  /** The drawn point that is explained; null for a place without one. */
  id: number | null;
  step: number | null;
  label: number | null;
  /** What is right, where that is known. */
  truth: number | null;
  classes: string[];
  value: number | null;
  target: number | null;
  unsure: Unsure | null;
  weightsText: string;
  r2: number | null;
  features: string[];
  rule: string | null;
  ruleFidelity: number | null;
  nearest: { id: number; text: string }[];
  changes: Change[];
  notes: string[];
  probabilities: Float32Array;
  /** Standard deviation over the models; empty for one model. */
  spread: Float32Array;
  weights: Float32Array;
}

export interface Rule {
  text: string;
  /** Class or value. */
  answer: number | null;
  /** Share of the points to which it applies. */
  coverage: number | null;
  fidelity: number | null;
  /** Where it holds in the picture. */
  box: Rectangle | null;
}

export interface Rules {
  state: SaidState;
  problem: string | null;
  step: number | null;
  maxDepth: number;
  fidelity: number | null;
  /** What `fidelity` is: a share of places, or R². */
  score: "agreement" | "own_r2";
  rules: Rule[];
  notes: string[];
}

/** The loss around the weights, along two random directions. */
export interface Landscape {
  state: SaidState;
  problem: string | null;
  step: number | null;
  /** The loss at the weights themselves. */
  centre: number | null;
  span: number | null;
  low: number;
  high: number;
  /** Codes, `low` and `high` are of the decimal logarithm of the loss. */
  log: boolean;
  lossName: string;
  notes: string[];
  loss: Grid | null;
  alpha: Float32Array;
  beta: Float32Array;
}

const stateOf = (value: Json | undefined): SaidState => oneOf(STATES, value, "none");

export function readUnits(unpacked: Unpacked): Units {
  const { meta, shapes } = unpacked;
  const units = numbers(meta.units);
  const [, rows = 0, columns = 0] = shapes.values ?? [];
  const [largeRows = 0, largeColumns = 0] = shapes.large ?? [];
  const large = codes(unpacked, "large", largeRows * largeColumns);
  return {
    layer: text(meta.layer) || null,
    count: orElse(meta.count, units.length),
    units,
    state: stateOf(meta.state),
    problem: text(meta.problem) || null,
    step: number(meta.step),
    values: codes(unpacked, "values", units.length * rows * columns),
    rows,
    columns,
    low: floats(unpacked, "low"),
    high: floats(unpacked, "high"),
    large: number(meta.large),
    largeLow: orElse(meta.large_low, 0),
    largeHigh: orElse(meta.large_high, 0),
    largeValues: large === null ? null : { data: large, rows: largeRows, columns: largeColumns },
  };
}

function readUnsure(value: Json | undefined): Unsure | null {
  if (typeof value !== "object" || value === null) return null;
  const { total, aleatoric, epistemic, members, text: said } = object(value);
  return {
    total: number(total),
    aleatoric: number(aleatoric),
    epistemic: number(epistemic),
    members: orElse(members, 0),
    text: text(said),
  };
}

export function readPoint(unpacked: Unpacked): PointSaid {
  const { meta } = unpacked;
  const pairs = Array.isArray(meta.point) ? meta.point : [];
  return {
    state: stateOf(meta.state),
    problem: text(meta.problem) || null,
    at: placeOf(meta.at),
    point: pairs.flatMap((pair) =>
      Array.isArray(pair) ? [{ name: String(pair[0] ?? ""), value: String(pair[1] ?? "") }] : [],
    ),
    id: number(meta.id),
    step: number(meta.step),
    label: number(meta.label),
    truth: number(meta.true),
    classes: texts(meta.classes),
    value: number(meta.value),
    target: number(meta.target),
    unsure: readUnsure(meta.uncertainty),
    weightsText: text(meta.weights_text),
    r2: number(meta.r2),
    features: texts(meta.features),
    rule: text(meta.rule) || null,
    ruleFidelity: number(meta.rule_fidelity),
    nearest: list(meta.nearest).flatMap(({ id, text: said }) =>
      typeof id === "number" ? [{ id, text: text(said) }] : [],
    ),
    changes: list(meta.changes).map((change) => ({
      feature: text(change.feature),
      text: text(change.text),
      to: number(change.to),
      answer: number(change.answer),
      at: placeOf(change.at),
    })),
    notes: texts(meta.notes),
    probabilities: floats(unpacked, "probabilities"),
    spread: floats(unpacked, "spread"),
    weights: floats(unpacked, "weights"),
  };
}

export function readRules({ meta }: Unpacked): Rules {
  return {
    state: stateOf(meta.state),
    problem: text(meta.problem) || null,
    step: number(meta.step),
    maxDepth: orElse(meta.max_depth, 3),
    fidelity: number(meta.fidelity),
    score: oneOf(["agreement", "own_r2"], meta.score, "agreement"),
    rules: list(meta.rules).map((rule) => ({
      text: text(rule.text),
      answer: number(rule.answer),
      coverage: number(rule.coverage),
      fidelity: number(rule.fidelity),
      box: rectangleOf(rule.box),
    })),
    notes: texts(meta.notes),
  };
}

export function readLandscape(unpacked: Unpacked): Landscape {
  const { meta, shapes } = unpacked;
  const [rows = 0, columns = 0] = shapes.loss ?? [];
  const loss = codes(unpacked, "loss", rows * columns);
  return {
    state: stateOf(meta.state),
    problem: text(meta.problem) || null,
    step: number(meta.step),
    centre: number(meta.centre),
    span: number(meta.span),
    low: orElse(meta.low, 0),
    high: orElse(meta.high, 0),
    log: meta.log === true,
    lossName: text(meta.loss_name),
    notes: texts(meta.notes),
    loss: loss === null ? null : { data: loss, rows, columns },
    alpha: floats(unpacked, "alpha"),
    beta: floats(unpacked, "beta"),
  };
}
