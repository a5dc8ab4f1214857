import { describe, expect, it } from "vitest";
import { pack } from "../../demo/pack";
import {
  ancestors,
  readGraph,
  readHow,
  readLive,
  readRows,
  readTree,
} from "../../src/layer_inspector/state";
import { readSamples } from "../../src/samples";
import { type JsonObject, unpack } from "../../src/wire";

const read = (meta: JsonObject, arrays: Parameters<typeof pack>[1] = {}) =>
  unpack(pack(meta, arrays));

describe("_live", () => {
  it("holds the session, the inputs looked at and what the kernel is busy with", () => {
    const live = readLive(
      read(
        {
          seq: 4,
          state: "paused",
          step: 3412,
          route: { key: "route.subshell", params: {}, live: true },
          queued: { action: "select", waits: "cell" },
          cursor: 2310,
          budget: 0.02,
          error: null,
          status: ["Activations are observed."],
          source: "batch",
          busy: { action: "feature", fraction: 0.25, note: "64 / 256" },
        },
        { numbers: Float64Array.of(124, 0.009, 27.5) },
      ),
    );
    expect(live).toEqual({
      state: "paused",
      stopping: false,
      step: 3412,
      route: { key: "route.subshell", params: {}, live: true },
      queued: { action: "select", waits: "cell" },
      cursor: 2310,
      budget: 0.02,
      error: null,
      status: ["Activations are observed."],
      source: "batch",
      busy: { action: "feature", fraction: 0.25, note: "64 / 256" },
      rate: 124,
      overhead: 0.009,
      elapsed: 27.5,
    });
  });

  it("reads what is missing as unknown", () => {
    const live = readLive(read({ seq: 1, state: "dreaming", busy: [], source: 3 }));
    expect(live).toMatchObject({ state: "idle", busy: null, source: "probe", cursor: null });
    expect([live.rate, live.overhead, live.elapsed, live.budget].every(Number.isNaN)).toBe(true);
  });
});

describe("_tree", () => {
  const row = (name: string, depth: number, parent: number, more: JsonObject = {}) => ({
    name,
    type: "Linear",
    label: "Linear 4→2",
    depth,
    parent,
    params: 10,
    trainable: "all",
    shape: "1×2",
    flops: 16,
    shared: null,
    calls: 1,
    container: false,
    failed: false,
    ...more,
  });

  it("holds the modules by row and by name, with totals", () => {
    const tree = readTree(
      read({
        seq: 1,
        model: "Net",
        rows: [
          row("body", 0, -1, { container: true, params: 0, trainable: "", flops: null }),
          row("body.fc", 1, 0),
          row("head", 0, -1, { shared: "body.fc", trainable: "none", calls: 3, failed: true }),
        ],
        totals: { modules: 3, params: 10, trainable: 10, flops: 16, owners: 1 },
        failure: { layer: "head", text: "shapes do not fit" },
        shown: 3,
        all: 5,
      }),
    );
    expect(tree.rows.map(({ short }) => short)).toEqual(["body", "fc", "head"]);
    expect(tree.rows[0]).toMatchObject({ container: true, flops: null, shared: null, parent: -1 });
    expect(tree.rows[1]).toMatchObject({ label: "Linear 4→2", params: 10, parent: 0, depth: 1 });
    expect(tree.rows[2]).toMatchObject({
      shared: "body.fc",
      trainable: "none",
      calls: 3,
      failed: true,
    });
    expect(tree.byName.get("head")).toBe(2);
    expect(tree.totals).toEqual({ modules: 3, params: 10, trainable: 10, flops: 16 });
    expect(tree.failure).toEqual({ layer: "head", text: "shapes do not fit" });
    expect([tree.shown, tree.all]).toEqual([3, 5]);
    expect(ancestors(tree.rows, 1)).toEqual([0]);
  });

  it("knows a model that owns parameters by its class", () => {
    const model = row("", 0, -1, { type: "", label: "Net" });
    const tree = readTree(read({ seq: 1, rows: [model, row("fc", 0, -1)] }));
    expect(tree.rows.map(({ short }) => short)).toEqual(["Net", "fc"]);
    expect(tree.byName.get("")).toBe(0);
  });

  it("survives nonsense: a parent below its child makes no endless walk", () => {
    const tree = readTree(read({ seq: 1, rows: [row("a", 0, 1), row("b", 0, 0), 7] }));
    expect(tree.rows.map(({ parent }) => parent)).toEqual([-1, 0, -1]);
    expect(tree.rows[2]).toMatchObject({ name: "", type: "", shape: "", trainable: "" });
    expect(tree.totals).toMatchObject({ modules: 3, flops: null });
    expect(tree.failure).toBeNull();
    expect(ancestors(tree.rows, 99)).toEqual([]);
  });
});

