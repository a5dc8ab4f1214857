/** Pictures of layers as the kernel would send them, one for each kind of block and for trouble. */

import { type LayerPicture, readLayer } from "../../src/layer_inspector/blocks";
import { type JsonObject, type NumberArray, unpack } from "../../src/wire";
import { pack } from "../pack";

interface Part {
  kind: string;
  text?: string;
  meta?: JsonObject;
  arrays?: Record<string, [NumberArray, number[]]>;
}

export function layerOf(parts: readonly Part[], meta: JsonObject = {}): LayerPicture {
  const arrays: Record<string, [NumberArray, number[]]> = {};
  const blocks = parts.map(({ kind, text = "", meta: words = {}, arrays: own = {} }, index) => {
    for (const [name, value] of Object.entries(own)) arrays[`${index}.${name}`] = value;
    return { kind, title: null, text, meta: words, arrays: Object.keys(own) };
  });
  const tab = "activations";
  const name = "6";
  return readLayer(
    unpack(pack({ seq: 1, name, row: 6, tab, step: 3412, unit: null, ...meta, blocks }, arrays)),
  );
}

/** Numbers that look random and are the same each time. */
export function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

function field(count: number, value: (index: number) => number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => value(index));
}

/** A bump on a plane that decays towards zero. */
function bump(size: number, seed: number): (x: number, y: number) => number {
  const random = noise(seed);
  const spots = Array.from({ length: 3 }, () => [random() * size, random() * size, random()]);
  return (x, y) =>
    spots.reduce((sum, [u = 0, v = 0, w = 0]) => {
      const distance = ((x - u) / 2.4) ** 2 + ((y - v) / 1.6) ** 2;
      return sum + w * Math.exp(-distance);
    }, 0);
}

export function mapsPart(count = 32, side = 14, options: JsonObject = {}, seed = 1): Part {
  const signed = options.signed === true;
  const size = side * side;
  const pixels = new Float32Array(count * size);
  for (let map = 0; map < count; map++) {
    const value = bump(side, seed + map * 17);
    for (let i = 0; i < size; i++) {
      const v = value(i % side, Math.floor(i / side));
      pixels[map * size + i] = signed ? v - 0.35 : v;
    }
  }
  if (options.broken === true) {
    pixels.fill(Number.NaN, size, size + 30);
    pixels.fill(Number.POSITIVE_INFINITY, 2 * size + 40, 2 * size + 44);
    pixels.fill(Number.NEGATIVE_INFINITY, 3 * size + 40, 3 * size + 44);
  }
  const meta = {
    low: signed ? -1 : 0,
    high: 1,
    signed,
    count: 64,
    caption: "activity",
    rgb: false,
    ...options,
  };
  return {
    kind: "maps",
    text: String(options.title ?? ""),
    meta,
    arrays: {
      pixels: [pixels, [count, side, side]],
      units: [Int32Array.from({ length: count }, (_, i) => (i * 7) % 64), [count]],
      values: [field(count, (i) => 0.28 - i * 0.005), [count]],
    },
  };
}

export function barsPart(count: number, options: JsonObject = {}): Part {
  const random = noise(count);
  const values = field(count, (i) => Math.sin(i / 9) * random() + (random() - 0.5) * 0.4);
  if (options.broken === true) values.set([Number.NaN, Number.POSITIVE_INFINITY], 5);
  return {
    kind: "bars",
    text: `${count} units`,
    meta: options,
    arrays: {
      values: [values, [count]],
      units: [Int32Array.from(values.keys()), [count]],
    },
  };
}

export function matrixPart(rows: number, columns: number, options: JsonObject = {}): Part {
  const random = noise(rows);
  const pixels = field(rows * columns, (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return 0.25 * Math.sin(row / 2 + column / 5) * random() + 0.03 * (random() - 0.5);
  });
  if (options.broken === true) pixels.set([Number.NaN, Infinity, -Infinity], 3);
  return {
    kind: "matrix",
    text: `${rows} × ${columns}`,
    meta: {
      low: -0.25,
      high: 0.25,
      signed: true,
      rows: "token",
      columns: "feature",
      reduced: false,
      ...options,
    },
    arrays: { pixels: [pixels, [rows, columns]] },
  };
}

export function attentionPart(heads: number, tokens: number, labels?: string[]): Part {
  const pixels = field(heads * tokens * tokens, (i) => {
    const [head, row, column] = [
      Math.floor(i / tokens / tokens),
      Math.floor(i / tokens) % tokens,
      i % tokens,
    ];
    return column > row ? 0 : Math.exp(-Math.abs(row - column - head)) / 1.6;
  });
  return {
    kind: "attention",
    text: "Attention",
    meta: { low: 0, high: 0.63, signed: false, heads, ...(labels && { labels }) },
    arrays: { pixels: [pixels, [heads, tokens, tokens]] },
  };
}

