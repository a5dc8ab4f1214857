import { describe, expect, it } from "vitest";
import { colorFiltersPart, layerOf, mapsPart } from "../../../demo/blocks/layers";
import { layOutMaps } from "../../../src/layer_inspector/blocks/maps_layout";
import { clickAt, opened, press, spokenOf } from "./list";

const SHAPE = { shape: "1×64×4×4" };
const tiles = (page: ReturnType<typeof opened>) => page.all<HTMLButtonElement>(".nnw-map-tile");

describe("the grid of maps", () => {
  it("names each map and its number, and says how many there are", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(8, 4, { title: "Channel maps", reduced: true })], SHAPE));
    expect(tiles(page).map(spokenOf)[1]).toBe("unit 7, activity 0.28");
    expect(page.find(".nnw-block-head").textContent).toContain(
      "8 of 64 · below each its number and its activity · averaged down to fit",
    );
    expect(page.find(".nnw-maps").getAttribute("aria-label")).toBe("Channel maps");
    const colors = page.find(".nnw-scale-colors");
    expect(colors.getAttribute("aria-label")).toBe("Colours from 0.00 to 1.00");
    // Above the maps, of which there may be more than the panel is high.
    expect(colors.closest(".nnw-block-head")).not.toBeNull();
  });

  it("has one stop for the tab key, moved by arrows", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(12, 4)], SHAPE));
    const stops = () => tiles(page).map((tile) => tile.tabIndex);
    expect(stops().filter((index) => index === 0)).toHaveLength(1);
    tiles(page)[0]?.focus();
    press(page.find(".nnw-maps"), "ArrowRight");
    press(page.find(".nnw-maps"), "ArrowRight");
    expect(document.activeElement).toBe(tiles(page)[2]);
    expect(stops()[2]).toBe(0);
    press(page.find(".nnw-maps"), "End", { ctrlKey: true });
    expect(document.activeElement).toBe(tiles(page)[11]);
  });

  it("picks the unit at the first click, the place at the second", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(8, 4)], SHAPE));
    const tile = tiles(page)[1] as HTMLButtonElement;
    const { width } = layOutMaps(520, 8, 4, 4);
    const [x, y] = [width + 6 + 0.6 * width, 0.9 * width];
    clickAt(tile, x, y);
    expect(page.picked).toEqual([7]);
    page.draw(layerOf([mapsPart(8, 4)], { ...SHAPE, unit: 7 }));
    expect(tile.getAttribute("aria-pressed")).toBe("true");
    clickAt(tile, x, y);
    expect(page.picked).toEqual([7, [7, 3, 2]]);
  });

  it("goes into the picked map with Enter, and lets go with Escape", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(8, 4)], { ...SHAPE, unit: 7 }));
    const tile = tiles(page)[1] as HTMLButtonElement;
    tile.focus();
    tile.click();
    expect(page.spoken()).toMatch(/^unit 7 · row 2, column 2: 0\.\d+$/);
    press(tile, "ArrowUp");
    press(tile, "ArrowRight");
    expect(page.spoken()).toMatch(/row 1, column 3/);
    expect(page.find(".nnw-readout").textContent).toBe(page.spoken());
    tile.click();
    expect(page.picked).toEqual([[7, 1, 3]]);
    press(tile, "Escape");
    expect(page.picked).toHaveLength(1);
    expect(page.find(".nnw-stage-cursor").hidden).toBe(true);
    press(tile, "Escape");
    expect(page.picked).toEqual([[7, 1, 3], null]);
  });

  it("speaks of places as the layer has them, also when averaged down", () => {
    const page = opened();
    const part = mapsPart(4, 4, { shape: [40, 80] });
    page.draw(layerOf([part], { unit: 0, shape: "1×64×40×80" }));
    const tile = tiles(page)[0] as HTMLButtonElement;
    tile.focus();
    tile.click();
    tile.click();
    expect(page.picked).toEqual([[0, 24, 49]]);
    page.draw(layerOf([part], { unit: [0, 39, 79], shape: "1×64×40×80" }));
    const style = page.find(".nnw-maps-over > .nnw-stage-picked").getAttribute("style") ?? "";
    const { width } = layOutMaps(520, 4, 4, 4);
    expect(Number.parseFloat(style.match(/left: ([\d.]+)/)?.[1] ?? "")).toBeCloseTo(
      0.75 * width,
      0,
    );
  });

  it("keeps the focus on its unit when the order changes", () => {
    const page = opened();
    const part = mapsPart(3, 4);
    page.draw(layerOf([part], SHAPE));
    tiles(page)[1]?.focus();
    const turned = mapsPart(3, 4);
    turned.arrays = { ...turned.arrays, units: [Int32Array.of(14, 0, 7), [3]] };
    page.draw(layerOf([turned], SHAPE));
    expect(document.activeElement).toBe(tiles(page)[2]);
    expect(spokenOf(document.activeElement)).toContain("unit 7");
  });

  it("picks whole units among filters, and nothing among inputs", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(4, 4)], { tab: "weights", unit: 7 }));
    clickAt(tiles(page)[0] as HTMLElement, 10, 10);
    clickAt(tiles(page)[1] as HTMLElement, 100, 10);
    expect(page.picked).toEqual([0, null]);
    page.draw(layerOf([mapsPart(4, 4)], { tab: "contributions", unit: 7 }));
    clickAt(tiles(page)[0] as HTMLElement, 10, 10);
    expect(page.picked).toHaveLength(2);
    expect(tiles(page)[1]?.hasAttribute("aria-pressed")).toBe(false);
    expect(spokenOf(tiles(page)[1])).toMatch(/^input 7/);
    page.draw(layerOf([mapsPart(4, 4, { units: false })], { tab: "weights" }));
    clickAt(tiles(page)[0] as HTMLElement, 10, 10);
    expect(page.picked).toHaveLength(2);
  });

  it("in natural colours says what grey and full colour mean", () => {
    const page = opened();
    page.draw(layerOf([colorFiltersPart()], { tab: "weights" }));
    expect(page.find(".nnw-stage-foot").textContent).toContain(
      "mid grey is 0, full colour +0.310, none −0.310",
    );
    expect(page.find(".nnw-scale").hidden).toBe(true);
    const tile = tiles(page)[0] as HTMLButtonElement;
    page.draw(layerOf([colorFiltersPart()], { tab: "contributions" }));
    const first = tiles(page)[0] as HTMLButtonElement;
    expect(first).not.toBe(tile);
    first.focus();
    first.click();
    press(first, "Home", { ctrlKey: true });
    // 0.5 + 0.5 sin(2 k) of the first pixel's parts, between −0.31 and 0.31.
    const parts = [0, 1, 2].map((part) => 0.31 * Math.sin(part * 2));
    const read = (page.spoken() ?? "")
      .split(": ")[1]
      ?.split(" · ")
      .map((text) => Number(text.replace("−", "-")));
    parts.forEach((part, index) => {
      expect(read?.[index]).toBeCloseTo(part, 3);
    });
  });

  it("counts and names what is not finite", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(8, 7, { broken: true })], SHAPE));
    const marks = page.all(".nnw-scale-mark").map((mark) => [mark.hidden, mark.textContent]);
    expect(marks).toEqual([
      [false, "×NaN: 30"],
      [false, "▲+∞: 4"],
      [false, "▼−∞: 4"],
    ]);
  });

  it("is one paint for all maps", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(64, 14)], SHAPE));
    expect(page.calls.filter(({ name }) => name === "putImageData")).toHaveLength(1);
    expect(page.calls.filter(({ name }) => name === "drawImage")).toHaveLength(64);
    expect(page.all("canvas")).toHaveLength(1);
  });
});

