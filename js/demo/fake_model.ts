/** A kernel in the page: traits, messages and clicks of a simulated run. */

import type { JsonObject } from "../src/wire";
import { FakeKernel, type KernelOptions } from "./fake_kernel";
import { type PackedDict, pack } from "./pack";
import {
  EPOCHS,
  type EventInfo,
  LAYERS,
  PANELS,
  type Point,
  type SeriesInfo,
  SimulatedRun,
  TOTAL,
} from "./run";

type State = "idle" | "running" | "paused" | "stopped" | "finished";

export interface FakeOptions extends KernelOptions {
  title?: string;
  language?: string;
  /** Under which the page keeps what its views were set to. */
  id?: string;
  run?: SimulatedRun;
  state?: State;
  /** No optimiser and no model are known. */
  logOnly?: boolean;
  error?: string;
  findings?: JsonObject[];
  messages?: JsonObject[];
}

const BUCKETS = 400;

export class FakeModel extends FakeKernel {
  readonly run: SimulatedRun;
  state: State;
  stopping = false;
  cursor: number | null = null;
  readonly #options: FakeOptions;

  constructor(options: FakeOptions = {}) {
    const { title = "Digits CNN", language = "", id = "" } = options;
    super(options, { title, language, _id: id, _live: {}, _curves: {}, _layers: {}, _notes: {} });
    this.#options = options;
    this.run = options.run ?? new SimulatedRun();
    this.state = options.state ?? "running";
  }

  // --- the kernel ----------------------------------------------------------------------------

  /** Trains so many steps, unless paused, and brings every trait up to date. */
  advance(steps: number): void {
    if (this.state === "running") {
      this.run.advance(steps);
      if (this.run.step >= TOTAL) this.state = "finished";
    }
    this.publish();
  }

  publish(): void {
    this.set("_live", this.#live());
    this.set("_curves", this.curves(0, this.run.step, BUCKETS, null));
    if (!this.#options.logOnly) this.set("_layers", this.#layers());
    this.set("_notes", this.#notes());
  }

  #live(): PackedDict {
    const { run } = this;
    const known = !this.#options.logOnly;
    const left = (TOTAL - run.step) / 124;
    return pack(
      {
        seq: this.nextSeq(),
        state: this.state,
        stopping: this.stopping,
        step: run.step,
        epoch: [run.epoch, EPOCHS],
        progress: [run.step, TOTAL],
        route: this.#options.late
          ? { key: "route.cell_end", params: {}, live: false }
          : { key: "route.subshell", params: {}, live: true },
        queued: null,
        can: { steer: known, step: true, stop: true, layers: known },
        names: this.#series().map(({ name }) => name),
        cursor: this.cursor,
        budget: 0.02,
        error: this.#options.error ?? null,
        status: [],
      },
      {
        numbers: Float64Array.of(124, left, 0.009, known ? run.learningRate : Number.NaN, run.time),
        lr: Float64Array.of(run.lrScale, 0.05),
        last: Float64Array.from(this.#series(), ({ points }) => points.at(-1)?.value ?? Number.NaN),
      },
    );
  }

  #series(): SeriesInfo[] {
    return this.run.series.filter(
      ({ points, panel }) => points.length > 0 && !(this.#options.logOnly && panel > 1),
    );
  }

  curves(x0: number, x1: number, buckets: number, zoom: [number, number] | null): PackedDict {
    const rows: number[][] = [];
    const best: number[] = [];
    const series = this.#series().map((item) => {
      const start = rows.length;
      rows.push(...bucketsOf(item.points, x0, x1, buckets));
      best.push(...bestOf(item));
      return {
        name: item.name,
        panel: item.panel,
        role: item.role,
        start,
        count: rows.length - start,
        points: item.points.length,
        bad: item.points.filter(({ value }) => !Number.isFinite(value)).length,
        higher_better: item.higherBetter,
        step_line: item.stepLine,
      };
    });
    const column = (k: number) => rows.map((row) => row[k] ?? Number.NaN);
    return pack(
      {
        seq: this.nextSeq(),
        series,
        panels: PANELS,
        range: zoom ?? [Math.min(1, this.run.step), this.run.step],
        zoom,
      },
      {
        x: Float64Array.from(column(0)),
        x1: Float64Array.from(column(1)),
        t: Float32Array.from(column(2)),
        lo: Float32Array.from(column(3)),
        hi: Float32Array.from(column(4)),
        mean: Float32Array.from(column(5)),
        flags: Uint8Array.from(column(6)),
        best: [Float64Array.from(best), [series.length, 2]],
        epochs: [Float64Array.from(this.run.epochs.flat()), [this.run.epochs.length, 2]],
      },
    );
  }

  #layers(): PackedDict {
    const { run } = this;
    const pick = Math.max(1, Math.ceil(run.layerSteps.length / 60));
    const thin = (values: readonly number[]) => values.filter((_, i) => i % pick === 0);
    const steps = thin(run.layerSteps);
    const matrix = (rows: number[][]): [Float32Array, number[]] => [
      Float32Array.from(rows.flatMap(thin)),
      [LAYERS.length, steps.length],
    ];
    return pack(
      {
        seq: this.nextSeq(),
        step: run.layerSteps.at(-1) ?? 0,
        rows: LAYERS.map(({ name, type, label }, i) => ({
          name,
          type,
          label,
          frozen: i === 3,
          dead_known: i < 3,
        })),
      },
      {
        steps: Float64Array.from(steps),
        grad_norm: matrix(run.gradNorms),
        update_ratio: matrix(run.updates),
        dead: Float32Array.from([0, run.step > 900 ? 12 : 3, 0, Number.NaN]),
        units: Float32Array.from(LAYERS, ({ units }) => units),
      },
    );
  }

