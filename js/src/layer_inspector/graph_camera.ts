/** Which part of the graph is on the screen: pan and zoom as plain numbers. Pure. */

import type { Placed, Size } from "./graph_layout";

/** `screen = (graph - corner) × scale`, in CSS pixels. */
export interface Camera {
  x: number;
  y: number;
  scale: number;
}

export const MOST_ZOOM = 2.5;
export const LEAST_ZOOM = 0.02;
/** Room round the graph, in pixels of the screen. */
export const MARGIN = 16;
/** Below this scale words could not be read: as much as fits is shown at it first. */
export const READABLE = 0.85;

const limited = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/**
 * Keeps the graph on the screen: an axis on which it is smaller than the window is centred, on
 * the other the window stays within it.
 */
export function kept({ x, y, scale }: Camera, graph: Size, view: Size): Camera {
  const along = (corner: number, whole: number, part: number): number => {
    const room = part / scale;
    const edge = MARGIN / scale;
    if (whole + 2 * edge <= room) return (whole - room) / 2;
    return limited(corner, -edge, whole + edge - room);
  };
  return { x: along(x, graph.width, view.width), y: along(y, graph.height, view.height), scale };
}

/** The scale at which the whole graph is seen, never enlarged. */
export function wholeScale(graph: Size, view: Size): number {
  const across = (view.width - 2 * MARGIN) / Math.max(1, graph.width);
  const down = (view.height - 2 * MARGIN) / Math.max(1, graph.height);
  return limited(Math.min(across, down), LEAST_ZOOM, 1);
}

export function fit(graph: Size, view: Size): Camera {
  return kept({ x: 0, y: 0, scale: wholeScale(graph, view) }, graph, view);
}

/** How a graph is shown at first: all of it if it can be read then, else its beginning. */
export function first(graph: Size, view: Size): Camera {
  const scale = Math.max(READABLE, wholeScale(graph, view));
  const corner = { x: (graph.width - view.width / scale) / 2, y: -MARGIN / scale, scale };
  return kept(corner, graph, view);
}

/** Zooms by a factor while the point of the graph under (px, py) stays where it is. */
export function zoomed(
  camera: Camera,
  factor: number,
  [px, py]: readonly [number, number],
  graph: Size,
  view: Size,
): Camera {
  const scale = limited(camera.scale * factor, LEAST_ZOOM, MOST_ZOOM);
  const x = camera.x + px / camera.scale - px / scale;
  const y = camera.y + py / camera.scale - py / scale;
  return kept({ x, y, scale }, graph, view);
}

/** Moves by pixels of the screen. */
export function panned(camera: Camera, dx: number, dy: number, graph: Size, view: Size): Camera {
  const moved = { ...camera, x: camera.x + dx / camera.scale, y: camera.y + dy / camera.scale };
  return kept(moved, graph, view);
}

/** Moves as little as needed for a box to be on the screen, with some room round it. */
export function brought(camera: Camera, box: Placed, graph: Size, view: Size): Camera {
  const along = (corner: number, middle: number, size: number, part: number): number => {
    const room = part / camera.scale;
    const edge = Math.min(40 / camera.scale, Math.max(0, (room - size) / 2));
    const [low, high] = [middle - size / 2 - edge, middle + size / 2 + edge];
    if (low < corner) return low;
    return high > corner + room ? high - room : corner;
  };
  const x = along(camera.x, box.x, box.width, view.width);
  const y = along(camera.y, box.y, box.height, view.height);
  return kept({ ...camera, x, y }, graph, view);
}

/** The box under a point of the screen; -1 where there is none. */
export function boxAt(camera: Camera, boxes: readonly Placed[], px: number, py: number): number {
  const x = camera.x + px / camera.scale;
  const y = camera.y + py / camera.scale;
  return boxes.findIndex(
    (box) => Math.abs(x - box.x) <= box.width / 2 && Math.abs(y - box.y) <= box.height / 2,
  );
}
