/** What the decision boundary's page says of a place, in rules, and of its plane. */

import { describe, expect, it } from "vitest";
import { deviation, mean, median, principal, slice } from "../../demo/fake_boundary_plane";
import { changes, fitNearby, nearest, slopes, solve } from "../../demo/fake_boundary_point";
import { makeClasses, Points } from "../../demo/fake_boundary_points";
import { conditions, fidelity, growTree, leafOf, type Said } from "../../demo/fake_boundary_rules";
import { World } from "../../demo/fake_boundary_world";
import { randomFrom } from "../../demo/run";
import type { Rectangle } from "../../src/decision_boundary/parts";

/** Two classes: the second as probable as a logistic curve of 2x − y. */
const ask = (inputs: Float64Array) => {
  const said = new Float64Array(inputs.length);
  for (let at = 0; at < inputs.length; at += 2) {
    const share = 1 / (1 + Math.exp((inputs[at + 1] as number) - 2 * (inputs[at] as number)));
    said.set([1 - share, share], at);
  }
  return said;
};
const question = { ask, outputs: 2, target: 1, scales: [1, 3] };

describe("a place", () => {
  it("has the slopes of the curve", () => {
    const [x, y] = [0.3, -0.2];
    const share = 1 / (1 + Math.exp(y - 2 * x));
    const [first, second] = slopes([x, y], question);
    expect(first).toBeCloseTo(2 * share * (1 - share), 6);
    expect(second).toBeCloseTo(-share * (1 - share), 6);
  });

  it("is fitted by a plane, exactly where there is one", () => {
    const flat = (inputs: Float64Array) =>
      inputs.map((y, at) => (at % 2 === 0 ? 0 : 1 + 2 * (inputs[at - 1] as number) - 0.5 * y));
    const { weights, r2 } = fitNearby([0.4, 1], { ...question, ask: flat });
    expect(weights[0]).toBeCloseTo(2, 9);
    expect(weights[1]).toBeCloseTo(-0.5, 9);
    expect(r2).toBeCloseTo(1, 9);
    const curved = fitNearby([0, 0], { ...question, scales: [6, 6] });
    expect(curved.r2).toBeLessThan(0.97);
    expect(curved.r2).toBeGreaterThan(0.5);
  });

  it("solves its equations", () => {
    const solution = solve(
      [
        [0, 2],
        [3, 1],
      ],
      [4, 11],
    );
    expect(solution).toEqual([3, 2]);
  });

  it("knows the smallest change of each feature", () => {
    const label = ([x = 0, y = 0]: readonly number[]) => Number(2 * x - y > 1);
    const turns = changes([0.2, 0], label, [
      [-2, 2],
      [-0.1, 5],
    ]);
    expect(turns[0]?.to).toBeCloseTo(0.5, 6);
    expect(turns[0]?.label).toBe(1);
    // Down to −0.6 it would have to go.
    expect(turns[1]).toEqual({ feature: 1, to: null, label: null });
  });

  it("has its nearest points in spreads of the features", () => {
    const points = new Points([
      { x: [1, 0], y: 0, test: false },
      { x: [0, 2], y: 1, test: false },
    ]);
    const found = nearest([0, 0], points.all, [1, 3]);
    expect(found.map(({ point }) => point.id)).toEqual([1, 0]);
    expect(found[0]?.distance).toBeCloseTo(2 / 3, 12);
  });
});

describe("rules", () => {
  const box: Rectangle = [0, 1, 0, 1];
  const random = randomFrom(9);
  const places = Array.from({ length: 900 }, () => [random(), random()] as const);
  const said = (of: (x: number, y: number) => number): Said[] =>
    places.map((at) => ({ at, answer: of(...at) }));

  it("find a corner, and say how well they do", () => {
    const corner = said((x, y) => Number(x > 0.5 && y > 0.25));
    const leaves = growTree(corner, box, 2, false);
    expect(leaves).toHaveLength(3);
    const here = fidelity(leaves, corner, false);
    expect(here).toBeGreaterThan(0.93);
    const apart = corner.filter(({ at, answer }) => leafOf(leaves, at)?.answer === answer);
    expect(here).toBeCloseTo(apart.length / 900, 12);
    const area = leaves.reduce((sum, { box: [l, r, b, t] }) => sum + (r - l) * (t - b), 0);
    expect(area).toBeCloseTo(1, 12);
  });

  it("need no cut where all is one class", () => {
    const leaves = growTree(
      said(() => 2),
      box,
      3,
      false,
    );
    expect(leaves).toEqual([{ box, answer: 2 }]);
    expect(conditions(leaves[0] ?? { box, answer: 0 }, box, ["a", "b"])).toBe("");
  });

  it("of values have the R² of their steps", () => {
    const slope = said((x) => x);
    // Two steps of a line lack a quarter of its variance, four a sixteenth.
    expect(fidelity(growTree(slope, box, 1, true), slope, true)).toBeCloseTo(0.75, 1);
    expect(fidelity(growTree(slope, box, 2, true), slope, true)).toBeCloseTo(15 / 16, 1);
  });

  it("are written as conditions", () => {
    const leaf = { box: [0.5, 1, 0.25, 0.75] as Rectangle, answer: 1 };
    expect(conditions(leaf, box, ["a", "b"])).toBe("a > 0.50 and 0.25 < b ≤ 0.75");
  });
});

