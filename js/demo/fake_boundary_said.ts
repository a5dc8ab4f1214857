/** What a run says besides its picture: of a place, in rules, of its hidden units. */

import type { Json, JsonObject } from "../src/wire";
import { encode, labelsOf } from "./fake_boundary_answers";
import { extent, gridInputs, type Place } from "./fake_boundary_plane";
import { changes, fitNearby, nearest, type Question, slopes } from "./fake_boundary_point";
import {
  conditions,
  fidelity,
  growTree,
  inside,
  type Leaf,
  leafOf,
  type Said,
  written,
} from "./fake_boundary_rules";
import type { Trait } from "./fake_boundary_traits";
import type { World } from "./fake_boundary_world";
import { randomFrom } from "./run";

/** Rules that were fitted, with what they were fitted to. */
export interface Fitted {
  leaves: Leaf[];
  trait: Trait;
}

export const NOTHING: Trait = { meta: { state: "none", problem: null }, arrays: {} };

const labelAt = (world: World, x: readonly number[]) => {
  const { mean, outputs } = world.answers(Float64Array.from(x));
  return labelsOf(mean, outputs)[0] as number;
};

/** What is said of a place, or of a drawn point. */
export function pointOf(
  world: World,
  asked: { at: Place; id: number | null },
  rules: Fitted | null,
): Trait {
  const { plane, features, classes, scales, kind } = world;
  const drawn = asked.id === null ? undefined : world.points.find(asked.id);
  const x = drawn?.x ?? plane.toInput(asked.at);
  const at = drawn === undefined ? asked.at : plane.toPlane(x);
  const answers = world.answers(Float64Array.from(x));
  const label = kind === "classes" ? (labelsOf(answers.mean, answers.outputs)[0] as number) : null;
  const target = label ?? 0;
  const question: Question = {
    ask: (inputs) => world.answers(inputs).mean,
    outputs: answers.outputs,
    target,
    scales,
  };
  const fit = fitNearby(x, question);
  const leaf = rules === null ? undefined : leafOf(rules.leaves, at);
  const known = world.points.all.filter(({ y, test }) => !test && y !== null);
  const name = (value: number) => (kind === "classes" ? (classes[value] ?? "") : written(value));
  const meta: JsonObject = {
    state: "ready",
    problem: null,
    at: [...at],
    point: features.map((feature, i) => [feature, written(x[i] as number, 3)]),
    id: drawn?.id ?? null,
    step: world.cursor ?? world.step,
    label,
    true: drawn?.y ?? null,
    classes,
    value: kind === "values" ? (answers.mean[0] as number) : null,
    target: label,
    uncertainty: unsure(world, answers),
    weights_text:
      kind === "classes"
        ? `How the probability of ${name(target)} changes with one unit of each feature, here.`
        : "How the value changes with one unit of each feature, here.",
    r2: fit.r2,
    features,
    rule:
      leaf === undefined
        ? null
        : `If ${conditions(leaf, world.rectangle, plane.labels)}: ${name(leaf.answer)}`,
    rule_fidelity: leaf === undefined ? null : (rules?.trait.meta.fidelity as number),
    nearest: nearest(x, known, scales).map(({ point, distance }) => ({
      id: point.id,
      text: `${name(point.y as number)}, ${distance.toFixed(2)} away`,
    })),
    changes: kind === "classes" ? changesOf(world, x) : [],
    notes: [],
  };
  const arrays: Trait["arrays"] = {
    weights: Float32Array.from(slopes(x, question)),
    fit_weights: Float32Array.from(fit.weights),
  };
  if (kind === "classes") arrays.probabilities = Float32Array.from(answers.mean);
  if (answers.spread !== null) arrays.spread = Float32Array.from(answers.spread);
  return { meta, arrays };
}

function unsure(world: World, answers: ReturnType<World["answers"]>): JsonObject | null {
  const { members, entropy, aleatoric, epistemic } = answers;
  if (epistemic === null) return null;
  const model = epistemic[0] as number;
  if (world.kind === "values" || aleatoric === null) {
    const text = `The ${members} members differ by ±${Math.sqrt(model).toFixed(2)}.`;
    return { total: null, aleatoric: null, epistemic: model, members, text };
  }
  const [total, noise] = [entropy[0] as number, aleatoric[0] as number];
  const parts = `noise ${noise.toFixed(2)} + model ${model.toFixed(2)}`;
  const text = `total ${total.toFixed(2)} nats = ${parts} (${members} members)`;
  return { total, aleatoric: noise, epistemic: model, members, text };
}

