/** The kernel in the page: what it says fits together, and it does what it is asked. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BoundaryOptions, FakeBoundary } from "../../demo/fake_boundary";
import { ANSWER_AFTER } from "../../demo/fake_kernel";
import {
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

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function kernel(options: BoundaryOptions = {}) {
  const model = new FakeBoundary({ trained: 50, resolution: 30, ...options });
  const heard: JsonObject[] = [];
  model.on("msg:custom", (content: JsonObject) => heard.push(content));
  model.publish();
  let id = 0;
  const ask = async (action: string, args: JsonObject = {}) => {
    model.send({ type: "request", id: ++id, action, args });
    await vi.advanceTimersByTimeAsync(ANSWER_AFTER);
    return heard.filter((answer) => answer.id === id).at(-1);
  };
  const read = <T>(reader: (of: ReturnType<typeof unpack>) => T, name: string) =>
    reader(unpack(model.get(name)));
  return {
    model,
    ask,
    cancel: () => model.send({ type: "cancel", id }),
    live: () => read(readLive, "_live"),
    choices: () => read(readChoices, "_choices"),
    surface: () => read(readSurface, "_surface"),
    points: () => read(readPoints, "_points"),
    film: () => read(readFilm, "_film"),
    units: () => read(readUnits, "_units"),
    point: () => read(readPoint, "_point"),
    rules: () => read(readRules, "_rules"),
    landscape: () => read(readLandscape, "_landscape"),
  };
}

describe("what the kernel says", () => {
  it.each([
    [{ data: "three" }, "classes", 3],
    [{ data: "ten", uncertain: "ensemble", view: "epistemic" }, "classes", 10],
    [{ data: "values", uncertain: "snapshots" }, "values", 0],
    [{ data: "moons", projection: "pca", view: "label" }, "classes", 2],
    [{ labelled: false }, "classes", 3],
  ] as const)("fits together for %j", (options, kind, classes) => {
    const { choices, surface, points, film } = kernel(options);
    expect([choices().kind, choices().classes.length]).toEqual([kind, classes]);
    const drawn = points();
    const picture = surface();
    expect(drawn.drawn).toBeGreaterThan(200);
    expect(drawn.count.train + drawn.count.test).toBe(drawn.drawn);
    expect(picture.pointsVersion).toBe(drawn.version);
    expect(picture.wrong).toHaveLength(drawn.drawn);
    expect(picture.said).toHaveLength(drawn.drawn);
    expect(picture.label !== null).toBe(kind === "classes");
    expect(picture.value !== null).toBe(picture.palette !== "labels");
    expect(picture.lines.length).toBe(2 * Number(picture.lineEnds.at(-1)));
    expect(picture.lineOf).toHaveLength(picture.lineEnds.length);
    expect(choices().views).toContain(picture.view);
    const [left, right, bottom, top] = picture.rectangle ?? [0, 0, 0, 0];
    for (let at = 0; at < drawn.drawn; at++) {
      const [x, y] = [drawn.xy[2 * at] as number, drawn.xy[2 * at + 1] as number];
      expect(x > left && x < right && y > bottom && y < top).toBe(true);
    }
    expect(film().frames).toHaveLength(choices().steps.length);
    expect(film().frames[0]?.label !== null).toBe(kind === "classes");
  });

  it("counts what is right itself", () => {
    const { surface, points } = kernel({ trained: 20 });
    const { test } = points();
    const { wrong, accuracy } = surface();
    const share = (which: number) => {
      const found = Array.from(wrong ?? []).filter((_, at) => test[at] === which);
      return found.filter((one) => one === 0).length / found.length;
    };
    expect(accuracy.train).toBeCloseTo(share(0), 12);
    expect(accuracy.test).toBeCloseTo(share(1), 12);
  });

  it("says nothing that it does not know", () => {
    const { surface, points } = kernel({ labelled: false });
    expect(surface().accuracy).toEqual({ train: null, test: null });
    expect(new Set(surface().wrong)).toEqual(new Set([2]));
    expect(new Set(points().y)).toEqual(new Set([255]));
    const { model } = kernel({ blind: true });
    expect(model.get("_surface")).toEqual({});
  });
});

describe("edits", () => {
  it("come to the points at once, and to the picture when the loop comes by", async () => {
    const { ask, points, surface, model } = kernel();
    const before = surface();
    const answer = await ask("add", { at: [0.5, 0.5], y: 2, test: false });
    expect(answer?.result).toEqual({ version: 1 });
    expect(points().drawn).toBe((before.wrong?.length as number) + 1);
    expect(points().y.at(-1)).toBe(2);
    expect(surface().pointsVersion).toBe(0);
    model.advance(1);
    expect(surface().pointsVersion).toBe(1);
    expect(surface().wrong).toHaveLength(points().drawn);
  });

  it("teach the model something else", async () => {
    const { ask, surface, points, model } = kernel({ data: "moons", trained: 300 });
    const labelAt = () => surface().label?.[15 * 30 + 3];
    const first = labelAt() as number;
    const [left, right, bottom, top] = surface().rectangle ?? [0, 0, 0, 0];
    const at = [left + (right - left) * (3 / 29), bottom + (top - bottom) * (15 / 29)];
    const count = points().drawn;
    for (let i = 0; i < 40; i++) await ask("add", { at, y: 1 - first, test: false });
    expect(points().drawn).toBe(count + 40);
    model.advance(300);
    model.advance(1);
    model.advance(1);
    expect(labelAt()).toBe(1 - first);
  });

  it("are moved, named, deleted, and taken back", async () => {
    const { ask, points } = kernel({ state: "paused" });
    const { id, xy } = points();
    await ask("move", { ids: [id[0] as number], at: [[0.25, 0.5]], gesture: "g" });
    expect(Array.from(points().xy.subarray(0, 2))).toEqual([0.25, 0.5]);
    await ask("label", { ids: [id[0] as number], y: 2 });
    expect(points().y[0]).toBe(2);
    await ask("delete", { ids: [id[1] as number] });
    expect(points().drawn).toBe(id.length - 1);
    for (let i = 0; i < 3; i++) await ask("undo");
    expect(points().xy).toEqual(xy);
    expect([points().canUndo, points().canRedo]).toEqual([false, true]);
    await ask("clear");
    expect(points().drawn).toBe(0);
  });

  it("are replaced by toy data where there are two features", async () => {
    expect(kernel({ data: "three" }).choices().toys).toEqual([]);
    const { ask, points, choices, surface } = kernel({ data: "moons", state: "idle" });
    expect(choices().toys).toContain("xor");
    await ask("toy", { name: "xor", n: 100, noise: 0.1, seed: 1 });
    expect(points().drawn).toBe(100);
    expect(surface().pointsVersion).toBe(points().version);
  });
});

describe("what is looked at", () => {
  it("is another view, class, axis or held value", async () => {
    const { ask, surface, choices, model } = kernel({ state: "paused" });
    await ask("view", { view: "entropy" });
    expect([model.get("view"), surface().view, surface().unit]).toEqual([
      "entropy",
      "entropy",
      "nats",
    ]);
    await ask("view", { view: "probability" });
    await ask("interest", { interest: 1 });
    expect([surface().interest, surface().interestName, surface().low]).toEqual([1, "B", 0]);
    await ask("held", { column: 2, value: 1.5 });
    expect(choices().others).toBe("given");
    expect(choices().held).toMatchObject([{ column: 2, name: "humidity", value: 1.5 }]);
    const held = surface();
    await ask("others", { others: "median", sample: null });
    expect(surface().value).not.toEqual(held.value);
    await ask("axes", { x: 2, y: 1 });
    expect(surface().labels).toEqual(["humidity", "x₂"]);
    await ask("projection", { projection: "pca" });
    expect([choices().axes, choices().held]).toEqual([null, []]);
    expect(surface().share).toBeGreaterThan(0.6);
  });

  it("is an earlier step, whose picture stands still", async () => {
    const { ask, surface, choices, model, live } = kernel();
    const step = choices().steps[1] as number;
    await ask("cursor", { step });
    expect([surface().past, surface().step, live().cursor]).toEqual([true, step, step]);
    const seen = surface().value;
    for (let i = 0; i < 6; i++) model.advance(2);
    expect(surface().value).toEqual(seen);
    await ask("cursor", { step: null });
    expect(surface().past).toBe(false);
  });

  it("has a frame more for each step that is kept", () => {
    const { film, choices, model } = kernel({ data: "moons", trained: 20 });
    expect(choices().steps).toEqual([0]);
    model.advance(20);
    expect(choices().steps).toEqual([0, 25]);
    expect(Array.from(film().steps)).toEqual([0, 25]);
    const seen = model.get("_film");
    model.advance(3);
    expect(model.get("_film")).toBe(seen);
  });

  it("keeps at most 40 steps, evenly", () => {
    const { choices, film } = kernel({ data: "moons", trained: 1300 });
    const { steps } = choices();
    expect(steps.length).toBeLessThanOrEqual(40);
    expect(new Set(steps.slice(1).map((step, at) => step - (steps[at] as number))).size).toBe(1);
    expect(Array.from(film().steps)).toEqual(steps);
  });

  it("asks several models together", async () => {
    const { ask, choices, surface, point } = kernel({ state: "paused" });
    await ask("uncertainty", { uncertainty: "ensemble" });
    expect(choices().views).toContain("epistemic");
    expect(surface().members).toBe(5);
    await ask("point", { at: [0.1, 0.2], id: null });
    const { unsure, spread } = point();
    expect((unsure?.aleatoric ?? 0) + (unsure?.epistemic ?? 0)).toBeCloseTo(
      unsure?.total as number,
      9,
    );
    expect(spread).toHaveLength(3);
    await ask("view", { view: "epistemic" });
    await ask("uncertainty", { uncertainty: null });
    expect(surface().view).toBe("probability");
  });
});

describe("what is said", () => {
  it("of a point follows it", async () => {
    const { ask, point, points, rules } = kernel({ state: "paused" });
    const id = points().id[3] as number;
    await ask("rules", { on: true, max_depth: 2 });
    expect(rules().rules.length).toBeGreaterThan(1);
    expect(rules().rules.length).toBeLessThanOrEqual(4);
    await ask("point", { at: [9, 9], id });
    expect(point()).toMatchObject({ id, truth: points().y[3], state: "ready" });
    expect(point().at?.[0]).toBeCloseTo(points().xy[6] as number, 5);
    expect(point().rule).toMatch(/^If .*: [ABC]$/);
    expect(point().probabilities.reduce((sum, share) => sum + share)).toBeCloseTo(1, 5);
    expect(point().weights).toHaveLength(3);
    expect(point().nearest[0]?.id).toBe(id);
    await ask("delete", { ids: [id] });
    expect(point()).toMatchObject({ id: null, truth: null });
    await ask("unpoint");
    expect(point().state).toBe("none");
  });

  it("of hidden units has a picture of each, and one that is large", async () => {
    const { ask, units } = kernel({ state: "paused" });
    expect(units().state).toBe("none");
    await ask("units", { layer: "1" });
    expect([units().count, units().rows, units().columns]).toEqual([16, 24, 24]);
    expect(units().values).toHaveLength(16 * 24 * 24);
    await ask("unit", { unit: 5 });
    expect(units().large).toBe(5);
    expect(units().largeValues).toMatchObject({ rows: 30, columns: 30 });
    expect(units().largeLow).toBeLessThan(units().largeHigh);
  });

  it("of the loss takes its time, and can be stopped", async () => {
    const { ask, landscape, live, cancel } = kernel({ state: "paused" });
    expect((await ask("landscape", { on: true }))?.type).toBe("accepted");
    expect([landscape().state, live().busy?.action]).toEqual(["working", "landscape"]);
    await vi.advanceTimersByTimeAsync(500);
    expect(live().busy?.fraction).toBeGreaterThan(0.1);
    await ask("stop");
    expect([landscape().state, live().busy]).toEqual(["none", null]);
    await ask("landscape", { on: true });
    await vi.advanceTimersByTimeAsync(300);
    cancel();
    expect(landscape().state).toBe("none");
    await ask("landscape", { on: true });
    await vi.advanceTimersByTimeAsync(3000);
    const { state, loss, centre, low, high, log } = landscape();
    expect([state, loss?.rows, loss?.columns]).toEqual(["ready", 21, 21]);
    const middle = low + ((loss?.data[220] as number) / 250) * (high - low);
    expect(Math.abs((log ? 10 ** middle : middle) / (centre as number) - 1)).toBeLessThan(0.2);
  });
});

describe("what goes wrong", () => {
  it("is said in the place where it matters", async () => {
    const failed = kernel({ surface: "failed", said: "failed" });
    expect(failed.surface().problem).toContain("error");
    await failed.ask("point", { at: [0, 0], id: null });
    expect([failed.point().state, failed.point().problem !== null]).toEqual(["failed", true]);
    const full = kernel({ unexportable: true });
    expect((await full.ask("export", { format: "png" }))?.error).toContain("disk");
    expect((await kernel().ask("export", { format: "svg" }))?.type).toBe("reply");
    const late = kernel({ late: true });
    expect(await late.ask("view", { view: "label" })).toMatchObject({ waits: "cell" });
  });
});
