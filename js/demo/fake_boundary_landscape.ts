/** The loss on a plane through the weights, each unit's direction as long as its weights. */

import { encode } from "./fake_boundary_answers";
import { type Net, normal } from "./fake_boundary_net";
import { extent } from "./fake_boundary_plane";
import { inputsOf, type Trait } from "./fake_boundary_traits";
import type { World } from "./fake_boundary_world";
import { randomFrom } from "./run";

/** A random direction; of each unit as long as its weights, biases stay (Li et al. 2018). */
export function directionOf(net: Net, seed: number): Float64Array {
  const random = randomFrom(seed);
  const direction = new Float64Array(net.theta.length);
  for (const { inputs, units, weights } of net.layers) {
    for (let unit = 0; unit < units; unit++) {
      const from = weights + unit * inputs;
      const raw = Array.from({ length: inputs }, () => normal(random));
      const length = Math.hypot(...net.theta.subarray(from, from + inputs));
      const scale = length / (Math.hypot(...raw) || 1);
      raw.forEach((value, i) => {
        direction[from + i] = scale * value;
      });
    }
  }
  return direction;
}

/** One row of the landscape: the loss at each `alpha`, for one `beta`. */
export function landscapeRow(
  theta: Float64Array,
  directions: readonly [Float64Array, Float64Array],
  alphas: readonly number[],
  beta: number,
  loss: (theta: Float64Array) => number,
): number[] {
  const [along, across] = directions;
  return alphas.map((alpha) =>
    loss(
      theta.map((value, i) => value + alpha * (along[i] as number) + beta * (across[i] as number)),
    ),
  );
}

const SIDE = 21;
const SPAN = 1;
const LINE = Array.from({ length: SIDE }, (_, at) => SPAN * ((2 * at) / (SIDE - 1) - 1));

/** Works a landscape out, row by row in a timer, and says how far it is. */
export class Landscape {
  readonly id: number;
  busy: { action: string; fraction: number; note: string } | null;
  readonly #step: number;
  readonly #centre: number;
  readonly #values: boolean;
  readonly #rows: number[][] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #told: (busy: Landscape["busy"]) => void;

  /** @param told after every row; with null at the end, however that came */
  constructor(world: World, id: number, told: (busy: Landscape["busy"]) => void) {
    this.id = id;
    this.#told = told;
    const { net } = world;
    const known = world.points.all.filter(({ y, test }) => y !== null && !test);
    const inputs = inputsOf(known);
    const targets = known.map(({ y }) => y as number);
    const theta = (world.thetas()[0] as Float64Array).slice();
    const loss = (at: Float64Array) => net.loss(inputs, targets, at);
    const directions = [directionOf(net, 1), directionOf(net, 2)] as const;
    this.#step = world.cursor ?? world.step;
    this.#values = world.kind === "values";
    this.#centre = loss(theta);
    this.busy = { action: "landscape", fraction: 0, note: `0 / ${SIDE}` };
    this.#timer = setInterval(() => {
      this.#rows.push(landscapeRow(theta, directions, LINE, LINE[this.#rows.length] ?? 0, loss));
      const fraction = this.#rows.length / SIDE;
      this.busy = { action: "landscape", fraction, note: `${this.#rows.length} / ${SIDE}` };
      if (fraction < 1) this.#told(this.busy);
      else this.#end();
    }, 90);
  }

  stop(): void {
    if (this.busy !== null) this.#end();
  }

  #end(): void {
    clearInterval(this.#timer);
    this.busy = null;
    this.#told(null);
  }

  trait(): Trait {
    if (this.busy !== null) return { meta: { state: "working", problem: null }, arrays: {} };
    if (this.#rows.length < SIDE) return { meta: { state: "none", problem: null }, arrays: {} };
    const all = this.#rows.flat();
    const [least, most] = extent(all);
    const log = least > 0 && most > 100 * least;
    const drawn = log ? all.map(Math.log10) : all;
    const [low, high] = extent(drawn);
    const line = Float32Array.from(LINE);
    return {
      meta: {
        state: "ready",
        problem: null,
        step: this.#step,
        centre: this.#centre,
        span: SPAN,
        low,
        high,
        log,
        loss_name: this.#values
          ? "Mean squared error over the training points"
          : "Mean cross-entropy in nats over the training points",
        notes: [],
      },
      arrays: { loss: [encode(drawn, low, high), [SIDE, SIDE]], alpha: line, beta: line },
    };
  }
}
