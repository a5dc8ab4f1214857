/** Ranges, tick positions and tick labels: pure arithmetic on plot units. */

export type Range = [number, number];

const DURATIONS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
];
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `value`. */
export function niceStep(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  // 10 ** -324 is 0: the smallest denormals have no power of ten below them.
  if (power === 0) return value;
  const ratio = value / power;
  const factor = [1, 2, 2.5, 5].find((candidate) => ratio <= candidate * (1 + 1e-9)) ?? 10;
  return factor * power;
}

/** Step between ticks of seconds: whole seconds, minutes, hours, days as clocks have them. */
export function niceDuration(seconds: number): number {
  if (seconds <= 1) return niceStep(seconds);
  const found = DURATIONS.find((duration) => duration >= seconds);
  return found ?? niceStep(seconds / 86400) * 86400;
}

/** Multiples of `step` within the range; never more than 100, whatever the arguments. */
export function multiples([min, max]: Range, step: number): number[] {
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.min(Math.floor(max / step + 1e-9), first + 99);
  const ticks: number[] = [];
  for (let k = first; k <= last; k++) ticks.push(k === 0 ? 0 : k * step);
  return ticks;
}

export interface Scale {
  range: Range;
  ticks: number[];
  labels: string[];
}

/**
 * The y axis around `extent` (plot units), with ticks at least `minGap` of the axis apart.
 *
 * Nothing is clipped: the whole extent is inside. Linear axes begin at 0 when the data come close
 * to it, a constant is centred, and both ends lie on half ticks, so that a growing curve moves the
 * axis seldom and not with each new point.
 */
export function scaleY(
  extent: Range | null,
  log: boolean,
  minGap: number,
  percent: string | null,
): Scale {
  if (extent === null) return { range: [0, 1], ticks: [], labels: [] };
  return log ? scaleLog(extent, minGap, percent) : scaleLinear(extent, minGap, percent);
}

function scaleLinear([min, max]: Range, minGap: number, percent: string | null): Scale {
  let low = min;
  let high = max;
  if (max - min <= Math.max(Math.abs(min), Math.abs(max)) * 1e-7) {
    const half = Math.abs(min) || 1;
    const middle = min / 2 + max / 2;
    low = middle - half;
    high = middle + half;
  } else {
    const pad = (max - min) * 0.04;
    low = min >= 0 && min <= 0.3 * max ? 0 : min - pad;
    high = max <= 0 && max >= 0.3 * min ? 0 : max + pad;
    // A share of a whole ends at the whole.
    if (percent !== null && max <= 1) high = Math.min(high, 1);
  }
  const step = niceStep((high - low) * minGap);
  const half = step / 2;
  const range: Range = [Math.floor(low / half + 1e-9) * half, Math.ceil(high / half - 1e-9) * half];
  const ticks = multiples(range, step);
  return { range, ticks, labels: linearLabels(ticks, step, percent) };
}

function scaleLog([min, max]: Range, minGap: number, percent: string | null): Scale {
  const pad = max - min < 1e-6 ? 0.5 : (max - min) * 0.05;
  const range: Range = [min - pad, max + pad];
  const span = range[1] - range[0];
  if (span < 0.8) {
    // Less than a decade: evenly spaced values say more than powers of ten.
    const values: Range = [10 ** range[0], 10 ** range[1]];
    const step = niceStep((values[1] - values[0]) * minGap);
    const round = multiples(values, step).filter((value) => value > 0);
    return { range, ticks: round.map(Math.log10), labels: linearLabels(round, step, percent) };
  }
  // Labels of powers are wanted a little closer than others: there are never many.
  const gap = span * minGap * 0.8;
  const stride = Math.max(1, Math.ceil(gap));
  const factors = gap > Math.log10(3) ? [1] : gap > Math.log10(2) ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  const labels: string[] = [];
  for (let p = Math.ceil(range[0] / stride - 1) * stride; p <= range[1]; p += stride) {
    for (const factor of factors) {
      const tick = p + Math.log10(factor);
      if (tick < range[0] || tick > range[1]) continue;
      ticks.push(tick);
      labels.push(powerLabel(p, factor, percent));
    }
  }
  return { range, ticks, labels };
}

function typographic(text: string): string {
  return text.replaceAll("-", "−");
}

