/**
 * Which rows of the module tree can be seen: collapsed, searched, opened. Pure.
 *
 * A row number is the module's place in the model; a place is its place in the list on the screen.
 */

import { ancestors, type ModuleRow } from "./state";

export interface VisibleRow {
  row: number;
  /** Has children that can be shown. */
  parent: boolean;
  open: boolean;
  /** From 1, as screen readers count. */
  level: number;
  position: number;
  siblings: number;
  /** Found by the search itself, not kept for what is below it. */
  match: boolean;
}

/** So many rows may be open at first; a model with more starts collapsed below some depth. */
export const OPEN_AT_FIRST = 60;

/** Depth from which containers start closed; infinite where everything may be open. */
export function firstDepth(rows: readonly ModuleRow[], limit = OPEN_AT_FIRST): number {
  const counts: number[] = [];
  for (const { depth } of rows) counts[depth] = (counts[depth] ?? 0) + 1;
  let shown = counts[0] ?? 0;
  for (let depth = 0; depth < counts.length; depth++) {
    const deeper = counts[depth + 1] ?? 0;
    if (shown + deeper > limit) return depth;
    shown += deeper;
  }
  return Number.POSITIVE_INFINITY;
}

/** What a person has opened and closed, by name: it outlives a change of the model. */
export class Openness {
  readonly #chosen = new Map<string, boolean>();
  #depth = Number.POSITIVE_INFINITY;

  /** Containers at `depth` and below start closed. */
  startAt(depth: number): void {
    this.#depth = depth;
  }

  isOpen(row: ModuleRow): boolean {
    return this.#chosen.get(row.name) ?? row.depth < this.#depth;
  }

  set(row: ModuleRow, open: boolean): void {
    this.#chosen.set(row.name, open);
  }

  /** Opens all that stands above a row; false if it was open already. */
  reveal(rows: readonly ModuleRow[], row: number): boolean {
    let changed = false;
    for (const above of ancestors(rows, row)) {
      const item = rows[above];
      if (item === undefined || this.isOpen(item)) continue;
      this.set(item, true);
      changed = true;
    }
    return changed;
  }

  setAll(rows: readonly ModuleRow[], open: boolean): void {
    for (const row of rows) this.set(row, open);
  }
}

/** The words of a search, each of which a row must hold in its name or its type. */
export function terms(search: string): string[] {
  return search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
}

export function matches(row: ModuleRow, words: readonly string[]): boolean {
  const where = `${row.name} ${row.type} ${row.label}`.toLowerCase();
  return words.every((word) => where.includes(word));
}

/** Where the words stand in a text, as [from, to) that neither overlap nor touch. */
export function marks(where: string, words: readonly string[]): [number, number][] {
  const lower = where.toLowerCase();
  const found: [number, number][] = [];
  for (const word of words) {
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + word.length)) {
      found.push([at, at + word.length]);
    }
  }
  found.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const joined: [number, number][] = [];
  for (const [from, to] of found) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** Row numbers of the children of each row, and of the top under -1. */
export function childrenOf(rows: readonly ModuleRow[]): Map<number, number[]> {
  const children = new Map<number, number[]>();
  rows.forEach(({ parent }, row) => {
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [row]);
    else known.push(row);
  });
  return children;
}

/**
 * The rows on the screen, from the top.
 *
 * While something is searched for, all matches are shown with all that stands above them, however
 * the tree is collapsed.
 */
export function visibleRows(
  rows: readonly ModuleRow[],
  children: ReadonlyMap<number, readonly number[]>,
  openness: Openness,
  search = "",
): VisibleRow[] {
  const words = terms(search);
  const searching = words.length > 0;
  const found = new Set<number>();
  const kept = new Set<number>();
  if (searching) {
    rows.forEach((row, index) => {
      if (!matches(row, words)) return;
      found.add(index);
      kept.add(index);
      for (let at = row.parent; at >= 0 && !kept.has(at); at = rows[at]?.parent ?? -1) kept.add(at);
    });
  }
  const result: VisibleRow[] = [];
  const walk = (parent: number, level: number) => {
    const all = children.get(parent) ?? [];
    const shown = searching ? all.filter((row) => kept.has(row)) : all;
    shown.forEach((row, index) => {
      const item = rows[row];
      if (item === undefined) return;
      const below = children.get(row) ?? [];
      const some = searching ? below.some((child) => kept.has(child)) : below.length > 0;
      const open = some && (searching || openness.isOpen(item));
      result.push({
        row,
        parent: some,
        open,
        level,
        position: index + 1,
        siblings: shown.length,
        match: found.has(row),
      });
      if (open) walk(row, level + 1);
    });
  };
  walk(-1, 1);
  return result;
}

export type Move =
  | { to: number }
  | { open: number }
  | { close: number }
  | { openAll: true }
  | { choose: number }
  | null;

/**
 * What a key does in the tree (WAI-ARIA's tree pattern).
 *
 * @param at place that has the focus
 * @param page rows that fit on the screen
 */
export function moveOf(key: string, shown: readonly VisibleRow[], at: number, page: number): Move {
  const here = shown[at];
  const last = shown.length - 1;
  if (here === undefined) return null;
  const clamp = (place: number) => ({ to: Math.max(0, Math.min(last, place)) });
  switch (key) {
    case "ArrowDown":
      return clamp(at + 1);
    case "ArrowUp":
      return clamp(at - 1);
    case "PageDown":
      return clamp(at + page);
    case "PageUp":
      return clamp(at - page);
    case "Home":
      return clamp(0);
    case "End":
      return clamp(last);
    case "ArrowRight":
      if (!here.parent) return null;
      return here.open ? clamp(at + 1) : { open: at };
    case "ArrowLeft": {
      if (here.parent && here.open) return { close: at };
      for (let place = at - 1; place >= 0; place--) {
        if ((shown[place]?.level ?? 0) < here.level) return { to: place };
      }
      return null;
    }
    case "*":
      return { openAll: true };
    case "Enter":
    case " ":
      return { choose: at };
    default:
      return null;
  }
}

/**
 * Type-ahead: the next row after `at` whose name or type begins with what was typed.
 *
 * The same letter again and again goes from one such row to the next.
 */
export function typedTo(
  typed: string,
  rows: readonly ModuleRow[],
  shown: readonly VisibleRow[],
  at: number,
): number | null {
  const lower = typed.toLowerCase();
  const repeated = [...lower].every((letter) => letter === lower[0]);
  const wanted = repeated ? (lower[0] ?? "") : lower;
  if (wanted === "") return null;
  // A longer word may still be the row it stands on.
  const from = repeated ? 1 : 0;
  for (let step = from; step <= shown.length; step++) {
    const place = (at + step) % shown.length;
    const row = rows[shown[place]?.row ?? -1];
    if (row === undefined) continue;
    const begins = [row.short, row.type].some((word) => word.toLowerCase().startsWith(wanted));
    if (begins) return place;
  }
  return null;
}
