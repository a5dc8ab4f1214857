import { afterEach, describe, expect, it } from "vitest";
import { contrast, detectTheme, parseColor, type Rgba, readable } from "../src/ui/theme";

describe("parseColor", () => {
  it.each<[string, Rgba | null]>([
    ["rgb(1, 2, 3)", [1, 2, 3, 1]],
    ["rgba(0, 0, 0, 0.54)", [0, 0, 0, 0.54]],
    ["rgb(1 2 3 / 50%)", [1, 2, 3, 0.5]],
    ["#fff", [255, 255, 255, 1]],
    ["#1769c480", [23, 105, 196, 128 / 255]],
    ["color(srgb 1 0.5 0)", [255, 127.5, 0, 1]],
    ["transparent", [0, 0, 0, 0]],
    ["", null],
    ["var(--x)", null],
    ["color(display-p3 1 0 0)", null],
  ])("reads %s", (text, expected) => {
    expect(parseColor(text)).toEqual(expected);
  });
});

describe("contrast", () => {
  it("is 21 between black and white, and 1 between equals", () => {
    expect(contrast([0, 0, 0, 1], [255, 255, 255, 1])).toBeCloseTo(21);
    expect(contrast([9, 9, 9, 1], [9, 9, 9, 1])).toBe(1);
  });

  it("is repaired towards the text until small text can be read", () => {
    const text: Rgba = [29, 33, 39, 1];
    const backs: Rgba[] = [
      [255, 255, 255, 1],
      [238, 238, 238, 1],
    ];
    // JupyterLab's secondary text on its grey bars: 4.4 : 1.
    const muted: Rgba = [0, 0, 0, 0.54];
    const better = readable(muted, text, backs);
    expect(better).not.toEqual(muted);
    for (const back of backs) expect(contrast(better, back)).toBeGreaterThanOrEqual(4.5);
    // Still a grey, not the text's own colour.
    expect(contrast(better, backs[0] as Rgba)).toBeLessThan(6.5);
    const fine: Rgba = [23, 105, 196, 1];
    expect(readable(fine, text, [[255, 255, 255, 1]])).toBe(fine);
  });
});

describe("detectTheme", () => {
  afterEach(() => {
    document.body.removeAttribute("data-jp-theme-light");
    document.body.removeAttribute("style");
    document.body.replaceChildren();
  });

  it("believes JupyterLab", () => {
    document.body.dataset.jpThemeLight = "false";
    expect(detectTheme(document.body)).toBe("dark");
    document.body.dataset.jpThemeLight = "true";
    expect(detectTheme(document.body)).toBe("light");
  });

  it("measures the background elsewhere, through what is transparent", () => {
    document.body.style.backgroundColor = "rgb(20, 20, 24)";
    const inner = document.createElement("div");
    document.body.append(inner);
    inner.style.backgroundColor = "rgba(255, 255, 255, 0.05)";
    expect(detectTheme(inner)).toBe("dark");
    document.body.style.backgroundColor = "rgb(250, 250, 250)";
    expect(detectTheme(inner)).toBe("light");
  });
});
