/** What the model says of each point, also while points have changed and it has not been asked. */

import type { NumberArray } from "../../wire";
import type { Points, Surface } from "../state";

export interface Verdict {
  /** 0 right, 1 wrong, 2 not known. */
  wrong: number;
  said: number | null;
}

const UNKNOWN: Verdict = { wrong: 2, said: null };

/** Remembers what was said last of the points that it was said of. */
export class Verdicts {
  #ids: Float64Array = new Float64Array(0);
  #wrong: Uint8Array | null = null;
  #said: NumberArray | null = null;
  #places: Map<number, number> | null = null;
  #version = -1;

  /** Takes in what a surface says, if it is about these points. */
  update(surface: Surface, points: Points): void {
    if (surface.pointsVersion !== points.version) return;
    const count = points.id.length;
    const fits = (array: ArrayLike<number> | null) => array === null || array.length === count;
    if (!fits(surface.wrong) || !fits(surface.said)) return;
    [this.#ids, this.#wrong, this.#said] = [points.id, surface.wrong, surface.said];
    [this.#places, this.#version] = [null, points.version];
  }

  of(points: Points, index: number): Verdict {
    const place = points.version === this.#version ? index : this.#find(points.id[index] as number);
    if (place === undefined) return UNKNOWN;
    return { wrong: this.#wrong?.[place] ?? 2, said: this.#said?.[place] ?? null };
  }

  #find(id: number): number | undefined {
    if (this.#places === null) {
      this.#places = new Map();
      for (const [index, one] of this.#ids.entries()) this.#places.set(one, index);
    }
    return this.#places.get(id);
  }
}
