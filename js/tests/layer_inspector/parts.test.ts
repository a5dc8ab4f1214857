import { describe, expect, it } from "vitest";
import type { BlockData } from "../../src/layer_inspector/blocks";
import { partsOf } from "../../src/layer_inspector/parts";
import type { JsonObject } from "../../src/wire";

const block = (meta: JsonObject): BlockData => ({
  kind: "maps",
  title: null,
  meta,
  arrays: {},
  shapes: {},
});

describe("partsOf", () => {
  it("offers tensors, parts, slices and input channels where there are several", () => {
    const outputs = [
      { label: "0", shape: "2×3" },
      { label: "h_n", shape: "3" },
    ];
    const meta = { outputs, output: 1, parts: ["l0", "l1"], part: 0, depths: 3, depth: 2 };
    expect(partsOf([block(meta), block({ inputs: 2, input: 1 })])).toEqual([
      { action: "output", names: ["0", "h_n"], shown: 1 },
      { action: "part", names: ["l0", "l1"], shown: 0 },
      { action: "depth", names: ["0", "1", "2"], shown: 2 },
      { action: "channel", names: ["0", "1"], shown: 1 },
    ]);
  });

  it("offers nothing where there is one, and each choice once", () => {
    expect(partsOf([block({ outputs: [{ label: "0" }], depths: 1, inputs: 0 })])).toEqual([]);
    expect(partsOf([block({ depths: 2 }), block({ depths: 5 })])).toEqual([
      { action: "depth", names: ["0", "1"], shown: 0 },
    ]);
    expect(partsOf([block({ parts: "l0", depths: null })])).toEqual([]);
  });
});
