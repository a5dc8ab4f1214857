/**
 * The module tree: a virtual list, so that a model of thousands of modules scrolls as ten do.
 *
 * Only the rows in the window are in the document, and the one with the tree's tab stop, because
 * an element that goes takes the focus with it.
 */

import { h, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import type { ModuleRow, Rows, Tree } from "./state";
import { ROW_HEIGHT, TreeItem } from "./tree_item";
import {
  childrenOf,
  firstDepth,
  moveOf,
  Openness,
  terms,
  typedTo,
  type VisibleRow,
  visibleRows,
} from "./tree_rows";

/** Rows kept ready above and below the window. */
const SPARE = 6;
/** Letters typed within this time (milliseconds) belong together. */
const TYPING = 600;

export interface TreeInput {
  tree: Tree;
  rows: Rows | null;
  /** Name of the chosen layer. */
  selected: string;
  search: string;
}

export interface TreeView {
  element: HTMLElement;
  /** How many modules the search has found; null while nothing is searched for. */
  readonly found: number | null;
  draw(input: TreeInput): void;
  /** Gives the focus to the row with the tab stop. */
  focus(): void;
  /** Chooses the first module that the search has found. */
  chooseFirst(): void;
  repaint(): void;
}

export function treeView(
  words: Words,
  signal: AbortSignal,
  choose: (name: string) => void,
): TreeView {
  const sizer = h("div", { class: "nnw-tree-rows", role: "none" });
  const scroll = h(
    "div",
    { class: "nnw-tree", role: "tree", "aria-label": words("ui.inspector.tree") },
    sizer,
  );
  const nothing = h(
    "p",
    { class: "nnw-tree-nothing nnw-muted" },
    words("ui.inspector.search.none"),
  );
  const cut = h("p", { class: "nnw-tree-note nnw-muted" });
  const element = h("div", { class: "nnw-tree-part" }, scroll, nothing, cut);

  const openness = new Openness();
  const items = new Map<number, TreeItem>();
  let input: TreeInput | null = null;
  let children: Map<number, number[]> = new Map();
  let searched: string[] = [];
  let shown: VisibleRow[] = [];
  let places = new Map<number, number>();
  /** Module with the tab stop. */
  let active = 0;
  let typed = "";
  let typing: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(typing), { once: true });

  const windowHeight = () => scroll.clientHeight || 16 * ROW_HEIGHT;

  /** Works out the rows anew, after a change of the model, the search or what is open. */
  const flatten = () => {
    if (input === null) return;
    shown = visibleRows(input.tree.rows, children, openness, input.search);
    places = new Map(shown.map(({ row }, place) => [row, place]));
    sizer.style.height = `${shown.length * ROW_HEIGHT}px`;
    setHidden(nothing, shown.length > 0 || input.tree.rows.length === 0);
    if (!places.has(active)) {
      active = (shown.find(({ match }) => match) ?? shown[0])?.row ?? 0;
    }
  };

  const paintWindow = (anew = false) => {
    if (input === null) return;
    const { tree, rows, selected } = input;
    const from = Math.max(0, Math.floor(scroll.scrollTop / ROW_HEIGHT) - SPARE);
    const until = Math.ceil((scroll.scrollTop + windowHeight()) / ROW_HEIGHT) + SPARE;
    const wanted = new Map(shown.slice(from, until).map((visible) => [visible.row, visible]));
    const held = shown[places.get(active) ?? -1];
    if (held !== undefined) wanted.set(active, held);
    const spare: TreeItem[] = [];
    for (const [row, item] of items) {
      if (wanted.has(row)) continue;
      items.delete(row);
      spare.push(item);
    }
    for (const [row, visible] of wanted) {
      const module = tree.rows[row];
      if (module === undefined) continue;
      const item = items.get(row) ?? spare.pop() ?? new TreeItem(words);
      items.set(row, item);
      item.element.style.top = `${(places.get(row) ?? 0) * ROW_HEIGHT}px`;
      item.draw({
        module,
        visible,
        badges: rows?.badges.get(row) ?? [],
        rows,
        searched,
        selected: module.name === selected,
        active: row === active,
      });
    }
    for (const item of spare) item.element.remove();
    const order = [...items.keys()].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
    inOrder(
      sizer,
      order.map((row) => items.get(row)?.element ?? sizer),
      items.get(active)?.element,
    );
    // Canvases are measured when all rows stand: to measure between writes would lay out each time.
    for (const item of items.values()) item.paint(rows, anew);
  };

  const scrollTo = (place: number) => {
    const top = place * ROW_HEIGHT;
    const height = windowHeight();
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top + ROW_HEIGHT > scroll.scrollTop + height) {
      scroll.scrollTop = top + ROW_HEIGHT - height;
    }
  };
  const activate = (place: number) => {
    const row = shown[place]?.row;
    if (row === undefined) return;
    active = row;
    scrollTo(place);
    paintWindow();
    items.get(row)?.element.focus({ preventScroll: true });
  };
  const setOpen = (place: number, open: boolean) => {
    const row = input?.tree.rows[shown[place]?.row ?? -1];
    // While something is searched for, all that leads to a match is open.
    if (row === undefined || searched.length > 0) return;
    openness.set(row, open);
    flatten();
    paintWindow();
  };
  const chooseAt = (place: number) => {
    const name = input?.tree.rows[shown[place]?.row ?? -1]?.name;
    if (name !== undefined) choose(name);
  };

  const itemOf = (event: Event): [TreeItem, number] | null => {
    const target = event.target as Element;
    const element = target.closest<HTMLElement>(".nnw-tree-row");
    for (const item of items.values()) {
      if (item.element === element) return [item, places.get(item.row) ?? -1];
    }
    return null;
  };
  const toggle = (place: number) => setOpen(place, shown[place]?.open !== true);

  scroll.addEventListener("scroll", () => paintWindow(), { signal, passive: true });
  scroll.addEventListener(
    "click",
    (event) => {
      const [item, place] = itemOf(event) ?? [];
      if (item === undefined || place === undefined) return;
      activate(place);
      if (item.twisty.contains(event.target as Node) && shown[place]?.parent) toggle(place);
      else chooseAt(place);
    },
    { signal },
  );
  scroll.addEventListener(
    "dblclick",
    (event) => {
      const [item, place] = itemOf(event) ?? [];
      if (item === undefined || place === undefined) return;
      if (!item.twisty.contains(event.target as Node) && shown[place]?.parent) toggle(place);
    },
    { signal },
  );
  scroll.addEventListener(
    "keydown",
    (event) => {
      if (input === null || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = places.get(active) ?? 0;
      const page = Math.max(1, Math.floor(windowHeight() / ROW_HEIGHT) - 1);
      const move = moveOf(event.key, shown, at, page);
      if (move !== null) {
        event.preventDefault();
        if ("to" in move) activate(move.to);
        else if ("open" in move) setOpen(move.open, true);
        else if ("close" in move) setOpen(move.close, false);
        else if ("choose" in move) chooseAt(move.choose);
        else {
          openness.setAll(input.tree.rows, true);
          flatten();
          scrollTo(places.get(active) ?? 0);
          paintWindow();
        }
        return;
      }
      if (event.key.length !== 1) return;
      clearTimeout(typing);
      typing = setTimeout(() => {
        typed = "";
      }, TYPING);
      typed += event.key;
      const to = typedTo(typed, input.tree.rows, shown, at);
      if (to !== null) activate(to);
    },
    { signal },
  );
  if (typeof ResizeObserver === "function") {
    const observer = new ResizeObserver(() => paintWindow(true));
    observer.observe(scroll);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  return {
    element,
    get found() {
      return searched.length === 0 ? null : shown.filter(({ match }) => match).length;
    },
    focus() {
      activate(places.get(active) ?? 0);
    },
    chooseFirst() {
      const place = shown.findIndex(({ match }) => match);
      if (place < 0) return;
      active = shown[place]?.row ?? active;
      chooseAt(place);
    },
    repaint: () => paintWindow(true),
    draw(next) {
      const before = input;
      if (before !== null && same(before, next)) return;
      input = next;
      const { tree } = next;
      const newTree = before?.tree !== tree;
      if (newTree) {
        children = childrenOf(tree.rows);
        openness.startAt(firstDepth(tree.rows));
        scroll.classList.toggle(
          "nnw-flat",
          tree.rows.every(({ parent }) => parent < 0),
        );
        scroll.style.setProperty("--shape", `${shapeWidth(tree.rows)}ch`);
        const some = tree.shown < tree.all;
        const params = { shown: formatInteger(tree.shown), all: formatInteger(tree.all) };
        setText(cut, some ? words("ui.inspector.tree.cut", params) : "");
        setHidden(cut, !some);
      }
      const row = tree.byName.get(next.selected);
      const chosenAnew = row !== undefined && (newTree || before?.selected !== next.selected);
      const revealed = chosenAnew && openness.reveal(tree.rows, row);
      if (newTree || revealed || before?.search !== next.search) {
        searched = terms(next.search);
        flatten();
        if (before !== null && before.search !== next.search) scroll.scrollTop = 0;
      }
      if (chosenAnew && places.has(row)) {
        // A choice made elsewhere must not take the focus along, only the tab stop.
        active = row;
        scrollTo(places.get(row) ?? 0);
      }
      paintWindow();
    },
  };
}

/**
 * Brings children into the order in which they are read, without moving the one that may have the
 * focus: an element that is moved loses it.
 */
function inOrder(
  parent: HTMLElement,
  wanted: readonly HTMLElement[],
  still: HTMLElement | undefined,
): void {
  let next = parent.firstChild;
  for (const element of wanted) {
    if (element === still && element.parentNode === parent) {
      while (next !== null && next !== element) {
        const passed: ChildNode = next;
        next = next.nextSibling;
        parent.append(passed);
      }
    }
    if (element === next) next = next.nextSibling;
    else parent.insertBefore(element, next);
  }
}

/** Numbers of the run come ten times a second; most of them change nothing here. */
function same(a: TreeInput, b: TreeInput): boolean {
  return (
    a.tree === b.tree && a.rows === b.rows && a.selected === b.selected && a.search === b.search
  );
}

/** Room for the longest shape, in widths of a figure; "×" is wider than one. */
function shapeWidth(rows: readonly ModuleRow[]): number {
  let widest = 0;
  for (const { shape } of rows) {
    widest = Math.max(widest, shape.length + 0.4 * (shape.split("×").length - 1));
  }
  return Math.min(15, widest);
}
