import { describe, expect, it } from "vitest";
import { prepare } from "../../src/ui/chart_data";
import { edgeMarks, epochTicks, glyphs } from "../../src/ui/chart_marks";
import type { SeriesView } from "../../src/ui/chart_types";
import { xUnits } from "../../src/ui/chart_units";
import { awkwardValues, randomFrom, seriesOf } from "./chart_fixtures";

const STEPS = xUnits("step", new Float64Array(0), []);
const prepared = (view: SeriesView) => prepare(view, STEPS, 0, false);
const same = (value: number): number => value;

describe("edgeMarks", () => {
  it("marks each kind of value that a line cannot show", () => {
    const values = [1, Number.NaN, 1, 1, 1, Infinity, 1, 1, 1, -Infinity, 1, 1, 1, -2];
    const marks = edgeMarks([prepared(seriesOf(values))], same, 20, true);
    const found = marks
      .map(({ kind, from }) => [kind, from])
      .sort((a, b) => Number(a[1]) - Number(b[1]));
    expect(found).toEqual([
      ["nan", 1],
      ["+inf", 5],
      ["-inf", 9],
      ["not-positive", 13],
    ]);
    const linear = edgeMarks([prepared(seriesOf(values))], same, 20, false);
    expect(linear.map(({ kind }) => kind)).not.toContain("not-positive");
  });

  it("marks a bucket with finite values too", () => {
    const marks = edgeMarks([prepared(seriesOf([1, Number.NaN, 2, 3], 4))], same, 20, false);
    expect(marks).toEqual([{ kind: "nan", from: 0, to: 3, series: 0 }]);
  });

  it("joins a run into one stretch, over all series", () => {
    const run = seriesOf(Array.from({ length: 50 }, () => Number.NaN));
    const other = seriesOf([Number.NaN], 1, { first: 51 });
    const marks = edgeMarks([prepared(run), prepared(other)], same, 100, false);
    expect(marks).toEqual([{ kind: "nan", from: 0, to: 51, series: 0 }]);
  });

  it("covers every bad bucket in view and nothing else, whatever the values", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed);
      const view = seriesOf(awkwardValues(120, random), 1 + Math.floor(random() * 4));
      const shift = random() * 40;
      const toPixel = (step: number): number => (step - shift) * 9;
      const marks = edgeMarks([prepared(view)], toPixel, 300, false).filter(
        (m) => m.kind === "nan",
      );
      for (let i = 0; i < view.x.length; i++) {
        const from = toPixel(view.x[i] as number);
        const to = toPixel(view.x1[i] as number);
        if (to < 0 || from > 300) continue;
        const middle = Math.min(300, Math.max(0, (from + to) / 2));
        const covered = marks.some((mark) => mark.from <= middle && mark.to >= middle);
        expect(covered).toBe(((view.flags[i] as number) & 1) !== 0);
      }
      for (const { from, to } of marks) {
        expect(from).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThanOrEqual(300);
      }
    }
  });
});

describe("glyphs", () => {
  const mark = (step: number, kind: string) => ({ step, kind, text: `${kind} at ${step}` });

  it("gives events that would overlap one glyph, that of the weightiest", () => {
    const found = glyphs(
      [mark(50, "lr"), mark(10, "pause"), mark(12, "nan"), mark(15, "resume")],
      same,
      100,
      8,
    );
    expect(found.map(({ at, kind }) => [at, kind])).toEqual([
      [12, "nan"],
      [50, "lr"],
    ]);
    expect(found[0]?.marks.map(({ step }) => step)).toEqual([10, 12, 15]);
  });

  it("leaves epochs to their ticks and out of view what is not in it", () => {
    const marks = [
      mark(5, "epoch"),
      mark(-1, "lr"),
      mark(0, "lr"),
      mark(100, "lr"),
      mark(101, "lr"),
    ];
    expect(glyphs(marks, same, 100, 8).map(({ at }) => at)).toEqual([0, 100]);
  });

  it("loses no event in view and keeps glyphs apart, whatever the events", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = randomFrom(seed);
      const kinds = ["lr", "pause", "resume", "stop", "nan", "best", "start", "end", "other"];
      const marks = Array.from({ length: Math.floor(random() * 60) }, () =>
        mark(random() * 300, kinds[Math.floor(random() * kinds.length)] as string),
      );
      const found = glyphs(marks, same, 300, 8);
      expect(found.flatMap((glyph) => glyph.marks).length).toBe(marks.length);
      found.forEach((glyph, i) => {
        const next = found[i + 1];
        const [first] = glyph.marks;
        if (next !== undefined)
          expect((next.marks[0]?.step ?? 0) - (first?.step ?? 0)).toBeGreaterThanOrEqual(8);
      });
    }
  });
});

describe("epochTicks", () => {
  const table = (count: number, length: number) =>
    Float64Array.from(Array.from({ length: count }, (_, e) => [e * length, e]).flat());

  it("stand where epochs begin", () => {
    expect(epochTicks(table(4, 20), same, 100, 5)).toEqual([0, 20, 40, 60]);
  });

  it("thin out to every second, fifth, tenth epoch", () => {
    const gaps = (length: number) => {
      const [first = 0, second = 0] = epochTicks(table(200, length), same, 1e6, 5);
      return Math.round((second - first) / length);
    };
    expect([5, 4, 2, 1, 0.5, 0.3, 0.1].map(gaps)).toEqual([1, 2, 5, 5, 10, 20, 50]);
  });

  it("are left out where they would be a line, and where there is only one", () => {
    expect(epochTicks(table(1e5, 1e-9), same, 100, 5)).toEqual([]);
    expect(epochTicks(table(1, 10), same, 100, 5)).toEqual([]);
  });
});
