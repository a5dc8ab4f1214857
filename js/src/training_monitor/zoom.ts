/** A zoomed range is asked for anew, so that it shows every spike that lies in it. */

import type { Link } from "../link";
import { LatestRequest } from "../requests";
import { type Curves, readCurves } from "./state";

/** Waits for the end of a gesture, and between refreshes while the run goes on; milliseconds. */
const SETTLE = 120;
const REFRESH = 1000;

export class Zoom {
  readonly #link: Link;
  readonly #latest: LatestRequest;
  readonly #changed: () => void;
  #range: [number, number] | null = null;
  #curves: Curves | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: Link, signal: AbortSignal, changed: () => void) {
    this.#link = link;
    this.#latest = new LatestRequest(link.requests, "view");
    this.#changed = changed;
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(this.#timer);
        this.#latest.cancel();
      },
      { once: true },
    );
  }

  /** Curves of the range, once they have come; until then the whole run's serve. */
  get curves(): Curves | null {
    return this.#curves;
  }

  /** Shows a range; `buckets` is how many columns there is room for. */
  show(range: [number, number] | null, buckets: number): void {
    this.#range = range;
    this.#curves = null;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#latest.cancel();
    if (range !== null) this.#ask(SETTLE, buckets);
  }

  /** The run went on: what is shown may have grown at its right end. */
  grown(last: number, buckets: number): void {
    if (this.#range === null || this.#timer !== undefined) return;
    const held = this.#curves?.range?.[1] ?? Number.NEGATIVE_INFINITY;
    if (held >= Math.min(last, this.#range[1])) return;
    this.#ask(REFRESH, buckets);
  }

  #ask(delay: number, buckets: number): void {
    const range = this.#range;
    if (range === null || !["live", "unknown"].includes(this.#link.connection)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#latest.send({ x0: range[0], x1: range[1], buckets, axis: "step" }).then(
        ({ packed }) => {
          if (packed === null || this.#range !== range) return;
          this.#curves = readCurves(packed);
          this.#changed();
        },
        // Withdrawn, or refused: the whole run's curves stay on show, zoomed.
        () => undefined,
      );
    }, delay);
  }
}
