/** What the monitor shows, read out of the traits; pure, and forgiving of what is missing. */

import { list, number, object, strings, text } from "../read";
import { readSession, type Session } from "../session";
import type { EventMark, SeriesView } from "../ui/chart_types";
import type { Words } from "../ui/i18n";
import type { Json, JsonObject, NumberArray, Unpacked } from "../wire";

export interface Live extends Session {
  epoch: { now: number; total: number | null } | null;
  progress: { done: number; total: number | null } | null;
  can: { steer: boolean; step: boolean; stop: boolean; layers: boolean };
  rate: number;
  eta: number;
  /** Learning rate in force, of the first parameter group. */
  learningRate: number;
  elapsed: number;
  lrScale: number;
  /** Newest value of each series by name; may be NaN or infinite. */
  last: Map<string, number>;
}

export interface Series extends SeriesView {
  panel: number;
  points: number;
  bad: number;
  /** Colour in which the series is written. */
  textColor: string;
}

export interface Panel {
  title: string;
  kind: "metric" | "lr" | "grad";
  series: Series[];
}

export interface Curves {
  panels: Panel[];
  epochs: Float64Array;
  /** First and last step of the run. */
  range: [number, number] | null;
  zoom: [number, number] | null;
}

export interface LayerRow {
  name: string;
  type: string;
  label: string;
  frozen: boolean;
  dead: number;
  units: number;
  deadKnown: boolean;
  gradNorm: Float32Array;
  updateRatio: Float32Array;
}

export interface Layers {
  steps: Float64Array;
  step: number;
  rows: LayerRow[];
}

export type Severity = "info" | "warning" | "error";

export interface Finding {
  kind: string;
  severity: Severity;
  step: number | null;
  title: string;
  body: string;
  advice: string;
}

export interface Message {
  text: string;
  level: Severity;
  step: number | null;
  count: number;
}

export interface Notes {
  findings: Finding[];
  marks: EventMark[];
  messages: Message[];
}

// --- small readers -------------------------------------------------------------------------

function pair(value: Json | undefined): [number, number] | null {
  if (!Array.isArray(value)) return null;
  const [first, second] = value;
  return typeof first === "number" && typeof second === "number" ? [first, second] : null;
}

function counted(value: Json | undefined): { first: number; total: number | null } | null {
  if (!Array.isArray(value) || typeof value[0] !== "number") return null;
  return { first: value[0], total: number(value[1]) };
}

const severity = (value: Json | undefined): Severity =>
  value === "error" || value === "warning" ? value : "info";
const kindOf = (value: Json | undefined): Panel["kind"] =>
  value === "lr" || value === "grad" ? value : "metric";

// --- the traits ----------------------------------------------------------------------------

export function readLive({ meta, arrays }: Unpacked): Live {
  const [rate, eta, overhead, learningRate, elapsed] = arrays.numbers ?? [];
  const epoch = counted(meta.epoch);
  const progress = counted(meta.progress);
  const can = object(meta.can);
  const names = Array.isArray(meta.names) ? meta.names.map(String) : [];
  return {
    ...readSession(meta, overhead),
    epoch: epoch && { now: epoch.first, total: epoch.total },
    progress: progress && { done: progress.first, total: progress.total },
    can: {
      steer: can.steer === true,
      step: can.step === true,
      stop: can.stop === true,
      layers: can.layers === true,
    },
    rate: rate ?? Number.NaN,
    eta: eta ?? Number.NaN,
    learningRate: learningRate ?? Number.NaN,
    elapsed: elapsed ?? Number.NaN,
    lrScale: arrays.lr?.[0] ?? 1,
    last: new Map(names.map((name, i) => [name, arrays.last?.[i] ?? Number.NaN])),
  };
}

type Cut<A extends NumberArray> = (name: string, empty: A) => A;

/** The part of each array that belongs to one series. */
function cutter(arrays: Record<string, NumberArray>, start: number, count: number) {
  const cut = <A extends NumberArray>(name: string, empty: A): A => {
    const all = arrays[name];
    const fits = all !== undefined && all.constructor === empty.constructor;
    return fits ? (all.subarray(start, start + count) as A) : empty;
  };
  return cut as Cut<Float64Array> & Cut<Float32Array> & Cut<Uint8Array>;
}

