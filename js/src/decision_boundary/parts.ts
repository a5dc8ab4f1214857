/** Small readers of what the traits of this widget have in common. */

import { number } from "../read";
import type { Json, NumberArray, Unpacked } from "../wire";

/** Left, right, bottom, top: the outermost places of a picture, in the plane. */
export type Rectangle = readonly [left: number, right: number, bottom: number, top: number];
/** A place of the plane. */
export type Place = readonly [x: number, y: number];

/** Numbers of a picture; row 0 is the bottom one. */
export interface Grid {
  data: NumberArray;
  rows: number;
  columns: number;
}

export const texts = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.map((item) => String(item ?? "")) : [];

export const numbers = (value: Json | undefined): number[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "number") : [];

export const oneOf = <T extends string>(
  known: readonly T[],
  value: Json | undefined,
  other: T,
): T => (known.includes(value as T) ? (value as T) : other);

/** A number, or what is said instead where there is none. */
export const orElse = (value: Json | undefined, other: number): number => number(value) ?? other;

export function rectangleOf(value: Json | undefined): Rectangle | null {
  const [left, right, bottom, top] = numbers(value);
  if (left === undefined || right === undefined) return null;
  if (bottom === undefined || top === undefined) return null;
  return right > left && top > bottom ? [left, right, bottom, top] : null;
}

export function placeOf(value: Json | undefined): Place | null {
  const [x, y] = numbers(value);
  return x === undefined || y === undefined ? null : [x, y];
}

/** The codes under a name, if there are so many. */
export function codes(
  { arrays }: Unpacked,
  name: string,
  count: number | null = null,
): Uint8Array | null {
  const found = arrays[name];
  if (!(found instanceof Uint8Array) || found.length === 0) return null;
  return count === null || found.length === count ? found : null;
}

export const floats = ({ arrays }: Unpacked, name: string): Float32Array => {
  const found = arrays[name];
  return found instanceof Float32Array ? found : new Float32Array(0);
};

export const float64s = ({ arrays }: Unpacked, name: string): Float64Array => {
  const found = arrays[name];
  return found instanceof Float64Array ? found : new Float64Array(0);
};
