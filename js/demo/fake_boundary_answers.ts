/** What one network or several together say at many places, and the pictures made of that. */

import { codeOf } from "../src/ui/raster";
import type { Net, Rows } from "./fake_boundary_net";
import { extent } from "./fake_boundary_plane";

/** Answers, place by place. */
export interface Answers {
  /** Mean probabilities of the classes; or mean values, one at each place. */
  mean: Rows;
  outputs: number;
  /** In nats; of values empty. */
  entropy: Rows;
  /** Mean of the members' entropies, and what is left; null for one network alone. */
  aleatoric: Rows | null;
  /** Of values their variance over the members. */
  epistemic: Rows | null;
  /** Standard deviation of `mean` over the members; null for one alone. */
  spread: Rows | null;
  members: number;
}

/** Asks a network with one set of parameters or more. */
export function askAll(net: Net, thetas: readonly Float64Array[], inputs: Rows): Answers {
  const { outputs } = net;
  const several = thetas.map((theta) => net.answer(inputs, theta));
  const mean = averageOf(several);
  const together = several.length > 1;
  const squares = averageOf(
    several.map((said) => said.map((value, i) => (value - at(mean, i)) ** 2)),
  );
  const spread = together ? squares.map(Math.sqrt) : null;
  const members = together ? several.length : 0;
  if (net.task === "values") {
    const epistemic = together ? squares : null;
    return {
      mean,
      outputs,
      entropy: new Float64Array(0),
      aleatoric: null,
      epistemic,
      spread,
      members,
    };
  }
  const entropy = entropies(mean, outputs);
  if (!together)
    return { mean, outputs, entropy, aleatoric: null, epistemic: null, spread, members };
  const aleatoric = averageOf(several.map((said) => entropies(said, outputs)));
  const epistemic = entropy.map((total, i) => Math.max(0, total - at(aleatoric, i)));
  return { mean, outputs, entropy, aleatoric, epistemic, spread, members };
}

const at = (rows: Rows, place: number): number => rows[place] as number;

function averageOf(several: readonly Rows[]): Rows {
  const sum = new Float64Array(several[0]?.length ?? 0);
  for (const rows of several) {
    for (let i = 0; i < sum.length; i++) sum[i] = at(sum, i) + at(rows, i) / several.length;
  }
  return sum;
}

/** In nats, of each row of probabilities. */
export function entropies(shares: Rows, classes: number): Rows {
  return Float64Array.from({ length: shares.length / classes }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const share = at(shares, row * classes + k);
      if (share > 0) sum -= share * Math.log(share);
    }
    return sum;
  });
}

/** The most probable class of each row; of several the first. */
export function labelsOf(shares: Rows, classes: number): Uint8Array {
  return Uint8Array.from({ length: shares.length / classes }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if (at(shares, row * classes + k) > at(shares, row * classes + best)) best = k;
    }
    return best;
  });
}

export type PictureUnit = "probability" | "nats" | "value" | "variance" | "difference";

/** One picture: codes between two ends, and how they are coloured. */
export interface Painted {
  label: Uint8Array | null;
  value: Uint8Array | null;
  low: number;
  high: number;
  palette: "classes" | "labels" | "sequential" | "diverging";
  unit: PictureUnit;
}

/** Numbers of one view, with the ends of their scale. */
export interface Measured {
  values: Rows;
  low: number;
  high: number;
  palette: Painted["palette"];
  unit: PictureUnit;
}

/** Which views there are of such answers. */
export function viewsOf(task: Net["task"], together: boolean): string[] {
  if (task === "values") return together ? ["value", "epistemic"] : ["value"];
  const views = ["probability", "label", "entropy", "margin"];
  return together ? [...views, "epistemic", "aleatoric"] : views;
}

/** The numbers of a view. */
export function measure(answers: Answers, view: string, interest: number | null): Measured {
  const { mean, outputs, entropy } = answers;
  const classes = entropy.length > 0;
  if (!classes) {
    const values = view === "epistemic" && answers.epistemic !== null ? answers.epistemic : mean;
    const [low, high] = extent(Array.from(values));
    if (values !== mean) return { values, low: 0, high, palette: "sequential", unit: "variance" };
    const signed = low < 0 && high > 0;
    const most = Math.max(-low, high);
    return signed
      ? { values, low: -most, high: most, palette: "diverging", unit: "value" }
      : { values, low, high, palette: "sequential", unit: "value" };
  }
  const nats = { high: Math.log(outputs), palette: "sequential", unit: "nats" } as const;
  const rows = (work: (shares: number[]) => number): Rows =>
    entropy.map((_, row) => work(Array.from(mean.subarray(row * outputs, (row + 1) * outputs))));
  switch (view) {
    case "entropy":
      return { values: entropy, low: 0, ...nats };
    case "aleatoric":
      return { values: answers.aleatoric ?? entropy, low: 0, ...nats };
    case "epistemic": {
      const values = answers.epistemic ?? entropy;
      return { values, low: 0, ...nats, high: extent(Array.from(values))[1] };
    }
    case "margin": {
      const values = rows((shares) => {
        const [first = 1, second = 0] = shares.sort((a, b) => b - a);
        return first - second;
      });
      return { values, low: 0, high: 1, palette: "sequential", unit: "difference" };
    }
    default:
      return interest === null
        ? {
            values: rows((shares) => Math.max(...shares)),
            low: 1 / outputs,
            high: 1,
            palette: "classes",
            unit: "probability",
          }
        : {
            values: rows((shares) => shares[interest] ?? 0),
            low: 0,
            high: 1,
            palette: "sequential",
            unit: "probability",
          };
  }
}

/** The picture of a view. */
export function paint(answers: Answers, view: string, interest: number | null): Painted {
  const classes = answers.entropy.length > 0;
  const label = classes ? labelsOf(answers.mean, answers.outputs) : null;
  if (view === "label" && classes) {
    return { label, value: null, low: 0, high: 1, palette: "labels", unit: "probability" };
  }
  const { values, ...how } = measure(answers, view, interest);
  return { label, value: encode(values, how.low, how.high), ...how };
}

/** Codes of numbers between two ends. */
export function encode(values: ArrayLike<number>, low: number, high: number): Uint8Array {
  return Uint8Array.from(values, (value) => codeOf(value, { low, high, signed: false }));
}
