/**
 * What the widget shows, read out of the traits; pure, and forgiving of what is missing: a part
 * that is absent or of another kind is null or empty, and nothing is thrown.
 *
 * Row 0 of every picture is its bottom row. Codes are those of `raster.ts`.
 */

import { list, number, object, text } from "../read";
import { nearestPosition, readSession, type Session } from "../session";
import type { Work } from "../ui/busy";
import type { Json, NumberArray, Unpacked } from "../wire";
import {
  codes,
  float64s,
  floats,
  numbers,
  oneOf,
  orElse,
  type Rectangle,
  rectangleOf,
  texts,
} from "./parts";

export type { Grid, Place, Rectangle } from "./parts";
export * from "./said";

export const VIEWS = [
  "probability",
  "label",
  "entropy",
  "margin",
  "value",
  "epistemic",
  "aleatoric",
] as const;
export type View = (typeof VIEWS)[number];

const KINDS = ["classes", "values"] as const;
/** Whether the model says a class or a value. */
export type Kind = (typeof KINDS)[number];

const PALETTES = ["classes", "labels", "sequential", "diverging"] as const;
export type Palette = (typeof PALETTES)[number];

const OTHERS = ["median", "mean", "sample", "given"] as const;
/** What the features are held at that are not plotted. */
export type Others = (typeof OTHERS)[number];

const SURFACE_STATES = ["ready", "refining", "stale", "failed", "working"] as const;
const UNITS = ["probability", "nats", "value", "variance", "difference"] as const;

export interface Live extends Session {
  /** Long work in the kernel. */
  busy: Work | null;
}

/** A feature that is not plotted, and where it is held. */
export interface Held {
  column: number;
  name: string;
  value: number;
  low: number;
  high: number;
}

export interface Choices {
  kind: Kind;
  classes: string[];
  /** Of a regression: how many values the model says. */
  outputs: number;
  exclusive: boolean;
  features: string[];
  views: View[];
  /** Columns along the picture; null where it is a projection. */
  axes: readonly [number, number] | null;
  projection: string;
  projections: { name: string; label: string }[];
  others: Others;
  sample: number | null;
  /** So many training points can be taken as the sample. */
  samples: number;
  held: Held[];
  uncertain: string | null;
  /** `problem`: why it cannot be had. */
  uncertainties: { name: string; label: string; problem: string | null }[];
  layers: { name: string; type: string }[];
  /** Steps whose weights are kept, ascending. */
  steps: number[];
  toys: string[];
  labelled: boolean;
  editable: boolean;
  resolution: number;
  rulesAvailable: boolean;
  zoomed: boolean;
}

/** A number of the training points, and of the points that the model does not learn from. */
export interface Split<T> {
  train: T;
  test: T;
}

export interface Surface {
  kind: Kind;
  state: (typeof SURFACE_STATES)[number];
  problem: string | null;
  view: View;
  /** The class or output that is shown alone. */
  interest: number | null;
  interestName: string | null;
  step: number;
  /** The weights are stored ones of an earlier step. */
  past: boolean;
  columns: number;
  rows: number;
  /** Null: there is no picture yet. */
  rectangle: Rectangle | null;
  labels: readonly [x: string, y: string];
  quality: string;
  share: number | null;
  error: number | null;
  palette: Palette;
  low: number;
  high: number;
  unit: (typeof UNITS)[number];
  /** Share of the places at which the model has really been asked. */
  asked: number;
  /** Models that were asked together; 0 for the model alone. */
  members: number;
  notes: string[];
  /** Share that is right; of a regression R². */
  accuracy: Split<number | null>;
  counts: Split<number>;
  pointsVersion: number;
  /** Of a regression: what the level lines stand for. */
  levels: number[];
  /** (rows × columns) the most probable class, 255: none. */
  label: Uint8Array | null;
  /** (rows × columns) codes between `low` and `high`. */
  value: Uint8Array | null;
  /** Points of all lines one after another, x and y in turn. */
  lines: Float32Array;
  /** Of each line, the place behind its last point, counted in points. */
  lineEnds: NumberArray;
  /** Of each line, the class on one side of it, or the place in `levels`. */
  lineOf: NumberArray;
  /** Of each point: 0 right, 1 wrong, 2 not known. */
  wrong: Uint8Array | null;
  /** Of each point, the class or value that the model says. */
  said: NumberArray | null;
}

