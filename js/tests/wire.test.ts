/// <reference types="vite/client" />
import { describe, expect, it } from "vitest";
import { decodeAnswer, encode, unpack, WireError } from "../src/wire";

interface Vector {
  name: string;
  packed: { v: number; meta: object; arrays: Record<string, [string, number[], number]> };
  data_base64: string;
  expect: Record<string, (number | string)[]>;
}

const vectors = Object.values(
  import.meta.glob<Vector>("../../tests/golden/wire/*.json", { eager: true, import: "default" }),
);

const bytesOf = (base64: string) =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** The bytes at an odd place of a larger buffer, as some hosts deliver them. */
function shifted(bytes: Uint8Array, by: number): DataView {
  const buffer = new ArrayBuffer(bytes.length + by + 3);
  new Uint8Array(buffer).set(bytes, by);
  return new DataView(buffer, by, bytes.length);
}

describe("golden vectors", () => {
  it("are there", () => {
    expect(vectors.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["empty", "every_dtype", "live", "nonfinite", "shapes"]),
    );
  });

  for (const vector of vectors) {
    for (const offset of [0, 1, 4]) {
      it(`${vector.name} is read as Python wrote it, ${offset} bytes into a buffer`, () => {
        const bytes = bytesOf(vector.data_base64);
        const { meta, arrays, shapes } = unpack(vector.packed, shifted(bytes, offset));
        expect(meta).toEqual(vector.packed.meta);
        expect(Object.keys(arrays)).toEqual(Object.keys(vector.expect));
        for (const [name, values] of Object.entries(vector.expect)) {
          expect(Array.from(arrays[name] as Float64Array), name).toEqual(values.map(Number));
          expect(shapes[name]).toEqual(vector.packed.arrays[name]?.[1]);
        }
      });
    }
  }
});

describe("unpack", () => {
  const good = { v: 1, meta: {}, arrays: { a: ["float32", [2], 0] } };
  const data = new DataView(new ArrayBuffer(8));

  it("takes its data from the dictionary, from a buffer, or from a bare ArrayBuffer", () => {
    expect(unpack({ ...good, data }).arrays.a).toHaveLength(2);
    expect(unpack(good, data).arrays.a).toHaveLength(2);
    expect(unpack({ ...good, data: new ArrayBuffer(8) }).arrays.a).toHaveLength(2);
  });

  it("lies over the received bytes when they are aligned", () => {
    expect(unpack(good, data).arrays.a?.buffer).toBe(data.buffer);
  });

  it.each([
    ["nothing", undefined],
    ["a list", []],
    ["text", "loss"],
    ["an empty dictionary", {}],
    ["another version", { ...good, v: 2, data }],
    ["no meta", { v: 1, arrays: {}, data }],
    ["no arrays", { v: 1, meta: {}, data }],
    ["an unknown dtype", { ...good, arrays: { a: ["float16", [2], 0] }, data }],
    ["a dtype from the prototype", { ...good, arrays: { a: ["constructor", [2], 0] }, data }],
    ["a negative side", { ...good, arrays: { a: ["float32", [-1], 0] }, data }],
    ["a negative offset", { ...good, arrays: { a: ["float32", [1], -4] }, data }],
    ["an array beyond the data", { ...good, arrays: { a: ["float32", [3], 0] }, data }],
    ["no data for an array", good],
    ["data that is text", { ...good, data: "AAAA" }],
    ["a header that is no list", { ...good, arrays: { a: 7 }, data }],
  ])("refuses %s with a WireError", (_, value) => {
    expect(() => unpack(value)).toThrow(WireError);
  });
});

describe("messages", () => {
  it("are written as Python parses them", () => {
    expect(encode.request(3, "view", { x0: 0 })).toEqual({
      type: "request",
      id: 3,
      action: "view",
      args: { x0: 0 },
    });
    expect(encode.cancel(3)).toEqual({ type: "cancel", id: 3 });
    expect(encode.view("v", true, "zh")).toEqual({
      type: "view",
      view: "v",
      visible: true,
      language: "zh",
    });
  });

  it("of the kernel are read, with their buffer", () => {
    const packed = { v: 1, meta: { seq: 1 }, arrays: { a: ["uint8", [2], 0] } };
    const buffers = [new DataView(Uint8Array.of(7, 9).buffer)];
    const answer = decodeAnswer({ type: "reply", id: 5, result: null, packed }, buffers);
    expect(answer).toMatchObject({ type: "reply", id: 5 });
    expect(answer?.type === "reply" && Array.from(answer.packed?.arrays.a ?? [])).toEqual([7, 9]);
    expect(decodeAnswer({ type: "accepted", id: 5, waits: "cell" })).toMatchObject({
      waits: "cell",
    });
    expect(decodeAnswer({ type: "accepted", id: 5, waits: "moon" })).toMatchObject({ waits: null });
    expect(decodeAnswer({ type: "progress", id: 5, fraction: 7 })).toMatchObject({ fraction: 1 });
    expect(decodeAnswer({ type: "error", id: 5, error: "no" })).toMatchObject({ error: "no" });
  });

  it("of another kind, or of none, are left alone", () => {
    for (const content of [null, 3, "reply", {}, { type: "reply" }, { type: "news", id: 1 }]) {
      expect(decodeAnswer(content)).toBeNull();
    }
  });
});
