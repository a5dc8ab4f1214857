/** An inspector's kernel in the page: it answers clicks on models that were never built. */

import type { Json, JsonObject, NumberArray } from "../src/wire";
import { FakeKernel, type KernelOptions } from "./fake_kernel";
import { blocksOf, sidesOf } from "./layer_blocks";
import { digits, type Module, type Network, residual, transformer, treeMeta } from "./networks";
import { type PackedDict, pack } from "./pack";
import { randomFrom } from "./run";

export interface InspectorOptions extends KernelOptions {
  title?: string;
  language?: string;
  network?: Network;
  state?: string;
  step?: number;
  selected?: string;
  /** No sample is known. */
  blind?: boolean;
  failure?: { layer: string; text: string };
  error?: string;
}

export const NETWORKS: Readonly<Record<string, () => Network>> = {
  digits,
  residual,
  gpt: () => transformer(12),
  big: () => transformer(110),
};

const SAMPLES = 8;

export class FakeInspector extends FakeKernel {
  step: number;
  state: string;
  tab = "activations";
  selected: string;
  sample = 0;
  unit: number | number[] | null = null;
  sort = "activity";
  source = "probe";
  call = 0;
  direction = "forward";
  cursor: number | null = null;
  ablated: number[] | "layer" | null = null;
  found = false;
  busy: JsonObject | null = null;
  readonly network: Network;
  readonly #options: InspectorOptions;
  #work: { id: number; timer: ReturnType<typeof setInterval> } | null = null;

  constructor(options: InspectorOptions = {}) {
    const { title = "", language = "", step = 3412 } = options;
    super(options, {
      title,
      language,
      selected: "",
      sample_index: 0,
      tab: "",
      _live: {},
      _tree: {},
      _graph: {},
      _rows: {},
      _layer: {},
      _samples: {},
    });
    this.#options = options;
    this.network = options.network ?? digits();
    this.step = step;
    this.state = options.state ?? "running";
    this.selected = options.selected ?? "";
  }

