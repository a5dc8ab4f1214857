/**
 * The film under the slider: its frames are in the browser, so that the picture of an earlier step
 * is seen while the slider moves, before the kernel has said anything, and without a kernel too.
 */

import { REPORT_WITHIN } from "../asked";
import type { Past } from "./picture/types";
import { type Film, frameAt, type Surface } from "./state";

export class Browsing {
  /** The step that is looked at; null: none but the newest. */
  step: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The slider was let go of, and the picture of the step is on its way. */
  #settled = false;
  readonly #changed: () => void;

  constructor(signal: AbortSignal, changed: () => void) {
    this.#changed = changed;
    signal.addEventListener("abort", () => clearTimeout(this.#timer), { once: true });
  }

  /** Shows the frame of a step; null: of none. */
  browse = (step: number | null): void => {
    clearTimeout(this.#timer);
    this.step = step;
    this.#settled = false;
    this.#changed();
  };

  /** The slider was let go of: the frame stays until the picture itself is there. */
  settle(reachable: boolean): void {
    if (!reachable || this.step === null) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.browse(null), REPORT_WITHIN);
  }

  /** What is drawn in place of the surface; null: the surface. */
  frame(film: Film | null, surface: Surface | null): Past | null {
    if (this.step === null || film === null) return null;
    if (this.#settled && surface?.step === this.step) {
      clearTimeout(this.#timer);
      this.step = null;
      return null;
    }
    const frame = frameAt(film, this.step);
    if (frame === null) return null;
    const { low, high, palette, rectangle } = film;
    return { ...frame, low, high, palette, rectangle };
  }
}