export interface Points {
  version: number;
  kind: Kind;
  count: Split<number>;
  /** So many of them are drawn. */
  drawn: number;
  canUndo: boolean;
  canRedo: boolean;
  /** Ends of the values of a regression. */
  low: number;
  high: number;
  /** (drawn × 2) places in the plane. */
  xy: Float32Array;
  id: Float64Array;
  /** Class (255: none) or value of each point. */
  y: NumberArray;
  /** 1: the model does not learn from it. */
  test: Uint8Array;
  /** 0: on the slice … 255: far from it. */
  fade: Uint8Array;
}

/** A small picture of an earlier step. */
export interface Frame {
  rows: number;
  columns: number;
  label: Uint8Array | null;
  value: Uint8Array | null;
}

export interface Film {
  view: View;
  kind: Kind;
  low: number;
  high: number;
  palette: Palette;
  rectangle: Rectangle | null;
  /** Ascending. */
  steps: Float64Array;
  frames: Frame[];
}

export function readLive({ meta, arrays }: Unpacked): Live {
  const busy = object(meta.busy);
  const action = text(busy.action);
  return {
    ...readSession(meta, arrays.numbers?.[1]),
    busy: action === "" ? null : { action, fraction: number(busy.fraction), note: text(busy.note) },
  };
}

const views = (value: Json | undefined): View[] => {
  const said = texts(value);
  return VIEWS.filter((view) => said.includes(view));
};

export function readChoices({ meta }: Unpacked): Choices {
  const [first, second] = numbers(meta.axes);
  return {
    kind: oneOf(KINDS, meta.kind, "classes"),
    classes: texts(meta.classes),
    outputs: orElse(meta.outputs, 1),
    exclusive: meta.exclusive !== false,
    features: texts(meta.features),
    views: views(meta.views),
    axes: first === undefined || second === undefined ? null : [first, second],
    projection: text(meta.projection) || "slice",
    projections: list(meta.projections).map(({ name, label }) => ({
      name: text(name),
      label: text(label) || text(name),
    })),
    others: oneOf(OTHERS, meta.others, "median"),
    sample: number(meta.sample),
    samples: orElse(meta.samples, 0),
    held: list(meta.held).flatMap(({ column, name, value, low, high }) => {
      const [place, now] = [number(column), number(value)];
      if (place === null || now === null) return [];
      return [
        {
          column: place,
          name: text(name) || String(place),
          value: now,
          low: orElse(low, now),
          high: orElse(high, now),
        },
      ];
    }),
    uncertain: text(meta.uncertain) || null,
    uncertainties: list(meta.uncertainties).map(({ name, label, problem }) => ({
      name: text(name),
      label: text(label) || text(name),
      problem: text(problem) || null,
    })),
    layers: list(meta.layers).map(({ name, type }) => ({ name: text(name), type: text(type) })),
    steps: numbers(meta.steps),
    toys: texts(meta.toys),
    labelled: meta.labelled !== false,
    editable: meta.editable !== false,
    resolution: orElse(meta.resolution, 0),
    rulesAvailable: meta.rules_available === true,
    zoomed: meta.zoomed === true,
  };
}

const split = (value: Json | undefined): Split<number | null> => {
  const { train, test } = object(value);
  return { train: number(train), test: number(test) };
};

const counts = (value: Json | undefined): Split<number> => {
  const { train, test } = split(value);
  return { train: train ?? 0, test: test ?? 0 };
};

