/**
 * The message layout between kernel and browser; its other half is `nnwidgets/live/wire.py`.
 *
 * Numbers never travel as JSON: a loss that is NaN would arrive as a string. One picture is a
 * packed dictionary `{v, meta, arrays: {name: [dtype, shape, offset]}, data}`, in a synced trait
 * whole, in a custom message with its data as the message's only buffer. The vectors under
 * `tests/golden/wire` are read by both test suites.
 */

export const VERSION = 1;

const DTYPES = {
  float64: Float64Array,
  float32: Float32Array,
  int32: Int32Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
} as const;

type Dtype = keyof typeof DTYPES;
export type NumberArray =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** A picture as the drawing code sees it. */
export interface Unpacked {
  meta: JsonObject;
  arrays: Record<string, NumberArray>;
  shapes: Record<string, number[]>;
}

export class WireError extends Error {
  override name = "WireError";
}

/**
 * Reads a packed dictionary.
 *
 * Arrays lie over the received bytes where their alignment allows it and are copied where it
 * does not. Nothing but a `WireError` is thrown.
 *
 * @param buffer the message's buffer, for dictionaries that travel without their data
 */
export function unpack(value: unknown, buffer?: unknown): Unpacked {
  if (!isObject(value)) throw new WireError("a packed dictionary was expected");
  if (value.v !== VERSION) {
    throw new WireError(
      `this is layout version ${String(value.v)}, and version ${VERSION} is understood; ` +
        "reload the page so that both sides come from the same release",
    );
  }
  if (!isObject(value.meta)) throw new WireError("meta is missing");
  if (!isObject(value.arrays)) throw new WireError("arrays is missing");
  const data = bytesOf(value.data ?? buffer);
  const arrays: Record<string, NumberArray> = {};
  const shapes: Record<string, number[]> = {};
  for (const [name, header] of Object.entries(value.arrays)) {
    const { dtype, shape, offset } = headerOf(name, header);
    arrays[name] = layOver(name, DTYPES[dtype], shape, offset, data);
    shapes[name] = shape;
  }
  return { meta: value.meta as JsonObject, arrays, shapes };
}

/** The bytes behind whatever a host hands over for a binary value. */
function bytesOf(data: unknown): Uint8Array {
  if (data === undefined || data === null) return new Uint8Array(0);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  throw new WireError("data is not binary");
}

function headerOf(name: string, header: unknown) {
  if (!Array.isArray(header) || header.length !== 3) {
    throw new WireError(`array "${name}" has no [dtype, shape, offset]`);
  }
  const [dtype, shape, offset] = header as unknown[];
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPES, dtype)) {
    throw new WireError(`array "${name}" has the unknown dtype "${String(dtype)}"`);
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new WireError(`array "${name}" has the bad shape ${JSON.stringify(shape)}`);
  }
  if (!isCount(offset)) throw new WireError(`array "${name}" has the bad offset ${String(offset)}`);
  return { dtype: dtype as Dtype, shape: shape as number[], offset };
}

function layOver(
  name: string,
  Kind: (typeof DTYPES)[Dtype],
  shape: number[],
  offset: number,
  data: Uint8Array,
): NumberArray {
  const count = shape.reduce((product, side) => product * side, 1);
  const end = offset + count * Kind.BYTES_PER_ELEMENT;
  if (end > data.byteLength) {
    throw new WireError(`array "${name}" ends at byte ${end} of ${data.byteLength}`);
  }
  const start = data.byteOffset + offset;
  if (start % Kind.BYTES_PER_ELEMENT === 0) {
    return new Kind(data.buffer as ArrayBuffer, start, count);
  }
  return new Kind(data.slice(offset, end).buffer, 0, count);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// --- browser to kernel ---------------------------------------------------------------------

export const encode = {
  request: (id: number, action: string, args: JsonObject = {}) => ({
    type: "request",
    id,
    action,
    args,
  }),
  cancel: (id: number) => ({ type: "cancel", id }),
  view: (view: string, visible: boolean, language: string) => ({
    type: "view",
    view,
    visible,
    language,
  }),
};

// --- kernel to browser ---------------------------------------------------------------------

/** What a waiting click waits for; null when it is being worked on. */
export type Waits = "step" | "cell" | null;

export type Answer =
  | { type: "accepted"; id: number; waits: Waits }
  | { type: "reply"; id: number; result: Json; packed: Unpacked | null }
  | { type: "error"; id: number; error: string }
  | { type: "progress"; id: number; fraction: number; note: string };

/** Reads one custom message of the kernel; null for a kind that this widget does not know. */
export function decodeAnswer(content: unknown, buffers: readonly unknown[] = []): Answer | null {
  if (!isObject(content) || typeof content.id !== "number") return null;
  const id = content.id;
  switch (content.type) {
    case "accepted": {
      const waits = content.waits;
      return { type: "accepted", id, waits: waits === "step" || waits === "cell" ? waits : null };
    }
    case "reply": {
      const packed = isObject(content.packed) ? unpack(content.packed, buffers[0]) : null;
      return { type: "reply", id, result: (content.result ?? null) as Json, packed };
    }
    case "error":
      return { type: "error", id, error: String(content.error ?? "") };
    case "progress": {
      const fraction = Number(content.fraction);
      return {
        type: "progress",
        id,
        fraction: Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0,
        note: String(content.note ?? ""),
      };
    }
    default:
      return null;
  }
}