describe("a plane", () => {
  it("holds what is not plotted", () => {
    const plane = slice(["a", "b", "c"], [2, 0], [9, 5, 9], [1, 2, 1]);
    expect(plane.toInput([1, 3])).toEqual([3, 5, 1]);
    expect(plane.toPlane([3, 7, 1])).toEqual([1, 3]);
    expect(plane.distance([3, 9, 1])).toBe(2);
    expect(plane.labels).toEqual(["c", "a"]);
  });

  it("of a projection has the share of the spread that it shows", () => {
    // Spreads 4, 2 and 1 along directions at right angles.
    const signs = [-1, 1].flatMap((a) => [-1, 1].flatMap((b) => [-1, 1].map((c) => [a, b, c])));
    const half = Math.SQRT1_2;
    const points = new Points(
      signs.map(([a = 0, b = 0, c = 0]) => ({
        x: [4 * a * half + 2 * b * half, 4 * a * half - 2 * b * half, c],
        y: 0,
        test: false,
      })),
    );
    const plane = principal(points.all, 3, false);
    expect(plane.share).toBeCloseTo(20 / 21, 9);
    const x = [0.3, -0.7, 0.2];
    const back = plane.toInput(plane.toPlane(x));
    expect(back[0]).toBeCloseTo(0.3, 9);
    expect(back[1]).toBeCloseTo(-0.7, 9);
    expect(back[2]).toBeCloseTo(0, 9);
    expect(plane.distance(x)).toBeCloseTo(0.2, 9);
  });

  it("counts as numbers do", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), mean([1, 2, 6])]).toEqual([2, 2.5, 3]);
    expect(deviation([1, 3])).toBe(1);
  });
});

describe("points", () => {
  it("are taken back and done again, a gesture at once", () => {
    const points = new Points([{ x: [0, 0], y: 0, test: false }]);
    points.move([0], [[1, 1]], "drag 1");
    points.move([0], [[2, 2]], "drag 1");
    points.move([0], [[3, 3]], "drag 2");
    expect(points.version).toBe(3);
    expect(points.undo()).toBe(true);
    expect(points.find(0)?.x).toEqual([2, 2]);
    points.undo();
    expect(points.find(0)?.x).toEqual([0, 0]);
    expect(points.undo()).toBe(false);
    points.redo();
    expect(points.find(0)?.x).toEqual([2, 2]);
    points.delete([0]);
    expect(points.canRedo).toBe(false);
    expect(points.all).toEqual([]);
  });

  it("keep the features that are not seen when they are moved", () => {
    const world = new World({ data: "three", trained: 0 });
    const { id, x } = world.points.all[4] ?? { id: 0, x: [] };
    world.move([id], [[0.5, -0.25]], "g");
    expect(world.points.find(id)?.x).toEqual([
      expect.closeTo(0.5, 12),
      expect.closeTo(-0.25, 12),
      expect.closeTo(x[2] ?? 0, 12),
    ]);
    world.projection = "pca";
    const far = world.plane.distance(world.points.find(id)?.x ?? []);
    const { plane } = world;
    world.move([id], [[0.1, 0.2]], "h");
    const moved = world.points.find(id)?.x ?? [];
    expect(plane.toPlane(moved)[0]).toBeCloseTo(0.1, 9);
    expect(plane.toPlane(moved)[1]).toBeCloseTo(0.2, 9);
    expect(plane.distance(moved)).toBeCloseTo(far, 9);
  });

  it("of toy data are as many of each class, some of them held out", () => {
    const making = { classes: 3, features: 2, n: 90, noise: 0.1, seed: 1, testShare: 0.25 };
    const made = makeClasses("spirals", making);
    for (const k of [0, 1, 2]) expect(made.filter(({ y }) => y === k)).toHaveLength(30);
    expect(made.some(({ test }) => test)).toBe(true);
    expect(made).toEqual(makeClasses("spirals", making));
  });
});
