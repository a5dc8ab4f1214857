import { beforeEach, describe, expect, it, vi } from "vitest";
import { Chart, CrosshairGroup } from "../../src/ui/chart";
import { chartsToPng, tiles } from "../../src/ui/picture";
import { type Call, layOut, recordCanvases, seriesOf } from "./chart_fixtures";

const box = (left: number, top: number, width = 300, height = 150) => ({
  left,
  top,
  width,
  height,
});

describe("tiles", () => {
  it("keep the rows and columns of the page, and overlap nowhere", () => {
    const boxes = [box(500, 900), box(120, 900), box(120, 1100), box(500, 1102, 300, 200)];
    const { tiles: placed, width, height } = tiles(boxes);
    expect(placed[0]?.top).toBe(placed[1]?.top);
    expect(placed[0]?.left).toBeGreaterThan(placed[1]?.left ?? 0);
    expect(placed[2]?.left).toBe(placed[1]?.left);
    expect(placed[2]?.top).toBeGreaterThanOrEqual((placed[1]?.top ?? 0) + 150);
    for (const tile of placed) {
      expect(tile.left).toBeGreaterThanOrEqual(0);
      expect(tile.left + tile.width).toBeLessThanOrEqual(width);
      expect(tile.top + tile.height).toBeLessThanOrEqual(height);
    }
  });
});

describe("chartsToPng", () => {
  let calls: Call[];
  beforeEach(() => {
    calls = recordCanvases();
    layOut(480, 150);
    document.body.replaceChildren();
  });

  function chartOf(label: string): Chart {
    const chart = new Chart({
      el: document.body,
      sync: new CrosshairGroup(),
      signal: new AbortController().signal,
      language: () => "en",
      formatX: String,
      formatY: String,
      onZoom: () => undefined,
      label,
    });
    chart.setData({
      series: [seriesOf([1, 2])],
      xMode: "step",
      epochs: new Float64Array(0),
      marks: [],
      cursor: null,
      smoothing: 0,
      logY: false,
      range: null,
    });
    return chart;
  }

  it("draws the title and each chart with its name and series", async () => {
    const blob = new Blob(["png"], { type: "image/png" });
    vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => done(blob));
    const page = { left: 10, top: 10, width: 480, height: 150 };
    vi.spyOn(HTMLCanvasElement.prototype, "getBoundingClientRect").mockReturnValue(page as DOMRect);
    const charts = [chartOf("loss"), chartOf("accuracy")];
    calls.length = 0;
    const picture = chartsToPng(charts, "Digits CNN");
    const texts = calls.filter(({ name }) => name === "fillText").map(({ args }) => args[0]);
    expect(texts).toEqual(["Digits CNN", "loss", "train", "accuracy", "train"]);
    const drawn = calls.filter(({ name }) => name === "drawImage").map(({ args }) => args[0]);
    expect(drawn).toEqual(charts.map(({ canvas }) => canvas));
    expect(await picture).toBe(blob);
  });

  it("says what is wrong when nothing is on show or cannot be encoded", async () => {
    await expect(chartsToPng([], "")).rejects.toThrow("No chart is on show.");
    vi.spyOn(HTMLCanvasElement.prototype, "toBlob").mockImplementation((done) => done(null));
    await expect(chartsToPng([chartOf("loss")], "")).rejects.toThrow("could not encode");
  });
});
