import { describe, expect, it } from "vitest";
import {
  attentionPart,
  barsPart,
  histogramPart,
  layerOf,
  linesPart,
  mapsPart,
  matrixPart,
  numbersPart,
  outputsPart,
  ridgePart,
  samplesPart,
  termsPart,
} from "../../../demo/blocks/layers";
import { opened, press, spokenOf } from "./list";

function drawn(parts: Parameters<typeof layerOf>[0], meta: Parameters<typeof layerOf>[1] = {}) {
  const page = opened();
  page.draw(layerOf(parts, meta));
  return { ...page, stage: page.all(".nnw-stage")[0] as HTMLElement };
}

describe("one map", () => {
  const map = { ...mapsPart(1, 14, { unit: 5 }), kind: "map" };

  it("is read and picked with the keys", () => {
    const { stage, picked, spoken } = drawn([map], { unit: [5, 0, 0], shape: "1×64×14×14" });
    press(stage, "ArrowRight");
    press(stage, "ArrowDown", { shiftKey: true });
    expect(spoken()).toMatch(/^row 10, column 0: \d/);
    press(stage, "Enter");
    press(stage, "Escape");
    expect(picked).toEqual([[5, 10, 0], null]);
  });

  it("says its size, its colours and what stands out", () => {
    const { stage } = drawn([{ ...map, text: "Unit 5" }]);
    expect(stage.getAttribute("aria-label")).toMatch(
      /^Unit 5: 14 rows × 14 columns, colours from 0\.00 to 1\.00\. Largest at row \d+, column \d+: 0?1?\.\d+\.$/,
    );
  });

  it("keeps reading out the same place while values change", () => {
    const page = drawn([map]);
    press(page.stage, "End");
    const first = page.find(".nnw-readout").textContent;
    const other = { ...mapsPart(1, 14, { unit: 5 }, 99), kind: "map" };
    page.draw(layerOf([other]));
    const second = page.find(".nnw-readout").textContent;
    expect(second).toMatch(/^row 0, column 0:/);
    expect(second).not.toBe(first);
    // Nobody is told four times a second.
    expect(page.spoken()).toBe(first);
  });
});

describe("a matrix", () => {
  const words = ["The", "cat", "sat"];

  it("names its rows and columns, and picks a token's feature", () => {
    const { stage, spoken, picked, find } = drawn([matrixPart(3, 8, { row_labels: words })]);
    expect(find(".nnw-field-axes").textContent).toBe("↓ token   → feature");
    press(stage, "ArrowRight");
    press(stage, "ArrowDown");
    press(stage, "ArrowRight");
    expect(spoken()).toMatch(/^token cat · feature 1: [+−]?\d/);
    press(stage, "Enter");
    expect(picked).toEqual([[1, 1]]);
  });

  it("goes by the numbers of its rows and columns where some were left out", () => {
    const part = matrixPart(2, 2, { reduced: true });
    part.arrays = { ...part.arrays, column_numbers: [Int32Array.of(0, 50), [2]] };
    const { stage, spoken, picked, find } = drawn([part], { unit: [1, 70] });
    expect(find(".nnw-stage-picked").hidden).toBe(false);
    press(stage, "Home");
    press(stage, "ArrowRight");
    expect(spoken()).toMatch(/^token 0 · feature 50/);
    press(stage, "Enter");
    expect(picked).toEqual([[0, 50]]);
  });

  it("of weights picks the unit that a row belongs to, and lets go of the picked one", () => {
    const part = matrixPart(4, 6, { rows: "ui.inspector.axis.output", columns: "input" });
    const { stage, picked } = drawn([part], { tab: "weights", unit: 1 });
    press(stage, "Home");
    press(stage, "Enter");
    press(stage, "ArrowDown");
    press(stage, "Enter");
    expect(picked).toEqual([0, null]);
  });

  it("names what is not finite under the keys", () => {
    const { stage, spoken } = drawn([matrixPart(3, 8, { broken: true })]);
    press(stage, "Home");
    const seen = [];
    for (let step = 0; step < 5; step++) {
      press(stage, "ArrowRight");
      seen.push(spoken()?.split(": ")[1]);
    }
    expect(seen.slice(2)).toEqual(["NaN", "+∞", "−∞"]);
  });

  it("picks nothing where it is of terms", () => {
    const { stage, picked } = drawn([matrixPart(3, 8)], { tab: "contributions" });
    press(stage, "Home");
    press(stage, "Enter");
    expect(picked).toEqual([]);
  });
});

