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
    weights_text: slopesText(
      kind === "classes" ? `the probability of ${name(target)}` : "the value",
      fit.r2,
    ),
    r2: fit.r2,
    features,
    rule: leaf === undefined ? null : ruleText(world, leaf),
    rule_fidelity: leaf === undefined ? null : (rules?.trait.meta.fidelity as number),
    nearest: nearest(x, known, scales).map(({ point, distance }) => ({
      id: point.id,
      text: `${name(point.y as number)}, ${distance.toFixed(2)} standard deviations away`,
    })),
    changes: changesOf(world, x),
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
  const of = (rows: Float64Array | null) => (rows === null ? null : (rows[0] as number));
  const model = of(epistemic);
  if (world.kind === "values") {
    if (model === null) return null;
    const spread = `±${Math.sqrt(model).toFixed(2)} (one standard deviation)`;
    const text = `the ${members} models differ by ${spread}; how noisy the data are cannot be told from them`;
    return { total: null, aleatoric: null, epistemic: model, members, text };
  }
  const [total, noise] = [of(entropy) as number, of(aleatoric)];
  const text =
    noise === null || model === null
      ? `entropy ${total.toFixed(2)} nats; one model alone cannot tell noise in the data from what it has not learned`
      : `total ${total.toFixed(2)} nats = ${noise.toFixed(2)} noise in the data + ${model.toFixed(2)} the models disagree (${members} members)`;
  return { total, aleatoric: noise, epistemic: model, members, text };
}

/** What the slopes are, and how far they can be trusted. */
function slopesText(what: string, r2: number): string {
  const fit =
    r2 >= 0.9
      ? "follows the model closely"
      : r2 >= 0.5
        ? "follows it roughly"
        : "hardly follows it";
  const nearby = `Nearby, a straight line ${fit} (R² ${written(r2)}; 1 is exactly).`;
  return `By how much ${what} rises with one unit of each feature, exactly here. ${nearby}`;
}

function changesOf(world: World, x: readonly number[]): Json[] {
  const { plane, features, projection, axes, kind } = world;
  const ranges = features.map((_, at) => world.range(at));
  const answer = (moved: readonly number[]) => world.answers(Float64Array.from(moved)).mean;
  const [value, much] = [answer(x)[0] as number, world.spread];
  // Another value is one that differs by the spread of the data.
  const label = (moved: readonly number[]) =>
    kind === "classes"
      ? labelAt(world, moved)
      : Number(Math.abs((answer(moved)[0] as number) - value) >= much);
  return changes(x, label, ranges).map(({ feature, to, label: other }) => {
    const name = features[feature] as string;
    if (to === null || other === null) {
      const [low, high] = (ranges[feature] as [number, number]).map((end) => written(end));
      const text = `no change of ${name} between ${low} and ${high} changes the answer`;
      return { feature: name, text, to: null, answer: null, at: null };
    }
    const by = to - (x[feature] as number);
    const seen = projection !== "slice" || axes.includes(feature);
    const moved = x.map((one, at) => (at === feature ? to : one));
    const said = kind === "classes" ? world.classes[other] : written(answer(moved)[0] as number);
    return {
      feature: name,
      text: `${name} ${by < 0 ? "−" : "+"} ${Math.abs(by).toFixed(2)} → ${said}`,
      to,
      answer: kind === "classes" ? other : null,
      at: seen ? plane.toPlane(moved) : null,
    };
  });
}

function ruleText(world: World, leaf: Leaf): string {
  const { classes, kind, plane, rectangle } = world;
  const answer = kind === "classes" ? classes[leaf.answer] : written(leaf.answer);
  const when = conditions(leaf, rectangle, plane.labels);
  return when === "" ? `Always: ${answer}` : `If ${when}: ${answer}`;
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
      text: ruleText(world, leaf),
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