export function histogramPart(relu = false): Part {
  const bins = 64;
  const counts = Float64Array.from({ length: bins }, (_, bin) => {
    const x = (bin - 26) / 9;
    return Math.round((relu && bin === 0 ? 9000 : 800) * Math.exp(-x * x));
  });
  if (relu) counts[0] = 9000;
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => (relu ? 0 : -1.1) + i * 0.04);
  return {
    kind: "histogram",
    text: "Distribution",
    meta: { step: 3412, count: 6272 },
    arrays: { counts: [counts, [bins]], edges: [edges, [bins + 1]] },
  };
}

export function numbersPart(): Part {
  return {
    kind: "numbers",
    meta: {
      items: [
        ["ui.inspector.mean", "number", null],
        ["ui.inspector.std", "number", null],
        ["ui.inspector.max", "number", null],
        ["ui.inspector.zeros", "percent", null],
        ["ui.inspector.nan_count", "integer", null],
        ["ui.inspector.min", "number", null],
      ],
    },
    arrays: { values: [Float64Array.of(0.214, 0.391, 3.07, 0.58, 12, Number.NaN), [6]] },
  };
}

export function ridgePart(): Part {
  const [count, bins] = [60, 64];
  const steps = Float64Array.from({ length: count }, (_, i) =>
    i < 40 ? i * 60 : 2400 + (i - 40) * 53,
  );
  const counts = field(count * bins, (i) => {
    const [step, bin] = [Math.floor(i / bins), i % bins];
    const x = (bin - 32 - step * 0.1) / (3 + step * 0.15);
    return Math.round(900 * Math.exp(-x * x)) + (bin === 32 ? 3000 : 0);
  });
  const edges = Float64Array.from({ length: bins + 1 }, (_, i) => -1 + i / 32);
  return {
    kind: "ridge",
    text: "Weights over the steps",
    arrays: {
      steps: [steps, [count]],
      counts: [counts, [count, bins]],
      edges: [edges, [bins + 1]],
    },
  };
}

export function linesPart(): Part {
  const count = 80;
  const steps = Float64Array.from({ length: count }, (_, i) => i * 43);
  const values = field(2 * count, (i) => Math.exp(-(i % count) / 30) + (i >= count ? 0.4 : 0));
  values[30] = Number.NaN;
  return {
    kind: "lines",
    text: "Standard deviation",
    meta: { names: ["activation", "gradient"] },
    arrays: { steps: [steps, [count]], values: [values, [2, count]] },
  };
}

export function termsPart(count = 24, broken = false): Part {
  const random = noise(3);
  const activation = field(count, (i) => 1.6 / (1 + i / 4) + random() * 0.1);
  const weight = field(count, () => (random() - 0.45) * 0.8);
  const order = [...activation.keys()].sort(
    (a, b) =>
      Math.abs((activation[b] ?? 0) * (weight[b] ?? 0)) -
      Math.abs((activation[a] ?? 0) * (weight[a] ?? 0)),
  );
  const product = field(
    count,
    (i) => (activation[order[i] ?? 0] ?? 0) * (weight[order[i] ?? 0] ?? 0),
  );
  const listed = product.reduce((sum, value) => sum + value, 0);
  const inputs = Int32Array.from(order.flatMap((i) => [i % 8, Math.floor(i / 3), i % 3]));
  return {
    kind: "terms",
    text: "What makes up unit (5, 3, 7): activation × weight",
    meta: {
      total: 144,
      shown: count,
      bias: -0.043,
      sum: broken ? null : listed - 0.31 - 0.043,
      unit: "(5, 3, 7)",
      rest: broken ? null : -0.31,
    },
    arrays: {
      inputs: [inputs, [count, 3]],
      activation: [field(count, (i) => activation[order[i] ?? 0] ?? 0), [count]],
      weight: [field(count, (i) => weight[order[i] ?? 0] ?? 0), [count]],
      product: [product, [count]],
    },
  };
}

export function arithmeticPart(): Part {
  return {
    kind: "arithmetic",
    text: "The arithmetic of unit 7",
    meta: {
      lines: [
        ["Linear: sum over inputs of activation × weight, plus the bias", "head"],
        ["0.412 × 1.203   =  0.496", "term"],
        ["0.000 × −0.310  =  0.000", "term"],
        ["sum 0.496 + bias −0.043", "term"],
        ["= 0.453", "result"],
        ["ReLU: the larger of 0 and the number", "head"],
        ["max(0, 0.453) = 0.453", "result"],
        ["Rounded to three digits; computed in float64.", "note"],
      ],
    },
  };
}

