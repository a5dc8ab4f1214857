/** A run in the page: points, five networks that learn from them, and what is looked at. */

import { type Answers, askAll } from "./fake_boundary_answers";
import { Net, type Rows } from "./fake_boundary_net";
import {
  around,
  column,
  deviation,
  extent,
  gridInputs,
  mean,
  median,
  type Plane,
  principal,
  type Rectangle,
  slice,
} from "./fake_boundary_plane";
import {
  type DataPoint,
  type Kind,
  type Making,
  makeClasses,
  makeValues,
  Points,
  TOYS,
} from "./fake_boundary_points";
import { randomFrom } from "./run";

export const DATA = ["three", "spirals", "moons", "four", "ten", "values"] as const;
export type Data = (typeof DATA)[number];

interface Recipe extends Partial<Making> {
  name: string;
  classes: number;
  features: number;
}

const RECIPES: Readonly<Record<Data, Recipe>> = {
  three: { name: "spirals", classes: 3, features: 3, noise: 0.05 },
  spirals: { name: "spirals", classes: 3, features: 2, noise: 0.05 },
  moons: { name: "moons", classes: 2, features: 2, noise: 0.18 },
  four: { name: "blobs", classes: 4, features: 2, noise: 0.22 },
  ten: { name: "blobs", classes: 10, features: 2, n: 300, noise: 0.1 },
  values: { name: "hill", classes: 0, features: 3, noise: 0.15 },
};

const FEATURES = ["x₁", "x₂", "humidity"];
const MEMBERS = 5;
const HIDDEN = 16;
const BATCH = 32;
const FRAMES = 40;

interface Kept {
  step: number;
  thetas: Float64Array[];
}

export interface WorldOptions {
  data?: Data;
  /** False: the model is there, the labels are not. */
  labelled?: boolean;
  /** How many steps were learned before the page opened. */
  trained?: number;
  empty?: boolean;
}

export class World {
  readonly kind: Kind;
  readonly classes: string[];
  readonly features: string[];
  readonly labelled: boolean;
  readonly points: Points;
  /** Each begins elsewhere and sees other batches; the first is the one that is watched. */
  readonly members: readonly Net[];
  uncertain: "ensemble" | "snapshots" | null = null;
  axes: [number, number] = [0, 1];
  projection: "slice" | "pca" | "pca_scaled" = "slice";
  others: "median" | "mean" | "sample" | "given" = "median";
  sample: number | null = null;
  held: number[];
  zoom: Rectangle | null = null;
  cursor: number | null = null;
  readonly #kept: Kept[] = [];
  readonly #random = randomFrom(5);
  readonly #recipe: Recipe;
  #stride = 25;

