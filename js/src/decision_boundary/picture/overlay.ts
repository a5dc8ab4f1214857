/** Marks over the picture: rules, the place that is explained, the cross of the keys, a band. */

import type { Pen } from "../../ui/pen";
import type { Place, Rules } from "../state";
import { type Frame, toPixels } from "./frame";
import { classColour } from "./palette";
import type { Pixel } from "./types";

/** Draws a path twice: broad in the colour of the page, so that it can be seen on any other. */
function hemmed({ ctx, color }: Pen, width: number, style: string): void {
  ctx.strokeStyle = color("surface");
  ctx.lineWidth = width + 2.5;
  ctx.stroke();
  ctx.strokeStyle = style;
  ctx.lineWidth = width;
  ctx.stroke();
}

/** Where each rule holds, outlined in the colour of what it says. */
export function drawRules(
  pen: Pen,
  frame: Frame,
  { rules }: Rules,
  dark: boolean,
  values: boolean,
): void {
  const { ctx } = pen;
  const [left, top, width, height] = frame.box;
  const across = (x: number) => Math.min(left + width, Math.max(left, x));
  const down = (y: number) => Math.min(top + height, Math.max(top, y));
  for (const { box, answer } of rules) {
    if (box === null) continue;
    const [fromX, toY] = toPixels(frame, box[0], box[2]);
    const [toX, fromY] = toPixels(frame, box[1], box[3]);
    const [x, y] = [across(fromX) + 2, down(fromY) + 2];
    const [wide, high] = [across(toX) - 2 - x, down(toY) - 2 - y];
    if (wide <= 0 || high <= 0) continue;
    ctx.beginPath();
    ctx.rect(x, y, wide, high);
    const plain = values || answer === null;
    hemmed(pen, 2, plain ? pen.color("text") : classColour(answer, dark));
  }
}

/** A ring with four ticks around the place that is explained. */
export function drawChosen(pen: Pen, frame: Frame, at: Place): void {
  const [x, y] = toPixels(frame, at[0], at[1]);
  const { ctx } = pen;
  ctx.beginPath();
  ctx.arc(x, y, 8, 0, 2 * Math.PI);
  for (const [across, down] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ] as const) {
    ctx.moveTo(x + 8 * across, y + 8 * down);
    ctx.lineTo(x + 13 * across, y + 13 * down);
  }
  hemmed(pen, 1.5, pen.color("accent"));
}

/** The place that the keys have gone to. */
export function drawCross(pen: Pen, [x, y]: Pixel): void {
  const { ctx } = pen;
  ctx.beginPath();
  ctx.moveTo(x - 10, y);
  ctx.lineTo(x + 10, y);
  ctx.moveTo(x, y - 10);
  ctx.lineTo(x, y + 10);
  hemmed(pen, 1.5, pen.color("text"));
}

/** The rectangle that is about to be looked at closer. */
export function drawBand(pen: Pen, frame: Frame, [a, b]: readonly [Place, Place]): void {
  const { ctx } = pen;
  const [from, to] = [toPixels(frame, a[0], a[1]), toPixels(frame, b[0], b[1])];
  const box = [from[0], from[1], to[0] - from[0], to[1] - from[1]] as const;
  ctx.globalAlpha = 0.15;
  ctx.fillStyle = pen.color("accent");
  ctx.fillRect(...box);
  ctx.globalAlpha = 1;
  ctx.beginPath();
  ctx.rect(...box);
  hemmed(pen, 1.5, pen.color("accent"));
}
