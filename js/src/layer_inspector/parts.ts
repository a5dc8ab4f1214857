/** What a picture is one part of, where the kernel says that there are more: tensors, slices … */

import type { Json } from "../wire";
import type { BlockData } from "./blocks";

/** A choice among parts: the request that makes it, the names, and which one is shown. */
export interface Part {
  action: string;
  names: string[];
  shown: number;
}

const LONGEST = 4096;

/** Actions in the order in which their choices stand: which tensor, which of its parts. */
export const PART_ACTIONS = ["output", "part", "depth", "channel"] as const;

/** The choices that a layer's blocks offer; one of a single part is none. */
export function partsOf(blocks: readonly BlockData[]): Part[] {
  const found: Part[] = [];
  for (const { meta } of blocks) {
    add(found, "output", labels(meta.outputs), meta.output);
    add(found, "part", labels(meta.parts), meta.part);
    add(found, "depth", numbers(meta.depths), meta.depth);
    add(found, "channel", numbers(meta.inputs), meta.input);
  }
  return found;
}

function add(found: Part[], action: string, names: string[], shown: Json | undefined): void {
  if (names.length < 2 || found.some((part) => part.action === action)) return;
  found.push({ action, names, shown: typeof shown === "number" ? shown : 0 });
}

function labels(list: Json | undefined): string[] {
  if (!Array.isArray(list)) return [];
  return list.map((item, index) => {
    if (typeof item === "string") return item;
    const { label } = (item ?? {}) as { label?: Json };
    return typeof label === "string" ? label : String(index);
  });
}

function numbers(count: Json | undefined): string[] {
  const whole = typeof count === "number" ? Math.min(count, LONGEST) : 0;
  return Array.from({ length: whole }, (_, index) => String(index));
}
