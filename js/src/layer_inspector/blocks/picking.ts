/** What a click on a picture of a layer may pick. */

import type { BlockData, LayerPicture } from "./types";

/**
 * Activations are of units at places; weights and their gradients belong to a whole unit; in the
 * other pictures, and where the kernel says so (`meta.units`), numbers count something else
 * (inputs, entries), and a click picks nothing.
 */
export type Pick = "place" | "unit" | "none";

export function canPick({ meta }: BlockData, { tab }: LayerPicture): Pick {
  if (meta.units === false) return "none";
  if (tab === "activations") return "place";
  return tab === "weights" || tab === "gradients" ? "unit" : "none";
}

/** Whether this unit, or the unit that a place belongs to, is the chosen one. */
export function isChosen(unit: number, block: BlockData, layer: LayerPicture): boolean {
  return canPick(block, layer) !== "none" && unit === chosenUnit(block, layer);
}

/** The chosen unit without its place. */
export function chosenUnit({ meta }: BlockData, { unit }: LayerPicture): number | null {
  // The kernel knows which of a unit's numbers is the channel.
  if (typeof meta.unit === "number") return meta.unit;
  return (Array.isArray(unit) ? unit[0] : unit) ?? null;
}

/** What a click on a unit picks: the unit, or nothing where it is picked already. */
export function toggled(unit: number, { unit: chosen }: LayerPicture): number | null {
  return unit === chosen ? null : unit;
}
