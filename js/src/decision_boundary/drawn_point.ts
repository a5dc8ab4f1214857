/** What can be done with the drawn point that is explained: another class or value, or away. */

import { button } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import type { Words } from "../ui/i18n";
import { classChoice } from "./class_choice";
import type { Choices, Points } from "./state";
import { valueField } from "./value_field";

export interface DrawnPointActions {
  /** @returns whether the kernel gave the point that class or value */
  label(id: number, y: number): Promise<boolean>;
  remove(id: number): void;
}

/** The class of a drawn point; null if it has none, or is not drawn. */
export function classOf(points: Points | null, id: number): number | null {
  const y = points?.kind === "classes" ? points.y[points.id.indexOf(id)] : undefined;
  return y === undefined || y === NO_CLASS ? null : y;
}

/** The value of a drawn point; null if it has none, or is not drawn. */
function valueOfPoint(points: Points, id: number): number | null {
  return points.kind === "values" ? (points.y[points.id.indexOf(id)] ?? null) : null;
}

/** The code of a point without a class. */
const NO_CLASS = 255;

export function drawnPoint(words: Words, signal: AbortSignal, actions: DrawnPointActions) {
  let current: number | null = null;
  const label = words("ui.boundary.point.own");
  const choice = classChoice(label, signal, (k) => {
    if (current !== null) void actions.label(current, k);
  });
  const value = valueField(words, signal, async (y) =>
    current === null ? false : actions.label(current, y),
  );
  const name = h("span", { class: "nnw-muted", "aria-hidden": "true" }, label);
  const remove = button({
    label: words("ui.boundary.point.remove"),
    kind: "plain",
    signal,
    onClick() {
      if (current !== null) actions.remove(current);
    },
  });
  const element = h(
    "div",
    { class: "nnw-draw-row nnw-own-point" },
    name,
    choice.element,
    value.element,
    remove.element,
  );
  return {
    element,
    /** @param id of the drawn point that is explained; null: none is */
    draw(id: number | null, choices: Choices | null, points: Points | null, reachable: boolean) {
      current = id;
      const there = id !== null && points?.id.includes(id) === true;
      setHidden(element, !there || !reachable || choices?.editable !== true);
      if (!there) return;
      const classes = choices?.classes ?? [];
      const classy = choices?.kind === "classes" && choices.labelled && classes.length > 1;
      setHidden(name, !classy || classes.length > 6);
      setHidden(choice.element, !classy);
      choice.draw(classy ? classes : [], classOf(points, id), reachable);
      const valued = choices?.kind === "values" && choices.labelled;
      setHidden(value.element, !valued);
      if (valued) value.draw(id, valueOfPoint(points, id), reachable);
    },
  };
}
