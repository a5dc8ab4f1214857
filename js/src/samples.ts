/** The samples that a widget can look at, as the `_samples` trait tells of them. */

import { number, text } from "./read";
import type { Unpacked } from "./wire";

export interface Samples {
  kind: string;
  count: number;
  labels: string[];
  /** Pixels 0–255 of all thumbnails, or null. */
  thumbs: Uint8Array | null;
  width: number;
  height: number;
  /** 1 (grey) or 3 (RGB). */
  channels: number;
}

export function readSamples({ meta, arrays, shapes }: Unpacked): Samples {
  const [made = 0, height = 0, width = 0, channels = 1] = shapes.thumbs ?? [];
  const thumbs = arrays.thumbs;
  return {
    kind: text(meta.kind),
    count: number(meta.count) ?? made,
    labels: Array.isArray(meta.labels) ? meta.labels.map((label) => String(label ?? "")) : [],
    thumbs: thumbs instanceof Uint8Array && thumbs.length > 0 ? thumbs : null,
    width,
    height,
    channels,
  };
}
