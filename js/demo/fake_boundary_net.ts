/** A small network that really learns: tanh layers, softmax or one value, trained by Adam. */

import { randomFrom } from "./run";

/** What a network is for: probabilities of classes, or values. */
export type Task = "classes" | "values";

/** Rows of numbers, one after another. */
export type Rows = Float64Array;

/** Where the numbers of one linear layer lie in the flat vector of parameters. */
interface Layer {
  inputs: number;
  units: number;
  weights: number;
  biases: number;
}

const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];

/** A normally distributed number from two even ones (Box and Muller 1958). */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export class Net {
  readonly layers: readonly Layer[];
  readonly task: Task;
  /** All weights and biases; each layer's weights unit by unit, then its biases. */
  readonly theta: Float64Array;
  /** How many steps it has learned. */
  steps = 0;
  readonly #gradient: Float64Array;
  readonly #first: Float64Array;
  readonly #second: Float64Array;

  /** @param sizes features, the units of each hidden layer, outputs */
  constructor(sizes: readonly number[], task: Task, seed: number) {
    let place = 0;
    this.layers = sizes.slice(1).map((units, index) => {
      const inputs = sizes[index] as number;
      const weights = place;
      const biases = place + inputs * units;
      place = biases + units;
      return { inputs, units, weights, biases };
    });
    this.task = task;
    this.theta = new Float64Array(place);
    this.#gradient = new Float64Array(place);
    this.#first = new Float64Array(place);
    this.#second = new Float64Array(place);
    const random = randomFrom(seed);
    this.layers.forEach(({ inputs, weights, biases, units }, index) => {
      // Wider in the first layer, so that units turn at different places of the plane.
      const scale = (index === 0 ? 2 : 1) / Math.sqrt(inputs);
      for (let i = weights; i < biases; i++) this.theta[i] = scale * normal(random);
      if (index === 0) {
        for (let i = biases; i < biases + units; i++) this.theta[i] = normal(random);
      }
    });
  }

  get inputs(): number {
    return this.layers[0]?.inputs ?? 0;
  }

  get outputs(): number {
    return this.layers.at(-1)?.units ?? 0;
  }

  /** Probabilities of the classes, or values, row by row. */
  answer(inputs: Rows, theta: Float64Array = this.theta): Rows {
    const last = this.#layersOf(inputs, theta).at(-1) as Rows;
    return this.task === "classes" ? softmax(last, this.outputs) : last;
  }

  /** What the units of a hidden layer say, row by row. */
  hidden(inputs: Rows, layer: number, theta: Float64Array = this.theta): Rows {
    return this.#layersOf(inputs, theta)[layer + 1] as Rows;
  }

  /** Mean cross-entropy in nats, or mean squared error. */
  loss(inputs: Rows, targets: ArrayLike<number>, theta: Float64Array = this.theta): number {
    const answers = this.answer(inputs, theta);
    const rows = targets.length;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      const target = targets[row] as number;
      sum +=
        this.task === "classes"
          ? -Math.log(Math.max(answers[row * this.outputs + target] as number, 1e-300))
          : ((answers[row * this.outputs] as number) - target) ** 2;
    }
    return sum / rows;
  }

  /** Gradient of `loss`; the same array every time. */
  gradient(inputs: Rows, targets: ArrayLike<number>): Float64Array {
    const { layers, theta } = this;
    const rows = targets.length;
    const said = this.#layersOf(inputs, theta);
    const last = said.at(-1) as Rows;
    const outputs = this.outputs;
    let back = this.task === "classes" ? softmax(last, outputs) : Float64Array.from(last);
    for (let row = 0; row < rows; row++) {
      const at = row * outputs;
      if (this.task === "classes") add(back, at + (targets[row] as number), -1);
      else back[at] = 2 * ((back[at] as number) - (targets[row] as number));
      for (let k = 0; k < outputs; k++) back[at + k] = (back[at + k] as number) / rows;
    }
    this.#gradient.fill(0);
    for (let index = layers.length - 1; index >= 0; index--) {
      const layer = layers[index] as Layer;
      back = this.#backward(layer, said[index] as Rows, back, index > 0);
    }
    return this.#gradient;
  }

  /** One step of Adam (Kingma and Ba 2015). */
  learn(inputs: Rows, targets: ArrayLike<number>, rate = 0.01): void {
    const gradient = this.gradient(inputs, targets);
    this.steps += 1;
    const [unbias1, unbias2] = [1 - BETA1 ** this.steps, 1 - BETA2 ** this.steps];
    for (let i = 0; i < gradient.length; i++) {
      const slope = gradient[i] as number;
      const first = BETA1 * (this.#first[i] as number) + (1 - BETA1) * slope;
      const second = BETA2 * (this.#second[i] as number) + (1 - BETA2) * slope * slope;
      this.#first[i] = first;
      this.#second[i] = second;
      add(this.theta, i, (-rate * first) / unbias1 / (Math.sqrt(second / unbias2) + EPSILON));
    }
  }

  /** The inputs, and what each layer makes of them; only the last one is not squeezed. */
  #layersOf(inputs: Rows, theta: Float64Array): Rows[] {
    const said = [inputs];
    this.layers.forEach((layer, index) => {
      const next = linear(layer, said[index] as Rows, theta);
      if (index < this.layers.length - 1) {
        for (let i = 0; i < next.length; i++) next[i] = Math.tanh(next[i] as number);
      }
      said.push(next);
    });
    return said;
  }

  /** Adds a layer's part to the gradient; the gradient of what went into it, if `further`. */
  #backward(layer: Layer, into: Rows, back: Rows, further: boolean): Rows {
    const { inputs, units, weights, biases } = layer;
    const rows = back.length / units;
    const before = new Float64Array(further ? into.length : 0);
    for (let row = 0; row < rows; row++) {
      for (let unit = 0; unit < units; unit++) {
        const slope = back[row * units + unit] as number;
        const from = weights + unit * inputs;
        add(this.#gradient, biases + unit, slope);
        for (let i = 0; i < inputs; i++) {
          add(this.#gradient, from + i, slope * (into[row * inputs + i] as number));
          if (further) add(before, row * inputs + i, slope * (this.theta[from + i] as number));
        }
      }
    }
    // The slope of tanh, from what it said.
    for (let i = 0; i < before.length; i++) {
      before[i] = (before[i] as number) * (1 - (into[i] as number) ** 2);
    }
    return before;
  }
}

function add(numbers: Float64Array, at: number, more: number): void {
  numbers[at] = (numbers[at] as number) + more;
}

function linear({ inputs, units, weights, biases }: Layer, rows: Rows, theta: Float64Array): Rows {
  const count = rows.length / inputs;
  const said = new Float64Array(count * units);
  for (let row = 0; row < count; row++) {
    const at = row * inputs;
    for (let unit = 0; unit < units; unit++) {
      const from = weights + unit * inputs;
      let sum = theta[biases + unit] as number;
      for (let i = 0; i < inputs; i++)
        sum += (theta[from + i] as number) * (rows[at + i] as number);
      said[row * units + unit] = sum;
    }
  }
  return said;
}

function softmax(logits: Rows, classes: number): Rows {
  const shares = new Float64Array(logits.length);
  for (let at = 0; at < logits.length; at += classes) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) largest = Math.max(largest, logits[at + k] as number);
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      shares[at + k] = Math.exp((logits[at + k] as number) - largest);
      sum += shares[at + k] as number;
    }
    for (let k = 0; k < classes; k++) shares[at + k] = (shares[at + k] as number) / sum;
  }
  return shares;
}