function changesOf(world: World, x: readonly number[]): Json[] {
  const { plane, features, projection, axes } = world;
  const ranges = features.map((_, at) => {
    const [low, high] = world.range(at);
    return [low - 0.5 * (high - low), high + 0.5 * (high - low)] as const;
  });
  return changes(x, (moved) => labelAt(world, moved), ranges).map(({ feature, to, label }) => {
    const name = features[feature] as string;
    if (to === null || label === null) {
      return {
        feature: name,
        text: `${name}: no change of it alone.`,
        to: null,
        answer: null,
        at: null,
      };
    }
    const by = to - (x[feature] as number);
    const seen = projection !== "slice" || axes.includes(feature);
    const moved = x.map((value, at) => (at === feature ? to : value));
    return {
      feature: name,
      text: `${name} ${by < 0 ? "−" : "+"} ${Math.abs(by).toFixed(2)}`,
      to,
      answer: label,
      at: seen ? plane.toPlane(moved) : null,
    };
  });
}

const FITTED = 1500;
const HELD_OUT = 800;

/** A tree that is fitted to what the model says, and held against it at other places. */
export function rulesOf(world: World, maxDepth: number): Fitted {
  const { plane, rectangle, kind } = world;
  const values = kind === "values";
  const random = randomFrom(29);
  const [left, right, bottom, top] = rectangle;
  const places = Array.from(
    { length: FITTED + HELD_OUT },
    (): Place => [left + (right - left) * random(), bottom + (top - bottom) * random()],
  );
  const { mean, outputs } = world.answers(
    Float64Array.from(places.flatMap((at) => plane.toInput(at))),
  );
  const answers = values ? mean : labelsOf(mean, outputs);
  const said = places.map((at, i): Said => ({ at, answer: answers[i] as number }));
  const held = said.slice(FITTED);
  const leaves = growTree(said.slice(0, FITTED), rectangle, maxDepth, values);
  const points = world.points.all.map(({ x }) => plane.toPlane(x));
  const rules = leaves.map((leaf): JsonObject => {
    const here = held.filter(({ at }) => inside(at, leaf.box));
    return {
      text: conditions(leaf, rectangle, plane.labels),
      answer: leaf.answer,
      coverage:
        points.length > 0
          ? points.filter((at) => leafOf(leaves, at) === leaf).length / points.length
          : null,
      fidelity: here.length > 0 && !values ? fidelity([leaf], here, false) : null,
      box: [...leaf.box],
    };
  });
  const meta: JsonObject = {
    state: "ready",
    problem: null,
    step: world.cursor ?? world.step,
    max_depth: maxDepth,
    fidelity: fidelity(leaves, held, values),
    score: values ? "own_r2" : "agreement",
    rules,
    notes: [],
  };
  return { leaves, trait: { meta, arrays: {} } };
}

const SMALL = 24;

/** What each unit of a hidden layer does all over the picture. */
export function unitsOf(
  world: World,
  layer: string,
  large: number | null,
  resolution: number,
): Trait {
  const { net, plane, rectangle } = world;
  const depth = layer === "1" ? 0 : 1;
  const theta = world.thetas()[0] as Float64Array;
  const count = net.layers[depth]?.units ?? 0;
  const said = (side: number) => net.hidden(gridInputs(plane, rectangle, side, side), depth, theta);
  const small = said(SMALL);
  const numbers = (rows: Float64Array, unit: number) =>
    Array.from({ length: rows.length / count }, (_, at) => rows[at * count + unit] as number);
  const units = Array.from({ length: count }, (_, unit) => numbers(small, unit));
  const ends = units.map(extent);
  const meta: JsonObject = {
    layer,
    count,
    units: units.map((_, unit) => unit),
    state: "ready",
    problem: null,
    step: world.cursor ?? world.step,
    large,
    large_low: 0,
    large_high: 0,
  };
  const arrays: Trait["arrays"] = {
    values: [
      Uint8Array.from(
        units.flatMap((values, unit) => [...encode(values, ...(ends[unit] as [number, number]))]),
      ),
      [count, SMALL, SMALL],
    ],
    low: Float32Array.from(ends, ([low]) => low),
    high: Float32Array.from(ends, ([, high]) => high),
  };
  if (large !== null) {
    const values = numbers(said(resolution), large);
    const [low, high] = extent(values);
    meta.large_low = low;
    meta.large_high = high;
    arrays.large = [encode(values, low, high), [resolution, resolution]];
  }
  return { meta, arrays };
}
