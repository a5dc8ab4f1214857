/** What happy-dom lacks or what tests must hold still: frames, visibility, canvases. */

import { vi } from "vitest";
import { type Call, layOut, recordCanvases } from "./ui/chart_fixtures";

export interface Page {
  /** Runs the frames that were asked for. */
  frame(): void;
  /** Scrolls every observed element into the window, or out of it. */
  scroll(inside: boolean): void;
  /** Hides or shows the whole page. */
  show(shown: boolean): void;
  /** Observers that have not been disconnected. */
  readonly observers: number;
  /** What canvases were asked to draw. */
  readonly calls: Call[];
}

export function openPage(): Page {
  const calls = recordCanvases();
  layOut(480, 150);
  document.body.replaceChildren();
  const frames = new Map<number, () => void>();
  let next = 0;
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => {
    frames.set(++next, work);
    return next;
  });
  vi.stubGlobal("cancelAnimationFrame", (id: number) => frames.delete(id));
  const observers = new Set<{ callback: IntersectionObserverCallback }>();
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      callback: IntersectionObserverCallback;
      constructor(callback: IntersectionObserverCallback) {
        this.callback = callback;
      }
      observe() {
        observers.add(this);
      }
      disconnect() {
        observers.delete(this);
      }
    },
  );
  return {
    calls,
    get observers() {
      return observers.size;
    },
    frame() {
      const due = [...frames.values()];
      frames.clear();
      for (const work of due) work();
    },
    scroll(inside) {
      for (const { callback } of observers) {
        const entry = { isIntersecting: inside } as IntersectionObserverEntry;
        callback([entry], undefined as unknown as IntersectionObserver);
      }
    },
    show(shown) {
      vi.spyOn(document, "visibilityState", "get").mockReturnValue(shown ? "visible" : "hidden");
      document.dispatchEvent(new Event("visibilitychange"));
    },
  };
}

/** An element of the page for a widget to be rendered into. */
export function place(): HTMLElement {
  const el = document.createElement("div");
  document.body.append(el);
  return el;
}
