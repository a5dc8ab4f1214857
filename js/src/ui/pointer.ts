/** The place in a picture that is looked at: under the pointer, or moved with the arrow keys. */

/** Counted from zero, from the top left. */
export interface Cell {
  column: number;
  row: number;
}

export interface Extent {
  columns: number;
  rows: number;
}

/** Left, top, width and height on the page. */
export interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Cells that PageUp and PageDown, or an arrow with the shift key, go at once. */
const STRIDE = 10;

/** The cell at a place of an evenly divided area; null beside it. */
export function cellAt(x: number, y: number, area: Area, extent: Extent): Cell | null {
  const column = Math.floor(((x - area.left) / area.width) * extent.columns);
  const row = Math.floor(((y - area.top) / area.height) * extent.rows);
  return isInside({ column, row }, extent) ? { column, row } : null;
}

/** The middle of a cell, in the units of the area. */
export function middleOf(cell: Cell, area: Area, extent: Extent): [number, number] {
  return [
    area.left + ((cell.column + 0.5) / extent.columns) * area.width,
    area.top + ((cell.row + 0.5) / extent.rows) * area.height,
  ];
}

export function isInside({ column, row }: Cell, { columns, rows }: Extent): boolean {
  return column >= 0 && column < columns && row >= 0 && row < rows;
}

/**
 * Where a key leads from a cell; null if it is no key of ours.
 *
 * Nothing goes over the edge. From nowhere, every key leads to the first cell.
 */
export function moved(
  from: Cell | null,
  event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey">,
  { columns, rows }: Extent,
): Cell | null {
  const all = event.ctrlKey || event.metaKey;
  const { column, row } = from ?? { column: 0, row: 0 };
  const stride = event.shiftKey ? STRIDE : 1;
  const wanted: Record<string, [number, number]> = {
    ArrowLeft: [column - stride, row],
    ArrowRight: [column + stride, row],
    ArrowUp: [column, row - stride],
    ArrowDown: [column, row + stride],
    PageUp: [column, row - STRIDE],
    PageDown: [column, row + STRIDE],
    Home: [0, all ? 0 : row],
    End: [columns - 1, all ? rows - 1 : row],
  };
  const to = wanted[event.key];
  if (to === undefined || columns === 0 || rows === 0) return null;
  if (from === null) return { column: 0, row: 0 };
  return {
    column: Math.min(Math.max(to[0], 0), columns - 1),
    row: Math.min(Math.max(to[1], 0), rows - 1),
  };
}

export interface PointerOptions {
  /** The cell at this place of the window; null beside the picture. */
  locate(x: number, y: number): Cell | null;
  extent(): Extent;
  /** Another cell is looked at, or none; `spoken` when a key led there. */
  point(cell: Cell | null, spoken: boolean): void;
  pick?(cell: Cell): void;
  /** Lets go of what was picked. */
  escape?(): void;
  signal: AbortSignal;
}

export interface Pointer {
  /** What is looked at; null once the picture no longer has that place. */
  readonly cell: Cell | null;
}

/** Listens on a focusable element. */
export function listenForCells(root: HTMLElement, options: PointerOptions): Pointer {
  const { signal, locate, extent } = options;
  let cell: Cell | null = null;

  const go = (to: Cell | null, spoken: boolean): void => {
    if (to?.column === cell?.column && to?.row === cell?.row) return;
    cell = to;
    options.point(to, spoken);
  };
  root.addEventListener("pointermove", (event) => go(locate(event.clientX, event.clientY), false), {
    signal,
  });
  root.addEventListener(
    "pointerleave",
    (event) => {
      // A finger leaves when it is lifted: what it pointed at stays on show.
      if (event.pointerType !== "touch" && !root.matches(":focus")) go(null, false);
    },
    { signal },
  );
  root.addEventListener("blur", () => go(null, false), { signal });
  root.addEventListener(
    "click",
    (event) => {
      const to = locate(event.clientX, event.clientY);
      go(to, false);
      if (to !== null) options.pick?.(to);
    },
    { signal },
  );
  root.addEventListener(
    "keydown",
    (event) => {
      if (event.altKey) return;
      const to = moved(cell, event, extent());
      if (to !== null) go(to, true);
      else if (event.key === "Escape" && options.escape !== undefined) options.escape();
      else if ((event.key === "Enter" || event.key === " ") && cell !== null && options.pick) {
        options.pick(cell);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  return {
    get cell() {
      return cell !== null && isInside(cell, extent()) ? cell : null;
    },
  };
}