describe("attention", () => {
  it("shows all heads side by side, and large the one that is chosen", () => {
    const page = drawn([attentionPart(3, 6)]);
    const heads = page.all<HTMLButtonElement>(".nnw-heads button");
    const pictures = page.calls.filter(({ name }) => name === "drawImage");
    expect(pictures.length).toBeGreaterThanOrEqual(heads.length + 1);
    expect(heads.map((head) => head.textContent)).toEqual([
      "head 0",
      "head 1",
      "head 2",
      "mean of all",
    ]);
    expect(heads.map((head) => head.getAttribute("aria-pressed")).indexOf("true")).toBe(0);
    press(page.stage, "Home");
    const first = page.find(".nnw-readout").textContent;
    expect(first).toBe("query 0 → key 0: 0.625");
    heads[2]?.click();
    expect(heads[2]?.getAttribute("aria-pressed")).toBe("true");
    expect(page.stage.getAttribute("aria-label")).toContain("head 2");
    expect(page.find(".nnw-readout").textContent).not.toBe(first);
    page.draw(layerOf([attentionPart(3, 6)]));
    expect(heads[2]?.getAttribute("aria-pressed")).toBe("true");
  });

  it("leads through many heads with the arrow keys, and forgets a head that is no more", () => {
    const page = drawn([attentionPart(12, 4)]);
    const heads = () => page.all<HTMLButtonElement>(".nnw-heads button");
    const stops = () => heads().map((head) => head.tabIndex);
    expect(heads()).toHaveLength(13);
    expect(stops().indexOf(0)).toBe(0);
    heads()[0]?.focus();
    for (let step = 0; step < 11; step++) {
      press(document.activeElement as HTMLElement, "ArrowRight");
    }
    // At the end of a row the arrow stays; the end key leads to the last of all.
    press(document.activeElement as HTMLElement, "End", { ctrlKey: true });
    expect(stops().filter((stop) => stop === 0)).toHaveLength(1);
    (document.activeElement as HTMLElement).click();
    expect(page.stage.getAttribute("aria-label")).toContain("mean of all");
    heads()[11]?.click();
    expect(page.stage.getAttribute("aria-label")).toContain("head 11");
    page.draw(layerOf([attentionPart(2, 4)]));
    expect(page.stage.getAttribute("aria-label")).toContain("head 0");
    expect(heads()).toHaveLength(3);
    page.draw(layerOf([attentionPart(1, 4)]));
    expect(page.find(".nnw-maps-over").hidden).toBe(true);
  });
});

describe("bars", () => {
  it("are read and picked with the keys, and let go by a second pick", () => {
    const page = drawn([barsPart(64)]);
    press(page.stage, "Home");
    press(page.stage, "ArrowRight");
    expect(page.spoken()).toMatch(/^unit 1: [−\d]/);
    press(page.stage, "Enter");
    page.draw(layerOf([barsPart(64)], { unit: 1 }));
    expect(page.find(".nnw-stage-picked").hidden).toBe(false);
    press(page.stage, "Enter");
    expect(page.picked).toEqual([1, null]);
  });

  it("never are more rectangles than pixels, however many units", () => {
    const page = drawn([barsPart(6000)]);
    const rectangles = page.calls.filter(({ name }) => name === "fillRect");
    expect(rectangles.length).toBeGreaterThan(300);
    expect(rectangles.length).toBeLessThanOrEqual(520 * (devicePixelRatio || 1));
  });

  it("with names are rows with buttons", () => {
    const page = drawn([barsPart(3, { labels: ["cat", "dog", "<b>"] })]);
    const rows = page.all<HTMLButtonElement>("button.nnw-bar-row");
    expect(rows.map((row) => row.querySelector(".nnw-bar-name")?.textContent)).toEqual([
      "cat",
      "dog",
      "<b>",
    ]);
    rows[1]?.click();
    expect(page.picked).toEqual([1]);
  });

  it("count what is not finite in words", () => {
    const page = drawn([barsPart(64, { broken: true })]);
    expect(page.find(".nnw-block-head").textContent).toContain("NaN: 1 · +∞: 1");
  });
});

describe("a histogram", () => {
  it("tells each bin's edges, count and share", () => {
    const page = drawn([histogramPart(true)]);
    press(page.stage, "Home");
    expect(page.spoken()).toMatch(/^0\.00 … 0\.0400: 9,000 \(\d+.%\)$/);
    expect(page.stage.getAttribute("aria-label")).toContain("most of them between 0.00 and 0.0400");
  });

  it("on a log axis lifts what is rare", () => {
    const page = drawn([histogramPart(true)]);
    const top = () => {
      const tops = page.calls.filter(({ name }) => name === "lineTo").map(({ args }) => args);
      return Math.min(...tops.slice(-40).map(([, y]) => y as number));
    };
    const before = top();
    page.calls.length = 0;
    page.find<HTMLInputElement>("input").click();
    expect(top()).toBeLessThan(before);
    const labels = page.calls.filter(({ name }) => name === "fillText").map(({ args }) => args[0]);
    expect(labels).toContain("100");
  });
});

