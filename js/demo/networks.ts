/** Models that were never built: their modules, shapes, costs and data flow. */

import type { Json, JsonObject } from "../src/wire";

export interface Module {
  name: string;
  type: string;
  label: string;
  depth: number;
  parent: number;
  params: number;
  trainable: string;
  shape: string;
  flops: number;
  shared: string | null;
  calls: number;
  container: boolean;
  failed: boolean;
}

export interface Network {
  model: string;
  modules: Module[];
  nodes: JsonObject[];
  edges: [string, string, string][];
}

type Extra = Partial<Module>;

/** Builds a network part by part, in order of definition. */
class Builder {
  readonly modules: Module[] = [];
  readonly nodes: JsonObject[] = [];
  readonly edges: [string, string, string][] = [];
  readonly #stack: number[] = [];

  add(short: string, type: string, shape: string, params: number, extra: Extra = {}): number {
    const parent = this.#stack.at(-1) ?? -1;
    const above = this.modules[parent]?.name;
    this.modules.push({
      name: above === undefined ? short : `${above}.${short}`,
      type,
      label: type,
      depth: this.#stack.length,
      parent,
      params,
      trainable: params > 0 ? "all" : "",
      shape,
      flops: type === "Linear" ? 512 * params : 0,
      shared: null,
      calls: 1,
      container: false,
      failed: false,
      ...extra,
    });
    return this.modules.length - 1;
  }

  within(short: string, type: string, shape: string, fill: () => void): number {
    const row = this.add(short, type, shape, 0, { container: true, trainable: "" });
    this.#stack.push(row);
    fill();
    this.#stack.pop();
    return row;
  }

  /** A node of the data flow, fed from others. */
  node(id: string, from: readonly string[], more: JsonObject = {}): string {
    this.nodes.push({
      id,
      kind: "op",
      layer: -1,
      label: id,
      times: 1,
      parent: this.#stack.at(-1) ?? -1,
      shape: "",
      ...more,
    });
    for (const source of from) this.edges.push([source, id, ""]);
    return id;
  }

  /** The node of a module. */
  run(row: number, from: readonly string[], more: JsonObject = {}): string {
    const module = this.modules[row];
    const id = `m${row}`;
    return this.node(id, from, {
      kind: "module",
      layer: row,
      label: module?.label ?? "",
      parent: module?.parent ?? -1,
      shape: module?.shape ?? "",
      ...more,
    });
  }

  done(model: string): Network {
    return { model, modules: this.modules, nodes: this.nodes, edges: this.edges };
  }
}

/** The digits CNN of the design's picture. */
export function digits(): Network {
  const b = new Builder();
  const layers: [string, string, number, number, string?][] = [
    ["Conv2d", "1×16×28×28", 160, 225_792, "Conv2d 1→16"],
    ["BatchNorm2d", "1×16×28×28", 32, 0],
    ["ReLU", "1×16×28×28", 0, 0],
    ["MaxPool2d", "1×16×14×14", 0, 0],
    ["Conv2d", "1×32×14×14", 4640, 1_806_336, "Conv2d 16→32"],
    ["BatchNorm2d", "1×32×14×14", 64, 0],
    ["ReLU", "1×32×14×14", 0, 0],
    ["MaxPool2d", "1×32×7×7", 0, 0],
    ["Flatten", "1×1568", 0, 0],
    ["Linear", "1×64", 100_416, 200_704, "Linear 1568→64"],
    ["ReLU", "1×64", 0, 0],
    ["Dropout", "1×64", 0, 0],
    ["Linear", "1×10", 650, 1280, "Linear 64→10"],
  ];
  let last = b.node("input", [], { kind: "input", label: "input", shape: "1×1×28×28" });
  layers.forEach(([type, shape, params, flops, label = type], index) => {
    const row = b.add(String(index), type, shape, params, { flops, label });
    last = b.run(row, [last]);
  });
  b.node("output", [last], { kind: "output", label: "output", shape: "1×10" });
  return b.done("Sequential");
}

