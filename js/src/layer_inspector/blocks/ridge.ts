/** A layer's histograms over the steps: across the step, upwards the value, colour the share. */

import { multiples, niceStep, type Range } from "../../ui/chart_axes";
import { field } from "../../ui/field";
import { formatInteger, formatNumber, formatPercent, formatTick } from "../../ui/format";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { axisName } from "./matrix";
import type { BlockData } from "./types";

export function ridgeBlock(context: BlockContext): BlockView {
  const { words, hooks } = context;
  let shares: Shares | null = null;

  const picture = field({
    context,
    largest: { cell: 600, height: 220 },
    square: false,
    describe({ row, column }, value) {
      if (shares === null) return "";
      const { low, high } = shares.bin(row);
      return words("ui.inspector.ridge.at", {
        step: formatInteger(shares.steps[column] ?? Number.NaN),
        low: formatNumber(low),
        high: formatNumber(high),
        share: formatPercent(value),
      });
    },
    pick({ column }) {
      const step = shares?.steps[column];
      if (step !== undefined) void hooks.act("cursor", { step });
    },
    escape: () => void hooks.act("cursor", { step: null }),
  });
  const part = frame("ridge", words, picture.element);

  return {
    element: part.element,
    repaint: picture.repaint,
    draw(block, layer) {
      const title = part.draw(block);
      shares = sharesOf(block);
      const { steps, values, rows, high, clipped, edges, bin } = shares;
      const columns = steps.length;
      const at = layer.step === null ? -1 : nearest(steps, layer.step);
      picture.draw(
        {
          data: values,
          start: 0,
          columns,
          rows,
          scale: { low: 0, high, signed: false, clipped, root: true },
          x: {
            name: axisName("step", words),
            label: (index) => formatInteger(steps[index] ?? Number.NaN),
            shown: true,
            ticks: ticksOf([steps[0] ?? 0, steps[columns - 1] ?? 0], 0.14, formatInteger),
          },
          y: {
            name: axisName("value", words),
            label: (row) => formatTick(bin(row).low),
            shown: true,
            up: true,
            ticks: ticksOf([bin(rows - 1).low, bin(0).high], 0.11, formatTick).map(
              ([share, text]) => [1 - share, text],
            ),
          },
          picked: at < 0 ? null : { column: at },
          edges,
        },
        title,
      );
    },
  };
}

interface Shares {
  steps: Float64Array;
  /** Share of the numbers in each bin at each step, highest bin first, rows × steps. */
  values: Float32Array;
  rows: number;
  /** Top of the scale, and whether any share lies above it. */
  high: number;
  clipped: boolean;
  /** Where each step's column begins and ends, as shares of the width. */
  edges: Float64Array;
  bin(row: number): { low: number; high: number };
}

export function sharesOf({ arrays, shapes }: BlockData): Shares {
  const steps = Float64Array.from(arrays.steps ?? []);
  const counts = arrays.counts ?? new Float32Array(0);
  const bins = shapes.counts?.[1] ?? 0;
  const values = new Float32Array(steps.length * bins);
  let [highest, next] = [0, 0];
  for (let step = 0; step < steps.length; step++) {
    let sum = 0;
    let [first, second] = [0, 0];
    for (let bin = 0; bin < bins; bin++) sum += counts[step * bins + bin] ?? 0;
    for (let bin = 0; bin < bins; bin++) {
      const share = sum > 0 ? (counts[step * bins + bin] ?? 0) / sum : 0;
      values[(bins - 1 - bin) * steps.length + step] = share;
      if (share > first) [first, second] = [share, first];
      else if (share > second) second = share;
    }
    [highest, next] = [Math.max(highest, first), Math.max(next, second)];
  }
  // All the zeros behind a ReLU stand in one bin of each step: on a scale that reaches there, little
  // else can be seen.
  const high = next > 0 && highest > 4 * next ? next : highest;
  const ends = arrays.edges ?? new Float64Array(0);
  return {
    steps,
    values,
    rows: bins,
    high,
    clipped: highest > high,
    edges: columnEdges(steps),
    bin: (row) => ({
      low: ends[bins - 1 - row] ?? Number.NaN,
      high: ends[bins - row] ?? Number.NaN,
    }),
  };
}

/** Each column reaches half-way to its neighbours, so that the axis is true to the steps. */
export function columnEdges(steps: Float64Array): Float64Array {
  const edges = new Float64Array(steps.length + 1);
  const [first = 0, last = 0] = [steps[0], steps[steps.length - 1]];
  for (let index = 0; index <= steps.length; index++) {
    const [before, after] = [steps[index - 1] ?? first, steps[index] ?? last];
    edges[index] =
      last > first ? ((before + after) / 2 - first) / (last - first) : index / steps.length;
  }
  return edges;
}

/** Round numbers at least `gap` of the range apart, with their places as shares of it. */
function ticksOf(
  range: Range,
  gap: number,
  format: (value: number) => string,
): [share: number, text: string][] {
  const [low, high] = range;
  if (!(high > low)) return Number.isFinite(low) ? [[0.5, format(low)]] : [];
  const step = niceStep((high - low) * gap);
  return multiples(range, step).map((tick) => [(tick - low) / (high - low), format(tick)]);
}

function nearest(steps: Float64Array, step: number): number {
  let best = -1;
  for (const [index, at] of steps.entries()) {
    const distance = Math.abs(at - step);
    if (best < 0 || distance < Math.abs((steps[best] as number) - step)) best = index;
  }
  return best;
}
