/** One small picture for each step whose weights are kept. */

import type { JsonObject } from "../src/wire";
import { type Answers, encode, labelsOf, measure } from "./fake_boundary_answers";
import type { Looking, Trait } from "./fake_boundary_traits";
import type { World } from "./fake_boundary_world";

const SIDE = 32;

/** Remembers what was said at each step: kept weights say the same again. */
export class Film {
  readonly #said = new Map<number, Answers>();
  #of = "";

  trait(world: World, { view, interest }: Looking): Trait {
    const { steps, kind } = world;
    this.#forget(world);
    const answers = steps.map((step) => {
      const said = this.#said.get(step) ?? world.everywhere(SIDE, SIDE, step);
      this.#said.set(step, said);
      return said;
    });
    const scales = answers.map((one) => measure(one, view, interest));
    const low = Math.min(...scales.map((scale) => scale.low));
    const high = Math.max(...scales.map((scale) => scale.high));
    const shape = [steps.length, SIDE, SIDE];
    const arrays: Trait["arrays"] = { steps: Float64Array.from(steps) };
    if (kind === "classes") {
      const labels = answers.flatMap(({ mean, outputs }) => [...labelsOf(mean, outputs)]);
      arrays.label = [Uint8Array.from(labels), shape];
    }
    if (view !== "label") {
      const codes = scales.flatMap(({ values }) => [...encode(values, low, high)]);
      arrays.value = [Uint8Array.from(codes), shape];
    }
    const meta: JsonObject = {
      view,
      kind,
      shown: steps.length - 1,
      low,
      high,
      palette: view === "label" ? "labels" : (scales.at(-1)?.palette ?? "classes"),
      rectangle: [...world.rectangle],
    };
    return { meta, arrays };
  }

  /** Another plane, or other members: everything is asked anew. */
  #forget(world: World): void {
    const { projection, axes, held, uncertain, rectangle, points } = world;
    const seen = projection === "slice" ? [axes, held] : points.version;
    const of = JSON.stringify([projection, seen, uncertain, rectangle]);
    if (of !== this.#of) this.#said.clear();
    this.#of = of;
  }
}
