/** Points that are drawn, moved and deleted, with undo; and the data that the page starts with. */

import { normal } from "./fake_boundary_net";
import { randomFrom } from "./run";

export interface DataPoint {
  readonly id: number;
  readonly x: readonly number[];
  /** A class or a value; null without a label. */
  readonly y: number | null;
  readonly test: boolean;
}

export type Kind = "classes" | "values";

export class Points {
  all: readonly DataPoint[] = [];
  version = 0;
  #next = 0;
  #gesture: string | null = null;
  readonly #past: (readonly DataPoint[])[] = [];
  readonly #future: (readonly DataPoint[])[] = [];

  constructor(points: readonly Omit<DataPoint, "id">[]) {
    this.all = points.map((point) => ({ ...point, id: this.#next++ }));
  }

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  find(id: number): DataPoint | undefined {
    return this.all.find((point) => point.id === id);
  }

  add(points: readonly Omit<DataPoint, "id">[]): void {
    this.#put([...this.all, ...points.map((point) => ({ ...point, id: this.#next++ }))]);
  }

  /** @param gesture moves of one gesture are taken back together */
  move(ids: readonly number[], xs: readonly (readonly number[])[], gesture: string): void {
    const places = new Map(ids.map((id, at) => [id, xs[at]]));
    const then = this.all.map((point) => ({ ...point, x: places.get(point.id) ?? point.x }));
    this.#put(then, this.#gesture === gesture);
    this.#gesture = gesture;
  }

  label(ids: readonly number[], y: number): void {
    this.#put(this.all.map((point) => (ids.includes(point.id) ? { ...point, y } : point)));
  }

  delete(ids: readonly number[]): void {
    this.#put(this.all.filter(({ id }) => !ids.includes(id)));
  }

  /** Puts other points in the place of all. */
  replace(points: readonly Omit<DataPoint, "id">[]): void {
    this.#put(points.map((point) => ({ ...point, id: this.#next++ })));
  }

  undo(): boolean {
    return this.#step(this.#past, this.#future);
  }

  redo(): boolean {
    return this.#step(this.#future, this.#past);
  }

  #step(from: (readonly DataPoint[])[], to: (readonly DataPoint[])[]): boolean {
    const then = from.pop();
    if (then === undefined) return false;
    to.push(this.all);
    this.all = then;
    this.version += 1;
    this.#gesture = null;
    return true;
  }

  #put(then: readonly DataPoint[], sameGesture = false): void {
    if (!sameGesture) this.#past.push(this.all);
    this.#future.length = 0;
    this.all = then;
    this.version += 1;
    this.#gesture = null;
  }
}

type Place = (label: number, classes: number, random: () => number) => [number, number];

const polar = (radius: number, angle: number): [number, number] => [
  radius * Math.cos(angle),
  radius * Math.sin(angle),
];

const PLACES: Readonly<Record<string, Place>> = {
  moons: (label, _, random) => {
    const angle = Math.PI * random();
    const side = label % 2 === 0 ? 1 : -1;
    return [side * (Math.cos(angle) - 0.5), side * (Math.sin(angle) - 0.25)];
  },
  circles: (label, classes, random) => polar((label + 1) / classes, 2 * Math.PI * random()),
  xor: (label, _, random) => {
    const side = random() < 0.5 ? 1 : -1;
    const [x, y] = [0.1 + 0.9 * random(), 0.1 + 0.9 * random()];
    return [side * x, side * (label % 2 === 0 ? y : -y)];
  },
  spirals: (label, classes, random) => {
    const along = Math.sqrt(0.02 + 0.98 * random());
    return polar(1.2 * along, 2 * Math.PI * (0.9 * along + label / classes));
  },
  blobs: (label, classes, random) => {
    const [x, y] = polar(0.95, 2 * Math.PI * (0.25 + label / classes));
    const width = classes > 5 ? 0.1 : 0.2;
    return [x + width * normal(random), y + width * normal(random)];
  },
};

export const TOYS = Object.keys(PLACES);

/** Noise, number of points, features (a third one moves the classes), share that is held out. */
export interface Making {
  classes: number;
  features: number;
  n: number;
  noise: number;
  seed: number;
  testShare: number;
}

/** Makes points of classes, in random order. */
export function makeClasses(name: string, making: Making): Omit<DataPoint, "id">[] {
  const { classes, features, n, noise, seed, testShare } = making;
  const place = PLACES[name] ?? PLACES.blobs;
  const random = randomFrom(seed);
  return Array.from({ length: n }, (_, at) => {
    const y = at % classes;
    const [left, bottom] = (place as Place)(y, classes, random);
    const third = 0.6 * normal(random);
    const shift = features > 2 ? 0.45 * third : 0;
    const x = [left + noise * normal(random) + shift, bottom + noise * normal(random)];
    if (features > 2) x.push(third);
    return { x, y, test: random() < testShare };
  });
}

/** Makes points of values: a hill and a slope. */
export function makeValues(making: Making): Omit<DataPoint, "id">[] {
  const random = randomFrom(making.seed);
  return Array.from({ length: making.n }, () => {
    const x = Array.from({ length: making.features }, () => 3 * random() - 1.5);
    const [left, bottom] = x as [number, number];
    const y = 2 * Math.exp(-2 * (left ** 2 + bottom ** 2)) + 0.8 * left - 0.5 * bottom - 0.4;
    return { x, y: y + making.noise * normal(random), test: random() < making.testShare };
  });
}