describe("the layout of maps", () => {
  it("keeps all of them inside, apart from each other, and finds them again", () => {
    for (const room of [280, 320, 520, 700, 1100]) {
      for (const count of [1, 2, 8, 24, 64]) {
        for (const [columns, rows] of [
          [14, 14],
          [256, 1],
          [4, 64],
          [64, 32],
        ] as const) {
          const grid = layOutMaps(room, count, columns, rows);
          for (let tile = 0; tile < count; tile++) {
            const [left, top] = grid.corner(tile);
            expect(left + grid.width).toBeLessThanOrEqual(room + 0.01);
            expect(top + grid.height).toBeLessThanOrEqual(grid.total);
            expect(grid.tileAt(left + 1, top + 1)).toBe(tile);
            expect(grid.tileAt(left + grid.width - 1, top + grid.height - 1)).toBe(tile);
          }
          expect(grid.tileAt(grid.width + 2, 5)).toBe(-1);
          expect(grid.tileAt(-1, 5)).toBe(-1);
        }
      }
    }
  });

  it("uses the width for few maps, and stays in sight with many", () => {
    expect(layOutMaps(520, 3, 14, 14).width).toBeGreaterThanOrEqual(100);
    expect(layOutMaps(520, 64, 14, 14).width).toBeGreaterThanOrEqual(50);
    expect(layOutMaps(700, 64, 14, 14).total).toBeLessThan(620);
  });
});
