/** Inputs and maps of every kind, the same on every machine. */

import type { JsonObject, NumberArray } from "../src/wire";
import { randomFrom } from "./run";

export type FakeKind = "image" | "color" | "table" | "tokens" | "signal" | "sequence" | "other";

export interface Content {
  map: Float32Array;
  shape: number[];
  input: NumberArray | null;
  inputShape: number[];
  probabilities: Float32Array;
  target: number | null;
  classes: string[];
  features: string[] | null;
  tokens: string[] | null;
  unit: string;
  score: number | null;
  baselineScore: number | null;
  note: string | null;
}

const FEATURES = [
  "mean radius",
  "mean texture",
  "mean perimeter",
  "mean area",
  "mean smoothness",
  "mean compactness",
  "mean concavity",
  "mean concave points",
  "worst radius",
  "worst texture",
  "worst perimeter",
  "worst area",
  "worst smoothness",
  "worst compactness",
  "worst concavity",
  "worst concave points",
  "worst symmetry",
  "radius error",
];
const TEXT =
  "The film begins slowly , but the last hour is a wonderful and moving piece of work ; I would not call it boring at all .";

/** Values that follow the picture's edges at first and its shape once it has been learned. */
export function contentOf(
  kind: FakeKind,
  index: number,
  method: number,
  step: number,
  target: number | null = null,
): Content {
  const learned = 1 - Math.exp(-step / 900);
  const random = randomFrom(17 + 31 * index + 7 * method + 101 * (target ?? 0));
  const noise = () => (1 - learned) * 0.9 + 0.25;
  if (kind === "image" || kind === "color") {
    return image(index, random, learned, target, kind === "color");
  }
  if (kind === "tokens") {
    const tokens = TEXT.split(" ");
    const weight: Record<string, number> = {
      wonderful: 1,
      moving: 0.7,
      boring: -0.9,
      slowly: -0.5,
      not: 0.6,
    };
    const map = Float32Array.from(
      tokens,
      (token) => (weight[token] ?? 0) * learned + 0.1 * (random() - 0.5),
    );
    return answer(
      { map, shape: [tokens.length], tokens, classes: ["negative", "positive"] },
      target ?? 1,
    );
  }
  if (kind === "signal" || kind === "sequence") {
    const [channels, length] = kind === "signal" ? [3, 240] : [6, 40];
    const at = (channel: number, place: number) =>
      Math.sin(place / (5 + 3 * channel) + index) +
      (Math.abs(place - length * 0.6) < length / 14 ? 2 : 0);
    const size = channels * length;
    const [input, map] = [new Float32Array(size), new Float32Array(size)];
    for (let k = 0; k < size; k++) {
      const [channel, place] =
        kind === "signal"
          ? [Math.floor(k / length), k % length]
          : [k % channels, Math.floor(k / channels)];
      input[k] = at(channel, place) + 0.1 * (random() - 0.5);
      const bump = Math.exp(-(((place - length * 0.6) / (length / 16)) ** 2));
      map[k] = bump * learned * (channel === 1 ? -0.6 : 0.5) + 0.06 * (random() - 0.5) * noise();
    }
    const shape = kind === "signal" ? [channels, length] : [length, channels];
    const features =
      kind === "signal"
        ? ["chest", "wrist", "ankle"]
        : ["open", "high", "low", "close", "volume", "hour"];
    return answer(
      { map, shape, input, inputShape: shape, features, classes: ["rest", "walk", "fall"] },
      target ?? 2,
    );
  }
  const names = kind === "table" ? FEATURES : null;
  const count = names?.length ?? 9;
  const input = Float32Array.from({ length: count }, (_, k) => (k % 5) * 3.1 + 10 * random());
  const map = Float32Array.from(
    { length: count },
    (_, k) => (random() - 0.42) * 3 * Math.exp(-k / 9) * learned,
  );
  const sum = map.reduce((total, value) => total + value, 0);
  return {
    ...answer(
      {
        map,
        shape: [count],
        input,
        inputShape: [count],
        features: names,
        classes: ["malignant", "benign"],
      },
      target ?? 1,
    ),
    baselineScore: -0.35,
    score: -0.35 + sum + 0.02,
  };
}

