/** The methods: in which order they are offered, how they are called, what their numbers count. */

import type { Words } from "../ui/i18n";
import type { Choices, Unit } from "./state";

/** As many as the bar shows; the others are behind "More". */
export const SHOWN = 4;

/** What people ask for first, so that it stands in the bar where it applies. */
const FIRST: readonly string[] = [
  "grad_cam",
  "integrated_gradients",
  "attention_rollout",
  "occlusion",
  "lime",
  "saliency",
  "kernel_shap",
  "gradient_shap",
];

/**
 * The methods of the bar and those behind "More".
 *
 * The bar stands still while methods are chosen; only one that is not in it takes the last place.
 */
export function offered(
  { methods, default: first }: Choices,
  chosen: string,
): { bar: string[]; more: string[] } {
  const wanted = [...FIRST, ...methods].filter((name) => methods.includes(name));
  const order = [...new Set(wanted)];
  const bar = order.slice(0, SHOWN);
  if (methods.includes(first) && !bar.includes(first)) bar.splice(-1, 1, first);
  if (methods.includes(chosen) && !bar.includes(chosen)) bar.splice(-1, 1, chosen);
  return { bar, more: methods.filter((name) => !bar.includes(name)) };
}

export function methodName(name: string, words: Words): string {
  const key = `ui.saliency.method.${name}`;
  return words.has(key) ? words(key) : name;
}

/** In a word or two what a method does; nothing for one that is not known here. */
export function methodHint(name: string, words: Words): string {
  const key = `ui.saliency.method.${name}.hint`;
  return words.has(key) ? words(key) : "";
}

const SLOPES: readonly string[] = ["saliency", "smooth_grad", "guided_backprop"];
const BARE: readonly string[] = [
  "grad_cam",
  "grad_cam_plus_plus",
  "layer_cam",
  "guided_grad_cam",
  "attention_rollout",
];

/** Whether a value says how much its place adds to the score, and not how steeply it would. */
export const isShare = (method: string): boolean => !SLOPES.includes(method);

/** What the numbers of a map count: "logit", "logit for each unit of the input", "no unit". */
export function unitText(method: string, unit: Unit, words: Words): string {
  if (BARE.includes(method)) return words("ui.saliency.unit.none");
  const score = words(`ui.saliency.unit.${unit}`);
  return SLOPES.includes(method) ? words("ui.saliency.unit.slope", { score }) : score;
}