  #notes(): PackedDict {
    return pack({
      seq: this.nextSeq(),
      findings: this.#options.findings ?? this.#findings(),
      events: this.run.events.map((event: EventInfo) => ({ ...event, key: "", params: {} })),
      messages: this.#options.messages ?? [],
    });
  }

  #findings(): JsonObject[] {
    if (this.run.step < 3300) return [];
    return [
      {
        kind: "overfitting",
        severity: "warning",
        step: 2367,
        title: "Overfitting since step 2,367",
        body: "val_loss rose 29 % from its best (0.212) while loss fell 41 %.",
        advice:
          "Stop here and go back to the weights of step 2,367, or try weight decay, dropout or " +
          "more data: the model now learns the training set by heart.",
        key: "",
        params: {},
      },
      {
        kind: "dead_units",
        severity: "info",
        step: null,
        title: "Dead units in layer 4",
        body: "12 of its 32 units have given zero for every sample seen since step 880.",
        advice: "A smaller learning rate or leaky ReLU keeps more of them alive.",
        key: "",
        params: {},
      },
    ];
  }

  protected override act(action: string, args: JsonObject): PackedDict | null {
    const event = (kind: string, text: string) =>
      this.run.events.push({ kind, text, step: this.run.step });
    switch (action) {
      case "pause":
        this.state = "paused";
        event("pause", "Paused");
        return null;
      case "resume":
        this.state = "running";
        return null;
      case "step":
        this.state = "paused";
        this.run.advance(1);
        return null;
      case "stop":
        this.state = "stopped";
        return null;
      case "set_lr_scale":
        this.run.lrScale = Number(args.value);
        event("lr", `Learning rate ×${args.value}`);
        return null;
      case "cursor":
        this.cursor = args.step === null ? null : Number(args.step);
        return null;
      case "view": {
        const range: [number, number] = [Number(args.x0), Number(args.x1)];
        return this.curves(range[0], range[1], Number(args.buckets), range);
      }
      case "export":
        return pack(
          { name: `run.${args.format}`, mime: "text/plain" },
          { file: new TextEncoder().encode("step,loss\n") },
        );
      default:
        return null;
    }
  }
}

/** Rows x, x1, t, lo, hi, mean, flags of at most `count` buckets between two steps. */
function bucketsOf(points: readonly Point[], x0: number, x1: number, count: number): number[][] {
  const inside = points.filter(({ step }) => step >= x0 && step <= x1);
  const size = Math.max(1, Math.ceil(inside.length / count));
  const rows: number[][] = [];
  for (let i = 0; i < inside.length; i += size) {
    const part = inside.slice(i, i + size);
    const [first, last] = [part[0], part.at(-1)];
    if (first === undefined || last === undefined) continue;
    const finite = part.map(({ value }) => value).filter(Number.isFinite);
    const [lo, hi] = [Math.min(...finite), Math.max(...finite)];
    const empty = finite.length === 0;
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const nan = part.some(({ value }) => Number.isNaN(value)) ? 1 : 0;
    const lowFirst = finite.indexOf(lo) < finite.indexOf(hi) ? 8 : 0;
    const values = empty ? [Number.NaN, Number.NaN, Number.NaN] : [lo, hi, mean];
    rows.push([first.step, last.step, first.time, ...values, nan | lowFirst]);
  }
  return rows;
}

function bestOf({ points, higherBetter }: SeriesInfo): [number, number] {
  let best: [number, number] = [Number.NaN, Number.NaN];
  if (higherBetter === null) return best;
  for (const { step, value } of points) {
    if (!Number.isFinite(value)) continue;
    const better = higherBetter ? value > best[1] : value < best[1];
    if (Number.isNaN(best[1]) || better) best = [step, value];
  }
  return best;
}
