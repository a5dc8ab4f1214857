/**
 * A choice that has been asked for and not been reported back.
 *
 * The view shows it at once. It is forgotten when the kernel reports it, when the kernel said no,
 * and a moment after the answer in any case: the kernel may have made something else of it.
 */

/** How long a report may come after its answer, in milliseconds: traits follow another path. */
export const REPORT_WITHIN = 1500;

export class Asked<T> {
  #wanted: { value: T } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #same: (a: T, b: T) => boolean;
  readonly #changed: () => void;

  constructor(
    signal: AbortSignal,
    changed: () => void,
    same: (a: T, b: T) => boolean = (a, b) => a === b,
  ) {
    this.#same = same;
    this.#changed = changed;
    signal.addEventListener("abort", () => clearTimeout(this.#timer), { once: true });
  }

  /** Shows `value` from now on; `answer` tells whether the kernel took it. */
  ask(value: T, answer: Promise<boolean>): void {
    clearTimeout(this.#timer);
    const wanted = { value };
    this.#wanted = wanted;
    const forget = () => {
      if (this.#wanted !== wanted) return;
      this.#wanted = null;
      this.#changed();
    };
    void answer.then((taken) => {
      if (this.#wanted !== wanted) return;
      if (taken) this.#timer = setTimeout(forget, REPORT_WITHIN);
      else forget();
    });
    this.#changed();
  }

  /** What to show, given what the kernel reports. */
  shown(reported: T): T {
    if (this.#wanted === null) return reported;
    if (!this.#same(this.#wanted.value, reported)) return this.#wanted.value;
    clearTimeout(this.#timer);
    this.#wanted = null;
    return reported;
  }
}
