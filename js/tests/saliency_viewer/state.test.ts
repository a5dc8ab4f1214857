import { describe, expect, it } from "vitest";
import { pack } from "../../demo/pack";
import {
  flawOf,
  readChoices,
  readFilm,
  readImportance,
  readLive,
  readPicture,
  readTrust,
} from "../../src/saliency_viewer/state";
import { type JsonObject, unpack } from "../../src/wire";

const read = (meta: JsonObject, arrays: Parameters<typeof pack>[1] = {}) =>
  unpack(pack({ seq: 1, ...meta }, arrays));
const nothing = read({});

describe("traits that hold little", () => {
  it("become what is usual", () => {
    expect(readPicture(nothing)).toEqual({
      compare: null,
      scale: { low: 0, high: 0, signed: false },
      panes: [],
    });
    expect(readTrust(nothing)).toMatchObject({ state: "none", checks: [], cascade: [] });
    expect(readFilm(nothing)).toMatchObject({ frames: null, index: 0 });
    expect(readImportance(nothing).mean).toHaveLength(0);
    expect(readLive(nothing)).toMatchObject({ state: "idle", busy: null, cursor: null });
    expect(readChoices(nothing).uses.size).toBe(0);
  });

  it("of other kinds than agreed harm nobody", () => {
    const odd = read({
      compare: "moods",
      signed: "yes",
      low: null,
      panes: [
        { kind: "hologram", state: "elsewhere", warnings: "none", target_unit: 3, index: "0" },
        7,
      ],
      methods: { a: 1 },
      unavailable: ["lrp", ["deep_lift"]],
      uses: [],
    });
    const { compare, scale, panes } = readPicture(odd);
    expect([compare, scale]).toEqual([null, { low: 0, high: 0, signed: false }]);
    expect(panes).toHaveLength(2);
    expect(panes[0]).toMatchObject({ kind: "other", state: "ready", warnings: [], unit: "value" });
    expect(readChoices(odd)).toMatchObject({
      methods: [],
      unavailable: [{ name: "deep_lift", why: "" }],
    });
  });
});

describe("a picture", () => {
  it("has the arrays of each pane with their sides", () => {
    const { panes, compare, scale } = readPicture(
      read(
        {
          compare: "step",
          signed: true,
          low: -2,
          high: 2,
          panes: [
            {
              index: 3,
              method: "lime",
              target: 1,
              target_name: "cat",
              kind: "image",
              details: { r2: 0.5 },
            },
            { index: 3, method: "lime", target: 1, step: 12, past: true, baseline_score: -1.5 },
          ],
        },
        {
          "0.map": [Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]],
          "0.input": [new Uint8Array(18), [2, 3, 3]],
          "0.probabilities": Float32Array.of(0.25, 0.75),
          "0.spread": [Float32Array.of(0, 0, 0, 0, 0, 1), [2, 3]],
          "1.map": [Uint8Array.of(0, 125, 250, 253), [2, 2]],
        },
      ),
    );
    expect([compare, scale]).toEqual(["step", { low: -2, high: 2, signed: true }]);
    expect(panes[0]).toMatchObject({ targetName: "cat", r2: 0.5, past: false });
    expect(panes[0]?.map?.shape).toEqual([2, 3]);
    expect(panes[0]?.input?.shape).toEqual([2, 3, 3]);
    expect(Array.from(panes[0]?.outputs ?? [])).toEqual([0.25, 0.75]);
    expect(panes[0]?.spread?.[5]).toBe(1);
    expect(panes[1]).toMatchObject({ step: 12, past: true, baselineScore: -1.5, spread: null });
    expect(Array.from(panes[1]?.map?.data ?? [])).toEqual([0, 125, 250, 253]);
    expect(panes[1]?.input).toBeNull();
  });

  it("draws the input of the first pane in both", () => {
    const { panes } = readPicture(
      read(
        { compare: "target", panes: [{ kind: "image" }, { kind: "image" }, { kind: "table" }] },
        { "0.input": [new Uint8Array(4), [2, 2]] },
      ),
    );
    expect(panes[1]?.input).toBe(panes[0]?.input);
    expect(panes[2]?.input).toBeNull();
  });
});

describe("choices", () => {
  it("say what applies, what does not, and what each method takes", () => {
    const choices = readChoices(
      read({
        methods: ["saliency", "grad_cam"],
        unavailable: [["lrp", "There is no rule."]],
        layers: [{ name: "4", type: "Conv2d", shape: [32, 14, 14] }],
        baselines: [{ name: "zero", label: "black" }, { name: "mean" }],
        steps: [100, "200", 300],
        uses: { grad_cam: { layer: true } },
      }),
    );
    expect(choices.unavailable).toEqual([{ name: "lrp", why: "There is no rule." }]);
    expect(choices.layers).toEqual([{ name: "4", type: "Conv2d", shape: "32×14×14" }]);
    expect(choices.baselines.map(({ label }) => label)).toEqual(["black", "mean"]);
    expect(choices.steps).toEqual([100, 300]);
    expect(choices.uses.get("grad_cam")).toEqual({
      layer: true,
      baseline: false,
      random: false,
      slow: false,
    });
  });
});

describe("trust", () => {
  it("has checks, curves and a cascade", () => {
    const trust = readTrust(
      read(
        {
          state: "ready",
          checks: [{ kind: "a", level: "good", text: "Adds up.", value: 0.1 }, { level: "fine" }],
          cascade_layers: ["fc"],
          verdict: "So.",
        },
        {
          fraction: Float32Array.of(0, 1),
          deletion: Float32Array.of(1, 0),
          random_deletion: Float32Array.of(1, 0.5),
          cascade: Float32Array.of(0.5, 0.25),
        },
      ),
    );
    expect(trust.checks.map(({ level }) => level)).toEqual(["good", "unknown"]);
    expect(Array.from(trust.curves.deletion.random)).toEqual([1, 0.5]);
    expect(trust.curves.insertion.map).toHaveLength(0);
    expect(trust.cascade).toEqual([
      { layer: "fc", similarity: 0.5 },
      { layer: "1", similarity: 0.25 },
    ]);
  });
});

describe("a map that says nothing", () => {
  const of = (data: Float32Array | Uint8Array) => flawOf({ data, shape: [data.length] });

  it("is known as one", () => {
    expect(flawOf(null)).toBe("empty");
    expect(of(Float32Array.of(0, 0, 0))).toBe("zero");
    expect(of(Float32Array.of(2, 2, 2))).toBe("constant");
    expect(of(Float32Array.of(1, Number.NaN))).toBe("not_finite");
    expect(of(Float32Array.of(Number.POSITIVE_INFINITY, 1))).toBe("not_finite");
    expect(of(Uint8Array.of(0, 0))).toBe("constant");
    expect(of(Uint8Array.of(1, 253))).toBe("not_finite");
  });

  it("is not seen in one that says something", () => {
    expect(of(Float32Array.of(0, 1e-9))).toBeNull();
    expect(of(Uint8Array.of(0, 250))).toBeNull();
    // A single number cannot differ from itself.
    expect(of(Float32Array.of(3))).toBeNull();
  });
});
