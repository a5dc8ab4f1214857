/** Where the plane lies on the canvas, and what is written along its edges. */

import { linearLabels, multiples, niceStep } from "../../ui/chart_axes";
import type { Pen } from "../../ui/pen";
import type { Box } from "../../ui/raster";
import type { Place, Rectangle } from "../state";

/** Highest picture (CSS pixels). */
const HIGHEST = 520;
/** Height of a line of small text, and what a letter of it is wide. */
const LINE = 13;
const LETTER = 6.4;
/** Room between ticks, across and down. */
const [ACROSS, DOWN] = [64, 40];
const TICK = 4;

export interface Ticks {
  values: number[];
  labels: string[];
}

export interface Frame {
  /** The plane on the canvas: its edges go through the outermost places of the grid. */
  box: Box;
  rectangle: Rectangle;
  x: Ticks;
  y: Ticks;
  /** The whole canvas. */
  width: number;
  height: number;
}

/** Round numbers between two ends, at least `gap` of `size` pixels apart. */
export function ticksBetween(from: number, to: number, size: number, gap: number): Ticks {
  const step = niceStep(((to - from) * gap) / Math.max(size, gap));
  const values = multiples([from, to], step);
  return { values, labels: linearLabels(values, step, null) };
}

/** The frame in a canvas of this width. */
export function frameFor(width: number, rectangle: Rectangle, named: boolean): Frame {
  const [left, right, bottom, top] = rectangle;
  const name = named ? LINE + 3 : 0;
  // Heights first: they decide which numbers stand at the left, and so how wide those are.
  const down = Math.max(40, Math.min(HIGHEST, width - 48));
  const y = ticksBetween(bottom, top, down, DOWN);
  const letters = Math.max(1, ...y.labels.map((label) => label.length));
  const margin = Math.ceil(letters * LETTER) + TICK + 4 + name;
  const across = Math.max(20, width - margin - 1);
  const x = ticksBetween(left, right, across, ACROSS);
  const box: Box = [margin, 1, across, down];
  return { box, rectangle, x, y, width, height: down + TICK + LINE + 4 + name };
}

export function toPixels({ box, rectangle }: Frame, x: number, y: number): [number, number] {
  const [left, right, bottom, top] = rectangle;
  return [
    box[0] + ((x - left) / (right - left)) * box[2],
    box[1] + ((top - y) / (top - bottom)) * box[3],
  ];
}

export function toPlane({ box, rectangle }: Frame, across: number, down: number): Place {
  const [left, right, bottom, top] = rectangle;
  return [
    left + ((across - box[0]) / box[2]) * (right - left),
    top - ((down - box[1]) / box[3]) * (top - bottom),
  ];
}

export const isWithin = ([left, top, width, height]: Box, x: number, y: number): boolean =>
  x >= left && x <= left + width && y >= top && y <= top + height;

/** The place nearest to this one that lies in the picture. */
export function held([left, right, bottom, top]: Rectangle, [x, y]: Place): Place {
  return [Math.min(right, Math.max(left, x)), Math.min(top, Math.max(bottom, y))];
}

/** The frame of the picture, its ticks and the names of its axes. */
export function drawAxes(pen: Pen, frame: Frame, [across, up]: readonly [string, string]): void {
  const { ctx } = pen;
  const { x, y, box, rectangle } = frame;
  const [left, top, width, height] = box;
  const bottom = top + height;
  ctx.strokeStyle = pen.color("control-line");
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.rect(left - 0.5, top - 0.5, width + 1, height + 1);
  const at = (value: number) => Math.round(value) + 0.5;
  let free = Number.NEGATIVE_INFINITY;
  x.values.forEach((value, index) => {
    const [place] = toPixels(frame, value, rectangle[2]);
    const label = x.labels[index] ?? "";
    const half = (label.length * LETTER) / 2;
    ctx.moveTo(at(place), bottom + 1);
    ctx.lineTo(at(place), bottom + TICK);
    // Not cut off at the edges of the canvas, and not over one another.
    const middle = Math.max(Math.min(place, pen.width - half), half);
    if (middle - half < free) return;
    free = middle + half + 6;
    pen.write(label, middle, bottom + TICK + 2, { align: "center", baseline: "top" });
  });
  y.values.forEach((value, index) => {
    const [, place] = toPixels(frame, rectangle[0], value);
    ctx.moveTo(left - 1, at(place));
    ctx.lineTo(left - TICK, at(place));
    pen.write(y.labels[index] ?? "", left - TICK - 2, Math.max(place, 6), { align: "right" });
  });
  ctx.stroke();
  const middle = left + width / 2;
  pen.write(shortened(pen, across, width), middle, pen.height - 1, {
    align: "center",
    baseline: "bottom",
  });
  ctx.save();
  ctx.translate(1, top + height / 2);
  ctx.rotate(-Math.PI / 2);
  pen.write(shortened(pen, up, height), 0, 0, { align: "center", baseline: "top" });
  ctx.restore();
}

function shortened({ ctx }: Pen, text: string, room: number): string {
  let shown = text;
  while (shown.length > 1 && ctx.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  return shown;
}

/** Where the points lie, with some room around them; null where there are none. */
export function extentOf(xy: Float32Array): Rectangle | null {
  const ends = [0, 1].flatMap((axis) => {
    const all = [...xy].filter((value, index) => index % 2 === axis && Number.isFinite(value));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low) * 0.1 || 1;
    return [low - room, high + room];
  });
  return ends.every(Number.isFinite) ? (ends as unknown as Rectangle) : null;
}