function powerLabel(power: number, factor: number, percent: string | null): string {
  const shift = percent === null ? 0 : 2;
  const exponent = power + shift;
  const suffix = percent ?? "";
  if (exponent >= -4 && exponent <= 4) {
    return `${(factor * 10 ** exponent).toFixed(Math.max(0, -exponent))}${suffix}`;
  }
  const digits = [...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]);
  const raised = `10${exponent < 0 ? "⁻" : ""}${digits.join("")}`;
  return factor === 1 ? `${raised}${suffix}` : `${factor}·${raised}${suffix}`;
}

/** Decimals that a multiple of `step` needs: 0 for 5, 1 for 0.2, 2 for 0.25. */
function decimalsOf(step: number): number {
  const power = Math.floor(Math.log10(step) + 1e-9);
  const mantissa = step / 10 ** power;
  return -power + (Math.abs(mantissa - Math.round(mantissa)) > 1e-6 ? 1 : 0);
}

/** Labels with equally many decimals, so that they align; powers of ten for very large and small. */
export function linearLabels(
  ticks: readonly number[],
  step: number,
  percent: string | null,
): string[] {
  const scale = percent === null ? 1 : 100;
  const suffix = percent ?? "";
  const largest = Math.max(0, ...ticks.map(Math.abs)) * scale;
  const decimals = decimalsOf(step * scale);
  if (largest > 0 && (largest >= 1e5 || largest < 1e-3)) {
    const digits = Math.floor(Math.log10(largest) + 1e-9) + decimals;
    const shown = Math.min(8, Math.max(0, digits));
    const written = ticks.map((tick) =>
      tick === 0 ? "0" : (tick * scale).toExponential(shown).replace("e+", "e"),
    );
    return written.map((text) => typographic(text) + suffix);
  }
  const shown = Math.min(12, Math.max(0, decimals));
  return ticks.map((tick) => typographic((tick * scale).toFixed(shown)) + suffix);
}

/**
 * The formatter for values on this scale: the given one, unless it writes neighbouring ticks alike
 * (a loss between 0.99991 and 0.99993); then one with two digits more than the ticks have.
 */
export function valueFormat(
  { ticks, range }: Scale,
  log: boolean,
  format: (value: number) => string,
): (value: number) => string {
  const [first, second] = ticks;
  if (log || first === undefined || second === undefined) return format;
  if (!ticks.some((tick, i) => i > 0 && format(tick) === format(ticks[i - 1] as number))) {
    return format;
  }
  const step = (second - first) / 100;
  const reach = Math.abs(range[1] - range[0]);
  return (value) => {
    const near = value >= range[0] - reach && value <= range[1] + reach;
    return near ? (linearLabels([value], step, percentSuffix(format))[0] ?? "") : format(value);
  };
}

/** Ticks of the x axis at least `minGap` (a fraction of the axis) apart. */
export function ticksX(range: Range, mode: "step" | "epoch" | "time", minGap: number): number[] {
  const span = range[1] - range[0];
  const wanted = span * minGap;
  if (mode === "time") return multiples(range, niceDuration(wanted));
  const step = niceStep(wanted);
  if (mode === "epoch" || step > 5) return multiples(range, step);
  // There is no step 2.5.
  return multiples(range, step > 2 ? 5 : Math.max(1, step));
}

/** A range that has a width: a single point stands in the middle. */
export function widened([from, to]: Range): Range {
  if (to > from) return [from, to];
  const half = Math.max(0.5, Math.abs(from) * 1e-6);
  return [from - half, from + half];
}

/** The unit that a formatter of values appends to fractions, such as " %"; null if it does not. */
export function percentSuffix(format: (value: number) => string): string | null {
  return /\s?%$/.exec(format(0.5))?.[0] ?? null;
}

/**
 * A range zoomed by `factor` around `centre` (below 1: in), kept inside `full`.
 * Null when it has become the whole of it.
 */
export function zoomed(range: Range, centre: number, factor: number, full: Range): Range | null {
  const width = (range[1] - range[0]) * factor;
  if (width >= full[1] - full[0]) return null;
  const share = (centre - range[0]) / (range[1] - range[0]);
  const from = Math.min(Math.max(centre - share * width, full[0]), full[1] - width);
  return [from, from + width];
}
