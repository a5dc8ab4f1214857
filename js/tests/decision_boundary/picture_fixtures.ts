/** A small plane of known answers, and the picture of it in a page that draws nothing. */

import { expect, vi } from "vitest";
import { fieldView } from "../../src/decision_boundary/picture/field";
import type { PictureContext, PictureInput, Tool } from "../../src/decision_boundary/picture/types";
import type { Points, Surface } from "../../src/decision_boundary/state";
import { wordsFor } from "../../src/ui/i18n";

export const WIDTH = 480;

/** Class 0 left of x = 0 and class 1 right of it, from -1 to 1, 0.75 probable everywhere. */
export function surfaceOf(changes: Partial<Surface> = {}): Surface {
  const [columns, rows] = [11, 11];
  const size = columns * rows;
  return {
    kind: "classes",
    state: "ready",
    problem: null,
    view: "probability",
    interest: null,
    interestName: null,
    step: 7,
    past: false,
    columns,
    rows,
    rectangle: [-1, 1, -1, 1],
    labels: ["length", "width"],
    quality: "",
    share: null,
    error: null,
    palette: "classes",
    low: 0.5,
    high: 1,
    unit: "probability",
    asked: 1,
    members: 0,
    notes: [],
    accuracy: { train: 0.5, test: null },
    counts: { train: 2, test: 1 },
    pointsVersion: 1,
    levels: [],
    label: Uint8Array.from({ length: size }, (_, index) => (index % columns < 5 ? 0 : 1)),
    value: new Uint8Array(size).fill(125),
    lines: Float32Array.of(0, -1, 0, 1),
    lineEnds: Int32Array.of(2),
    lineOf: Int32Array.of(0),
    wrong: Uint8Array.of(0, 1, 0),
    said: Uint8Array.of(0, 1, 1),
    ...changes,
  };
}

/** Two training points of class 0, the second wrongly classified, and a test point of class 1. */
export function pointsOf(changes: Partial<Points> = {}): Points {
  return {
    version: 1,
    kind: "classes",
    count: { train: 2, test: 1 },
    drawn: 3,
    canUndo: false,
    canRedo: false,
    low: 0,
    high: 0,
    xy: Float32Array.of(-0.5, 0.5, 0.25, 0.5, 0.5, -0.5),
    id: Float64Array.of(10, 11, 12),
    y: Uint8Array.of(0, 0, 1),
    test: Uint8Array.of(0, 0, 1),
    fade: new Uint8Array(3),
    ...changes,
  };
}

export function inputOf(changes: Partial<PictureInput> = {}): PictureInput {
  return {
    surface: surfaceOf(),
    points: pointsOf(),
    film: null,
    rules: null,
    chosen: null,
    tool: "ask" as Tool,
    brush: 1,
    hidden: new Set(),
    dots: true,
    reachable: true,
    editable: true,
    classes: ["cat", "dog"],
    ...changes,
  };
}

export function openPicture(input = inputOf()) {
  const controller = new AbortController();
  const context = {
    words: wordsFor("en"),
    signal: controller.signal,
    say: vi.fn<PictureContext["say"]>(),
    ask: vi.fn<PictureContext["ask"]>(),
    add: vi.fn<PictureContext["add"]>(),
    move: vi.fn<PictureContext["move"]>(),
    remove: vi.fn<PictureContext["remove"]>(),
    zoom: vi.fn<PictureContext["zoom"]>(),
  };
  const picture = fieldView(context);
  document.body.append(picture.element);
  picture.draw(input);
  const root = picture.element.querySelector<HTMLElement>("[role=application]") as HTMLElement;
  const readout = picture.element.querySelector(".nnw-readout") as HTMLElement;
  const press = (key: string, more: KeyboardEventInit = {}): boolean => {
    const event = new KeyboardEvent("keydown", {
      key,
      bubbles: true,
      cancelable: true,
      ...more,
    });
    root.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const point = (name: string, [x, y]: readonly [number, number], more: PointerEventInit = {}) =>
    root.dispatchEvent(
      new PointerEvent(name, {
        clientX: x,
        clientY: y,
        isPrimary: true,
        button: 0,
        pointerId: 1,
        bubbles: true,
        ...more,
      }),
    );
  return { ...context, controller, picture, root, readout, press, point };
}

/** Expects a place of the plane, to a hundredth. */
export const close = (place: unknown, x: number, y: number) => {
  const [across, down] = place as [number, number];
  expect(Math.abs(across - x)).toBeLessThan(0.01);
  expect(Math.abs(down - y)).toBeLessThan(0.01);
};
