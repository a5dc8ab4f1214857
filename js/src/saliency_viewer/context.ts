/** What the drawing of a map is given, and what it gives. */

import type { Scale } from "../ui/raster";
import type { StageContext } from "../ui/stage";
import type { Pane } from "./state";

export type Display = "beside" | "overlay" | "map";

export interface KindContext extends StageContext {
  /**
   * Asks for the numbers behind a place and opens them beside `anchor`: row and column of a
   * picture; a feature; a token; channel and position; time and feature.
   */
  inquire(place: readonly number[], anchor: HTMLElement): void;
  /** Closes what was opened. */
  dismiss(): void;
  /** The value that is looked at, for the scale; null for none. */
  point(value: number | null): void;
}

export interface Drawn {
  pane: Pane;
  /** All that are shown, this one among them: what is drawn must be comparable. */
  panes: readonly Pane[];
  scale: Scale;
  /** The name of the whole, for those who do not see it. */
  title: string;
  display: Display;
  /** Of the map over the picture, 0 to 1. */
  opacity: number;
}

export interface KindView {
  element: HTMLElement;
  draw(drawn: Drawn): void;
  /** Paints again what is on canvases: other colours, another size. */
  repaint(): void;
  /** Shows the place that is looked at in another picture of the same input. */
  follow?(cell: { column: number; row: number } | null): void;
}
