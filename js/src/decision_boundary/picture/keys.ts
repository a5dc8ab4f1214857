/** The picture by keys: a cross that goes everywhere, and does what a pointer could. */

import { type Cell, moved } from "../../ui/pointer";
import type { Place } from "../state";
import { type Frame, toPixels } from "./frame";
import { rectangleBetween } from "./hands";
import type { Deeds } from "./types";

/** Places that the cross can go to, along each side. */
const SIDE = 101;
/** How near to the cross (CSS pixels) a point is the one that is meant. */
export const NEAR = 10;

export interface KeysOptions extends Deeds {
  root: HTMLElement;
  signal: AbortSignal;
  frame(): Frame | null;
  /** The place that is looked at. */
  looking(): Place | null;
  look(at: Place | null, byKeys: boolean): void;
  /** Gives up what a pointer is doing; whether it was doing something. */
  cancel(): boolean;
  /** The point that is carried. */
  carried(): number | null;
  /** Where the next point is that is shown, or the previous one; null where there is none. */
  next(by: 1 | -1): Place | null;
  placeOf(id: number): Place | null;
  /** Says of a place or a point what has been done there. */
  said(key: "dropped" | "corner" | "back" | "carried", what: Place | number | null): void;
}

/** Where a key leads from a place of the plane; the first one only shows the cross. */
export function stepped(
  { rectangle: [left, right, bottom, top] }: Frame,
  from: Place | null,
  event: Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey">,
): Place | null {
  const last = SIDE - 1;
  const [x, y] = from ?? [(left + right) / 2, (bottom + top) / 2];
  const cell: Cell = {
    column: Math.round(((x - left) / (right - left)) * last),
    row: Math.round(((top - y) / (top - bottom)) * last),
  };
  const to = moved(cell, event, { columns: SIDE, rows: SIDE });
  if (to === null) return null;
  const { column, row } = from === null ? cell : to;
  return [left + (column / last) * (right - left), top - (row / last) * (top - bottom)];
}

export function listenForKeys(options: KeysOptions): { forget(): void } {
  const { root, signal, frame, looking, look } = options;
  /** The first corner of a zoom. */
  let corner: Place | null = null;

  const setCorner = (at: Place | null): void => {
    if (corner === null && at === null) return;
    corner = at;
    options.band(at === null ? null : [at, at]);
  };
  const putDown = (): void => {
    const id = options.carried();
    const at = id === null ? null : options.placeOf(id);
    options.drop();
    if (at !== null) options.said("dropped", at);
  };
  const enter = (at: Place, id: number | null): void => {
    const tool = options.tool();
    if (options.carried() !== null) putDown();
    else if (tool === "ask") options.ask(at, id);
    else if (tool === "zoom") {
      const shown = frame();
      if (corner === null) {
        setCorner(at);
        options.said("corner", at);
        return;
      }
      const rectangle = shown === null ? null : rectangleBetween(shown, corner, at);
      setCorner(null);
      if (rectangle !== null) options.zoom(rectangle);
    } else if (!options.editable()) return;
    else if (tool === "add") options.add(at);
    else if (id !== null) options.remove(id);
  };
  const giveUp = (): boolean => {
    const carried = options.carried() !== null;
    if (options.cancel() || carried) {
      if (options.carried() !== null) options.back();
      if (carried) options.said("back", null);
    } else if (corner !== null) setCorner(null);
    else if (options.tool() === "zoom" && options.reachable()) options.zoom(null);
    else return false;
    return true;
  };
  const pickUp = (id: number): void => {
    const at = options.placeOf(id);
    if (at === null) return;
    look(at, true);
    options.lift(id, at);
    options.said("carried", id);
  };
  const nextBy = (key: string): Place | null => {
    if (options.carried() !== null || (key !== "n" && key !== "p")) return null;
    return options.next(key === "n" ? 1 : -1);
  };
  const pressed = (event: KeyboardEvent): boolean => {
    const shown = frame();
    if (event.key === "Escape") return giveUp();
    if (shown === null) return false;
    const to = stepped(shown, looking(), event) ?? nextBy(event.key);
    if (to !== null) {
      if (options.carried() !== null) options.carry(to);
      look(to, true);
      if (corner !== null) options.band([corner, to]);
      return true;
    }
    const at = looking();
    if (at === null || !options.reachable()) return false;
    const id = options.hit(toPixels(shown, at[0], at[1]), NEAR);
    if (event.key === "Enter" || event.key === " ") enter(at, id);
    else if (!options.editable()) return false;
    else if (event.key === "m") {
      if (options.carried() !== null) putDown();
      else if (id !== null) pickUp(id);
    } else if (event.key !== "Delete" && event.key !== "Backspace") return false;
    else if (id !== null && options.carried() === null) options.remove(id);
    return true;
  };
  root.addEventListener(
    "keydown",
    (event) => {
      const plain = !event.altKey && (event.key.length > 1 || !(event.ctrlKey || event.metaKey));
      if (!plain || !pressed(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  root.addEventListener(
    "blur",
    () => {
      if (options.carried() !== null) putDown();
      setCorner(null);
      look(null, false);
    },
    { signal },
  );
  return { forget: () => setCorner(null) };
}