describe("_graph", () => {
  it("joins nodes by place, whatever their ids are, and drops edges to nowhere", () => {
    const graph = readGraph(
      read({
        seq: 1,
        nodes: [
          { id: 0, kind: "input", layer: -1, label: "x", times: 1, parent: -1, shape: "1×4" },
          { id: "m1", kind: "module", layer: 1, label: "Linear", times: 12, parent: 0, shape: "" },
          { id: 7, kind: "never heard of", label: "?" },
        ],
        edges: [[0, "m1", "1×4"], ["m1", "m1", ""], ["m1", 99, ""], "nonsense", [7, 0]],
        note: "Only the shallowest modules are drawn.",
      }),
    );
    expect(graph.nodes.map(({ kind, times }) => [kind, times])).toEqual([
      ["input", 1],
      ["module", 12],
      ["module", 1],
    ]);
    expect(graph.edges).toEqual([
      { from: 0, to: 1, label: "1×4" },
      { from: 1, to: 1, label: "" },
      { from: 2, to: 0, label: "" },
    ]);
    expect(graph.note).toMatch(/shallowest/);
  });
});

describe("_rows", () => {
  it("holds badges, curves and newest numbers by row", () => {
    const rows = readRows(
      read(
        {
          seq: 3,
          step: 880,
          statistic: "activation_std",
          badges: [
            {
              row: 1,
              kind: "dead",
              severity: "error",
              text: "6 of 32",
              params: { dead: 6 },
              step: 88,
            },
            { row: 1, kind: "constant", severity: "loud", text: "" },
            { row: 0, kind: "nan", severity: "warning", text: "NaN", step: null },
          ],
          snapshots: true,
        },
        {
          steps: Float64Array.of(10, 20, 30),
          spark: [Float32Array.of(1, 2, 3, 4, Number.NaN, 6), [2, 3]],
          now: [Float32Array.of(0.25, 0.5, 1, 2, 3, 4, 5, 6), [2, 4]],
          snapshot_steps: Float64Array.of(10, 30),
        },
      ),
    );
    expect(rows.badges.get(1)).toEqual([
      { kind: "dead", severity: "error", text: "6 of 32", params: { dead: "6" }, step: 88 },
      { kind: "constant", severity: "info", text: "", params: {}, step: null },
    ]);
    expect(rows.badges.get(2)).toBeUndefined();
    expect([...rows.spark(1)]).toEqual([4, Number.NaN, 6]);
    expect([...rows.now(0)]).toEqual([0.25, 0.5, 1, 2]);
    expect([...rows.spark(5), ...rows.spark(-1)]).toEqual([]);
    expect([...rows.snapshots]).toEqual([10, 30]);
  });

  it("has no curves before the first sampled step", () => {
    const rows = readRows(read({ seq: 1 }));
    expect([rows.steps.length, rows.spark(0).length, rows.snapshots.length]).toEqual([0, 0, 0]);
  });
});

describe("_samples", () => {
  it("knows grey and coloured thumbnails, and none", () => {
    const grey = { thumbs: [new Uint8Array(2 * 3 * 4), [2, 3, 4]] } as Parameters<typeof pack>[1];
    const coloured = { thumbs: [new Uint8Array(24), [2, 2, 2, 3]] } as Parameters<typeof pack>[1];
    expect(readSamples(read({ kind: "image", count: 9, labels: ["a", null] }, grey))).toMatchObject(
      {
        count: 9,
        labels: ["a", ""],
        height: 3,
        width: 4,
        channels: 1,
      },
    );
    expect(readSamples(read({ kind: "image" }, coloured))).toMatchObject({ count: 2, channels: 3 });
    expect(readSamples(read({ kind: "other", count: 5, labels: null }))).toMatchObject({
      count: 5,
      thumbs: null,
      labels: [],
    });
  });
});

describe("how a layer was looked at", () => {
  it("names the call, the direction and what is switched off", () => {
    expect(readHow(read({ call: 2, backward: true, ablated: [3, 5] }))).toEqual({
      call: 2,
      backward: true,
      ablated: [3, 5],
    });
    expect(readHow(read({ ablated: "layer" })).ablated).toBe("layer");
    expect(readHow(read({ blocks: [{ kind: "outputs" }] })).ablated).toBe("some");
    expect(readHow(read({ ablated: [] }))).toEqual({ call: 0, backward: false, ablated: null });
  });
});
