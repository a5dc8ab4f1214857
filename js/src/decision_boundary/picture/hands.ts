/** What fingers and mouse do in the picture, by the tool that is chosen. */

import type { Place, Rectangle } from "../state";
import { type Frame, held, isWithin, toPixels, toPlane } from "./frame";
import type { Deeds, Pixel } from "./types";

/** A press that moves less (CSS pixels) is a click. */
const STILL = 4;
/** Distance of points that one stroke of the brush puts down, and least side of a zoom. */
const APART = 16;
const LEAST = 8;
/** How near to a point its middle is hit: with a mouse, with a finger. */
const REACH = { mouse: 9, touch: 20 };

export interface HandsOptions extends Deeds {
  root: HTMLElement;
  signal: AbortSignal;
  frame(): Frame | null;
  /** Another place is looked at; null for none. */
  look(at: Place | null): void;
}

type Doing = "ask" | "carry" | "add" | "delete" | "zoom";

export interface Hands {
  /** Gives up what is being done; whether something was. */
  cancel(): boolean;
}

/** The part of the plane between two corners; null where it is too small to be meant. */
export function rectangleBetween(frame: Frame, from: Place, to: Place): Rectangle | null {
  const [a, b] = [held(frame.rectangle, from), held(frame.rectangle, to)];
  const [left, top] = toPixels(frame, a[0], a[1]);
  const [right, bottom] = toPixels(frame, b[0], b[1]);
  if (Math.abs(right - left) < LEAST || Math.abs(bottom - top) < LEAST) return null;
  return [Math.min(a[0], b[0]), Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[1], b[1])];
}

export function hands(options: HandsOptions): Hands {
  const { root, signal } = options;
  let doing: Doing | null = null;
  let start: Pixel = [0, 0];
  let last: Pixel = [0, 0];
  let id: number | null = null;

  const pixelOf = ({ clientX, clientY }: MouseEvent): Pixel => {
    const { left, top } = root.getBoundingClientRect();
    return [clientX - left, clientY - top];
  };
  const inside = ([x, y]: Pixel): boolean => {
    const frame = options.frame();
    return frame !== null && isWithin(frame.box, x, y);
  };
  const placeAt = ([x, y]: Pixel): Place => {
    const frame = options.frame() as Frame;
    return held(frame.rectangle, toPlane(frame, x, y));
  };
  const hit = (at: Pixel, { pointerType }: { pointerType?: string }) =>
    options.hit(at, pointerType === "touch" ? REACH.touch : REACH.mouse);
  const far = (a: Pixel, b: Pixel): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
  const cancel = (): boolean => {
    const was = doing;
    doing = null;
    if (was === "carry") options.back();
    if (was === "zoom") options.band(null);
    return was !== null;
  };
  const on = <K extends keyof HTMLElementEventMap>(
    name: K,
    work: (event: HTMLElementEventMap[K]) => void,
    passive = true,
  ) => root.addEventListener(name, work, { signal, passive });

  on("pointerdown", (event) => {
    const at = pixelOf(event);
    if (event.button !== 0 || !event.isPrimary || !inside(at) || !options.reachable()) return;
    root.focus({ preventScroll: true });
    root.setPointerCapture?.(event.pointerId);
    [start, last, id] = [at, at, hit(at, event)];
    doing = event.shiftKey ? "zoom" : options.tool();
    options.look(placeAt(at));
    if (doing === "add" && options.editable()) options.add(placeAt(at));
    if (doing === "delete" && options.editable() && id !== null) options.remove(id);
  });
  on("pointermove", (event) => {
    if (options.frame() === null) return;
    const at = pixelOf(event);
    if (doing === "ask" && id !== null && options.editable() && far(at, start) >= STILL) {
      doing = "carry";
      options.lift(id, placeAt(start));
    }
    options.look(inside(at) || doing === "carry" ? placeAt(at) : null);
    if (doing === "carry") options.carry(placeAt(at));
    if (doing === "zoom") options.band([placeAt(start), placeAt(at)]);
    if (doing === "add" && options.editable() && inside(at) && far(at, last) >= APART) {
      last = at;
      options.add(placeAt(at));
    }
    if (doing === "delete" && options.editable()) {
      const found = hit(at, event);
      if (found !== null) options.remove(found);
    }
  });
  on("pointerup", (event) => {
    const at = pixelOf(event);
    const frame = options.frame();
    const was = doing;
    doing = null;
    if (frame === null) return;
    if (was === "ask" && far(at, start) < 2 * STILL) options.ask(placeAt(start), id);
    if (was === "carry") options.drop();
    if (was !== "zoom") return;
    options.band(null);
    const rectangle = rectangleBetween(frame, placeAt(start), placeAt(at));
    if (rectangle !== null) options.zoom(rectangle);
  });
  on("pointercancel", cancel);
  on("pointerleave", ({ pointerType }) => {
    // A finger leaves when it is lifted: what it pointed at stays on show.
    if (doing === null && pointerType !== "touch") options.look(null);
  });
  on("dblclick", () => {
    if (options.tool() === "zoom" && options.reachable()) options.zoom(null);
  });
  // A finger on a point drags it; beside it, it scrolls the page.
  on(
    "touchstart",
    (event) => {
      const touch = event.touches[0];
      if (event.touches.length !== 1 || touch === undefined || !options.editable()) return;
      const at = pixelOf(touch as unknown as MouseEvent);
      if (options.tool() === "ask" && hit(at, { pointerType: "touch" }) !== null) {
        event.preventDefault();
      }
    },
    false,
  );
  return { cancel };
}
