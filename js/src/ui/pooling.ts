/** More values than pixels: each column keeps its lowest and its highest, and what is not finite. */

export interface Pooled {
  /** NaN where a column holds nothing finite. */
  low: Float64Array;
  high: Float64Array;
  /** FLAG_NAN, FLAG_PLUS and FLAG_MINUS of each column. */
  flags: Uint8Array;
}

export const FLAG_NAN = 1;
export const FLAG_PLUS = 2;
export const FLAG_MINUS = 4;

/**
 * Pools `values` into `columns` of equal width; a value belongs to the column that its place falls
 * into, and nothing is left out.
 */
export function pool(values: ArrayLike<number>, columns: number): Pooled {
  const low = new Float64Array(columns).fill(Number.NaN);
  const high = new Float64Array(columns).fill(Number.NaN);
  const flags = new Uint8Array(columns);
  for (let index = 0; index < values.length; index++) {
    const column = Math.min(columns - 1, Math.floor((index * columns) / values.length));
    const value = values[index] as number;
    if (Number.isFinite(value)) {
      if (!(value >= (low[column] as number))) low[column] = value;
      if (!(value <= (high[column] as number))) high[column] = value;
    } else {
      const flag = Number.isNaN(value) ? FLAG_NAN : value > 0 ? FLAG_PLUS : FLAG_MINUS;
      flags[column] = (flags[column] as number) | flag;
    }
  }
  return { low, high, flags };
}

/** Lowest and highest finite value; null if there is none. */
export function extentOf(values: ArrayLike<number>): [number, number] | null {
  const { low, high } = pool(values, 1);
  return Number.isNaN(low[0]) ? null : [low[0] as number, high[0] as number];
}
