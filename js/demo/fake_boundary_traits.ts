/** What a run looks like on the wire: its picture, its points, its film, its choices. */

import type { Json, JsonObject, NumberArray } from "../src/wire";
import { labelsOf, paint, viewsOf } from "./fake_boundary_answers";
import { boundaries, levelLines, packLines, roundLevels } from "./fake_boundary_lines";
import type { Rows } from "./fake_boundary_net";
import { extent } from "./fake_boundary_plane";
import type { DataPoint } from "./fake_boundary_points";
import type { World } from "./fake_boundary_world";

/** Words and arrays of a trait. */
export interface Trait {
  meta: JsonObject;
  arrays: Record<string, NumberArray | [NumberArray, number[]]>;
}

export interface Looking {
  view: string;
  interest: number | null;
  resolution: number;
}

const NONE = 255;

export function inputsOf(points: readonly DataPoint[]): Rows {
  return Float64Array.from(points.flatMap(({ x }) => x));
}

/** The picture itself, its lines, and how the points do. */
export function surfaceOf(world: World, looking: Looking): Trait {
  const { view, interest, resolution } = looking;
  const { plane, rectangle, kind } = world;
  const answers = world.everywhere(resolution, resolution);
  const { label, value, low, high, palette, unit } = paint(answers, view, interest);
  const levels = kind === "values" ? roundLevels(...extent(Array.from(answers.mean))) : [];
  const found =
    kind === "values"
      ? levelLines(answers.mean, levels, resolution, resolution)
      : boundaries(answers.mean, answers.outputs, resolution, resolution);
  const { points, ends, of } = packLines(found, rectangle, resolution, resolution);
  const all = world.points.all;
  const said = all.length > 0 ? world.answers(inputsOf(all)).mean : new Float64Array(0);
  const labels = labelsOf(said, answers.outputs);
  const shape = [resolution, resolution];
  const arrays: Trait["arrays"] = {
    lines: [points, [points.length / 2, 2]],
    line_ends: ends,
    line_of: of,
    wrong: wrongOf(all, kind === "classes" ? labels : null),
    said: kind === "classes" ? labels : Float32Array.from(said),
  };
  if (label !== null) arrays.label = [label, shape];
  if (value !== null) arrays.value = [value, shape];
  const part = (test: boolean) => share(all, test, kind === "classes" ? labels : null, said);
  const meta: JsonObject = {
    kind,
    state: "ready",
    problem: null,
    view,
    interest,
    interest_name: interest === null ? null : (world.classes[interest] ?? "y"),
    step: world.cursor ?? world.step,
    past: world.cursor !== null,
    columns: resolution,
    rows: resolution,
    rectangle: [...rectangle],
    labels: [...plane.labels],
    quality: plane.quality,
    share: plane.share,
    error: 0,
    palette,
    low,
    high,
    unit,
    asked: 1,
    members: answers.members,
    notes: world.uncertain === "snapshots" ? ["The members are five steps of one run: alike."] : [],
    accuracy: { train: part(false), test: part(true) },
    counts: countsOf(all),
    points_version: world.points.version,
    levels,
  };
  return { meta, arrays };
}

const countsOf = (all: readonly DataPoint[]): JsonObject => ({
  train: all.filter(({ test }) => !test).length,
  test: all.filter(({ test }) => test).length,
});

function wrongOf(all: readonly DataPoint[], labels: Uint8Array | null): Uint8Array {
  return Uint8Array.from(all, ({ y }, at) =>
    y === null || labels === null ? 2 : Number(labels[at] !== y),
  );
}

/** Share of the points that are right; of values R². Null without any. */
function share(
  all: readonly DataPoint[],
  test: boolean,
  labels: Uint8Array | null,
  said: Rows,
): number | null {
  const pairs = all.flatMap((point, at): [number, number][] =>
    point.test === test && point.y !== null
      ? [[point.y, (labels === null ? said[at] : labels[at]) as number]]
      : [],
  );
  if (pairs.length === 0) return null;
  if (labels !== null) return pairs.filter(([y, answer]) => y === answer).length / pairs.length;
  const middle = pairs.reduce((sum, [y]) => sum + y, 0) / pairs.length;
  const rest = pairs.reduce((sum, [y, answer]) => sum + (y - answer) ** 2, 0);
  return 1 - rest / pairs.reduce((sum, [y]) => sum + (y - middle) ** 2, 0);
}

export function pointsOf(world: World): Trait {
  const { plane, kind } = world;
  const all = world.points.all;
  const values = all.flatMap(({ y }) => (y === null ? [] : [y]));
  const [low, high] = values.length > 0 ? extent(values) : [0, 0];
  const y =
    kind === "classes"
      ? Uint8Array.from(all, (point) => point.y ?? NONE)
      : Float32Array.from(all, (point) => point.y ?? Number.NaN);
  return {
    meta: {
      version: world.points.version,
      kind,
      count: countsOf(all),
      drawn: all.length,
      can_undo: world.points.canUndo,
      can_redo: world.points.canRedo,
      low: kind === "values" ? low : 0,
      high: kind === "values" ? high : 0,
    },
    arrays: {
      xy: [Float32Array.from(all.flatMap(({ x }) => plane.toPlane(x))), [all.length, 2]],
      id: Float64Array.from(all, ({ id }) => id),
      y,
      test: Uint8Array.from(all, ({ test }) => Number(test)),
      fade: Uint8Array.from(all, ({ x }) => Math.min(255, 100 * plane.distance(x))),
    },
  };
}

const UNCERTAINTIES: JsonObject[] = [
  { name: "ensemble", label: "5 networks", problem: null },
  { name: "snapshots", label: "snapshots of the run", problem: null },
  {
    name: "mc_dropout",
    label: "dropout",
    problem: "The model has no dropout that could be left on; add nn.Dropout to it.",
  },
  {
    name: "laplace",
    label: "Laplace, last layer",
    problem: "The curvature of the loss is not known here; pass the training points with labels.",
  },
];

export function choicesOf(world: World, resolution: number): JsonObject {
  const { features, projection, axes, kind } = world;
  const held = features.flatMap((name, at): Json[] => {
    if (projection !== "slice" || axes.includes(at)) return [];
    const [low, high] = world.range(at);
    return [{ column: at, name, value: world.held[at] as number, low, high }];
  });
  return {
    kind,
    classes: world.classes,
    outputs: 1,
    exclusive: true,
    features,
    views: viewsOf(kind, world.uncertain !== null),
    axes: projection === "slice" ? axes : null,
    projection,
    projections: [
      { name: "slice", label: "two features" },
      { name: "pca", label: "PCA" },
      { name: "pca_scaled", label: "PCA of scaled features" },
    ],
    others: world.others,
    sample: world.sample,
    samples: world.points.all.length,
    held,
    uncertain: world.uncertain,
    uncertainties: UNCERTAINTIES,
    layers: [
      { name: "1", type: "Tanh" },
      { name: "3", type: "Tanh" },
    ],
    steps: world.steps,
    toys: world.toys,
    labelled: world.labelled,
    editable: true,
    resolution,
    rules_available: true,
    zoomed: world.zoom !== null,
  };
}
