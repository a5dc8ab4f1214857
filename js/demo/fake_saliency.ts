/** A viewer's kernel in the page: it explains models that were never built. */

import type { Json, JsonObject, NumberArray } from "../src/wire";
import { FakeKernel, type KernelOptions } from "./fake_kernel";
import { type PackedDict, pack } from "./pack";
import { randomFrom } from "./run";
import { type Content, contentOf, type FakeKind, importanceOf } from "./saliency_content";

export interface SaliencyOptions extends KernelOptions {
  title?: string;
  language?: string;
  kind?: FakeKind;
  state?: string;
  step?: number;
  method?: string;
  /** How the picture stands. */
  pane?: "ready" | "working" | "stale" | "failed";
  /** Nothing is known of any input. */
  blind?: boolean;
  /** The map says nothing: its values are all the same, or not finite. */
  flaw?: "constant" | "not_finite" | "empty";
  checked?: boolean;
  error?: string;
}

export const METHODS = [
  "saliency",
  "input_x_gradient",
  "integrated_gradients",
  "smooth_grad",
  "gradient_shap",
  "grad_cam",
  "grad_cam_plus_plus",
  "layer_cam",
  "occlusion",
  "feature_ablation",
  "lime",
  "kernel_shap",
];

const UNAVAILABLE: [string, string][] = [
  [
    "deep_lift",
    "The ReLU “act” is used 3 times in one pass; DeepLIFT needs a module for each use.",
  ],
  [
    "guided_backprop",
    "The model calls torch.relu; guided backprop changes modules of type ReLU only.",
  ],
  ["attention_rollout", "The model has no attention."],
  ["lrp", "There is no LRP rule for BatchNorm2d (features.1)."],
];
const BASELINED: readonly string[] = [
  "integrated_gradients",
  "gradient_shap",
  "occlusion",
  "feature_ablation",
  "lime",
  "kernel_shap",
];
const SLOW: readonly string[] = ["occlusion", "lime", "kernel_shap"];
export const SAMPLES = 8;
const STEPS = [100, 400, 800, 1200, 1700, 2310, 2800, 3300];

export class FakeSaliency extends FakeKernel {
  step: number;
  state: string;
  index = 0;
  method: string;
  target: number | null = null;
  layer = "features.6";
  baseline = "zero";
  slot = 0;
  cursor: number | null = null;
  compare: { by: string | null; value: Json } = { by: null, value: null };
  pane: string;
  trust: "none" | "working" | "ready" | "stale" | "failed";
  importance = false;
  busy: JsonObject | null = null;
  readonly kind: FakeKind;
  readonly #options: SaliencyOptions;
  #work: { id: number; timer: ReturnType<typeof setInterval> } | null = null;

  constructor(options: SaliencyOptions = {}) {
    const { title = "", language = "", step = 3412 } = options;
    super(options, {
      title,
      language,
      index: 0,
      target: null,
      method: "",
      layer: "",
      _live: {},
      _samples: {},
      _choices: {},
      _picture: {},
      _film: {},
      _trust: {},
      _importance: {},
    });
    this.#options = options;
    this.step = step;
    this.state = options.state ?? "running";
    this.kind = options.kind ?? "image";
    this.method = options.method ?? "integrated_gradients";
    this.pane = options.pane ?? "ready";
    this.trust = options.checked === true ? "ready" : "none";
  }

  /** As the wire calls it: an image has colours or not. */
  get wireKind(): string {
    return this.kind === "color" ? "image" : this.kind;
  }

