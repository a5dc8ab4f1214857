/** A run that was never trained: curves of the usual shapes, the same for the same seed. */

export interface Point {
  step: number;
  time: number;
  value: number;
}

export interface SeriesInfo {
  name: string;
  panel: number;
  role: string;
  higherBetter: boolean | null;
  stepLine: boolean;
  points: Point[];
}

export interface EventInfo {
  kind: string;
  step: number;
  text: string;
}

export const PANELS = [
  { title: "loss", kind: "metric" },
  { title: "accuracy", kind: "metric" },
  { title: "gradient norm", kind: "grad" },
  { title: "learning rate", kind: "lr" },
];

export const LAYERS = [
  { name: "0", type: "Conv2d", label: "Conv2d 1→16", units: 16 },
  { name: "4", type: "Conv2d", label: "Conv2d 16→32", units: 32 },
  { name: "9", type: "Linear", label: "Linear 1568→64", units: 64 },
  { name: "12", type: "Linear", label: "Linear 64→10", units: 10 },
];

export const STEPS_PER_EPOCH = 263;
export const EPOCHS = 20;
export const TOTAL = STEPS_PER_EPOCH * EPOCHS;
const PACE = 124;

/** Numbers from 0 to 1 that are the same on every machine (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class SimulatedRun {
  step = 0;
  lrScale = 1;
  readonly events: EventInfo[] = [];
  readonly epochs: [number, number][] = [[0, 0]];
  readonly layerSteps: number[] = [];
  readonly gradNorms: number[][] = LAYERS.map(() => []);
  readonly updates: number[][] = LAYERS.map(() => []);
  readonly series: SeriesInfo[] = [
    make("loss", 0, "train", false),
    make("val_loss", 0, "val", false),
    make("accuracy", 1, "train", true),
    make("val_accuracy", 1, "val", true),
    make("grad_norm", 2, "", null),
    { ...make("lr", 3, "", null), stepLine: true },
  ];
  readonly #random: () => number;
  readonly #spoilAt: number;

  /** @param spoilAt the step at which the loss becomes NaN for a while */
  constructor(seed = 7, spoilAt = Number.POSITIVE_INFINITY) {
    this.#random = randomFrom(seed);
    this.#spoilAt = spoilAt;
  }

  get learningRate(): number {
    return 0.05 * this.lrScale;
  }

  get time(): number {
    return this.step / PACE;
  }

  get epoch(): number {
    return Math.min(EPOCHS, Math.floor(this.step / STEPS_PER_EPOCH) + 1);
  }

  advance(steps: number): void {
    for (let i = 0; i < steps && this.step < TOTAL; i++) this.#one();
  }

  #noise(): number {
    return this.#random() + this.#random() + this.#random() - 1.5;
  }

  #log(index: number, value: number): void {
    this.series[index]?.points.push({ step: this.step, time: this.time, value });
  }

  #one(): void {
    this.step += 1;
    const progress = this.step / TOTAL;
    const fit = Math.exp(-this.step / 430);
    const speed = 1 + 0.1 * Math.log10(this.lrScale);
    const loss = (0.1 + 2.2 * fit * speed) * Math.exp(this.#noise() * (0.18 + 0.25 * fit));
    const spoiled = this.step >= this.#spoilAt && this.step < this.#spoilAt + 3;
    this.#log(0, spoiled ? Number.NaN : loss);
    const spike = this.step % 397 === 0 ? 3 : 0;
    this.#log(4, (0.8 + 3 * fit) * Math.exp(this.#noise() * 0.5) + spike);
    if (this.step === 1 || this.step % 50 === 0) this.#log(5, this.learningRate);
    if (this.step % 90 === 0)
      this.#log(2, 1 - 0.9 * fit - 0.05 * (1 - progress) + 0.01 * this.#noise());
    if (this.step % STEPS_PER_EPOCH === 0) this.#validate(progress, fit);
    if (this.step % 80 === 1) this.#sampleLayers(fit);
  }

  #validate(progress: number, fit: number): void {
    const overfit = 0.35 * Math.max(0, progress - 0.45);
    this.#log(1, 0.2 + 2 * fit + overfit + 0.012 * this.#noise());
    this.#log(3, 0.94 - 0.8 * fit - 0.1 * overfit + 0.006 * this.#noise());
    this.epochs.push([this.step, this.time]);
  }

  #sampleLayers(fit: number): void {
    this.layerSteps.push(this.step);
    LAYERS.forEach((_, row) => {
      const scale = [0.31, 0.78, 1.02, 0.6][row] ?? 1;
      this.gradNorms[row]?.push(scale * (1 + 4 * fit) * Math.exp(0.3 * this.#noise()));
      this.updates[row]?.push(
        1.2e-3 * (1 + 3 * fit) * Math.exp(0.2 * this.#noise()) * this.lrScale,
      );
    });
  }
}

function make(name: string, panel: number, role: string, higherBetter: boolean | null): SeriesInfo {
  return { name, panel, role, higherBetter, stepLine: false, points: [] };
}