/** A residual network: skips, a relu that runs twice, frozen and tied parts. */
export function residual(): Network {
  const b = new Builder();
  let last = b.node("input", [], { kind: "input", shape: "4×3×64×64" });
  last = b.run(b.add("conv1", "Conv2d", "4×64×32×32", 9408, { trainable: "none" }), [last]);
  last = b.run(b.add("bn1", "BatchNorm2d", "4×64×32×32", 128, { trainable: "none" }), [last]);
  last = b.run(b.add("relu", "ReLU", "4×64×32×32", 0), [last]);
  last = b.run(b.add("maxpool", "MaxPool2d", "4×64×16×16", 0), [last]);
  const sides = [16, 8, 4, 2];
  sides.forEach((side, stage) => {
    const width = 64 * 2 ** stage;
    const shape = `4×${width}×${side}×${side}`;
    b.within(`layer${stage + 1}`, "Sequential", shape, () => {
      for (let block = 0; block < 2; block++) {
        b.within(String(block), "BasicBlock", shape, () => {
          const skip = last;
          const inner = block === 0 && stage > 0 ? width / 2 : width;
          last = b.run(b.add("conv1", "Conv2d", shape, inner * width * 9, { flops: 1e6 }), [last]);
          last = b.run(b.add("bn1", "BatchNorm2d", shape, 2 * width), [last]);
          const relu = b.add("relu", "ReLU", shape, 0, { calls: 2 });
          const first = b.run(relu, [last]);
          last = b.run(b.add("conv2", "Conv2d", shape, width * width * 9, { flops: 1e6 }), [first]);
          last = b.run(b.add("bn2", "BatchNorm2d", shape, 2 * width), [last]);
          let side2 = skip;
          if (block === 0 && stage > 0) {
            b.within("downsample", "Sequential", shape, () => {
              side2 = b.run(b.add("0", "Conv2d", shape, inner * width), [skip]);
              side2 = b.run(b.add("1", "BatchNorm2d", shape, 2 * width), [side2]);
            });
          }
          last = b.node(`add${stage}${block}`, [last, side2], { label: "add", shape });
          b.edges.push([last, first, ""]);
          last = first;
        });
      }
    });
  });
  last = b.run(b.add("avgpool", "AdaptiveAvgPool2d", "4×512×1×1", 0), [last]);
  last = b.node("flatten", [last], { label: "flatten", shape: "4×512" });
  last = b.run(b.add("fc", "Linear", "4×1000", 513_000, { flops: 4_096_000 }), [last]);
  b.node("output", [last], { kind: "output", shape: "4×1000" });
  return b.done("ResNet");
}

/** A language model with tied weights; `blocks` of 12 modules each. */
export function transformer(blocks: number): Network {
  const b = new Builder();
  const shape = "2×128×768";
  const ids = b.node("ids", [], { kind: "input", label: "input_ids", shape: "2×128" });
  const mask = b.node("mask", [], { kind: "input", label: "attention_mask", shape: "2×128" });
  let last = "";
  b.within("transformer", "ModuleDict", "", () => {
    const wte = b.run(b.add("wte", "Embedding", shape, 38_597_376), [ids]);
    const wpe = b.run(b.add("wpe", "Embedding", "128×768", 786_432), []);
    const sum = b.node("embed", [wte, wpe], { label: "add", shape });
    last = b.run(b.add("drop", "Dropout", shape, 0), [sum]);
    b.within("h", "ModuleList", "", () => {
      for (let i = 0; i < blocks; i++) {
        b.within(String(i), "Block", shape, () => {
          const skip = last;
          last = b.run(b.add("ln_1", "LayerNorm", shape, 1536), [last]);
          b.within("attn", "SelfAttention", shape, () => {
            last = b.run(b.add("c_attn", "Linear", "2×128×2304", 1_771_776), [last]);
            last = b.node(`sdpa${i}`, [last, mask], {
              label: "scaled_dot_product_attention",
              shape: "2×12×128×64",
            });
            last = b.run(b.add("c_proj", "Linear", shape, 590_592), [last]);
            b.add("attn_dropout", "Dropout", "", 0, { calls: 0 });
            last = b.run(b.add("resid_dropout", "Dropout", shape, 0), [last]);
          });
          last = b.node(`add${i}a`, [skip, last], { label: "add", shape });
          const middle = last;
          last = b.run(b.add("ln_2", "LayerNorm", shape, 1536), [last]);
          b.within("mlp", "MLP", shape, () => {
            last = b.run(b.add("c_fc", "Linear", "2×128×3072", 2_362_368), [last]);
            last = b.run(b.add("act", "GELU", "2×128×3072", 0), [last]);
            last = b.run(b.add("c_proj", "Linear", shape, 2_360_064), [last]);
          });
          last = b.node(`add${i}b`, [middle, last], { label: "add", shape });
        });
      }
    });
    last = b.run(b.add("ln_f", "LayerNorm", shape, 1536), [last]);
  });
  const head = b.add("lm_head", "Linear", "2×128×50257", 0, { shared: "transformer.wte" });
  last = b.run(head, [last]);
  b.node("output", [last], { kind: "output", label: "logits", shape: "2×128×50257" });
  return b.done("GPT");
}

/** The `_tree` of a network. */
export function treeMeta(network: Network, failure: Json, withSample: boolean): JsonObject {
  const { modules, model } = network;
  const rows = modules.map((module) =>
    withSample ? { ...module } : { ...module, shape: "", flops: null, calls: 0 },
  );
  const sum = (pick: (module: Module) => number) =>
    modules.reduce((total, module) => total + pick(module), 0);
  return {
    model,
    rows,
    totals: {
      modules: modules.length,
      params: sum(({ params }) => params),
      trainable: sum(({ params, trainable }) => (trainable === "none" ? 0 : params)),
      flops: withSample ? 8 * sum(({ flops }) => flops) : null,
      owners: modules.filter(({ params }) => params > 0).length,
    },
    failure,
    shown: modules.length,
    all: modules.length,
  };
}
