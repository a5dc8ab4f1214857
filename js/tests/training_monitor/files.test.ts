import { describe, expect, it } from "vitest";
import { FakeModel } from "../../demo/fake_model";
import { pack } from "../../demo/pack";
import { SimulatedRun } from "../../demo/run";
import { fileHeld, fileName, toCsv, toJson } from "../../src/training_monitor/files";
import { readCurves } from "../../src/training_monitor/state";
import { fileOf } from "../../src/ui/save";
import { unpack } from "../../src/wire";

function curvesOf(steps: number, spoilAt: number) {
  const model = new FakeModel({ run: new SimulatedRun(1, spoilAt) });
  model.run.advance(steps);
  return readCurves(unpack(model.curves(0, steps, 400, null)));
}

describe("fileName", () => {
  it.each([
    ["Digits CNN", "Digits_CNN.csv"],
    ["数字 识别", "数字_识别.csv"],
    ["../../etc/passwd", "etc_passwd.csv"],
    ["", "training.csv"],
    ["???", "training.csv"],
  ])("%j becomes %s", (title, name) => {
    expect(fileName(title, "csv")).toBe(name);
  });
});

describe("fileOf", () => {
  it("unpacks a reply", async () => {
    const packed = unpack(
      pack({ name: "run.csv", mime: "text/csv" }, { file: Uint8Array.of(97, 98) }),
    );
    const { name, content } = fileOf(packed);
    expect([name, content.type, await content.text()]).toEqual(["run.csv", "text/csv", "ab"]);
  });

  it("refuses a reply without a file", () => {
    expect(() => fileOf(null)).toThrow(/no file/);
    expect(() => fileOf(unpack(pack({ name: "x" })))).toThrow(/no file/);
  });
});

describe("what the page holds", () => {
  it("is written as CSV that Python's float() reads, with NaN", () => {
    const lines = toCsv(curvesOf(10, 4)).trimEnd().split("\r\n");
    expect(lines[0]).toBe("series,first_step,last_step,seconds,lowest,highest,mean");
    const rows = lines.slice(1).map((line) => line.split(","));
    expect(rows.filter(([name]) => name === "loss")).toHaveLength(10);
    expect(rows.find(([name, step]) => name === "loss" && step === "4")?.slice(4)).toEqual([
      "nan",
      "nan",
      "nan",
    ]);
  });

  it("quotes names that need it", () => {
    const curves = curvesOf(1, 99);
    for (const panel of curves.panels) for (const series of panel.series) series.name = 'a,"b"';
    expect(toCsv(curves).split("\r\n")[1]).toMatch(/^"a,""b""",1,/);
  });

  it("is written as strict JSON", () => {
    const { title, series } = JSON.parse(toJson("T", curvesOf(10, 4)));
    expect(title).toBe("T");
    const loss = series.find(({ name }: { name: string }) => name === "loss");
    expect(loss.columns.mean[3]).toBeNull();
    expect(loss.columns.first_step).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("has no SVG", async () => {
    await expect(fileHeld("svg", "T", curvesOf(1, 9), [])).rejects.toThrow(/SVG/);
  });
});
