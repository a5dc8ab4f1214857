/**
 * Numbers as people read them: a fixed number of significant digits, so that a value that changes
 * ten times a second keeps its width; a real minus sign; NaN and infinities by name.
 */

const MINUS = "\u2212";
const NARROW_SPACE = "\u202f";

function special(value: number): string | null {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "∞";
  if (value === Number.NEGATIVE_INFINITY) return `${MINUS}∞`;
  return null;
}

const signed = (text: string): string => text.replace(/^-/, MINUS).replace("e-", `e${MINUS}`);

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A ratio that is usually small: 1.1e−3, 0.25, 3.1. */
export function formatRatio(value: number): string {
  return value > 0 && value < 0.01 ? exponential(value, 2) : formatNumber(value, 2);
}

function exponential(value: number, digits: number): string {
  return signed(value.toExponential(Math.max(0, digits - 1)).replace("e+", "e"));
}

/**
 * A measured value with `digits` significant digits: 0.104, 1.42, 92.0, 3,412, 1.20e−4.
 * Trailing zeros stay, so that the width does.
 */
export function formatNumber(value: number, digits = 3): string {
  const named = special(value);
  if (named !== null) return named;
  if (value === 0) return (0).toFixed(Math.max(0, digits - 1));
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return exponential(value, digits);
  const rounded = Number(value.toPrecision(digits));
  const magnitude = Math.floor(Math.log10(Math.abs(rounded)));
  const decimals = Math.max(0, digits - 1 - magnitude);
  const [whole = "", fraction] = Math.abs(value).toFixed(decimals).split(".");
  const text = fraction === undefined ? grouped(whole) : `${grouped(whole)}.${fraction}`;
  return value < 0 ? MINUS + text : text;
}

/** A value beside an axis: as few digits as it needs. 0.05, 1.5, 2k, 3M, 1e−5. */
export function formatTick(value: number): string {
  const named = special(value);
  if (named !== null) return named;
  const size = Math.abs(value);
  if (size < 1e-12) return "0";
  if (size < 1e-3 || size >= 1e15) {
    const [mantissa = "", exponent = ""] = value.toExponential(3).split("e");
    return signed(`${Number(mantissa)}e${Number(exponent)}`);
  }
  if (size >= 1e4) return formatSi(value, 4);
  return signed(String(Number(value.toPrecision(5))));
}

const SI: readonly [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/** A count in thousands, millions …: 12.5k, 1.2M. Trailing zeros go. */
export function formatSi(value: number, digits = 3): string {
  const named = special(value);
  if (named !== null) return named;
  const rounded = Number(value.toPrecision(digits));
  for (const [unit, letter] of SI) {
    if (Math.abs(rounded) >= unit) {
      return signed(`${Number((rounded / unit).toPrecision(digits))}${letter}`);
    }
  }
  return signed(String(rounded));
}

/** A whole number: 3,412. */
export function formatInteger(value: number): string {
  const named = special(value);
  if (named !== null) return named;
  const text = grouped(Math.abs(Math.round(value)).toFixed(0));
  return value < 0 && text !== "0" ? MINUS + text : text;
}

/** A fraction as a percentage: 0.9 %, 12 %, 100 %. */
export function formatPercent(fraction: number): string {
  const named = special(fraction);
  if (named !== null) return named;
  const percent = fraction * 100;
  const text = Math.abs(percent) < 9.95 ? percent.toFixed(1) : percent.toFixed(0);
  return `${signed(text)}${NARROW_SPACE}%`;
}

/** Seconds as a clock: 0:18, 4:12, 1:02:03, 2d 03:15. */
export function formatDuration(seconds: number): string {
  const named = special(seconds);
  if (named !== null) return named;
  const total = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const [days, hours] = [Math.floor(total / 86_400), Math.floor(total / 3600) % 24];
  const [minutes, rest] = [Math.floor(total / 60) % 60, total % 60];
  if (days > 0) return `${days}d ${two(hours)}:${two(minutes)}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Iterations a second, or seconds an iteration when they are slow: 124 it/s, 2.5 s/it. */
export function formatRate(perSecond: number): string {
  if (!(perSecond > 0) || !Number.isFinite(perSecond)) return "– it/s";
  if (perSecond < 1) return `${(1 / perSecond).toPrecision(2)} s/it`;
  return perSecond < 9.95 ? `${perSecond.toFixed(1)} it/s` : `${formatInteger(perSecond)} it/s`;
}

/** A multiplier: ×1.0, ×0.05, ×100. */
export function formatFactor(factor: number): string {
  const named = special(factor);
  if (named !== null) return `×${named}`;
  if (factor < 0.1) return `×${Number(factor.toPrecision(2))}`;
  return `×${factor < 9.95 ? factor.toFixed(factor < 0.995 ? 2 : 1) : factor.toFixed(0)}`;
}

/** A sentence in which no number stands at the end of a line without its per cent sign. */
export function unbroken(sentence: string): string {
  return sentence.replace(/(\d) %/g, `$1${NARROW_SPACE}%`);
}
