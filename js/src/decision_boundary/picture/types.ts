/** What the picture is given to draw, and what it asks of the view it stands in. */

import type { StageContext } from "../../ui/stage";
import type { Film, Frame, Place, Points, Rectangle, Rules, Surface } from "../state";

/** What a click does: explain a place, put a point there, take one away, or look closer. */
export type Tool = "ask" | "add" | "delete" | "zoom";

/** A picture of an earlier step: a frame of the film, and what all its frames share. */
export type Past = Frame & Pick<Film, "low" | "high" | "palette" | "rectangle">;

export interface PictureInput {
  /** Null: there is none yet. */
  surface: Surface | null;
  points: Points | null;
  /** Drawn in place of the surface while the film's slider is moved. */
  film: Past | null;
  /** Their boxes are drawn; null for none. */
  rules: Rules | null;
  /** The place that is explained. */
  chosen: { at: Place; id: number | null } | null;
  tool: Tool;
  /** The class, or the value, that points are given which are put down now. */
  brush: number;
  /** Classes whose points are not shown. */
  hidden: ReadonlySet<number>;
  /** Points are shown at all. */
  dots: boolean;
  /** Somebody answers: points can be put, moved and deleted, and places explained. */
  reachable: boolean;
  /** Points may be changed. */
  editable: boolean;
  classes: readonly string[];
}

export interface PictureContext extends StageContext {
  ask(at: Place, id: number | null): void;
  /** A point of the class of the brush. */
  add(at: Place): void;
  /** `gesture` is the same for all that belongs to one drag: it is undone as one. */
  move(ids: number[], at: Place[], gesture: string): void;
  remove(ids: number[]): void;
  /** Null: as far as it was at first. */
  zoom(rectangle: Rectangle | null): void;
}

export interface Picture {
  element: HTMLElement;
  draw(input: PictureInput): void;
  /** Paints all anew, for another theme. */
  repaint(): void;
}

/** Left and top on the canvas, in CSS pixels. */
export type Pixel = readonly [x: number, y: number];

/** What hands and keys do in the picture. */
export interface Deeds {
  tool(): Tool;
  /** Somebody answers. */
  reachable(): boolean;
  /** And points may be changed. */
  editable(): boolean;
  /** The point at a place of the canvas; null for none. */
  hit(at: Pixel, reach: number): number | null;
  ask(at: Place, id: number | null): void;
  add(at: Place): void;
  remove(id: number): void;
  /** Takes a point up, at this place. */
  lift(id: number, at: Place): void;
  carry(to: Place): void;
  /** Leaves what is carried where it is. */
  drop(): void;
  /** Brings it back to where it was. */
  back(): void;
  /** The rectangle that is being drawn has changed; null: there is none. */
  band(corners: readonly [Place, Place] | null): void;
  zoom(rectangle: Rectangle | null): void;
}
