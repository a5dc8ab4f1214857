import { describe, expect, it } from "vitest";
import { pack } from "../../demo/pack";
import {
  frameAt,
  readChoices,
  readFilm,
  readLandscape,
  readLive,
  readPoint,
  readPoints,
  readRules,
  readSurface,
  readUnits,
} from "../../src/decision_boundary/state";
import { type JsonObject, unpack } from "../../src/wire";

const read = (meta: JsonObject, arrays: Parameters<typeof pack>[1] = {}) =>
  unpack(pack({ seq: 1, ...meta }, arrays));
const nothing = read({});

describe("traits that hold little", () => {
  it("become what is usual", () => {
    expect(readLive(nothing)).toMatchObject({ state: "idle", busy: null, cursor: null });
    expect(readChoices(nothing)).toMatchObject({
      kind: "classes",
      axes: null,
      projection: "slice",
      others: "median",
      views: [],
      held: [],
      rulesAvailable: false,
      editable: true,
    });
    expect(readSurface(nothing)).toMatchObject({
      rectangle: null,
      label: null,
      value: null,
      wrong: null,
      said: null,
      labels: ["", ""],
      accuracy: { train: null, test: null },
      counts: { train: 0, test: 0 },
    });
    expect(readPoints(nothing)).toMatchObject({ drawn: 0, canUndo: false });
    expect(readFilm(nothing).frames).toEqual([]);
    expect(readUnits(nothing)).toMatchObject({ state: "none", layer: null, values: null });
    expect(readPoint(nothing)).toMatchObject({
      state: "none",
      at: null,
      changes: [],
      unsure: null,
    });
    expect(readRules(nothing)).toMatchObject({ state: "none", rules: [], maxDepth: 3 });
    expect(readLandscape(nothing)).toMatchObject({ state: "none", loss: null, log: false });
  });

  it("of other kinds than agreed harm nobody", () => {
    const odd = read({
      kind: "moods",
      state: 7,
      view: "everything",
      views: "label",
      axes: [1],
      rectangle: [0, 1, 2],
      labels: "x",
      held: [{ column: "a", value: 1 }, { column: 2, value: 0.5 }, 3],
      uncertainties: [null],
      point: ["x", ["a", 1]],
      nearest: [{ id: "1" }, { id: 4, text: "far" }],
      changes: [{ at: ["left"] }],
      uncertainty: 3,
      rules: [{ box: [1, 0, 0, 1], answer: "A" }],
      at: [1],
      counts: null,
    });
    expect(readChoices(odd)).toMatchObject({
      kind: "classes",
      views: [],
      axes: null,
      held: [{ column: 2, name: "2", value: 0.5, low: 0.5, high: 0.5 }],
    });
    expect(readSurface(odd)).toMatchObject({
      state: "ready",
      view: "probability",
      rectangle: null,
      labels: ["", ""],
    });
    expect(readPoint(odd)).toMatchObject({
      at: null,
      point: [{ name: "a", value: "1" }],
      nearest: [{ id: 4, text: "far" }],
      changes: [{ at: null, answer: null }],
      unsure: null,
    });
    // A box that ends before it begins is nowhere.
    expect(readRules(odd).rules).toMatchObject([{ box: null, answer: null }]);
  });
});

describe("what can be chosen", () => {
  it("keeps the views in one order, and why some ways cannot be had", () => {
    const choices = readChoices(
      read({
        kind: "classes",
        views: ["entropy", "probability", "moods"],
        axes: [2, 0],
        uncertainties: [{ name: "mc_dropout", label: "MC dropout", problem: "No dropout." }],
        projections: [{ name: "pca" }],
        rules_available: true,
      }),
    );
    expect(choices.views).toEqual(["probability", "entropy"]);
    expect(choices.axes).toEqual([2, 0]);
    expect(choices.uncertainties[0]?.problem).toBe("No dropout.");
    expect(choices.projections).toEqual([{ name: "pca", label: "pca" }]);
    expect(choices.rulesAvailable).toBe(true);
  });
});

