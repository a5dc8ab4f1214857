/** Lines of the decision boundary's page: they lie where they say. */

import { describe, expect, it } from "vitest";
import {
  boundaries,
  levelLines,
  packLines,
  roundLevels,
  zeroLines,
} from "../../demo/fake_boundary_lines";
import { World } from "../../demo/fake_boundary_world";

const grid = (columns: number, rows: number, of: (x: number, y: number) => number) =>
  Float64Array.from({ length: columns * rows }, (_, at) =>
    of(at % columns, Math.floor(at / columns)),
  );

describe("a line of zeros", () => {
  it("is exact where the field is a plane, and in one piece", () => {
    const values = grid(8, 6, (x, y) => x + 2 * y - 6.5);
    const [line, ...others] = zeroLines({ values, columns: 8, rows: 6 });
    expect(others).toEqual([]);
    for (const [x, y] of line ?? []) expect(x + 2 * y).toBeCloseTo(6.5, 10);
    const ends = [line?.[0], line?.at(-1)].map((end) => end?.[1]).sort();
    expect(ends).toEqual([0, 3.25]);
  });

  it("closes around a hill, and is as long as the circle", () => {
    const values = grid(41, 41, (x, y) => 15 - Math.hypot(x - 20, y - 20));
    const [line, ...others] = zeroLines({ values, columns: 41, rows: 41 });
    expect(others).toEqual([]);
    expect(line?.at(-1)).toEqual(line?.[0]);
    let length = 0;
    line?.slice(1).forEach(([x, y], at) => {
      const [left, bottom] = line[at] as [number, number];
      length += Math.hypot(x - left, y - bottom);
    });
    expect(length).toBeCloseTo(2 * Math.PI * 15, 0);
  });

  it.each([
    [0.4, 2],
    [-0.4, 2],
  ])("crosses a saddle the way its middle (%d) says", (middle, count) => {
    // Two opposite corners above, two below: which are joined?
    const values = Float64Array.of(1 + middle, -1 + middle, -1 + middle, 1 + middle);
    const lines = zeroLines({ values, columns: 2, rows: 2 });
    expect(lines).toHaveLength(count);
    // Joined corners have no line between them.
    const cut = lines.some((line) => {
      const sides = line.map(([x, y]) => x + y);
      return Math.max(...sides) < 1;
    });
    expect(cut).toBe(middle < 0);
  });
});

describe("boundaries", () => {
  it.each(["moons", "three", "ten"] as const)("of %s lie where classes are level", (data) => {
    const world = new World({ data, trained: 150 });
    const side = 100;
    const { mean, outputs } = world.everywhere(side, side);
    const found = boundaries(mean, outputs, side, side);
    expect(found.lines.length).toBeGreaterThan(0);
    const { points, ends, of } = packLines(found, world.rectangle, side, side);
    expect(ends.at(-1)).toBe(points.length / 2);
    let [far, count, line] = [0, 0, 0];
    for (let at = 0; at < points.length / 2; at++) {
      while (at >= (ends[line] as number)) line++;
      const place = [points[2 * at] as number, points[2 * at + 1] as number] as const;
      const shares = world.answers(Float64Array.from(world.plane.toInput(place))).mean;
      const [first = 0, second = 0] = Array.from(shares).sort((a, b) => b - a);
      const mine = shares[of[line] as number] as number;
      far = Math.max(far, first - second, first - mine);
      count++;
    }
    expect(count).toBeGreaterThan(100);
    // Straight lines between places of the grid: nearly there.
    expect(far).toBeLessThan(0.06);
  });

  it("are not drawn where a third class is ahead of both", () => {
    // Classes 1 and 2 are level along x = 4; class 0 is ahead above y = 3.
    const values = Array.from({ length: 9 * 7 }, (_, at) => {
      const [x, y] = [at % 9, Math.floor(at / 9)];
      const right = 0.3 + 0.02 * (x - 4);
      return [0.3 + 0.1 * (y - 3), 0.6 - right, right];
    });
    const { lines, of } = boundaries(Float64Array.from(values.flat()), 3, 9, 7);
    const between = lines.filter((_, at) => of[at] === 1).flat();
    expect(between.length).toBeGreaterThan(2);
    for (const [x, y] of between) {
      expect(x).toBeCloseTo(4, 10);
      expect(y).toBeLessThan(3 + 1e-9);
    }
    expect(Math.max(...between.map(([, y]) => y))).toBeCloseTo(3, 10);
  });
});

describe("levels", () => {
  it("are round and inside", () => {
    expect(roundLevels(-0.13, 1.21)).toEqual([0, 0.5, 1]);
    expect(roundLevels(3, 3)).toEqual([]);
    for (const level of roundLevels(-7, 42)) expect(level % 10).toBeCloseTo(0, 12);
  });

  it("are where the values reach them", () => {
    const values = grid(9, 5, (x) => 2 * x);
    const { lines, of } = levelLines(values, [3, 9], 9, 5);
    expect(of).toEqual([0, 1]);
    for (const [x] of lines[0] ?? []) expect(x).toBeCloseTo(1.5, 10);
    for (const [x] of lines[1] ?? []) expect(x).toBeCloseTo(4.5, 10);
  });
});
