/**
 * Many maps side by side: one canvas, and over it a button for each map, so that all of them are
 * painted at once and each can be reached with the keyboard. A map is picked by a click; in the
 * picked map a second click, or Enter and the arrow keys, picks a place.
 */

import { isDark, paletteOf } from "../../ui/colormap";
import { h, setAttribute, setHidden, setText, uniqueId } from "../../ui/dom";
import { formatInteger, formatNumber } from "../../ui/format";
import type { Words } from "../../ui/i18n";
import { type Cell, cellAt, moved } from "../../ui/pointer";
import {
  type Box,
  codesOf,
  countMarks,
  markCells,
  openCanvas,
  Sheet,
  valueAt,
} from "../../ui/raster";
import { formatSigned, scaleBar } from "../../ui/scale_bar";
import { onResize } from "../../ui/stage";
import type { BlockContext, BlockView } from "./context";
import { frame } from "./frame";
import { type Grid, layOutMaps } from "./maps_layout";
import { formatValue, scaleOf } from "./matrix";
import { canPick, chosenUnit, type Pick } from "./picking";
import { type Places, placesOf } from "./places";
import { type BlockData, type LayerPicture, numberOr, textOr } from "./types";

interface Tile {
  button: HTMLButtonElement;
  name: HTMLElement;
  unit: HTMLElement;
  value: HTMLElement;
}