describe("a surface", () => {
  const meta = { columns: 3, rows: 2, rectangle: [-1, 1, 0, 2] };

  it("has its picture only if that is as large as is said", () => {
    const six = Uint8Array.of(0, 1, 2, 0, 1, 255);
    const whole = readSurface(read(meta, { label: six, value: six }));
    expect([...(whole.label ?? [])]).toEqual([0, 1, 2, 0, 1, 255]);
    expect(whole.rectangle).toEqual([-1, 1, 0, 2]);
    const cut = readSurface(read(meta, { label: six.subarray(1), value: Float32Array.of(1) }));
    expect([cut.label, cut.value]).toEqual([null, null]);
  });

  it("has its lines, however their ends are counted", () => {
    const { lines, lineEnds, lineOf } = readSurface(
      read(meta, {
        lines: Float32Array.of(0, 0, 1, 1),
        line_ends: Int32Array.of(2),
        line_of: Int32Array.of(1),
      }),
    );
    expect([[...lines], [...lineEnds], [...lineOf]]).toEqual([[0, 0, 1, 1], [2], [1]]);
  });
});

describe("points", () => {
  const arrays = {
    xy: Float32Array.of(0, 1, 2, 3),
    id: Float64Array.of(7, 9),
    y: Uint8Array.of(1, 255),
  };

  it("stand where they are said to, near and learned from unless told otherwise", () => {
    const points = readPoints(read({ version: 3 }, arrays));
    expect(points.drawn).toBe(2);
    expect([[...points.xy], [...points.id], [...points.y]]).toEqual([
      [0, 1, 2, 3],
      [7, 9],
      [1, 255],
    ]);
    expect([[...points.test], [...points.fade]]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it("that do not fit together are none: a label must not stand at another point", () => {
    const points = readPoints(read({}, { ...arrays, y: Uint8Array.of(1) }));
    expect([points.drawn, points.xy.length, points.y.length]).toEqual([0, 0, 0]);
  });
});

describe("the film", () => {
  const film = readFilm(
    read(
      { low: 0.3, high: 1, palette: "classes" },
      {
        steps: Float64Array.of(10, 20),
        label: [Uint8Array.of(0, 1, 1, 0), [2, 1, 2]],
        value: [Uint8Array.of(9, 8, 7, 6), [2, 1, 2]],
      },
    ),
  );

  it("has a frame for each step, and gives the nearest", () => {
    expect(film.frames.map(({ label }) => [...(label ?? [])])).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(frameAt(film, 20)).toMatchObject({ rows: 1, columns: 2 });
    expect([...(frameAt(film, 13)?.value ?? [])]).toEqual([9, 8]);
    expect(frameAt(null, 20)).toBeNull();
  });
});

describe("what is said besides", () => {
  it("knows a place, its uncertainty, and where changes lead", () => {
    const point = readPoint(
      read(
        {
          state: "ready",
          at: [0.5, -1],
          id: 4,
          label: 1,
          true: 0,
          classes: ["a", "b"],
          uncertainty: { total: 0.6, aleatoric: 0.5, epistemic: 0.1, members: 5, text: "unsure" },
          changes: [{ feature: "x", text: "x + 1", to: 1.5, answer: 0, at: [1.5, -1] }],
        },
        { probabilities: Float32Array.of(0.25, 0.75), weights: Float32Array.of(-1) },
      ),
    );
    expect(point).toMatchObject({ at: [0.5, -1], id: 4, label: 1, truth: 0 });
    expect(point.unsure).toEqual({
      total: 0.6,
      aleatoric: 0.5,
      epistemic: 0.1,
      members: 5,
      text: "unsure",
    });
    expect(point.changes[0]?.at).toEqual([1.5, -1]);
    expect([...point.probabilities]).toEqual([0.25, 0.75]);
    expect(point.spread).toHaveLength(0);
  });

  it("has a small picture for each unit only if there are as many", () => {
    const meta = { layer: "net.1", units: [0, 5], count: 64, state: "ready" };
    const values: [Uint8Array, number[]] = [new Uint8Array(8), [2, 2, 2]];
    expect(readUnits(read(meta, { values }))).toMatchObject({ rows: 2, columns: 2, count: 64 });
    expect(readUnits(read({ ...meta, units: [0] }, { values })).values).toBeNull();
  });

  it("has the loss on its grid", () => {
    const { loss, alpha } = readLandscape(
      read(
        { state: "ready", log: true },
        { loss: [new Uint8Array(6), [3, 2]], alpha: Float32Array.of(-1, 1) },
      ),
    );
    expect([loss?.rows, loss?.columns, alpha.length]).toEqual([3, 2, 2]);
  });
});
