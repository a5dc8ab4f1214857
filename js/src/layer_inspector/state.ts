/** What the inspector shows, read out of the traits; pure, and forgiving of what is missing. */

import { list, number, object, strings, text } from "../read";
import { readSession, type Session } from "../session";
import type { Work } from "../ui/busy";
import type { Json, NumberArray, Unpacked } from "../wire";

export type Source = "probe" | "batch";
export type Severity = "info" | "warning" | "error";

export interface Live extends Session {
  /** Which inputs the kernel looks at. */
  source: Source;
  /** Long work in the kernel, with what is done of it (0 to 1). */
  busy: Work | null;
  /** Steps a second; NaN before it is known. */
  rate: number;
  elapsed: number;
}

/** A module of the model; its place in the list is its row number. */
export interface ModuleRow {
  /** As in `named_modules()`: `features.0.conv`. */
  name: string;
  /** The last part of the name. */
  short: string;
  type: string;
  /** Type with its sizes: `Conv2d 1→16`; the type where there are none. */
  label: string;
  depth: number;
  /** Row of the module that holds it; -1 at the top. */
  parent: number;
  /** Parameters of its own. */
  params: number;
  trainable: "all" | "part" | "none" | "";
  shape: string;
  flops: number | null;
  /** First owner of a parameter that it shares. */
  shared: string | null;
  calls: number;
  container: boolean;
  failed: boolean;
}

export interface Totals {
  modules: number;
  params: number;
  trainable: number;
  flops: number | null;
}

export interface Tree {
  model: string;
  rows: ModuleRow[];
  /** Row numbers by name. */
  byName: Map<string, number>;
  totals: Totals;
  failure: { layer: string; text: string } | null;
  shown: number;
  all: number;
}

export type NodeKind = "module" | "op" | "input" | "output" | "loop";

export interface GraphNode {
  id: string;
  kind: NodeKind;
  /** Row of its module; -1 if it is none. */
  layer: number;
  /** Row of the module inside which it runs; -1 for the model itself. */
  parent: number;
  label: string;
  /** How often it runs in one pass. */
  times: number;
  shape: string;
}

export interface GraphEdge {
  /** Places in the list of nodes. */
  from: number;
  to: number;
  label: string;
}

export interface Graph {
  nodes: GraphNode[];
  edges: GraphEdge[];
  note: string;
}

export interface Badge {
  kind: string;
  severity: Severity;
  /** The kernel's sentence. */
  text: string;
  /** The numbers in it, by name, as text. */
  params: Record<string, string>;
  step: number | null;
}

export interface Rows {
  step: number | null;
  statistic: string;
  badges: Map<number, Badge[]>;
  steps: Float64Array;
  /** The curve of a row over `steps`; empty where there is none. */
  spark(row: number): Float32Array;
  /** Newest activation mean, activation std, gradient norm, update ÷ weight of a row. */
  now(row: number): Float32Array;
  /** Steps whose weights are kept, ascending. */
  snapshots: Float64Array;
}

/** How the layer on show was looked at, beyond what the blocks themselves say. */
export interface How {
  /** Which of the module's calls, from 0. */
  call: number;
  /** The arithmetic is that of the gradient. */
  backward: boolean;
  /** What is switched off: units by number, the whole layer, something that is not named. */
  ablated: number[] | "layer" | "some" | null;
}

const SEVERITIES: readonly Json[] = ["warning", "error"];
const NODE_KINDS: readonly Json[] = ["op", "input", "output", "loop"];
const EMPTY_FLOATS = new Float32Array(0);
const EMPTY_STEPS = new Float64Array(0);

export function readLive({ meta, arrays }: Unpacked): Live {
  const [rate, overhead, elapsed] = arrays.numbers ?? [];
  const busy = object(meta.busy);
  const action = text(busy.action);
  return {
    ...readSession(meta, overhead),
    source: meta.source === "batch" ? "batch" : "probe",
    busy: action === "" ? null : { action, fraction: number(busy.fraction), note: text(busy.note) },
    rate: rate ?? Number.NaN,
    elapsed: elapsed ?? Number.NaN,
  };
}