export function readSurface(unpacked: Unpacked): Surface {
  const { meta, arrays } = unpacked;
  const [columns, rows] = [orElse(meta.columns, 0), orElse(meta.rows, 0)];
  const labels = texts(meta.labels);
  return {
    kind: oneOf(KINDS, meta.kind, "classes"),
    state: oneOf(SURFACE_STATES, meta.state, "ready"),
    problem: text(meta.problem) || null,
    view: oneOf(VIEWS, meta.view, "probability"),
    interest: number(meta.interest),
    interestName: text(meta.interest_name) || null,
    step: orElse(meta.step, 0),
    past: meta.past === true,
    columns,
    rows,
    rectangle: rectangleOf(meta.rectangle),
    labels: [labels[0] ?? "", labels[1] ?? ""],
    quality: text(meta.quality),
    share: number(meta.share),
    error: number(meta.error),
    palette: oneOf(PALETTES, meta.palette, "classes"),
    low: orElse(meta.low, 0),
    high: orElse(meta.high, 0),
    unit: oneOf(UNITS, meta.unit, "value"),
    asked: orElse(meta.asked, 1),
    members: orElse(meta.members, 0),
    notes: texts(meta.notes),
    accuracy: split(meta.accuracy),
    counts: counts(meta.counts),
    pointsVersion: orElse(meta.points_version, -1),
    levels: numbers(meta.levels),
    label: codes(unpacked, "label", columns * rows),
    value: codes(unpacked, "value", columns * rows),
    lines: floats(unpacked, "lines"),
    lineEnds: arrays.line_ends ?? new Int32Array(0),
    lineOf: arrays.line_of ?? new Int32Array(0),
    wrong: codes(unpacked, "wrong"),
    said: arrays.said ?? null,
  };
}

export function readPoints(unpacked: Unpacked): Points {
  const { meta, arrays } = unpacked;
  const id = float64s(unpacked, "id");
  const xy = floats(unpacked, "xy");
  const y = arrays.y;
  // What does not fit together would put points where there are none.
  const whole = xy.length === 2 * id.length && y?.length === id.length;
  const count = whole ? id.length : 0;
  return {
    version: orElse(meta.version, 0),
    kind: oneOf(KINDS, meta.kind, "classes"),
    count: counts(meta.count),
    drawn: count,
    canUndo: meta.can_undo === true,
    canRedo: meta.can_redo === true,
    low: orElse(meta.low, 0),
    high: orElse(meta.high, 0),
    xy: xy.subarray(0, 2 * count),
    id: id.subarray(0, count),
    y: whole ? y : new Uint8Array(0),
    test: codes(unpacked, "test", count) ?? new Uint8Array(count),
    fade: codes(unpacked, "fade", count) ?? new Uint8Array(count),
  };
}

export function readFilm(unpacked: Unpacked): Film {
  const { meta, shapes } = unpacked;
  const steps = float64s(unpacked, "steps");
  const [, rows = 0, columns = 0] = shapes.value ?? shapes.label ?? [];
  const size = rows * columns;
  const [label, value] = ["label", "value"].map((name) =>
    codes(unpacked, name, steps.length * size),
  );
  const part = (all: Uint8Array | null | undefined, place: number) =>
    all?.subarray(place * size, (place + 1) * size) ?? null;
  return {
    view: oneOf(VIEWS, meta.view, "probability"),
    kind: oneOf(KINDS, meta.kind, "classes"),
    low: orElse(meta.low, 0),
    high: orElse(meta.high, 0),
    palette: oneOf(PALETTES, meta.palette, "classes"),
    rectangle: rectangleOf(meta.rectangle),
    steps,
    frames: Array.from(steps, (_, place) => ({
      rows,
      columns,
      label: part(label, place),
      value: part(value, place),
    })),
  };
}

/** The frame of the step nearest to `step`, if the film has any. */
export function frameAt(film: Film | null, step: number): Frame | null {
  const frame = film?.frames[nearestPosition(film.steps, step)];
  return frame === undefined || (frame.label === null && frame.value === null) ? null : frame;
}
