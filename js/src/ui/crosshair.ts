/** The step under the pointer, shared by the charts of one view. */
export class CrosshairGroup {
  #step: number | null = null;
  readonly #listeners = new Set<(step: number | null) => void>();

  get step(): number | null {
    return this.#step;
  }

  set(step: number | null): void {
    if (step === this.#step) return;
    this.#step = step;
    for (const listener of [...this.#listeners]) listener(step);
  }

  /** Calls `listener` on every change until the returned function is called. */
  subscribe(listener: (step: number | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
