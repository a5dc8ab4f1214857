/**
 * The points: training ones as discs, test ones as triangles, ringed where the model is wrong.
 *
 * Each look is drawn once, into one sheet of stamps, so that thousands of points take no longer
 * than thousands of small copies.
 */

import { paletteOf } from "../../ui/colormap";
import type { Pen } from "../../ui/pen";
import { codeOf, type Scale } from "../../ui/raster";
import type { Place, Points } from "../state";
import { type Frame, toPixels } from "./frame";
import { classColour } from "./palette";

/** Steps of the scale that points of a regression are coloured in. */
const SHADES = 50;
/** Most looks a sheet of stamps holds: 21 fills, or 50 shades, by shape and ring. */
const ROW = 4;

/** Points as they are drawn: where, and what they are. */
export interface Dots {
  id: Float64Array;
  y: ArrayLike<number>;
  test: Uint8Array;
  fade: Uint8Array;
  /** (points × 2) on the canvas; NaN: not drawn. */
  at: Float32Array;
  /** Of each point: 0 right, 1 wrong, 2 not known. */
  wrong: Uint8Array;
  /** Colours of values; null where points have classes. */
  scale: Scale | null;
}

/** The radius for so many points in a picture of this width (CSS pixels). */
export function radiusFor(count: number, width: number): number {
  const size = 5.4 - 1.15 * Math.log10(Math.max(1, count / 20));
  return Math.min(5, Math.max(2, size * Math.min(1.15, Math.max(0.75, width / 420))));
}

/** Places on the canvas; NaN for points that are hidden or lie outside the picture. */
export function placed(
  points: Points,
  frame: Frame,
  hidden: (index: number) => boolean,
  moved: (id: number) => Place | null,
): Float32Array {
  const at = new Float32Array(2 * points.id.length).fill(Number.NaN);
  const [left, top, width, height] = frame.box;
  for (let index = 0; index < points.id.length; index++) {
    if (hidden(index)) continue;
    const elsewhere = moved(points.id[index] as number);
    const [x, y] = toPixels(
      frame,
      elsewhere?.[0] ?? (points.xy[2 * index] as number),
      elsewhere?.[1] ?? (points.xy[2 * index + 1] as number),
    );
    // A little over the edge: what lies on it is drawn whole.
    if (x < left - 1 || x > left + width + 1 || y < top - 1 || y > top + height + 1) continue;
    at.set([x, y], 2 * index);
  }
  return at;
}

/** The nearest point no farther away than `reach` pixels; of equally near ones the last, -1: none. */
export function hitAt(at: Float32Array, x: number, y: number, reach: number): number {
  let best = -1;
  let least = reach * reach;
  for (let index = 0; 2 * index < at.length; index++) {
    const across = (at[2 * index] as number) - x;
    const down = (at[2 * index + 1] as number) - y;
    const far = across * across + down * down;
    if (far <= least) [best, least] = [index, far];
  }
  return best;
}

export class PointsLayer {
  readonly #stamps = document.createElement("canvas");
  #key = "";
  #side = 0;

  /** @param bigger the point under the pointer */
  draw(pen: Pen, dots: Dots, radius: number, dark: boolean, bigger: number): void {
    const { ctx, ratio } = pen;
    this.#prepare(pen, radius, dark, dots.scale);
    const side = this.#side / ratio;
    // Those that are ringed lie above the others.
    for (const ringed of [false, true]) {
      for (let index = 0; index < dots.id.length; index++) {
        const x = dots.at[2 * index] as number;
        if (Number.isNaN(x) || (dots.wrong[index] === 1) !== ringed) continue;
        const y = dots.at[2 * index + 1] as number;
        const fade = dots.fade[index] as number;
        ctx.globalAlpha = fade === 0 ? 1 : 1 - (0.82 * fade) / 255;
        const scale = index === bigger ? 1.45 : 1;
        const half = (side * scale) / 2;
        this.#stamp(ctx, lookOf(dots, index), [x - half, y - half, side * scale]);
      }
    }
    ctx.globalAlpha = 1;
  }

  #stamp(
    ctx: CanvasRenderingContext2D,
    [fill, look]: readonly [number, number],
    [x, y, side]: readonly [number, number, number],
  ): void {
    const from = this.#side;
    ctx.drawImage(this.#stamps, look * from, fill * from, from, from, x, y, side, side);
  }

  /** Draws all looks that points can have now. */
  #prepare(pen: Pen, radius: number, dark: boolean, scale: Scale | null): void {
    const { ratio } = pen;
    const text = pen.color("text");
    const page = pen.color("surface");
    const key = [radius, dark, ratio, text, page, scale === null, scale?.signed].join();
    if (key === this.#key) return;
    this.#key = key;
    const side = Math.ceil(2 * (radius + 5) * ratio);
    const fills = scale === null ? 21 : SHADES + 1;
    this.#side = side;
    this.#stamps.width = side * ROW;
    this.#stamps.height = side * fills;
    const ctx = this.#stamps.getContext("2d");
    if (ctx === null) return;
    for (let fill = 0; fill < fills; fill++) {
      const color =
        scale === null
          ? fill === 20
            ? pen.color("muted")
            : classColour(fill, dark)
          : paletteOf(scale.signed, dark).css(Math.round((fill * 250) / SHADES));
      for (let look = 0; look < ROW; look++) {
        ctx.setTransform(ratio, 0, 0, ratio, (look + 0.5) * side, (fill + 0.5) * side);
        shape(ctx, look % 2 === 1, radius);
        ctx.fillStyle = color;
        // Where the model is right, a value has the colour of its ground: only the outline is seen.
        ctx.strokeStyle = scale === null ? page : text;
        ctx.lineWidth = radius < 3 ? 1.4 : 2;
        ctx.lineJoin = "round";
        ctx.stroke();
        ctx.fill();
        if (look < 2) continue;
        ctx.beginPath();
        ctx.arc(0, 0, radius + 2.4, 0, 2 * Math.PI);
        // With a hem: the ring is dark on a light page, and so are some maps.
        for (const [style, width] of [
          [page, 3.6],
          [text, 1.5],
        ] as const) {
          ctx.strokeStyle = style;
          ctx.lineWidth = width;
          ctx.stroke();
        }
      }
    }
  }
}

/** Fill and look of a point on the sheet of stamps. */
function lookOf(dots: Dots, index: number): readonly [fill: number, look: number] {
  const y = dots.y[index] as number;
  const look = (dots.test[index] === 1 ? 1 : 0) + (dots.wrong[index] === 1 ? 2 : 0);
  if (dots.scale === null) return [y === 255 ? 20 : y % 20, look];
  const code = codeOf(y, dots.scale);
  return [code > 250 ? 0 : Math.round((code * SHADES) / 250), look];
}

/** A disc, or a triangle of the same area, around zero. */
export function shape(ctx: CanvasRenderingContext2D, triangle: boolean, radius: number): void {
  ctx.beginPath();
  if (!triangle) {
    ctx.arc(0, 0, radius, 0, 2 * Math.PI);
    return;
  }
  const reach = radius * 1.45;
  ctx.moveTo(0, -reach);
  ctx.lineTo(reach * 0.87, reach / 2);
  ctx.lineTo(-reach * 0.87, reach / 2);
  ctx.closePath();
}
