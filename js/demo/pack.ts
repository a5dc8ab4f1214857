/** The kernel's half of the wire, as far as the simulated run needs it. */

import type { JsonObject, NumberArray } from "../src/wire";

export interface PackedDict {
  v: number;
  meta: JsonObject;
  arrays: Record<string, [string, number[], number]>;
  data: DataView;
}

export function pack(
  meta: JsonObject,
  arrays: Record<string, NumberArray | [NumberArray, number[]]> = {},
): PackedDict {
  const header: PackedDict["arrays"] = {};
  const parts: [number, NumberArray][] = [];
  let offset = 0;
  for (const [name, value] of Object.entries(arrays)) {
    const [array, shape] = Array.isArray(value) ? value : [value, [value.length]];
    const dtype = array.constructor.name.replace("Array", "").toLowerCase();
    header[name] = [dtype, shape, offset];
    parts.push([offset, array]);
    offset += Math.ceil(array.byteLength / 8) * 8;
  }
  const bytes = new Uint8Array(offset);
  for (const [start, array] of parts) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), start);
  }
  return { v: 1, meta, arrays: header, data: new DataView(bytes.buffer) };
}
