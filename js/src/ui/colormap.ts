/**
 * Colours of numbers, as tables of 256 entries that the codes of `raster.ts` index.
 *
 * Sequential: viridis by Stéfan van der Walt and Nathaniel Smith (2015, CC0), interpolated between
 * 17 of its 256 colours. Signed: our own, blue below zero and red above, with equal steps of OKLab
 * lightness (Björn Ottosson 2020) on either side. On a light page its zero is nearly white; on a
 * dark page its zero is nearly black and lightness grows outwards, quickly at first, so that weak
 * values can be seen on either.
 */

import { CODE, LEVELS } from "./raster";

const VIRIDIS =
  "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1f9f8827ad813dbc745cc86381d34daadc32d5e21afde725";
/** From the lowest to zero, zero once, and on to the highest. */
const SIGNED_LIGHT =
  "0a3f86065bb52580e260a8faa1cbffd4e6fff7f7f7ffdbd5fcb2a3ef816ad24f39a52a2479191b";
const SIGNED_DARK =
  "a2d9fe69b9f83e96ea2974cd21579f213d6622252a602a2593342abe4839de6b51f29676fec2a3";

/** Colours that occur in none of the maps. */
const MARKS: readonly [code: number, color: string][] = [
  [CODE.nan, "d62fd0"],
  [CODE.plus, "ff9500"],
  [CODE.minus, "00c8b4"],
];

export interface Palette {
  /** One pixel for each code, red, green, blue and opacity in the machine's byte order. */
  readonly pixels: Uint32Array;
  /** The colour of a code as CSS. */
  css(code: number): string;
  /** The whole scale as a CSS image, lowest left. */
  readonly gradient: string;
}

function anchorsOf(hex: string): [number, number, number][] {
  return (hex.match(/.{6}/g) ?? []).map((color) => {
    const rgb = Number.parseInt(color, 16);
    return [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
  });
}

function paletteFrom(hex: string): Palette {
  const anchors = anchorsOf(hex);
  const bytes = new Uint8ClampedArray(256 * 4);
  const set = (code: number, color: readonly number[]) => bytes.set([...color, 255], code * 4);
  for (let code = 0; code <= LEVELS; code++) {
    const place = (code / LEVELS) * (anchors.length - 1);
    const left = Math.min(Math.floor(place), anchors.length - 2);
    const [from, to] = [anchors[left] ?? [], anchors[left + 1] ?? []];
    set(
      code,
      from.map((part, index) => part + (place - left) * ((to[index] as number) - part)),
    );
  }
  for (const [code, color] of MARKS) set(code, anchorsOf(color)[0] as number[]);
  const css = (code: number) => `rgb(${[...bytes.subarray(code * 4, code * 4 + 3)].join(", ")})`;
  const stops = anchors.map((rgb) => `rgb(${rgb.join(", ")})`);
  return {
    pixels: new Uint32Array(bytes.buffer),
    css,
    gradient: `linear-gradient(to right, ${stops.join(", ")})`,
  };
}

const SEQUENTIAL = paletteFrom(VIRIDIS);
const LIGHT = paletteFrom(SIGNED_LIGHT);
const DARK = paletteFrom(SIGNED_DARK);

export function paletteOf(signed: boolean, dark: boolean): Palette {
  if (!signed) return SEQUENTIAL;
  return dark ? DARK : LIGHT;
}

/** Whether the widget that an element belongs to is drawn on a dark page. */
export function isDark(element: Element): boolean {
  return element.closest<HTMLElement>("[data-theme]")?.dataset.theme === "dark";
}