function answer(
  part: Partial<Content> & Pick<Content, "map" | "shape" | "classes">,
  target: number,
): Content {
  const { classes } = part;
  const rest = 0.08 / Math.max(1, classes.length - 1);
  return {
    input: null,
    inputShape: [],
    features: null,
    tokens: null,
    unit: "logit",
    score: 4.1,
    baselineScore: 0.2,
    note: null,
    target,
    probabilities: Float32Array.from(classes, (_, k) => (k === classes.length - 1 ? 0.92 : rest)),
    ...part,
  };
}

function image(
  index: number,
  random: () => number,
  learned: number,
  target: number | null,
  color: boolean,
): Content {
  const side = 28;
  const parts = color ? 3 : 1;
  const input = new Uint8Array(side * side * parts);
  const map = new Float32Array(side * side);
  const seen = (target ?? 5) + index;
  for (let k = 0; k < side * side; k++) {
    const [y, x] = [Math.floor(k / side) - 13.5, (k % side) - 13.5];
    const bent = y < 0 ? Math.hypot(x * 0.9 - 1, y + 6) : Math.hypot(x * 0.9 + 1, y - 6);
    const ring = Math.abs(bent - 5.5 - (index % 3));
    const open = y < 0 ? x > 3 && y > -5 : x < -3 && y < 5;
    const ink = open ? 0 : Math.exp(-(ring ** 2) / 2.2);
    const level = Math.max(0, Math.min(255, 255 * ink));
    for (let part = 0; part < parts; part++) {
      input[k * parts + part] = color
        ? Math.min(255, level * (1 - 0.25 * part) + 40 + 3 * (x + 14))
        : level;
    }
    const spot = Math.exp(-(((x + 2 + (seen % 4)) / 4) ** 2) - ((y - 1) / 3) ** 2);
    const top = Math.exp(-(((x - 3) / 4) ** 2) - ((y + 10) / 2.5) ** 2);
    const low = Math.exp(-(((x + 3) / 3) ** 2) - ((y - 9) / 2) ** 2);
    const rough = (random() - 0.5) * (0.06 + 0.35 * (1 - learned));
    map[k] =
      (learned * (0.9 * spot + 0.7 * top - 0.45 * low) * (0.25 + ink) + rough * (0.3 + ink)) * 0.21;
  }
  const digits = Array.from({ length: 10 }, (_, digit) => String(digit));
  const first = (5 + index) % 10;
  return {
    ...answer({ map, shape: [side, side], classes: digits }, target ?? first),
    input,
    inputShape: color ? [side, side, 3] : [side, side],
    probabilities: Float32Array.from(digits, (_, digit) =>
      digit === first ? 0.931 : digit === (first + 3) % 10 ? 0.052 : 0.0021,
    ),
    score: 8.4,
    baselineScore: 0.3,
    note: "Shown as it was before normalisation with mean 0.131 and standard deviation 0.308.",
  };
}

/** Global importance of the table's features. */
export function importanceOf(_kind: FakeKind): {
  meta: JsonObject;
  arrays: Record<string, NumberArray>;
} {
  const random = randomFrom(23);
  const mean = Float32Array.from(
    FEATURES,
    (_, k) => 0.12 * Math.exp(-k / 4) * random() * 2 - 0.004,
  );
  return {
    meta: {
      features: FEATURES,
      score: "accuracy",
      base: 0.965,
      count: 114,
      state: "ready",
      problem: null,
    },
    arrays: { mean, spread: mean.map((value) => Math.abs(value) / 6 + 0.002) },
  };
}