  constructor(options: WorldOptions = {}) {
    const { data = "three", labelled = true, trained = 400, empty = false } = options;
    this.#recipe = RECIPES[data];
    const { name, classes, features } = this.#recipe;
    this.kind = classes > 0 ? "classes" : "values";
    this.classes = Array.from({ length: classes }, (_, k) =>
      classes > 4 ? `digit ${k}` : String.fromCharCode(65 + k),
    );
    this.features = FEATURES.slice(0, features);
    this.labelled = labelled;
    this.points = new Points(this.#make(name, { ...this.#recipe }));
    const sizes = [features, HIDDEN, HIDDEN, Math.max(classes, 1)];
    this.members = Array.from(
      { length: MEMBERS },
      (_, k) => new Net(sizes, this.kind === "classes" ? "classes" : "values", 17 + k),
    );
    this.#keep();
    this.train(trained);
    if (empty) this.points.replace([]);
    // A model that came from elsewhere: what it learned from is not told.
    if (!labelled) this.points.replace(this.points.all.map((point) => ({ ...point, y: null })));
    this.held = this.#middle();
  }

  get net(): Net {
    return this.members[0] as Net;
  }

  get step(): number {
    return this.net.steps;
  }

  /** Steps whose weights are kept. */
  get steps(): number[] {
    return this.#kept.map(({ step }) => step);
  }

  get toys(): string[] {
    if (this.features.length !== 2 || this.kind === "values") return [];
    const two = this.classes.length === 2;
    return TOYS.filter((name) => two || (name !== "moons" && name !== "xor"));
  }

  get scales(): number[] {
    return this.features.map((_, at) => deviation(column(this.points.all, at)) || 1);
  }

  /** Of the values that are learned. */
  get spread(): number {
    return deviation(this.points.all.flatMap(({ y }) => (y === null ? [] : [y]))) || 1;
  }

  range(feature: number): [number, number] {
    const values = column(this.points.all, feature);
    return values.length > 0 ? extent(values) : [-1.5, 1.5];
  }

  get plane(): Plane {
    const { features, points, projection } = this;
    return projection === "slice"
      ? slice(features, this.axes, this.held, this.scales)
      : principal(points.all, features.length, projection === "pca_scaled");
  }

  /** The frame does not follow a point that is dragged out of it. */
  get rectangle(): Rectangle {
    return this.zoom ?? this.#frame;
  }

  /** Looks anew where the points are. */
  reframe(): void {
    const { plane } = this;
    this.#around = around(this.points.all.map(({ x }) => plane.toPlane(x)));
  }

  #around: Rectangle | null = null;

  get #frame(): Rectangle {
    if (this.#around === null) this.reframe();
    return this.#around as Rectangle;
  }

  // --- learning ------------------------------------------------------------------------------

  train(steps: number): void {
    const known = this.points.all.filter(({ y, test }) => y !== null && !test);
    if (known.length === 0) return;
    for (let i = 0; i < steps; i++) {
      for (const net of this.members) this.#one(net, known);
      if (this.step % this.#stride === 0) this.#keep();
    }
  }

  #one(net: Net, known: readonly DataPoint[]): void {
    const inputs: number[] = [];
    const targets: number[] = [];
    for (let i = 0; i < BATCH; i++) {
      const point = known[Math.floor(this.#random() * known.length)] as DataPoint;
      inputs.push(...point.x);
      targets.push(point.y as number);
    }
    net.learn(Float64Array.from(inputs), targets, 0.01);
  }

  #keep(): void {
    this.#kept.push({ step: this.step, thetas: this.members.map(({ theta }) => theta.slice()) });
    if (this.#kept.length <= FRAMES) return;
    // Every other one goes, and they come half as often from now on.
    this.#stride *= 2;
    const stay = this.#kept.filter(({ step }) => step % this.#stride === 0);
    this.#kept.splice(0, this.#kept.length, ...stay);
  }

  // --- asking --------------------------------------------------------------------------------

  /** The parameters to ask: of now, or of a kept step; of one network, or of several. */
  thetas(step: number | null = this.cursor): Float64Array[] {
    const now = { step: this.step, thetas: this.members.map(({ theta }) => theta) };
    const kept = step === null ? now : (this.#kept.filter((k) => k.step <= step).at(-1) ?? now);
    if (this.uncertain === "ensemble") return kept.thetas;
    const first = kept.thetas[0] as Float64Array;
    if (this.uncertain === null) return [first];
    const before = this.#kept.filter((k) => k.step < kept.step).slice(-4);
    return [...before.map(({ thetas }) => thetas[0] as Float64Array), first];
  }

  answers(inputs: Rows, step: number | null = this.cursor): Answers {
    return askAll(this.net, this.thetas(step), inputs);
  }

  /** What is said all over the picture. */
  everywhere(columns: number, rows: number, step: number | null = this.cursor): Answers {
    return this.answers(gridInputs(this.plane, this.rectangle, columns, rows), step);
  }

  // --- what is looked at ---------------------------------------------------------------------

  hold(others: "median" | "mean" | "sample", sample: number | null): void {
    this.others = others;
    this.sample = others === "sample" ? (sample ?? 0) : null;
    this.held = this.#middle();
  }

  #middle(): number[] {
    const all = this.points.all;
    const one = this.others === "sample" ? all[this.sample ?? 0] : undefined;
    return this.features.map((_, at) => {
      if (one !== undefined) return one.x[at] as number;
      const values = column(all, at);
      return this.others === "mean" ? mean(values) : median(values);
    });
  }

  // --- editing -------------------------------------------------------------------------------

  /** Puts toy data in the place of all points. */
  toy(name: string, making: { n: number; noise: number; seed: number }): void {
    this.points.replace(this.#make(name, making));
    this.reframe();
  }

  #make(name: string, making: Partial<Making>): Omit<DataPoint, "id">[] {
    const { classes, features } = this.#recipe;
    const whole = { n: 240, noise: 0.1, seed: 3, testShare: 0.25, ...making, classes, features };
    return classes > 0 ? makeClasses(name, whole) : makeValues(whole);
  }

  /** Moves points in the picture; what is not seen of them stays. */
  move(ids: readonly number[], places: readonly (readonly [number, number])[], gesture: string) {
    const { plane } = this;
    const xs = ids.map((id, at) => {
      const x = this.points.find(id)?.x ?? [];
      const from = plane.toInput(plane.toPlane(x));
      const to = plane.toInput(places[at] ?? [0, 0]);
      return x.map((value, i) => value + (to[i] as number) - (from[i] as number));
    });
    this.points.move(ids, xs, gesture);
  }
}