export function mapsBlock(context: BlockContext): BlockView {
  const { words, signal, hooks, say } = context;
  const sheet = new Sheet();
  const bar = scaleBar(words);
  const canvas = h("canvas", { class: "nnw-maps-canvas", "aria-hidden": "true" });
  const cursor = h("div", { class: "nnw-stage-cursor", hidden: true });
  const picked = h("div", { class: "nnw-stage-picked", hidden: true });
  const tiles: Tile[] = [];
  const help = h(
    "span",
    { class: "nnw-spoken", id: uniqueId("nnw-keys") },
    words("ui.inspector.maps.keys"),
  );
  const grid = h("div", { class: "nnw-maps", role: "group", "aria-describedby": help.id }, canvas);
  const over = h("div", { class: "nnw-maps-over" }, grid, picked, cursor);
  const readout = h("span", { class: "nnw-readout", "aria-hidden": "true" });
  const colors = h("span", { class: "nnw-muted", hidden: true });
  const foot = h("div", { class: "nnw-stage-foot" }, colors, readout);
  const part = frame("maps", words, over, foot, help);
  // Above the maps: below many of them it would be out of sight.
  part.aside.append(bar.element);

  let shown: { block: BlockData; layer: LayerPicture } | null = null;
  let codes: Uint8Array = new Uint8Array(0);
  let layout: Grid = layOutMaps(0, 0, 1, 1);
  /** The tile that the tab key leads to. */
  let current = 0;
  /** What is looked at: a map, and the place in it. */
  let at: { tile: number; cell: Cell } | null = null;
  /** The arrow keys move inside the current map. */
  let inside = false;

  const sides = (): { columns: number; rows: number; count: number } => {
    const [count = 0, rows = 0, columns = 0] = shown?.block.shapes.pixels ?? [];
    return { count, rows, columns };
  };
  const unitOf = (tile: number): number => shown?.block.arrays.units?.[tile] ?? tile;
  const places = (): Places | null =>
    shown === null ? null : placesOf(shown.block, shown.layer, words);
  const mode = (): Pick => (shown === null ? "none" : canPick(shown.block, shown.layer));
  const chosen = (): number | null =>
    shown === null || mode() === "none" ? null : chosenUnit(shown.block, shown.layer);
  const isColored = (): boolean => shown?.block.meta.rgb === true;

  // --- words -------------------------------------------------------------------------------

  /** What a map is of: a unit of this layer, or a channel of what it was given. */
  const nameOf = (tile: number): string => {
    const number = formatInteger(unitOf(tile));
    return mode() === "none"
      ? words("ui.inspector.input", { input: number })
      : words("ui.inspector.unit", { unit: number });
  };

  const valueAtPlace = (tile: number, { row, column }: Cell): string => {
    if (shown === null) return "";
    const { rows, columns } = sides();
    const index = (tile * rows + row) * columns + column;
    const scale = scaleOf(shown.block);
    const { pixels } = shown.block.arrays;
    if (pixels === undefined) return "";
    if (!isColored()) return formatValue(valueAt(pixels, index, scale), scale);
    const { low, high } = endsOf(shown.block);
    const parts = [0, 1, 2].map((part) => valueAt(pixels, index * 3 + part, scale));
    return parts.map((part) => formatSigned(low + part * (high - low))).join(" · ");
  };
  const describe = (tile: number, cell: Cell): string => {
    const place = `${nameOf(tile)} · ${places()?.name(cell) ?? ""}`;
    return words("ui.inspector.at", { place, value: valueAtPlace(tile, cell) });
  };

  // --- what is looked at -------------------------------------------------------------------

  const boxOf = (tile: number, cell: Cell): Box => {
    const { rows, columns } = sides();
    const [left, top] = layout.corner(tile);
    const [width, height] = [layout.width / columns, layout.height / rows];
    return [left + cell.column * width, top + cell.row * height, width, height];
  };
  const place = (mark: HTMLElement, box: Box | null): void => {
    setHidden(mark, box === null);
    if (box === null) return;
    const [left, top, width, height] = box.map((side) => `${side.toFixed(1)}px`);
    setAttribute(mark, "style", `left: ${left}; top: ${top}; width: ${width}; height: ${height};`);
  };
  const tell = (spoken: boolean): void => {
    const { count, rows, columns } = sides();
    if (at !== null && (at.tile >= count || at.cell.row >= rows || at.cell.column >= columns)) {
      at = null;
      inside = false;
    }
    place(cursor, at === null ? null : boxOf(at.tile, at.cell));
    const text = at === null ? "" : describe(at.tile, at.cell);
    setText(readout, text);
    if (spoken && text !== "") say(text);
    if (at === null || shown === null || isColored()) bar.point(null);
    else {
      const index = (at.tile * rows + at.cell.row) * columns + at.cell.column;
      const { pixels } = shown.block.arrays;
      bar.point(pixels === undefined ? null : valueAt(pixels, index, scaleOf(shown.block)));
    }
  };
  const look = (to: typeof at, spoken: boolean): void => {
    const same =
      to?.tile === at?.tile && to?.cell.row === at?.cell.row && to?.cell.column === at?.cell.column;
    if (same) return;
    at = to;
    tell(spoken);
  };
  const locate = (event: MouseEvent): typeof at => {
    const { left, top } = grid.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const tile = layout.tileAt(x, y);
    if (tile < 0) return null;
    const [tileLeft, tileTop] = layout.corner(tile);
    const area = { left: tileLeft, top: tileTop, width: layout.width, height: layout.height };
    const cell = cellAt(x, y, area, sides());
    return cell === null ? null : { tile, cell };
  };

  // --- picking -----------------------------------------------------------------------------

  const pickPlace = (tile: number, cell: Cell): void => {
    const unit = places()?.unit(unitOf(tile), cell);
    if (unit !== undefined) hooks.pickUnit(unit);
  };
  const focus = (tile: number): void => {
    current = Math.min(Math.max(tile, 0), tiles.length - 1);
    for (const [index, { button }] of tiles.entries()) {
      setAttribute(button, "tabindex", index === current ? "0" : "-1");
    }
    tiles[current]?.button.focus();
  };
  const enter = (tile: number): void => {
    const { rows, columns } = sides();
    inside = true;
    look({ tile, cell: { row: rows >> 1, column: columns >> 1 } }, true);
  };
  const onClick = (tile: number, event: MouseEvent): void => {
    current = tile;
    // A key's click says no place: Enter on the picked map goes into it.
    const byKey = event.detail === 0;
    if (mode() === "none" || chosen() !== unitOf(tile)) {
      inside = false;
      if (mode() !== "none") hooks.pickUnit(unitOf(tile));
      else if (byKey) enter(tile);
    } else if (mode() === "unit" && (inside || !byKey)) hooks.pickUnit(null);
    else if (byKey && !inside) enter(tile);
    else if (byKey && at !== null) pickPlace(at.tile, at.cell);
    else {
      const to = locate(event);
      if (to?.tile === tile) pickPlace(tile, to.cell);
    }
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.altKey || shown === null) return;
    if (event.key === "Escape") {
      if (inside) {
        inside = false;
        look(null, false);
      } else if (chosen() !== null) hooks.pickUnit(null);
      else return;
    } else if (inside && at !== null) {
      const cell = moved(at.cell, event, sides());
      if (cell === null) return;
      look({ tile: at.tile, cell }, true);
    } else {
      const { columns } = layout;
      const rows = Math.ceil(tiles.length / columns);
      const from = { column: current % columns, row: Math.floor(current / columns) };
      const to = moved(from, event, { columns, rows });
      if (to === null) return;
      focus(Math.min(to.row * columns + to.column, tiles.length - 1));
    }
    event.preventDefault();
    event.stopPropagation();
  };
  grid.addEventListener("keydown", onKey, { signal });
  grid.addEventListener(
    "pointermove",
    (event) => {
      inside = false;
      look(locate(event), false);
    },
    { signal },
  );
  grid.addEventListener(
    "pointerleave",
    (event) => {
      if (event.pointerType !== "touch" && !inside) look(null, false);
    },
    { signal },
  );
  grid.addEventListener(
    "focusout",
    () => {
      inside = false;
      look(null, false);
    },
    { signal },
  );

  // --- drawing -----------------------------------------------------------------------------

  const addTile = (): Tile => {
    const index = tiles.length;
    const name = h("span", { class: "nnw-spoken" });
    const unit = h("span", { "aria-hidden": "true" });
    const value = h("span", { class: "nnw-maps-value", "aria-hidden": "true" });
    const button = h("button", { type: "button", class: "nnw-map-tile" }, name, unit, value);
    button.addEventListener("click", (event) => onClick(index, event), { signal });
    button.addEventListener(
      "focus",
      () => {
        current = index;
      },
      { signal },
    );
    grid.append(button);
    return { button, name, unit, value };
  };
  /** The same unit keeps the focus when the order changes under it. */
  const followUnit = (before: number | null): void => {
    const focused = tiles.some(({ button }) => button === button.ownerDocument.activeElement);
    if (before === null || !focused) return;
    const { count } = sides();
    for (let tile = 0; tile < count; tile++) {
      if (unitOf(tile) !== before) continue;
      if (tile !== current) {
        // Moving the focus ends what was looked at: it goes along.
        const [stays, looked] = [inside, at];
        focus(tile);
        inside = stays;
        at = stays && looked !== null ? { tile, cell: looked.cell } : null;
      }
      return;
    }
  };
  const writeTiles = (): void => {
    if (shown === null) return;
    const { values } = shown.block.arrays;
    const caption = captionOf(shown.block, words);
    const pick = chosen();
    for (const [index, { button, name, unit, value }] of tiles.entries()) {
      const number = formatInteger(unitOf(index));
      const text = values === undefined ? "" : formatNumber(values[index] ?? Number.NaN, 2);
      setText(unit, number);
      setText(value, text);
      setText(name, text === "" ? nameOf(index) : `${nameOf(index)}, ${caption} ${text}`);
      setAttribute(button, "aria-pressed", mode() !== "none" && String(unitOf(index) === pick));
      setAttribute(button, "tabindex", index === current ? "0" : "-1");
    }
  };
  const paint = (): void => {
    const width = over.clientWidth;
    const { count, rows, columns } = sides();
    if (shown === null || count === 0 || rows === 0 || columns === 0) return;
    layout = layOutMaps(width, count, columns, rows);
    const style =
      `--nnw-tile-width: ${layout.width}px; --nnw-tile-height: ${layout.height}px; ` +
      `--nnw-tile-columns: ${layout.columns}`;
    setAttribute(grid, "style", style);
    const opened = openCanvas(canvas, width, layout.total);
    if (opened === null) return;
    const palette = paletteOf(scaleOf(shown.block).signed, isDark(part.element));
    sheet.resize(columns, rows * count);
    if (isColored()) paintColors(sheet, shown.block);
    else sheet.codes(codes, 0, [0, 0, columns, rows * count], palette);
    sheet.commit();
    for (let tile = 0; tile < count; tile++) {
      const [left, top] = layout.corner(tile);
      const box: Box = [left, top, layout.width, layout.height];
      sheet.draw(opened.ctx, [0, tile * rows, columns, rows], box);
      if (!isColored()) markCells(opened.ctx, codes, tile * rows * columns, [columns, rows], box);
    }
    const tile = Array.from({ length: count }, (_, index) => unitOf(index)).indexOf(chosen() ?? -1);
    const placed = mode() === "place" && tile >= 0;
    const cell = placed ? (places()?.cell(shown.layer.unit) ?? null) : null;
    place(picked, cell === null ? null : boxOf(tile, cell));
    tell(false);
  };
  const drawScale = (): void => {
    setHidden(bar.element, isColored());
    setHidden(colors, !isColored());
    if (shown === null) return;
    if (isColored()) {
      const { low, high } = endsOf(shown.block);
      const ends = { low: formatSigned(low), high: formatSigned(high) };
      setText(colors, words("ui.inspector.scale.colors", ends));
      return;
    }
    bar.draw(scaleOf(shown.block), countMarks(codes), isDark(part.element));
  };
  onResize(over, signal, paint);

  return {
    element: part.element,
    repaint() {
      drawScale();
      paint();
    },
    draw(block, layer) {
      const before = shown === null ? null : unitOf(current);
      shown = { block, layer };
      const title = part.draw(block);
      const { count } = sides();
      const all = numberOr(block.meta.count, count);
      const counts = { shown: formatInteger(count), all: formatInteger(all) };
      const notes = [all > count ? words("ui.inspector.shown", counts) : ""];
      if (block.arrays.values !== undefined && captionOf(block, words) !== "") {
        notes.push(words("ui.inspector.maps.below", { caption: captionOf(block, words) }));
      }
      const { depth, depths } = block.meta;
      if (typeof depth === "number" && typeof depths === "number") {
        notes.push(words("ui.inspector.slice", { depth, depths }));
      }
      if (block.meta.reduced === true) notes.push(words("ui.inspector.reduced"));
      part.note(notes.filter((note) => note !== "").join(" · "));
      setAttribute(grid, "aria-label", title);
      const { pixels } = block.arrays;
      codes =
        pixels === undefined || isColored() ? new Uint8Array(0) : codesOf(pixels, scaleOf(block));
      while (tiles.length < count) tiles.push(addTile());
      for (const { button } of tiles.splice(count)) button.remove();
      if (current >= count) current = 0;
      followUnit(before);
      writeTiles();
      drawScale();
      paint();
    },
  };
}

/** What the number below each map is; nothing where none stands there. */
function captionOf({ meta }: BlockData, words: Words): string {
  const what = textOr(meta.caption, "");
  const key = `ui.inspector.caption.${what}`;
  return words.has(key) ? words(key) : what;
}

/** The numbers that no colour and full colour stand for. */
function endsOf({ meta }: BlockData): { low: number; high: number } {
  const [low, high] = Array.isArray(meta.ends) ? meta.ends : [];
  return { low: numberOr(low, 0), high: numberOr(high, 1) };
}

/** Pixels [n, h, w, 3] from 0 to 1 in their natural colours. */
function paintColors(sheet: Sheet, block: BlockData): void {
  const [count = 0, rows = 0, columns = 0] = block.shapes.pixels ?? [];
  const pixels = block.arrays.pixels ?? new Float32Array(0);
  const scale = scaleOf(block);
  const part = (index: number) => 255 * valueAt(pixels, index, scale);
  for (let index = 0; index < count * rows * columns; index++) {
    const [x, y] = [index % columns, Math.floor(index / columns)];
    sheet.color(x, y, part(index * 3), part(index * 3 + 1), part(index * 3 + 2));
  }
}