describe("over the steps", () => {
  it("a ridge reads out shares, marks the cursor, and goes to a step", () => {
    const page = drawn([ridgePart()], { step: 1200, tab: "history" });
    expect(page.find(".nnw-stage-picked").hidden).toBe(false);
    expect(page.find(".nnw-scale").textContent).toMatch(/square-root scale, 0\.\d+ half-way/);
    press(page.stage, "Home");
    press(page.stage, "ArrowRight");
    expect(page.spoken()).toMatch(/^step 60, 0\.969 … 1\.00: 0\.0.%$/);
    press(page.stage, "Enter");
    press(page.stage, "Escape");
    expect(page.asked).toEqual([
      ["cursor", { step: 60 }],
      ["cursor", { step: null }],
    ]);
  });

  it("lines name their newest values, and break where one is not finite", () => {
    const page = drawn([linesPart()]);
    expect(page.find(".nnw-lines-legend").textContent).toMatch(
      /^activation0\.07\d+gradient0\.47\d$/,
    );
    expect(page.calls.filter(({ name }) => name === "lineTo").length).toBeGreaterThan(150);
    press(page.stage, "Home");
    press(page.stage, "ArrowRight", { shiftKey: true });
    expect(page.spoken()).toMatch(/^step 430: activation 0\.\d+ · gradient/);
  });

  it("lines over a sequence speak of its places", () => {
    const part = linesPart();
    const page = drawn([{ ...part, meta: { ...part.meta, x: "token" } }]);
    press(page.stage, "Home");
    expect(page.spoken()).toMatch(/^token 0: activation/);
  });
});

describe("terms", () => {
  it("are rows whose products, others and bias make up the sum", () => {
    const page = drawn([termsPart()], { tab: "contributions" });
    const rows = page.all(".nnw-terms tr").slice(1);
    expect(rows).toHaveLength(24 + 3);
    const product = (row: HTMLElement) =>
      Number(row.querySelector(".nnw-number")?.textContent?.replace("−", "-"));
    const parts = rows.slice(0, -1).reduce((sum, row) => sum + product(row), 0);
    const total = product(rows.at(-1) as HTMLElement);
    expect(Math.abs(parts - total)).toBeLessThan(26 * 0.00005);
    expect(page.find(".nnw-terms-sum").textContent).toMatch(
      /\(24 terms\) − 0\.3100 \(120 others\) − 0\.0430 \(bias\) = /,
    );
  });

  it("stand left of zero when they are negative", () => {
    const page = drawn([termsPart()]);
    for (const row of page.all(".nnw-terms tbody tr")) {
      const [, left, width] =
        row
          .querySelector(".nnw-terms-bar")
          ?.getAttribute("style")
          ?.match(/([\d.]+)%.* ([\d.]+)%/) ?? [];
      const negative = row.querySelector(".nnw-number")?.textContent?.startsWith("−") === true;
      if (negative) expect(Number(left) + Number(width)).toBeCloseTo(50, 1);
      else expect(Number(left)).toBe(50);
    }
  });

  it("say so where the sum is not finite", () => {
    const page = drawn([termsPart(3, true)]);
    expect(page.find(".nnw-terms-total .nnw-number").textContent).toBe("NaN");
    expect(page.find(".nnw-terms-total .nnw-number").classList).toContain("nnw-bad");
  });
});

it("numbers are written as their kind is, and a stated text as it stands", () => {
  const part = numbersPart();
  const items = Array.isArray(part.meta?.items) ? [...part.meta.items] : [];
  items[5] = ["ui.inspector.min", "text", "none"];
  const page = drawn([{ ...part, meta: { items } }]);
  const values = page.all("dd").map((value) => value.textContent);
  expect(values).toEqual(["0.214", "0.391", "3.07", "58\u202f%", "12", "none"]);
  expect(page.all("dt")[0]?.textContent).toBe("mean");
});

it("samples are looked at with a click", () => {
  const page = drawn([samplesPart()]);
  const buttons = page.all<HTMLButtonElement>(".nnw-sample");
  expect(spokenOf(buttons[2])).toBe("sample 78: 2.70");
  expect(buttons[2]?.getAttribute("aria-pressed")).toBe("true");
  buttons[0]?.click();
  expect(page.asked).toEqual([["sample", { index: 12 }]]);
});

it("outputs stand before and after beside each other", () => {
  const page = drawn([outputsPart()]);
  const five = page.all(".nnw-bar-row")[5];
  expect(five?.textContent).toBe("50.8400.410");
  const widths = [...(five?.querySelectorAll(".nnw-bar") ?? [])].map((bar) =>
    Number.parseFloat(bar.getAttribute("style")?.split("width: ")[1] ?? ""),
  );
  expect((widths[1] as number) / (widths[0] as number)).toBeCloseTo(0.41 / 0.84, 3);
});