  /** What changes while it trains. */
  advance(steps: number): void {
    if (this.state === "running") this.step += steps;
    this.set("_live", this.#live());
  }

  override publish(): void {
    this.set("_live", this.#live());
    if (Object.keys(this.get("_choices") as object).length === 0) {
      this.set("_choices", this.#choices());
      this.set("_samples", this.#samples());
    }
    for (const name of ["index", "target", "method", "layer"] as const) this.set(name, this[name]);
    if (this.#options.blind) return;
    this.set("_picture", this.picture());
    this.set("_film", this.#film());
    this.set("_trust", this.#trust());
    if (this.importance) {
      const { meta, arrays } = importanceOf(this.kind);
      this.set("_importance", pack({ seq: this.nextSeq(), ...meta }, arrays));
    }
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
        busy: this.busy,
      },
      { numbers: Float64Array.of(124, 0.009, this.step / 124) },
    );
  }

  #choices(): PackedDict {
    const cam = this.wireKind === "image";
    const methods = METHODS.filter((name) => cam || !name.includes("cam"));
    const missing: [string, string][] = cam
      ? UNAVAILABLE
      : [
          ["grad_cam", "The model has no convolution whose maps could be laid over the input."],
          ...UNAVAILABLE,
        ];
    return pack({
      seq: this.nextSeq(),
      methods,
      unavailable: missing,
      default: "integrated_gradients",
      layers: [
        { name: "features.0", type: "Conv2d", shape: "16×28×28" },
        { name: "features.4", type: "Conv2d", shape: "32×14×14" },
        { name: "features.6", type: "ReLU", shape: "32×14×14" },
      ],
      baselines: [
        { name: "zero", label: "zero" },
        { name: "mean", label: "mean" },
        { name: "blurred", label: "blurred" },
        { name: "sample", label: "another sample" },
      ],
      classes: contentOf(this.kind, 0, 0, 0).classes,
      steps: STEPS,
      checkpoints: ["epoch-2.pt", "best.pt"],
      uses: Object.fromEntries(
        METHODS.map((name) => [
          name,
          {
            layer: name.includes("cam"),
            baseline: BASELINED.includes(name),
            random: name === "lime",
            slow: SLOW.includes(name),
          },
        ]),
      ),
    });
  }

  #samples(): PackedDict {
    const count = this.#options.blind ? 0 : SAMPLES;
    const meta = { seq: this.nextSeq(), kind: this.wireKind, count, labels: null };
    if (this.wireKind !== "image" || count === 0) return pack(meta);
    const thumbs = new Uint8Array(SAMPLES * 28 * 28);
    for (let index = 0; index < SAMPLES; index++) {
      thumbs.set(contentOf("image", index, 0, 0).input as Uint8Array, index * 28 * 28);
    }
    return pack(meta, { thumbs: [thumbs, [SAMPLES, 28, 28]] });
  }

  #content(method = this.method, target = this.target, step = this.cursor ?? this.step): Content {
    return contentOf(this.kind, this.index, METHODS.indexOf(method), step, target);
  }

  picture(): PackedDict {
    const { by, value } = this.compare;
    const contents: [Content, JsonObject][] = [
      [this.#content(), { method: this.method, step: this.cursor ?? this.step }],
    ];
    if (by === "method") {
      contents.push([this.#content(String(value)), { method: value }]);
    } else if (by === "target") {
      contents.push([this.#content(this.method, Number(value)), {}]);
    } else if (by !== null) {
      const step = by === "step" ? Number(value) : 400;
      const other = this.#content(this.method, this.target, step);
      contents.push([other, by === "step" ? { step, past: true } : { checkpoint: value }]);
    }
    const signed = !this.method.includes("cam");
    const maps = contents.map(([content]) => Array.from(content.map));
    const flaw = this.#options.flaw;
    const high = Math.max(...maps.flat().map(Math.abs));
    const arrays: Record<string, NumberArray | [NumberArray, number[]]> = {};
    const panes = contents.map(([content, own], place): JsonObject => {
      const map = Float32Array.from(content.map, (number, at) => {
        if (flaw === "constant") return 0.25;
        if (flaw === "not_finite" && at % 7 === 0) return at % 2 === 0 ? Number.NaN : Infinity;
        return signed ? number : Math.abs(number);
      });
      if (flaw !== "empty") arrays[`${place}.map`] = [map, content.shape];
      if (content.input !== null) arrays[`${place}.input`] = [content.input, content.inputShape];
      arrays[`${place}.probabilities`] = content.probabilities;
      const method = String(own.method ?? this.method);
      if (method === "lime") {
        arrays[`${place}.spread`] = [
          map.map((number) => Math.abs(number) / 5 + 0.01),
          content.shape,
        ];
      }
      const failed = this.pane === "failed";
      return {
        index: this.index,
        method,
        target: content.target,
        target_name: content.classes[content.target ?? 0] ?? "",
        layer: method.includes("cam") ? this.layer : null,
        baseline: BASELINED.includes(method) ? this.baseline : null,
        step: this.cursor ?? this.step,
        past: this.cursor !== null,
        checkpoint: null,
        kind: this.wireKind,
        state: this.pane,
        problem: failed ? "The model raised an error in features.4: out of memory." : null,
        warnings:
          method === "smooth_grad" ? ["10 noisy copies were averaged; more make it smoother."] : [],
        note: content.note,
        delta: BASELINED.includes(method) ? 0.004 : null,
        seconds: 0.42,
        evaluations: 51,
        shape: content.shape,
        sum: map.reduce((sum, number) => sum + number, 0),
        score: content.score,
        baseline_score: content.baselineScore,
        classes: content.classes,
        target_unit: content.unit,
        features: content.features,
        tokens: content.tokens,
        slots: this.kind === "other" ? ["values", "mask"] : null,
        slot: this.slot,
        details: method === "lime" ? { r2: 0.83 } : {},
        ...own,
      };
    });
    return pack(
      {
        seq: this.nextSeq(),
        compare: by,
        signed,
        low: flaw === "constant" ? 0.25 : signed ? -high : 0,
        high: flaw === "constant" ? 0.25 : high,
        panes,
      },
      arrays,
    );
  }

  #film(): PackedDict {
    const contents = STEPS.map((step) => this.#content(this.method, this.target, step));
    const signed = !this.method.includes("cam");
    const maps = contents.map(({ map }) => Array.from(map, (v) => (signed ? v : Math.abs(v))));
    const high = Math.max(...maps.flat().map(Math.abs));
    const shape = contents[0]?.shape ?? [];
    const sides = this.wireKind === "image" ? shape : [maps[0]?.length ?? 0];
    const random = randomFrom(3);
    return pack(
      {
        seq: this.nextSeq(),
        method: this.method,
        index: this.index,
        shown: STEPS.length - 1,
        low: signed ? -high : 0,
        high,
        signed,
      },
      {
        steps: Float64Array.from(STEPS),
        drift: Float32Array.from(STEPS, (_, at) =>
          at === 0 ? Number.NaN : 1 - 0.6 * random() * Math.exp(-at / 3),
        ),
        frames: [Float32Array.from(maps.flat()), [STEPS.length, ...sides]],
      },
    );
  }

  #trust(): PackedDict {
    const meta = {
      seq: this.nextSeq(),
      state: this.trust,
      method: this.method,
      index: this.index,
      target: this.#content().target,
      step: 3412,
      fraction: null,
      checks: [],
      verdict: null,
      problem: this.trust === "failed" ? "Randomising features.1 failed: no parameters." : null,
    };
    if (this.trust !== "ready" && this.trust !== "stale") return pack(meta);
    const points = 21;
    const curve = (steep: number) =>
      Float32Array.from(
        { length: points },
        (_, at) => 1 / (1 + Math.exp(steep * (at / 20 - 0.35) * 12)),
      );
    return pack(
      {
        ...meta,
        checks: [
          {
            kind: "completeness",
            level: "good",
            text: "Adds up: the values sum to the score within 0.6 %.",
            value: 0.006,
          },
          {
            kind: "randomisation",
            level: "good",
            text: "Depends on what was learned: similarity 0.11 once the weights are randomised.",
            value: 0.11,
          },
          {
            kind: "deletion",
            level: "good",
            text: "Removing the marked pixels first lowers the score 3.1× faster than random ones.",
            value: 0.21,
          },
          {
            kind: "stability",
            level: "warn",
            text: "Changes with small noise: mean similarity 0.62.",
            value: 0.62,
          },
          {
            kind: "seeds",
            level: "unknown",
            text: "Other seeds: this method draws none.",
            value: null,
          },
        ],
        verdict:
          "Four checks were made. The map depends on the weights and finds what the score rests on; its details change with noise.",
        cascade_layers: ["classifier.2", "classifier.0", "features.4", "features.0"],
      },
      {
        fraction: Float32Array.from({ length: points }, (_, at) => at / 20),
        deletion: curve(1.6),
        insertion: curve(-1.4),
        random_deletion: curve(0.5).map((value, at) => 0.5 * value + 0.5 * (1 - at / 20)),
        random_insertion: curve(-0.5).map((value, at) => 0.5 * value + 0.5 * (at / 20)),
        cascade: Float32Array.of(0.42, 0.3, 0.14, 0.11),
      },
    );
  }

  protected override act(
    action: string,
    args: JsonObject,
    id: number,
  ): PackedDict | null | string | undefined {
    const value = (name: string) => args[name] ?? null;
    switch (action) {
      case "index":
        this.index = Number(args.index);
        this.target = null;
        break;
      case "target":
        this.target = value("target") as number | null;
        break;
      case "method":
        this.method = String(args.method);
        if (SLOW.includes(this.method)) return this.#begin(action, id);
        break;
      case "layer":
        this.layer = String(args.layer);
        break;
      case "baseline":
        this.baseline = String(args.baseline);
        break;
      case "slot":
        this.slot = Number(args.slot);
        break;
      case "compare":
        this.compare = { by: value("by") as string | null, value: value("value") };
        break;
      case "cursor":
        this.cursor = value("step") as number | null;
        break;
      case "explain":
      case "trust":
      case "importance":
        return this.#begin(action, id);
      case "at":
        this.answer(id, {
          items: [
            ["value", "+0.0124"],
            ["rank", `3 of ${this.#content().map.length}`],
            ["input", String((args.place as Json[]).join(", "))],
          ],
        });
        return undefined;
      case "export":
        return pack(
          { name: `saliency.${String(args.format)}`, mime: "text/plain" },
          { file: new TextEncoder().encode("a picture\n") },
        );
    }
    if (this.trust === "ready") this.trust = "stale";
    return null;
  }

  /** Answers with numbers and no picture. */
  protected answer(id: number, result: Json): void {
    this.emit("msg:custom", { type: "reply", id, result, packed: null }, []);
  }

  /** Long work: progress, and an answer at the end. */
  #begin(action: string, id: number): undefined {
    this.emit("msg:custom", { type: "accepted", id, waits: null }, []);
    if (action === "trust") this.trust = "working";
    let fraction = 0;
    const timer = setInterval(() => {
      fraction += 0.05;
      const note = `${Math.round(fraction * 50)} / 50`;
      this.busy = { action, fraction, note };
      this.emit("msg:custom", { type: "progress", id, fraction, note }, []);
      if (fraction < 1) return;
      this.#end();
      if (action === "trust") this.trust = "ready";
      else if (action === "importance") this.importance = true;
      else this.pane = "ready";
      this.reply(id, null);
      this.publish();
    }, 150);
    this.#work = { id, timer };
    return undefined;
  }

  #end(): void {
    clearInterval(this.#work?.timer);
    this.#work = null;
    this.busy = null;
  }

  protected override cancelled(id: number): void {
    if (this.#work?.id !== id) return;
    this.#end();
    if (this.trust === "working") this.trust = "none";
    this.publish();
  }
}
