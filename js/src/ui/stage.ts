/**
 * A canvas that can be looked at place by place: what lies under the pointer or under the keys is
 * outlined and written out below. What is drawn, and where places are, the owner says.
 */

import { h, setAttribute, setHidden, setText, uniqueId } from "./dom";
import type { Words } from "./i18n";
import { type Cell, type Extent, isInside, listenForCells } from "./pointer";
import { type Box, openCanvas } from "./raster";

/** What a stage needs of the view it stands in. */
export interface StageContext {
  words: Words;
  signal: AbortSignal;
  /** Reads a sentence to those who do not see the picture. */
  say(text: string): void;
}

export interface Pen {
  ctx: CanvasRenderingContext2D;
  /** Device pixels in a CSS pixel. */
  ratio: number;
  width: number;
  height: number;
  /** A token of theme.css as a canvas understands it. */
  color(token: Token): string;
  /** Writes small text in a muted colour; gives its width. */
  write(text: string, x: number, y: number, how?: WriteOptions): number;
}

export interface WriteOptions {
  align?: CanvasTextAlign;
  baseline?: CanvasTextBaseline;
  color?: Token;
  most?: number;
}

export type Token =
  | "text"
  | "muted"
  | "line"
  | "control-line"
  | "accent"
  | "error"
  | "surface"
  | `series-${number}`;

export interface StageOptions {
  context: StageContext;
  /** Height (CSS pixels) for this width; null while there is nothing to draw. */
  layout(width: number): number | null;
  paint(pen: Pen): void;
  extent(): Extent;
  /** The place that a cell takes on the canvas. */
  boxOf(cell: Cell): Box;
  /** The cell at a point of the canvas. */
  locate(x: number, y: number): Cell | null;
  describe(cell: Cell): string;
  /** Told of every change of what is looked at. */
  point?(cell: Cell | null): void;
  pick?(cell: Cell): void;
  escape?(): void;
}

export interface Stage {
  element: HTMLElement;
  /** What lies at the place that is looked at, in words; the owner puts it where it has room. */
  readout: HTMLElement;
  /** Paints what has changed, and reads out the place that is looked at anew. */
  update(label: string, picked?: () => Box | null): void;
  repaint(): void;
  /** Outlines and writes out a place that is looked at in another picture; null lets go of it. */
  follow(cell: Cell | null): void;
  /** Stands over the place that is picked, for what opens beside it. */
  anchor: HTMLElement;
}

/** Calls `work` when the width of an element changes. */
export function onResize(element: Element, signal: AbortSignal, work: () => void): void {
  if (typeof ResizeObserver !== "function") return;
  let seen = -1;
  const observer = new ResizeObserver(() => {
    if (element.clientWidth === seen) return;
    seen = element.clientWidth;
    work();
  });
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}

export function stage(options: StageOptions): Stage {
  const { context, layout } = options;
  const { words, signal } = context;
  const canvas = h("canvas", { class: "nnw-stage-canvas", "aria-hidden": "true" });
  const picked = h("div", { class: "nnw-stage-picked", hidden: true });
  const cursor = h("div", { class: "nnw-stage-cursor", hidden: true });
  const help = h(
    "span",
    { class: "nnw-spoken", id: uniqueId("nnw-keys") },
    words(options.pick === undefined ? "ui.inspector.keys" : "ui.inspector.keys_pick"),
  );
  const root = h(
    "div",
    { class: "nnw-stage", tabindex: 0, role: "application", "aria-describedby": help.id },
    canvas,
    picked,
    cursor,
  );
  root.classList.toggle("nnw-stage-pick", options.pick !== undefined);
  const readout = h("span", { class: "nnw-readout", "aria-hidden": "true" });
  const element = h("div", { class: "nnw-stage-part" }, root, help);
  let colors = new Map<Token, string>();
  let chosen: () => Box | null = () => null;
  let followed: Cell | null = null;

  const place = (mark: HTMLElement, box: Box | null): void => {
    setHidden(mark, box === null);
    if (box === null) return;
    const [left, top, width, height] = box.map((part) => `${part.toFixed(1)}px`);
    const style = `left: ${left}; top: ${top}; width: ${width}; height: ${height};`;
    if (mark.getAttribute("style") !== style) mark.setAttribute("style", style);
  };
  const tell = (spoken: boolean): void => {
    const cell = pointer.cell ?? inside(followed);
    const text = cell === null ? "" : options.describe(cell);
    place(cursor, cell === null ? null : options.boxOf(cell));
    setText(readout, text);
    if (spoken && text !== "") context.say(text);
    options.point?.(pointer.cell);
  };
  const inside = (cell: Cell | null): Cell | null =>
    cell !== null && isInside(cell, options.extent()) ? cell : null;
  const pointer = listenForCells(root, {
    signal,
    extent: options.extent,
    locate(x, y) {
      const { left, top } = canvas.getBoundingClientRect();
      return options.locate(x - left, y - top);
    },
    point: (_cell, spoken) => tell(spoken),
    ...(options.pick && { pick: options.pick }),
    ...(options.escape && { escape: options.escape }),
  });

  const color = (token: Token): string => {
    let found = colors.get(token);
    if (found === undefined) {
      // var() and color-mix() are for elements only: let one work them out.
      picked.style.color = `var(--nnw-${token})`;
      found = getComputedStyle(picked).color || "#888";
      picked.style.removeProperty("color");
      colors.set(token, found);
    }
    return found;
  };
  const paint = (): void => {
    const width = root.clientWidth;
    const height = width > 0 ? layout(width) : null;
    if (height === null) return;
    const opened = openCanvas(canvas, width, height);
    if (opened === null) return;
    const { ctx, ratio } = opened;
    const { fontFamily } = getComputedStyle(canvas);
    ctx.font = `11px ${fontFamily || "system-ui, sans-serif"}`;
    options.paint({
      ctx,
      ratio,
      width,
      height,
      color,
      write(
        text,
        x,
        y,
        { align = "left", baseline = "middle", color: token = "muted", most } = {},
      ) {
        ctx.textAlign = align;
        ctx.textBaseline = baseline;
        ctx.fillStyle = color(token);
        ctx.fillText(text, x, y, most);
        return ctx.measureText(text).width;
      },
    });
    place(picked, chosen());
    tell(false);
  };
  const repaint = (): void => {
    colors = new Map();
    paint();
  };
  onResize(root, signal, paint);

  return {
    element,
    readout,
    update(label, box = () => null) {
      setAttribute(root, "aria-label", label);
      chosen = box;
      paint();
    },
    repaint,
    anchor: picked,
    follow(cell) {
      if (cell?.column === followed?.column && cell?.row === followed?.row) return;
      followed = cell;
      tell(false);
    },
  };
}