  /** What changes while it trains. */
  advance(steps: number): void {
    if (this.state === "running") this.step += steps;
    this.set("_live", this.#live());
  }

  override publish(): void {
    const { failure = null } = this.#options;
    this.set("_live", this.#live());
    if (Object.keys(this.get("_tree") as object).length === 0) {
      const meta = treeMeta(this.network, failure, !this.#options.blind);
      this.set("_tree", pack({ seq: this.nextSeq(), ...meta }));
      if (!this.#options.blind) {
        const { nodes, edges } = this.network;
        this.set("_graph", pack({ seq: this.nextSeq(), nodes, edges, note: null }));
        this.set("_samples", this.#samples());
      }
    }
    this.set("_rows", this.#rows());
    this.set("selected", this.selected);
    this.set("sample_index", this.sample);
    this.set("tab", this.tab);
    if (this.selected !== "") this.set("_layer", this.layer());
  }

  #live(): PackedDict {
    return pack(
      {
        seq: this.nextSeq(),
        state: this.state,
        step: this.step,
        route: this.options.late
          ? { key: "route.cell_end", params: {}, live: false }
          : { key: "route.subshell", params: {}, live: true },
        queued: null,
        cursor: this.cursor,
        budget: 0.02,
        error: this.#options.error ?? null,
        status: [],
        source: this.source,
        busy: this.busy,
      },
      { numbers: Float64Array.of(124, 0.009, this.step / 124) },
    );
  }

  #rows(): PackedDict {
    const { modules } = this.network;
    const points = 24;
    const random = randomFrom(11);
    const spark = Float32Array.from({ length: modules.length * points }, (_, index) => {
      const runs = (modules[Math.floor(index / points)]?.calls ?? 0) > 0;
      const level = 1 + 0.4 * Math.sin((index % points) / 3 + index / points);
      return runs ? level + 0.3 * random() : Number.NaN;
    });
    const now = Float32Array.from(
      { length: modules.length * 4 },
      (_, index) => [0.214, 0.391, 0.31, 1.2e-3][index % 4] as number,
    );
    const steps = Float64Array.from({ length: points }, (_, k) =>
      Math.round(((k + 1) * this.step) / points),
    );
    return pack(
      {
        seq: this.nextSeq(),
        step: this.step,
        statistic: "activation_std",
        badges: this.#badges(),
        snapshots: true,
      },
      {
        steps,
        spark: [spark, [modules.length, points]],
        snapshot_steps: steps.slice(0, -1),
        now: [now, [modules.length, 4]],
      },
    );
  }

  #badges(): Json[] {
    const { modules } = this.network;
    const badge = (row: number, kind: string, severity: string, text: string): Json[] =>
      row < 0 ? [] : [{ row, kind, severity, text, params: { dead: "6" }, step: 880 }];
    const relu = modules.findIndex(({ type }) => type === "ReLU" || type === "GELU");
    const norm = modules.findIndex(({ type }) => type.includes("Norm"));
    return [
      ...badge(
        modules.length > 8 ? 6 : relu,
        "dead",
        "error",
        "6 of 32 units (19 %) are dead since step 880: no sample moves them.",
      ),
      ...badge(norm, "saturated", "warning", "41 of its 512 values stand at the end of the range."),
    ];
  }

  #samples(): PackedDict {
    const side = 16;
    const random = randomFrom(5);
    const thumbs = Uint8Array.from({ length: SAMPLES * side * side }, (_, index) => {
      const pixel = index % (side * side);
      const [y, x] = [Math.floor(pixel / side) - 7.5, (pixel % side) - 7.5];
      const digit = Math.floor(index / (side * side));
      const ring = Math.abs(Math.hypot(x * (1 + digit / 9), y) - 4.5);
      return Math.max(0, Math.min(255, 255 * Math.exp(-(ring ** 2) / 2) - 30 * random()));
    });
    return pack(
      {
        seq: this.nextSeq(),
        kind: "image",
        count: SAMPLES,
        labels: ["0", "5", "6", "0", "8", "1", "6", "9"],
      },
      { thumbs: [thumbs, [SAMPLES, side, side]] },
    );
  }

  get module(): Module | undefined {
    return this.network.modules.find(({ name }) => name === this.selected);
  }

  layer(): PackedDict {
    const { module } = this;
    const row = this.network.modules.findIndex(({ name }) => name === this.selected);
    const step = this.cursor ?? this.step;
    const blocks =
      module === undefined || this.#options.blind
        ? []
        : blocksOf({ ...this, module, step: this.cursor ?? this.step });
    const arrays: Record<string, NumberArray | [NumberArray, number[]]> = {};
    blocks.forEach((block, index) => {
      for (const [name, array] of Object.entries(block.arrays)) arrays[`${index}.${name}`] = array;
    });
    const past = this.cursor !== null;
    return pack(
      {
        seq: this.nextSeq(),
        name: this.selected,
        row,
        tab: this.tab,
        step,
        source: past ? "snapshot" : this.source,
        sample_index: this.sample,
        unit: this.unit,
        unit_kind: module !== undefined && sidesOf(module).length > 2 ? "map" : "unit",
        shape: module?.shape ?? "",
        calls: module?.calls ?? 1,
        sort: this.sort,
        call: this.call,
        backward: this.direction === "backward",
        ablated: this.ablated,
        blocks: blocks.map(({ kind, title, text, meta, arrays: own }) => ({
          kind,
          title,
          text,
          meta,
          arrays: Object.keys(own),
        })),
        tabs:
          module?.params === 0
            ? ["activations", "history", "contributions", "feature"]
            : ["activations", "weights", "gradients", "history", "contributions", "feature"],
      },
      arrays,
    );
  }

  protected override act(
    action: string,
    args: JsonObject,
    id: number,
  ): PackedDict | null | string | undefined {
    const value = (name: string) => args[name] ?? null;
    switch (action) {
      case "select":
        if (!this.network.modules.some(({ name }) => name === args.layer)) {
          return `no layer is called ${String(args.layer)}.`;
        }
        this.selected = String(args.layer);
        this.unit = null;
        this.found = false;
        if (this.module?.params === 0 && ["weights", "gradients"].includes(this.tab)) {
          this.tab = "activations";
        }
        return null;
      case "unit":
        this.unit = value("unit") as number | number[] | null;
        return null;
      case "sample":
        this.sample = Number(args.index);
        return null;
      case "tab":
        this.tab = String(args.tab);
        return null;
      case "sort":
        this.sort = String(args.by);
        return null;
      case "source":
        this.source = String(args.source);
        return null;
      case "call":
        this.call = Number(args.index);
        return null;
      case "direction":
        this.direction = String(args.direction);
        return null;
      case "cursor":
        this.cursor = value("step") as number | null;
        return null;
      case "ablate":
        this.ablated = Array.isArray(args.units) ? args.units.map(Number) : "layer";
        return null;
      case "restore":
        this.ablated = null;
        return null;
      case "feature":
      case "best_samples":
        this.#begin(action, id);
        return undefined;
      case "export":
        return pack(
          { name: `layer.${String(args.format)}`, mime: "text/plain" },
          { file: new TextEncoder().encode("a picture\n") },
        );
      default:
        return null;
    }
  }

  /** Long work: progress, and an answer at the end. */
  #begin(action: string, id: number): void {
    this.emit("msg:custom", { type: "accepted", id, waits: null }, []);
    let fraction = 0;
    const timer = setInterval(() => {
      fraction += 0.05;
      const note = `${Math.round(fraction * 256)} / 256`;
      this.busy = { action, fraction, note };
      this.emit("msg:custom", { type: "progress", id, fraction, note }, []);
      if (fraction < 1) return;
      this.#end();
      this.found = true;
      this.reply(id, null);
      this.publish();
    }, 150);
    this.#work = { id, timer };
  }

  #end(): void {
    clearInterval(this.#work?.timer);
    this.#work = null;
    this.busy = null;
  }

  protected override cancelled(id: number): void {
    if (this.#work?.id !== id) return;
    this.#end();
    this.publish();
  }
}
