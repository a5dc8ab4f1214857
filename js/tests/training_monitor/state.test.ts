import { describe, expect, it } from "vitest";
import { pack } from "../../demo/pack";
import { INITIAL, toggled, usableRange } from "../../src/training_monitor/options";
import {
  heldUntil,
  newest,
  readCurves,
  readLayers,
  readLive,
  readNotes,
} from "../../src/training_monitor/state";
import { wordsFor } from "../../src/ui/i18n";
import { type JsonObject, type NumberArray, unpack } from "../../src/wire";

const read = (
  meta: JsonObject,
  arrays: Record<string, NumberArray | [NumberArray, number[]]> = {},
) => unpack(pack(meta, arrays));

describe("readLive", () => {
  it("reads what Python sends", () => {
    const live = readLive(
      read(
        {
          seq: 3,
          state: "running",
          stopping: false,
          step: 3412,
          epoch: [13, 20],
          progress: [3412, null],
          route: { key: "route.subshell", params: {}, live: true },
          queued: { action: "pause", waits: "cell" },
          can: { steer: true, step: true, stop: false, layers: true },
          names: ["loss", "val_loss"],
          cursor: 7,
          budget: 0.02,
          error: null,
          status: ["Fine."],
        },
        {
          numbers: Float64Array.of(124, Number.NaN, 0.009, 0.05, 27.5),
          lr: Float64Array.of(0.5, 0.1),
          last: Float64Array.of(0.1, Number.NaN),
        },
      ),
    );
    expect(live).toMatchObject({
      state: "running",
      step: 3412,
      epoch: { now: 13, total: 20 },
      progress: { done: 3412, total: null },
      route: { key: "route.subshell", live: true },
      queued: { action: "pause", waits: "cell" },
      can: { steer: true, stop: false },
      cursor: 7,
      error: null,
      rate: 124,
      overhead: 0.009,
      learningRate: 0.05,
      lrScale: 0.5,
    });
    expect(live.eta).toBeNaN();
    expect([...live.last]).toEqual([
      ["loss", 0.1],
      ["val_loss", Number.NaN],
    ]);
  });

  it("fills in what an older or newer kernel leaves out", () => {
    const live = readLive(read({ seq: 1, state: "dreaming", epoch: "x", route: null, can: [] }));
    expect(live).toMatchObject({
      state: "idle",
      epoch: null,
      progress: null,
      queued: null,
      cursor: null,
      lrScale: 1,
      can: { steer: false, step: false, stop: false },
    });
    expect(live.rate).toBeNaN();
  });
});

const curves = (series: JsonObject[], panels: JsonObject[]) =>
  readCurves(
    read(
      { seq: 1, series, panels, range: [1, 9], zoom: null },
      {
        x: Float64Array.of(1, 2, 3, 1, 5),
        x1: Float64Array.of(1, 2, 4, 1, 9),
        t: new Float32Array(5),
        lo: Float32Array.of(3, 2, 1, 5, 4),
        hi: Float32Array.of(3, 2, 1, 5, 4),
        mean: Float32Array.of(3, 2, 1, 5, 4),
        flags: new Uint8Array(5),
        best: [Float64Array.of(4, 1, Number.NaN, Number.NaN), [2, 2]],
        epochs: [Float64Array.of(0, 0, 5, 1.5), [2, 2]],
      },
    ),
  );
const loss = { name: "loss", panel: 0, role: "train", start: 0, count: 3, points: 30, bad: 2 };
const val = { name: "val_loss", panel: 0, role: "val", start: 3, count: 2, points: 2, bad: 0 };

