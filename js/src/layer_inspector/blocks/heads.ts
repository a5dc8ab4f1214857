/** All heads of an attention layer side by side, small; the chosen one is drawn large elsewhere. */

import { isDark, paletteOf } from "../../ui/colormap";
import { h, setAttribute, setText, uniqueId } from "../../ui/dom";
import { moved } from "../../ui/pointer";
import { type Box, markCells, openCanvas, type Scale, Sheet } from "../../ui/raster";
import { onResize } from "../../ui/stage";
import type { BlockContext } from "./context";
import { layOutMaps } from "./maps_layout";

/** Height (CSS pixels) that is left to them, so that the large one stays in sight. */
const HIGHEST = 230;

export interface Head {
  /** What it is called: "head 3". */
  name: string;
  codes: Uint8Array;
}

export interface HeadsInput {
  heads: readonly Head[];
  chosen: number;
  rows: number;
  columns: number;
  scale: Scale;
}

export interface Heads {
  element: HTMLElement;
  draw(input: HeadsInput): void;
  repaint(): void;
}

export function headsGrid(context: BlockContext, choose: (head: number) => void): Heads {
  const { words, signal } = context;
  const sheet = new Sheet();
  const canvas = h("canvas", { class: "nnw-maps-canvas", "aria-hidden": "true" });
  const help = h("span", { class: "nnw-spoken", id: uniqueId("nnw-keys") });
  const grid = h(
    "div",
    {
      class: "nnw-maps nnw-heads",
      role: "group",
      "aria-label": words("ui.inspector.heads"),
      "aria-describedby": help.id,
    },
    canvas,
  );
  setText(help, words("ui.inspector.heads.keys"));
  const element = h("div", { class: "nnw-maps-over" }, grid, help);
  const buttons: HTMLButtonElement[] = [];
  let shown: HeadsInput | null = null;
  let across = 1;

  grid.addEventListener(
    "keydown",
    (event) => {
      const from = buttons.indexOf(event.target as HTMLButtonElement);
      if (event.altKey || from < 0) return;
      const size = { columns: across, rows: Math.ceil(buttons.length / across) };
      const to = moved({ column: from % across, row: Math.floor(from / across) }, event, size);
      if (to === null) return;
      const next = Math.min(to.row * across + to.column, buttons.length - 1);
      lead(next);
      buttons[next]?.focus();
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  /** The tab key leads to one of them. */
  const lead = (to: number): void => {
    for (const [index, one] of buttons.entries()) {
      setAttribute(one, "tabindex", index === to ? "0" : "-1");
    }
  };
  const add = (): HTMLButtonElement => {
    const index = buttons.length;
    const made = h("button", { type: "button", class: "nnw-map-tile" });
    made.addEventListener("click", () => choose(index), { signal });
    grid.append(made);
    return made;
  };

  const paint = (): void => {
    const width = element.clientWidth;
    if (shown === null || shown.rows === 0 || shown.columns === 0) return;
    const { heads, rows, columns, scale } = shown;
    const layout = layOutMaps(width, heads.length, columns, rows, HIGHEST);
    across = layout.columns;
    const style =
      `--nnw-tile-width: ${layout.width}px; --nnw-tile-height: ${layout.height}px; ` +
      `--nnw-tile-columns: ${layout.columns}`;
    setAttribute(grid, "style", style);
    const opened = openCanvas(canvas, width, layout.total);
    if (opened === null) return;
    const palette = paletteOf(scale.signed, isDark(element));
    sheet.resize(columns, rows * heads.length);
    for (const [index, { codes }] of heads.entries()) {
      sheet.codes(codes, 0, [0, index * rows, columns, rows], palette);
    }
    sheet.commit();
    for (const [index, { codes }] of heads.entries()) {
      const [left, top] = layout.corner(index);
      const box: Box = [left, top, layout.width, layout.height];
      sheet.draw(opened.ctx, [0, index * rows, columns, rows], box);
      markCells(opened.ctx, codes, 0, [columns, rows], box);
    }
  };
  onResize(element, signal, paint);

  return {
    element,
    repaint: paint,
    draw(input) {
      const { heads, chosen } = input;
      const fresh = shown === null || shown.chosen !== chosen || buttons.length !== heads.length;
      shown = input;
      while (buttons.length < heads.length) buttons.push(add());
      for (const one of buttons.splice(heads.length)) one.remove();
      for (const [index, { name }] of heads.entries()) {
        const made = buttons[index] as HTMLButtonElement;
        setText(made, name);
        setAttribute(made, "aria-pressed", String(index === chosen));
      }
      if (fresh) lead(chosen);
      paint();
    },
  };
}
