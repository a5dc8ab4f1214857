/** Pictures of layers that were never computed: blocks of every kind, the same for one seed. */

import type { JsonObject, NumberArray } from "../src/wire";
import type { Module } from "./networks";
import { randomFrom } from "./run";

export interface FakeBlock {
  kind: string;
  title: { key: string; params: Record<string, string> } | null;
  text: string;
  meta: JsonObject;
  arrays: Record<string, NumberArray | [NumberArray, number[]]>;
}

export interface Wanted {
  module: Module;
  tab: string;
  sample: number;
  step: number;
  unit: number | number[] | null;
  sort: string;
  ablated: number[] | "layer" | null;
  direction: string;
  /** What the search for an input has brought. */
  found: boolean;
}

/** Sides of an output without its batch. */
export function sidesOf({ shape }: Module): number[] {
  return shape.split("×").slice(1).map(Number);
}

const hash = (text: string): number =>
  [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);

const block = (
  kind: string,
  meta: JsonObject,
  arrays: FakeBlock["arrays"],
  text = "",
): FakeBlock => ({ kind, title: text === "" ? null : { key: "", params: {} }, text, meta, arrays });

export const sentence = (text: string, level = "info"): FakeBlock =>
  block("note", { level }, {}, text);

/** Soft spots on a field, as feature maps have them. */
function field(seed: number, height: number, width: number, signed: boolean): Float32Array {
  const random = randomFrom(seed);
  const spots = Array.from({ length: 3 }, () => ({
    y: random() * height,
    x: random() * width,
    size: 0.4 + (random() * Math.max(height, width)) / 7,
    strength: (signed ? random() - 0.5 : random()) * 2,
  }));
  return Float32Array.from({ length: height * width }, (_, pixel) => {
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    let sum = 0;
    for (const spot of spots) {
      const distance = ((y - spot.y) ** 2 + (x - spot.x) ** 2) / (2 * spot.size ** 2);
      sum += spot.strength * Math.exp(-distance);
    }
    return signed ? sum + 0.1 * (random() - 0.5) : Math.max(0, sum - 0.15);
  });
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function numbers(values: Float32Array): FakeBlock {
  const average = mean(values);
  const std = Math.sqrt(mean(values.map((value) => (value - average) ** 2)));
  const zeros = mean(values.map((value) => (value === 0 ? 1 : 0)));
  const items: [string, string, number][] = [
    ["ui.inspector.mean", "number", average],
    ["ui.inspector.std", "number", std],
    ["ui.inspector.max", "number", values.reduce((a, b) => Math.max(a, b), -Infinity)],
    ["ui.inspector.zeros", "percent", zeros],
  ];
  return block(
    "numbers",
    { items: items.map(([key, kind]) => [key, kind, null]) },
    { values: Float64Array.from(items, ([, , value]) => value) },
  );
}

function histogram(values: Float32Array, step: number): FakeBlock {
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const high = values.reduce((a, b) => Math.max(a, b), 1e-3);
  const counts = new Float64Array(64);
  for (const value of values) {
    const bin = Math.min(63, Math.floor(((value - low) / (high - low)) * 64));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const edges = Float64Array.from({ length: 65 }, (_, k) => low + ((high - low) * k) / 64);
  return block("histogram", { step, count: values.length }, { counts, edges }, "Histogram");
}

function maps(
  wanted: Wanted,
  count: number,
  height: number,
  width: number,
  signed: boolean,
): FakeBlock[] {
  const { module, sample, step, sort } = wanted;
  const off = Array.isArray(wanted.ablated) ? wanted.ablated : [];
  const made = Array.from({ length: Math.min(count, 64) }, (_, unit) => {
    const still = wanted.ablated === "layer" || off.includes(unit);
    const seed = hash(`${module.name} ${unit} ${sample} ${Math.floor(step / 400)}`);
    const pixels = still ? new Float32Array(height * width) : field(seed, height, width, signed);
    return { unit, pixels, value: mean(pixels.map(Math.abs)) };
  });
  if (sort !== "index") made.sort((a, b) => b.value - a.value);
  const pixels = Float32Array.from(made.flatMap((map) => [...map.pixels]));
  const high = pixels.reduce((a, b) => Math.max(a, Math.abs(b)), 0.01);
  const chosen = Array.isArray(wanted.unit) ? (wanted.unit[0] ?? null) : wanted.unit;
  return [
    block(
      "maps",
      {
        low: signed ? -high : 0,
        high,
        signed,
        count,
        sort,
        rgb: false,
        caption: "activity",
        unit: chosen,
      },
      {
        pixels: [pixels, [made.length, height, width]],
        units: Int32Array.from(made, ({ unit }) => unit),
        values: Float32Array.from(made, ({ value }) => value),
      },
    ),
    numbers(pixels),
  ];
}

function bars(wanted: Wanted, count: number): FakeBlock[] {
  const random = randomFrom(hash(`${wanted.module.name} ${wanted.sample}`));
  const values = Float32Array.from({ length: count }, () => {
    const value = (random() + random() + random() - 1.3) * 2;
    return wanted.module.type === "ReLU" ? Math.max(0, value) : value;
  });
  const chosen = Array.isArray(wanted.unit) ? (wanted.unit[0] ?? null) : wanted.unit;
  const units = Int32Array.from(values.keys());
  if (wanted.sort !== "index") {
    units.sort((a, b) => Math.abs(values[b] as number) - Math.abs(values[a] as number));
  }
  const sorted = Float32Array.from(units, (unit) => values[unit] as number);
  return [
    block("bars", { unit: chosen }, { values: sorted, units }),
    numbers(values),
    histogram(values, wanted.step),
  ];
}

function activations(wanted: Wanted): FakeBlock[] {
  const [units = 0, height = 0, width = 0] = sidesOf(wanted.module);
  const signed = !["ReLU", "MaxPool2d"].includes(wanted.module.type);
  if (height > 0 && width > 0) {
    const shown = maps(wanted, units, height, width, signed);
    return wanted.ablated === null ? shown : [outputs(wanted), ...shown];
  }
  if (height > 0) {
    const pixels = field(hash(wanted.module.name), units, Math.min(height, 256), true);
    return [
      block(
        "matrix",
        {
          low: -2,
          high: 2,
          signed: true,
          rows: "token",
          columns: "feature",
          reduced: height > 256,
        },
        { pixels: [pixels, [units, Math.min(height, 256)]] },
      ),
      numbers(pixels),
    ];
  }
  return units > 0 ? bars(wanted, units) : [sentence("This module has not run.", "warning")];
}

function outputs({ module }: Wanted): FakeBlock {
  const random = randomFrom(hash(`${module.name} off`));
  const soft = () => {
    const raw = Float32Array.from({ length: 10 }, () => Math.exp(4 * random()));
    const sum = raw.reduce((a, b) => a + b, 0);
    return raw.map((value) => value / sum);
  };
  const labels = Array.from({ length: 10 }, (_, digit) => String(digit));
  return block(
    "outputs",
    { labels },
    { before: soft(), after: soft() },
    "The answer, before and after",
  );
}

function weights(wanted: Wanted, scale: number): FakeBlock[] {
  const { module } = wanted;
  const seed = hash(`${module.name} ${wanted.tab}`);
  if (module.type === "Conv2d") {
    const count = Math.min(64, Number(/→(\d+)/.exec(module.label)?.[1] ?? 16));
    const pixels = Float32Array.from(
      Array.from({ length: count }, (_, unit) => [...field(seed + unit, 3, 3, true)]).flat(),
      (value) => value * scale,
    );
    const high = pixels.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return [
      block(
        "maps",
        { low: -high, high, signed: true, count, sort: "index", rgb: false, caption: null },
        {
          pixels: [pixels, [count, 3, 3]],
          units: Int32Array.from({ length: count }, (_, unit) => unit),
          values: new Float32Array(count),
        },
        "Kernels",
      ),
      histogram(pixels, wanted.step),
    ];
  }
  const pixels = field(seed, 64, 96, true).map((value) => value * scale);
  const high = pixels.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const meta = { low: -high, high, signed: true, rows: "output", columns: "input", reduced: true };
  return [
    block("matrix", meta, { pixels: [pixels, [64, 96]] }, "Weight matrix"),
    histogram(pixels, wanted.step),
  ];
}

function history(wanted: Wanted): FakeBlock[] {
  const count = 40;
  const steps = Float64Array.from({ length: count }, (_, k) => Math.round((k * wanted.step) / 40));
  const counts = Float32Array.from({ length: count * 48 }, (_, index) => {
    const [k, bin] = [Math.floor(index / 48), index % 48];
    const width = 3 + k / 4;
    return 900 * Math.exp(-((bin - 20) ** 2) / (2 * width ** 2));
  });
  const edges = Float64Array.from({ length: 49 }, (_, k) => (k - 20) / 10);
  const values = Float32Array.from({ length: count * 2 }, (_, index) =>
    index < count ? 0.2 + index / 200 : 0.3 + (index - count) ** 0.5 / 20,
  );
  return [
    block("ridge", {}, { steps, counts: [counts, [count, 48]], edges }, "Activations over the run"),
    block(
      "lines",
      { names: ["mean", "std"] },
      { steps, values: [values, [2, count]] },
      "Mean and std",
    ),
  ];
}

function contributions(wanted: Wanted): FakeBlock[] {
  const { unit, module, direction } = wanted;
  if (unit === null) return [sentence("Choose a unit: click one under Activations.")];
  const random = randomFrom(hash(`${module.name} ${String(unit)} ${direction}`));
  const shown = 20;
  const terms = Array.from({ length: shown }, (_, index) => {
    const [activation, weight] = [random() * 2, (random() - 0.5) / 2];
    return { index, activation, weight, product: activation * weight };
  }).sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const listed = terms.reduce((sum, { product }) => sum + product, 0);
  const [bias, rest] = [0.021, -0.134];
  const words = Array.isArray(unit) ? unit.join(", ") : String(unit);
  return [
    block(
      "terms",
      { total: 144, shown, bias, rest, sum: listed + bias + rest, unit: words },
      {
        inputs: [Int32Array.from(terms.flatMap(({ index }) => [index, 2, 3])), [shown, 3]],
        activation: Float32Array.from(terms, (term) => term.activation),
        weight: Float32Array.from(terms, (term) => term.weight),
        product: Float32Array.from(terms, (term) => term.product),
      },
      `What makes up unit ${words}`,
    ),
    block(
      "arithmetic",
      {
        lines: [
          [`unit ${words}`, "head"],
          ...terms
            .slice(0, 4)
            .map(({ activation, weight, product }) => [
              `${activation.toFixed(3)} × ${weight.toFixed(3)} = ${product.toFixed(4)}`,
              "term",
            ]),
          [`and 140 more, and the bias: ${(listed + bias + rest).toFixed(4)}`, "result"],
        ],
      },
      {},
      "The arithmetic",
    ),
  ];
}

function feature(wanted: Wanted): FakeBlock[] {
  if (wanted.unit === null) return [sentence("Choose a unit: click one under Activations.")];
  if (!wanted.found) return [sentence("Nothing has been looked for yet.")];
  const pixels = field(hash(wanted.module.name), 28, 28, true);
  const grey = Uint8Array.from(pixels, (value) => Math.max(0, Math.min(255, 128 + value * 90)));
  return [block("image", {}, { pixels: [grey, [28, 28]] }, "An input that drives the unit")];
}

export function blocksOf(wanted: Wanted): FakeBlock[] {
  switch (wanted.tab) {
    case "weights":
      return weights(wanted, 0.3);
    case "gradients":
      return weights(wanted, 2e-4);
    case "history":
      return history(wanted);
    case "contributions":
      return contributions(wanted);
    case "feature":
      return feature(wanted);
    default:
      return activations(wanted);
  }
}