describe("readCurves", () => {
  it("cuts each series out of the shared arrays, without copying", () => {
    const { panels, range, epochs } = curves([loss, val], [{ title: "loss", kind: "metric" }]);
    const [first, second] = panels[0]?.series ?? [];
    expect(Array.from(first?.mean ?? [])).toEqual([3, 2, 1]);
    expect(Array.from(second?.x1 ?? [])).toEqual([1, 9]);
    expect(first?.mean.buffer).toBe(second?.mean.buffer);
    expect([first?.best, second?.best]).toEqual([[4, 1], null]);
    expect([first?.points, first?.bad]).toEqual([30, 2]);
    expect(range).toEqual([1, 9]);
    expect(Array.from(epochs)).toEqual([0, 0, 5, 1.5]);
  });

  it("names and colours pairs alike in every panel", () => {
    const { panels } = curves([loss, val], [{ title: "loss", kind: "metric" }]);
    expect(panels[0]?.series.map(({ label, color }) => [label, color])).toEqual([
      ["train", "var(--nnw-series-1)"],
      ["val", "var(--nnw-series-2)"],
    ]);
    // Validation alone keeps the colour it has beside training.
    const alone = curves([{ ...val, panel: 0 }], [{ title: "accuracy", kind: "metric" }]);
    expect(alone.panels[0]?.series[0]?.color).toBe("var(--nnw-series-2)");
  });

  it("keeps apart what the roles do not", () => {
    const twin = { ...loss, name: "loss_d", start: 3, count: 2 };
    const { panels } = curves(
      [{ ...loss, name: "loss_g" }, twin],
      [{ title: "loss", kind: "metric" }],
    );
    const series = panels[0]?.series ?? [];
    expect(series.map(({ label }) => label)).toEqual(["loss_g", "loss_d"]);
    expect(new Set(series.map(({ color }) => color)).size).toBe(2);
  });

  it("leaves out panels without series, and arrays of the wrong kind", () => {
    const { panels } = curves([loss], [{ title: "loss", kind: "metric" }, { title: "empty" }]);
    expect(panels).toHaveLength(1);
    const odd = readCurves(
      read(
        { seq: 1, series: [loss], panels: [{ title: "loss" }] },
        { mean: Float64Array.of(1, 2, 3) },
      ),
    );
    expect(odd.panels[0]?.series[0]?.mean).toHaveLength(0);
    expect(odd.range).toBeNull();
  });

  it("takes the newest value from the kernel, else from the newest bucket", () => {
    const series = curves([loss], [{ title: "loss" }]).panels[0]?.series[0];
    if (series === undefined) throw new Error("no series");
    expect(newest(series, null)).toBe(1);
    const live = readLive(
      read({ seq: 1, names: ["loss"] }, { last: Float64Array.of(Number.POSITIVE_INFINITY) }),
    );
    expect(newest(series, live)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("heldUntil", () => {
  const series = (stepLine: boolean) => {
    const found = curves([{ ...loss, step_line: stepLine }], [{ title: "lr", kind: "lr" }]);
    const first = found.panels[0]?.series[0];
    if (first === undefined) throw new Error("no series");
    return first;
  };

  it("draws a learning rate on to where the run is, and no other curve", () => {
    const held = heldUntil(series(true), 50);
    expect(Array.from(held.x)).toEqual([1, 2, 3, 50]);
    expect(Array.from(held.mean)).toEqual([3, 2, 1, 1]);
    expect(held.points).toBe(30);
    const columns = [held.x, held.x1, held.t, held.lo, held.hi, held.mean, held.flags];
    expect(columns.map(({ length }) => length)).toEqual(columns.map(() => 4));
    const other = series(false);
    expect(heldUntil(other, 50)).toBe(other);
  });

  it("adds nothing where the newest point is the end, or the end is not known", () => {
    const lr = series(true);
    expect(heldUntil(lr, 4)).toBe(lr);
    expect(heldUntil(lr, Number.NaN)).toBe(lr);
  });
});

describe("readLayers", () => {
  it("gives each layer its row", () => {
    const { rows, steps } = readLayers(
      read(
        {
          seq: 1,
          step: 9,
          rows: [
            { name: "0", type: "Linear", label: "Linear 2→3", frozen: true, dead_known: true },
            { name: "1", type: "GRU", label: "GRU" },
          ],
        },
        {
          steps: Float64Array.of(1, 9),
          grad_norm: [Float32Array.of(1, 2, 3, 4), [2, 2]],
          update_ratio: [Float32Array.of(5, 6, 7, 8), [2, 2]],
          dead: Float32Array.of(1, Number.NaN),
          units: Float32Array.of(3, 7),
        },
      ),
    );
    expect(Array.from(steps)).toEqual([1, 9]);
    expect(rows.map(({ gradNorm }) => Array.from(gradNorm))).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(rows.map(({ frozen, deadKnown, dead }) => [frozen, deadKnown, dead])).toEqual([
      [true, true, 1],
      [false, false, Number.NaN],
    ]);
  });
});

describe("readNotes", () => {
  const notes = {
    seq: 1,
    findings: [
      {
        kind: "overfitting",
        severity: "warning",
        step: 9,
        title: "Overfitting",
        body: "b",
        advice: "a",
        key: "route.cell_end",
        params: {},
      },
    ],
    events: [
      { kind: "lr", step: 4, key: "ui.go_to", params: { step: "4" }, text: "Went to 4" },
      { kind: "start", step: null, key: "", params: {}, text: "?" },
    ],
    messages: [{ text: "m", level: "panic", step: null, count: 3 }],
  };

  it("takes Python's sentences where it speaks our language", () => {
    const { findings, marks, messages } = readNotes(read(notes), wordsFor("en"), "en");
    expect(findings[0]).toMatchObject({ title: "Overfitting", severity: "warning", step: 9 });
    expect(marks).toEqual([{ step: 4, kind: "lr", text: "Went to 4" }]);
    expect(messages).toEqual([{ text: "m", level: "info", step: null, count: 3 }]);
  });

  it("translates where it does not, as far as the catalogue goes", () => {
    const { findings, marks } = readNotes(read(notes), wordsFor("zh"), "en");
    expect(marks[0]?.text).toBe("转到第 4 步");
    // No `.title` under that key: Python's sentence is better than none.
    expect(findings[0]?.title).toBe("Overfitting");
  });
});

describe("options", () => {
  it("toggle without touching the set they came from", () => {
    const once = toggled(INITIAL.hidden, "loss");
    expect([...once]).toEqual(["loss"]);
    expect([...toggled(once, "loss")]).toEqual([]);
    expect([...INITIAL.hidden]).toEqual([]);
  });

  it("take a range only if it can be drawn and is less than everything", () => {
    expect(usableRange([9, 3], [0, 100])).toEqual([3, 9]);
    expect(usableRange([3, 3], [0, 100])).toBeNull();
    expect(usableRange([Number.NaN, 3], [0, 100])).toBeNull();
    expect(usableRange([-5, 100], [0, 100])).toBeNull();
    expect(usableRange([3, 9], null)).toEqual([3, 9]);
    expect(usableRange(null, [0, 1])).toBeNull();
  });
});
