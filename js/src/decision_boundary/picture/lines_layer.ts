/** Lines where one class gives way to another, and where values reach a level. */

import { formatTick } from "../../ui/format";
import type { Pen } from "../../ui/pen";
import type { Surface } from "../state";
import { type Frame, toPixels } from "./frame";

export type Lines = Pick<Surface, "kind" | "lines" | "lineEnds" | "lineOf" | "levels">;

/** The points of each line, x and y in turn; none of fewer than two points. */
export function splitLines({ lines, lineEnds }: Pick<Lines, "lines" | "lineEnds">): Float32Array[] {
  const found: Float32Array[] = [];
  let start = 0;
  for (const end of lineEnds) {
    const line = lines.subarray(2 * start, 2 * end);
    if (line.length >= 4) found.push(line);
    start = end;
  }
  return found;
}

/** The longest line of each level, counted in points. */
export function longestOf({ lineEnds, lineOf }: Lines): Map<number, [start: number, end: number]> {
  const found = new Map<number, [number, number]>();
  let start = 0;
  lineEnds.forEach((end, index) => {
    const level = lineOf[index] ?? -1;
    const [from, to] = found.get(level) ?? [0, 0];
    if (end - start > to - from) found.set(level, [start, end]);
    start = end;
  });
  return found;
}

export function drawLines(pen: Pen, frame: Frame, shown: Lines): void {
  const { ctx } = pen;
  const [left, top, width, height] = frame.box;
  const values = shown.kind === "values";
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.beginPath();
  for (const line of splitLines(shown)) {
    for (let at = 0; at < line.length; at += 2) {
      const [x, y] = toPixels(frame, line[at] as number, line[at + 1] as number);
      if (at === 0) ctx.moveTo(x, y);
      else ctx.lineTo(x, y);
    }
  }
  ctx.lineJoin = "round";
  // Dark on pale colours and pale on dark ones: a hem in the colour of the page under the line.
  ctx.strokeStyle = pen.color("surface");
  ctx.globalAlpha = values ? 0.35 : 0.6;
  ctx.lineWidth = values ? 2.5 : 3.5;
  ctx.stroke();
  ctx.strokeStyle = pen.color("text");
  ctx.globalAlpha = values ? 0.7 : 0.9;
  ctx.lineWidth = values ? 1 : 1.5;
  ctx.stroke();
  ctx.globalAlpha = 1;
  if (values) writeLevels(pen, frame, shown);
  ctx.restore();
}

/** The value of each level once, where no other one stands. */
function writeLevels(pen: Pen, frame: Frame, shown: Lines): void {
  const { ctx } = pen;
  const [left, top, width, height] = frame.box;
  const taken: [number, number][] = [];
  ctx.strokeStyle = pen.color("surface");
  ctx.lineWidth = 3;
  for (const [level, [start, end]] of longestOf(shown)) {
    const value = shown.levels[level];
    if (value === undefined) continue;
    const label = formatTick(value);
    const half = label.length * 3.5 + 2;
    for (const share of [0.5, 0.3, 0.7, 0.15, 0.85]) {
      const at = 2 * (start + Math.floor((end - 1 - start) * share));
      const [x, y] = toPixels(frame, shown.lines[at] as number, shown.lines[at + 1] as number);
      const inside = x > left + half && x < left + width - half && y > top + 8;
      if (!inside || y > top + height - 8) continue;
      if (taken.some(([across, down]) => Math.abs(across - x) < 40 && Math.abs(down - y) < 16)) {
        continue;
      }
      taken.push([x, y]);
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.strokeText(label, x, y);
      pen.write(label, x, y, { align: "center", color: "text" });
      break;
    }
  }
}
