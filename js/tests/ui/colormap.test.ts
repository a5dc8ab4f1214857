import { describe, expect, it } from "vitest";
import { isDark, type Palette, paletteOf } from "../../src/ui/colormap";
import { CODE, LEVELS } from "../../src/ui/raster";
import { contrast, luminance, parseColor, type Rgba } from "../../src/ui/theme";

const SURFACE = { light: "#ffffff", dark: "#16181c" } as const;
const color = (palette: Palette, code: number): Rgba => parseColor(palette.css(code)) as Rgba;
/** CIE 1976 lightness, 0 … 100, worked out here from the definition. */
const lightness = (rgb: Rgba): number => {
  const y = luminance(rgb);
  return y > 216 / 24389 ? 116 * Math.cbrt(y) - 16 : (y * 24389) / 27;
};
const levels = Array.from({ length: LEVELS + 1 }, (_, code) => code);

describe("the sequential map", () => {
  it("is viridis: known colours at known places", () => {
    const palette = paletteOf(false, false);
    // matplotlib's own table at 0, 0.25, 0.5, 0.75 and 1.
    const known = [
      [68, 1, 84],
      [59, 82, 139],
      [33, 145, 140],
      [94, 201, 98],
      [253, 231, 37],
    ];
    known.forEach((rgb, index) => {
      const found = color(palette, Math.round((index * LEVELS) / 4));
      rgb.forEach((part, channel) => {
        expect(Math.abs(part - (found[channel] as number))).toBeLessThanOrEqual(6);
      });
    });
  });

  it("grows lighter with every level", () => {
    const palette = paletteOf(false, false);
    for (const code of levels.slice(1)) {
      expect(lightness(color(palette, code))).toBeGreaterThan(
        lightness(color(palette, code - 1)) - 0.05,
      );
    }
    expect(lightness(color(palette, LEVELS)) - lightness(color(palette, 0))).toBeGreaterThan(70);
  });
});

describe.each(["light", "dark"] as const)("the signed map on a %s page", (theme) => {
  const palette = paletteOf(true, theme === "dark");
  const outwards = theme === "dark" ? 1 : -1;
  const middle = LEVELS / 2;

  it("goes outwards from zero without a turn", () => {
    for (let step = 1; step <= middle; step++) {
      for (const side of [-1, 1]) {
        const [here, before] = [middle + side * step, middle + side * (step - 1)];
        const change = lightness(color(palette, here)) - lightness(color(palette, before));
        expect(change * outwards).toBeGreaterThan(-0.05);
      }
    }
  });

  it("weighs both signs alike", () => {
    for (let step = 0; step <= middle; step += 5) {
      const [below, above] = [middle - step, middle + step].map((code) =>
        lightness(color(palette, code)),
      );
      expect(Math.abs((below as number) - (above as number))).toBeLessThan(6);
    }
  });

  it("shows a tenth of the scale, and its ends clearly", () => {
    const surface = parseColor(SURFACE[theme]) as Rgba;
    const zero = color(palette, middle);
    for (const side of [-1, 1]) {
      const tenth = color(palette, middle + side * Math.round(middle / 10));
      expect(Math.abs(lightness(tenth) - lightness(zero))).toBeGreaterThan(2);
      expect(contrast(color(palette, middle + side * middle), surface)).toBeGreaterThan(7);
      expect(
        contrast(color(palette, Math.round(middle + (side * middle) / 2)), surface),
      ).toBeGreaterThan(2);
    }
    expect(contrast(zero, surface)).toBeLessThan(1.4);
  });

  it("is blue below zero and red above", () => {
    const [red, , blue] = color(palette, 40);
    expect(blue).toBeGreaterThan(red);
    const [warm, , cold] = color(palette, 210);
    expect(warm).toBeGreaterThan(cold);
  });

  it("has colours of their own for what is not finite", () => {
    for (const map of [palette, paletteOf(false, theme === "dark")]) {
      const special = Object.values(CODE).map((code) => color(map, code));
      for (const [index, mark] of special.entries()) {
        const others = [
          ...levels.map((code) => color(map, code)),
          ...special.filter((_, other) => other !== index),
        ];
        for (const other of others) {
          const distance = Math.hypot(mark[0] - other[0], mark[1] - other[1], mark[2] - other[2]);
          expect(distance).toBeGreaterThan(40);
        }
      }
    }
  });
});

it("writes its scale from the lowest to the highest colour", () => {
  const { gradient, css } = paletteOf(true, false);
  expect(gradient.startsWith(`linear-gradient(to right, ${css(0)}`)).toBe(true);
  expect(gradient.endsWith(`${css(LEVELS)})`)).toBe(true);
});

it("isDark asks the widget's root", () => {
  const root = document.createElement("div");
  const inner = document.createElement("span");
  root.append(inner);
  expect(isDark(inner)).toBe(false);
  root.dataset.theme = "dark";
  expect(isDark(inner)).toBe(true);
});