export function samplesPart(): Part {
  const [count, side] = [8, 8];
  const thumbs = Uint8Array.from({ length: count * side * side }, (_, i) => {
    const value = bump(side, Math.floor(i / 64) * 31 + 5);
    return Math.min(255, 255 * value(i % 8, Math.floor(i / 8) % 8));
  });
  return {
    kind: "samples",
    text: "Samples that drive this unit most",
    meta: { indices: [12, 3, 77, 41, 5, 9, 60, 22], chosen: 77 },
    arrays: {
      thumbs: [thumbs, [count, side, side]],
      values: [field(count, (i) => 3.1 - i * 0.2), [count]],
    },
  };
}

export function imagePart(): Part {
  const side = 24;
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [x, y, part] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side), i % 3];
    return 128 + 120 * Math.sin(x / 3 + part * 2) * Math.cos(y / 4);
  });
  return {
    kind: "image",
    text: "The input that drives unit 7",
    arrays: { pixels: [pixels, [side, side, 3]] },
  };
}

export function outputsPart(): Part {
  const before = Float32Array.of(0.01, 0.02, 0, 0.08, 0.01, 0.84, 0.02, 0, 0.01, 0.01);
  const after = Float32Array.of(0.02, 0.02, 0.01, 0.47, 0.01, 0.41, 0.03, 0.01, 0.01, 0.01);
  return {
    kind: "outputs",
    text: "Output with units 3 and 7 off",
    meta: { labels: [..."0123456789"] },
    arrays: { before: [before, [10]], after: [after, [10]] },
  };
}

export function colorFiltersPart(): Part {
  const [count, side] = [16, 5];
  const pixels = field(count * side * side * 3, (i) => {
    const [x, y, part] = [Math.floor(i / 3) % side, Math.floor(i / 15) % side, i % 3];
    return 0.5 + 0.5 * Math.sin(x * ((Math.floor(i / 75) % 4) + 1) * 0.5 + y + part * 2);
  });
  return {
    kind: "maps",
    text: "Filters, in the colours of the input",
    meta: {
      low: 0,
      high: 1,
      signed: false,
      count,
      rgb: true,
      caption: "norm",
      ends: [-0.31, 0.31],
    },
    arrays: {
      pixels: [pixels, [count, side, side, 3]],
      units: [Int32Array.from({ length: count }, (_, i) => i), [count]],
      values: [field(count, (i) => 0.4 - i / 100), [count]],
    },
  };
}

const words = ["The", "cat", "sat", "on", "the", "mat", ",", "and", "it", "purred", "loudly", "."];
const note = (text: string, level: string): Part => ({ kind: "note", text, meta: { level } });

export const LAYERS: Readonly<Record<string, () => LayerPicture>> = {
  maps: () =>
    layerOf(
      [
        mapsPart(32, 14, { title: "Channel maps" }),
        { ...mapsPart(1, 14, { unit: 14 }, 35), kind: "map", text: "Unit 14" },
        numbersPart(),
        histogramPart(true),
      ],
      { unit: [14, 5, 7], shape: "1×64×14×14" },
    ),
  signed: () =>
    layerOf(
      [
        mapsPart(24, 7, { signed: true, title: "Signed, with what is not finite", broken: true }),
        colorFiltersPart(),
      ],
      { unit: 7, tab: "weights", shape: "1×64×14×14" },
    ),
  vectors: () =>
    layerOf(
      [
        barsPart(64, { broken: true }),
        barsPart(6000),
        barsPart(8, {
          labels: [
            "T-shirt",
            "trouser",
            "a very long class name indeed",
            "coat",
            "4",
            "5",
            "6",
            "7",
          ],
        }),
        outputsPart(),
      ],
      { unit: 17 },
    ),
  sequences: () =>
    layerOf(
      [
        matrixPart(12, 64, { row_labels: words, broken: true }),
        matrixPart(200, 240, { rows: "output", columns: "input", reduced: true }),
        attentionPart(4, 12, words),
        attentionPart(12, 40),
      ],
      { unit: [3, 17] },
    ),
  history: () =>
    layerOf([ridgePart(), linesPart(), histogramPart()], { step: 1200, tab: "history" }),
  contributions: () =>
    layerOf(
      [
        note("BatchNorm2d has no terms of its own: those of the layer before are shown.", "info"),
        termsPart(),
        arithmeticPart(),
        note("The layer has changed since.", "warning"),
        note("This could not be computed.", "error"),
      ],
      { tab: "contributions" },
    ),
  large: () =>
    layerOf([mapsPart(64, 64, { title: "64 maps of 64 × 64", signed: true }), barsPart(4096)]),
  feature: () => layerOf([imagePart(), samplesPart()], { tab: "feature" }),
};
