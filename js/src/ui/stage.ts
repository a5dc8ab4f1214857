/**
 * A canvas that can be looked at place by place: what lies under the pointer or under the keys is
 * outlined and written out below. What is drawn, and where places are, the owner says.
 */

import { h, setAttribute, setHidden, setText, uniqueId } from "./dom";
import type { Words } from "./i18n";
import { type Pen, penCase } from "./pen";
import { type Cell, type Extent, isInside, listenForCells } from "./pointer";
import type { Box } from "./raster";

export type { Pen, Token, WriteOptions } from "./pen";

/** What a stage needs of the view it stands in. */
export interface StageContext {
  words: Words;
  signal: AbortSignal;
  /** Reads a sentence to those who do not see the picture. */
  say(text: string): void;
}

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
  const pens = penCase(picked);
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

  const paint = (): void => {
    const width = root.clientWidth;
    const height = width > 0 ? layout(width) : null;
    const pen = height === null ? null : pens.open(canvas, width, height);
    if (pen === null) return;
    options.paint(pen);
    place(picked, chosen());
    tell(false);
  };
  const repaint = (): void => {
    pens.forget();
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
