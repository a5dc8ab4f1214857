/** Pictures whose bottom row comes first, for canvases on which the top row does. */

import type { Axis } from "../../ui/field";
import { codesOf, type Scale } from "../../ui/raster";
import type { NumberArray } from "../../wire";
import { ticksBetween } from "./frame";

/** The rows of a picture in the order of a canvas. */
export function upright<T extends NumberArray>(data: T, rows: number, columns: number): T {
  const turned = data.slice() as T;
  for (let row = 0; row < rows; row++) {
    turned.set(data.subarray(row * columns, (row + 1) * columns), (rows - 1 - row) * columns);
  }
  return turned;
}

/** The same scale with zero in its middle. */
export function signedScale(low: number, high: number): Scale {
  const most = Math.max(Math.abs(low), Math.abs(high));
  return { low: -most, high: most, signed: true };
}

/** Codes between `low` and `high`, as codes of the signed scale around them. */
export function signedCodes(codes: Uint8Array, low: number, high: number): Uint8Array {
  const scale = signedScale(low, high);
  const table = codesOf(
    Float64Array.from({ length: 256 }, (_, code) => low + (code / 250) * (high - low)),
    scale,
  );
  return codes.map((code) => (code > 250 ? code : (table[code] as number)));
}

/** An axis between two numbers, whose ends are the middles of the outermost cells. */
export function axisBetween(
  name: string,
  from: number,
  to: number,
  cells: number,
  size: number,
  up: boolean,
): Axis {
  const { values, labels } = ticksBetween(from, to, size, 48);
  const share = (value: number): number => {
    const along = (((value - from) / (to - from)) * (cells - 1) + 0.5) / cells;
    return up ? 1 - along : along;
  };
  return {
    name,
    label: (index) => String(index),
    shown: true,
    up,
    ticks: values.map((value, index): [number, string] => [share(value), labels[index] ?? ""]),
  };
}