export function readCurves({ meta, arrays }: Unpacked): Curves {
  const panels: Panel[] = list(meta.panels).map((panel) => ({
    title: text(panel.title),
    kind: kindOf(panel.kind),
    series: [],
  }));
  const best = arrays.best ?? [];
  list(meta.series).forEach((item, index) => {
    const cut = cutter(arrays, number(item.start) ?? 0, number(item.count) ?? 0);
    const [step = Number.NaN, value = Number.NaN] = [best[2 * index], best[2 * index + 1]];
    const panel = number(item.panel) ?? 0;
    panels[panel]?.series.push({
      name: text(item.name),
      label: text(item.name),
      role: text(item.role),
      color: "",
      textColor: "",
      stepLine: item.step_line === true,
      visible: true,
      panel,
      points: number(item.points) ?? 0,
      bad: number(item.bad) ?? 0,
      best: Number.isFinite(step) && Number.isFinite(value) ? [step, value] : null,
      x: cut("x", new Float64Array(0)),
      x1: cut("x1", new Float64Array(0)),
      t: cut("t", new Float32Array(0)),
      lo: cut("lo", new Float32Array(0)),
      hi: cut("hi", new Float32Array(0)),
      mean: cut("mean", new Float32Array(0)),
      flags: cut("flags", new Uint8Array(0)),
    });
  });
  for (const panel of panels) dress(panel);
  const epochs = arrays.epochs;
  return {
    panels: panels.filter((panel) => panel.series.length > 0),
    epochs: epochs instanceof Float64Array ? epochs : new Float64Array(0),
    range: pair(meta.range),
    zoom: pair(meta.zoom),
  };
}

const PALETTE = 8;

/** Gives the series of a panel their colours and short names. */
function dress(panel: Panel): void {
  const used = new Set<number>();
  const free = (from: number): number => {
    for (let k = 0; k < PALETTE; k++) {
      const index = ((from - 1 + k) % PALETTE) + 1;
      if (!used.has(index)) return index;
    }
    return from;
  };
  const wanted: Record<string, number> = { train: 1, val: 2, test: 3 };
  const start = { metric: 1, grad: 3, lr: 4 }[panel.kind];
  for (const series of panel.series) {
    const color = free(wanted[series.role] ?? start);
    used.add(color);
    series.color = `var(--nnw-series-${color})`;
    series.textColor = `var(--nnw-series-${color}-text)`;
  }
  // Beside "loss", the pair is called train and val, unless that would name two series alike.
  const roles = panel.series.map(({ role }) => role);
  const distinct = new Set(roles).size === roles.length && !roles.includes("");
  for (const series of panel.series) if (distinct) series.label = series.role;
}

export function readLayers({ meta, arrays, shapes }: Unpacked): Layers {
  const steps = arrays.steps;
  const width = shapes.grad_norm?.[1] ?? 0;
  const row = (name: string, index: number): Float32Array => {
    const all = arrays[name];
    if (!(all instanceof Float32Array)) return new Float32Array(0);
    return all.subarray(index * width, (index + 1) * width);
  };
  return {
    steps: steps instanceof Float64Array ? steps : new Float64Array(0),
    step: number(meta.step) ?? 0,
    rows: list(meta.rows).map((item, index) => ({
      name: text(item.name),
      type: text(item.type),
      label: text(item.label),
      frozen: item.frozen === true,
      deadKnown: item.dead_known === true,
      dead: arrays.dead?.[index] ?? Number.NaN,
      units: arrays.units?.[index] ?? Number.NaN,
      gradNorm: row("grad_norm", index),
      updateRatio: row("update_ratio", index),
    })),
  };
}

/**
 * Findings, marks and messages in the view's language.
 *
 * @param spoken the language of Python's own sentences, used as they are where it is ours
 */
export function readNotes({ meta }: Unpacked, words: Words, spoken: string): Notes {
  const translate = (item: JsonObject, suffix: string, fallback: string): string => {
    const key = `${text(item.key)}${suffix}`;
    if (spoken === words.language || !words.has(key)) return fallback;
    return words(key, strings(item.params));
  };
  return {
    findings: list(meta.findings).map((item) => ({
      kind: text(item.kind),
      severity: severity(item.severity),
      step: number(item.step),
      title: translate(item, ".title", text(item.title)),
      body: translate(item, ".body", text(item.body)),
      advice: translate(item, ".advice", text(item.advice)),
    })),
    marks: list(meta.events).flatMap((item) => {
      const step = number(item.step);
      if (step === null) return [];
      return [{ step, kind: text(item.kind), text: translate(item, "", text(item.text)) }];
    }),
    messages: list(meta.messages).map((item) => ({
      text: text(item.text),
      level: severity(item.level),
      step: number(item.step),
      count: number(item.count) ?? 1,
    })),
  };
}

/**
 * A step line up to `last`: its newest value still holds there.
 *
 * The kernel logs a learning rate when it changes, so that its newest point may lie far back.
 */
export function heldUntil(series: Series, last: number): Series {
  const end = series.x1.at(-1);
  if (!series.stepLine || end === undefined || !(last > end)) return series;
  const steps = (values: Float64Array) => Float64Array.of(...values, last);
  const repeat = (values: Float32Array) => Float32Array.of(...values, values.at(-1) ?? Number.NaN);
  return {
    ...series,
    x: steps(series.x),
    x1: steps(series.x1),
    t: repeat(series.t),
    lo: repeat(series.mean),
    hi: repeat(series.mean),
    mean: repeat(series.mean),
    flags: Uint8Array.of(...series.flags, 0),
  };
}

/** The newest value of a series: exact where the kernel sent it, else its newest bucket. */
export function newest(series: Series, live: Live | null): number {
  return live?.last.get(series.name) ?? series.mean.at(-1) ?? Number.NaN;
}
