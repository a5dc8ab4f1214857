/** Numbers that stand below each other: all with as many decimals as the largest one needs. */

import { formatNumber } from "./format";

const MINUS = "\u2212";

/**
 * A format for these values in which their points stand below each other and `digits` figures of
 * the largest are seen. Values too large or too small for that are written on their own.
 */
export function evenFormat(values: Iterable<number>, digits = 3): (value: number) => string {
  let largest = 0;
  for (const value of values)
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  if (largest < 1e-4 || largest >= 1e5) return (value) => formatNumber(value, digits);
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(largest)));
  return (value) => {
    if (!Number.isFinite(value)) return formatNumber(value);
    const text = Math.abs(value).toFixed(decimals);
    return value < 0 && Number(text) !== 0 ? MINUS + text : text;
  };
}