export function readTree({ meta }: Unpacked): Tree {
  const rows = list(meta.rows).map((item, index): ModuleRow => {
    const name = text(item.name);
    const type = text(item.type);
    const label = text(item.label) || type;
    const parent = number(item.parent) ?? -1;
    return {
      name,
      // The model itself has no name: it is known by its class.
      short: name === "" ? label : name.slice(name.lastIndexOf(".") + 1),
      type,
      label,
      depth: number(item.depth) ?? 0,
      // Rows come in order of definition: a parent stands before its children.
      parent: parent < index ? parent : -1,
      params: number(item.params) ?? 0,
      trainable:
        item.trainable === "all" || item.trainable === "part" || item.trainable === "none"
          ? item.trainable
          : "",
      shape: text(item.shape),
      flops: number(item.flops),
      shared: text(item.shared) || null,
      calls: number(item.calls) ?? 0,
      container: item.container === true,
      failed: item.failed === true,
    };
  });
  const totals = object(meta.totals);
  const failure = object(meta.failure);
  const sentence = text(failure.text);
  return {
    model: text(meta.model),
    rows,
    byName: new Map(rows.map(({ name }, index) => [name, index])),
    totals: {
      modules: number(totals.modules) ?? rows.length,
      params: number(totals.params) ?? 0,
      trainable: number(totals.trainable) ?? 0,
      flops: number(totals.flops),
    },
    failure: sentence === "" ? null : { layer: text(failure.layer), text: sentence },
    shown: number(meta.shown) ?? rows.length,
    all: number(meta.all) ?? rows.length,
  };
}

export function readGraph({ meta }: Unpacked): Graph {
  const nodes = list(meta.nodes).map(
    (item, index): GraphNode => ({
      id: typeof item.id === "number" ? String(item.id) : text(item.id) || String(index),
      kind: NODE_KINDS.includes(item.kind ?? null) ? (item.kind as NodeKind) : "module",
      layer: number(item.layer) ?? -1,
      parent: number(item.parent) ?? -1,
      label: text(item.label),
      times: number(item.times) ?? 1,
      shape: text(item.shape),
    }),
  );
  const places = new Map(nodes.map(({ id }, index) => [id, index]));
  const edges = (Array.isArray(meta.edges) ? meta.edges : []).flatMap((item): GraphEdge[] => {
    if (!Array.isArray(item)) return [];
    const from = places.get(String(item[0]));
    const to = places.get(String(item[1]));
    return from === undefined || to === undefined ? [] : [{ from, to, label: text(item[2]) }];
  });
  return { nodes, edges, note: text(meta.note) };
}

/** One row of a matrix that stands in an array row by row. */
function rowOf(all: NumberArray | undefined, width: number, row: number): Float32Array {
  if (!(all instanceof Float32Array) || row < 0) return EMPTY_FLOATS;
  return all.subarray(row * width, (row + 1) * width);
}

const stepsOf = (all: NumberArray | undefined): Float64Array =>
  all instanceof Float64Array ? all : EMPTY_STEPS;

export function readRows({ meta, arrays, shapes }: Unpacked): Rows {
  const badges = new Map<number, Badge[]>();
  for (const item of list(meta.badges)) {
    const row = number(item.row) ?? -1;
    const known = badges.get(row) ?? [];
    known.push({
      kind: text(item.kind),
      severity: SEVERITIES.includes(item.severity ?? null) ? (item.severity as Severity) : "info",
      text: text(item.text),
      params: strings(item.params),
      step: number(item.step),
    });
    badges.set(row, known);
  }
  return {
    step: number(meta.step),
    statistic: text(meta.statistic),
    badges,
    steps: stepsOf(arrays.steps),
    spark: (row) => rowOf(arrays.spark, shapes.spark?.[1] ?? 0, row),
    now: (row) => rowOf(arrays.now, shapes.now?.[1] ?? 0, row),
    snapshots: stepsOf(arrays.snapshot_steps),
  };
}

export function readHow({ meta }: Unpacked): How {
  const { ablated } = meta;
  const units = Array.isArray(ablated) ? ablated.filter((unit) => typeof unit === "number") : [];
  // A comparison of outputs is the trace that every ablation leaves.
  const compared = list(meta.blocks).some(({ kind }) => kind === "outputs");
  const unnamed = compared ? "some" : null;
  return {
    call: number(meta.call) ?? 0,
    backward: meta.backward === true,
    ablated: ablated === "layer" ? "layer" : units.length > 0 ? units : unnamed,
  };
}

/** Row numbers from the top of the tree down to a row, the row itself left out. */
export function ancestors(rows: readonly ModuleRow[], row: number): number[] {
  const found: number[] = [];
  for (let at = rows[row]?.parent ?? -1; at >= 0; at = rows[at]?.parent ?? -1) found.unshift(at);
  return found;
}
