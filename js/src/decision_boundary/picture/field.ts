/** The picture of the plane: the surface, its lines, the points, and all that hands do with them. */

import { isDark } from "../../ui/colormap";
import { h, setAttribute, setText, uniqueId } from "../../ui/dom";
import { penCase } from "../../ui/pen";
import { onResize } from "../../ui/stage";
import type { Place, Points, Rectangle, Surface } from "../state";
import { carrier } from "./carrier";
import { Edits } from "./edits";
import { drawAxes, extentOf, type Frame, frameFor, held, isWithin, toPixels } from "./frame";
import { hands } from "./hands";
import { listenForKeys, NEAR } from "./keys";
import { drawLines } from "./lines_layer";
import { drawBand, drawChosen, drawCross, drawRules } from "./overlay";
import { rgbOf } from "./palette";
import { type Dots, hitAt, PointsLayer, placed, radiusFor } from "./points_layer";
import { answerText, cellOf, placeText, pointText, summaryOf } from "./readout";
import { scaleFoot } from "./scale_foot";
import { type Sheet, SurfaceLayer } from "./surface_layer";
import type { Deeds, Picture, PictureContext, PictureInput, Pixel } from "./types";
import { Verdicts } from "./verdicts";

export function fieldView(context: PictureContext): Picture {
  const { words, signal } = context;
  const back = h("canvas", { class: "nnw-plane-canvas", "aria-hidden": "true" });
  const front = h("canvas", { class: "nnw-plane-canvas nnw-plane-front", "aria-hidden": "true" });
  const probe = h("span", { hidden: true });
  const keys = uniqueId("nnw-keys");
  const help = h("span", { class: "nnw-spoken", id: keys }, words("ui.boundary.picture.keys"));
  const root = h(
    "div",
    { class: "nnw-plane", tabindex: 0, role: "application", "aria-describedby": keys },
    back,
    front,
    probe,
  );
  const readout = h("span", { class: "nnw-readout", "aria-hidden": "true" });
  const scale = scaleFoot(words);
  const foot = h("div", { class: "nnw-stage-foot" }, readout, scale.element);
  const element = h("div", { class: "nnw-plane-part" }, root, help, foot);

  const pens = penCase(probe);
  const layer = new SurfaceLayer();
  const dotsLayer = new PointsLayer();
  const verdicts = new Verdicts();
  const edits = new Edits();
  let input: PictureInput | null = null;
  let frame: Frame | null = null;
  let dots: Dots | null = null;
  let radius = 4;
  /** The point that is drawn bigger. */
  let under = -1;
  /** What is looked at, and whether the keys went there. */
  let look: { at: Place; keys: boolean } | null = null;
  /** Corners of the part that is about to be looked at closer. */
  let band: readonly [Place, Place] | null = null;
  /** From the pointer to the middle of the point that it carries. */
  let grip: Place = [0, 0];
  let later: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(later), { once: true });

  const carried = carrier(edits, signal, (id, at, gesture) => context.move([id], [at], gesture));
  const sheetOf = ({ film, surface }: PictureInput): Sheet | null => film ?? surface;
  /** Points can be seen before there is a surface, or where there will be none. */
  const rectangleOf = ({ film, surface, points }: PictureInput): Rectangle | null =>
    film?.rectangle ?? surface?.rectangle ?? (points === null ? null : extentOf(points.xy));
  const editable = (): boolean => input?.reachable === true && input.editable;

  // --- what stands where ------------------------------------------------------------------

  const placeAt = (points: Points, index: number): Place =>
    edits.placeOf(points.id[index] as number) ?? [
      points.xy[2 * index] as number,
      points.xy[2 * index + 1] as number,
    ];
  const indexOf = (id: number): number => input?.points?.id.indexOf(id) ?? -1;
  const hit = ([x, y]: Pixel, reach: number): number =>
    dots === null ? -1 : hitAt(dots.at, x, y, Math.max(reach, radius + 3));
  /** What the model says of a point; of one that is carried, by the surface where it is now. */
  const verdictOf = (points: Points, index: number) => {
    if (edits.placeOf(points.id[index] as number) === null) return verdicts.of(points, index);
    const surface = input?.surface;
    const label =
      surface?.label && frame
        ? surface.label[cellOf(surface, frame.rectangle, placeAt(points, index))]
        : undefined;
    if (label === undefined || label === 255) return { wrong: 2, said: null };
    const y = points.y[index];
    return { wrong: y === 255 ? 2 : Number(y !== label), said: label };
  };
  const prepareDots = (): void => {
    dots = null;
    const { points, surface, hidden, dots: shown, film } = input ?? {};
    if (!points || !frame || shown !== true) return;
    const values = points.kind === "values";
    const { id, y, test, fade } = points;
    const gone = (index: number): boolean =>
      edits.isGone(id[index] as number) || (!values && hidden?.has(y[index] as number) === true);
    const wrong = new Uint8Array(id.length);
    // The film shows other weights than those that these verdicts are about.
    if (!film) for (let at = 0; at < wrong.length; at++) wrong[at] = verdictOf(points, at).wrong;
    const own = surface?.view === "value" ? surface : points;
    const signed = surface?.view === "value" && surface.palette === "diverging";
    dots = {
      ...{ id, y, test, fade, wrong },
      at: placed(points, frame, gone, (one) => edits.placeOf(one)),
      scale: values ? { low: own.low, high: own.high, signed } : null,
    };
    radius = radiusFor(id.length, frame.box[2]);
  };

  /** The point that is carried, or else the one that is looked at; -1 for none. */
  const pointed = (): number => {
    if (edits.carried !== null) return indexOf(edits.carried);
    return look === null || frame === null ? -1 : hit(toPixels(frame, ...look.at), NEAR);
  };

  // --- painting -----------------------------------------------------------------------------

  const paintBack = (): void => {
    const width = root.clientWidth;
    if (input === null || !(width > 0)) return;
    const rectangle = rectangleOf(input);
    frame = rectangle === null ? null : frameFor(width, rectangle, true);
    if (frame === null) return;
    const pen = pens.open(back, width, frame.height);
    if (pen === null) return;
    const { surface, film, classes } = input;
    const sheet = sheetOf(input);
    if (sheet !== null && (sheet.label ?? sheet.value) !== null) {
      const ground = rgbOf(pen.color("surface"));
      layer.paint(sheet, classes.length, isDark(root), ground);
      layer.draw(pen.ctx, frame.box, sheet.palette !== "labels");
      if (film === null && surface !== null) drawLines(pen, frame, surface);
    }
    drawAxes(pen, frame, surface?.labels ?? ["", ""]);
  };
  const paintFront = (): void => {
    if (input === null || frame === null) return;
    const pen = pens.open(front, frame.width, frame.height);
    if (pen === null) return;
    const dark = isDark(root);
    const { rules, chosen, points } = input;
    if (rules !== null) drawRules(pen, frame, rules, dark, input.surface?.kind === "values");
    if (dots !== null) {
      under = pointed();
      dotsLayer.draw(pen, dots, radius, dark, under);
      if (edits.added.length > 0) dotsLayer.draw(pen, waitingDots(frame, dots), radius, dark, -1);
    }
    if (chosen !== null) {
      const index = chosen.id === null ? -1 : indexOf(chosen.id);
      const at = points && index >= 0 ? placeAt(points, index) : chosen.at;
      const [x, y] = toPixels(frame, ...at);
      if (isWithin(frame.box, x, y)) drawChosen(pen, frame, at);
    }
    const to = look === null ? null : toPixels(frame, ...look.at);
    if (band !== null) drawBand(pen, frame, band);
    if (look?.keys === true && to !== null) drawCross(pen, to);
  };
  /** Points that were put down and have not come back: faint. */
  const waitingDots = (frame: Frame, { scale: colors }: Dots): Dots => {
    const { added } = edits;
    const count = added.length;
    return {
      id: new Float64Array(count),
      y: added.map(({ y }) => y),
      test: new Uint8Array(count),
      fade: new Uint8Array(count).fill(140),
      wrong: new Uint8Array(count),
      at: Float32Array.from(added.flatMap(({ at }) => toPixels(frame, ...at))),
      scale: colors,
    };
  };

  /** The next point that is shown, or the previous one. */
  const next = (by: number): Place | null => {
    const points = input?.points;
    if (!points || dots === null || frame === null) return null;
    const count = points.id.length;
    let at = look === null ? -1 : hit(toPixels(frame, ...look.at), NEAR);
    if (at < 0 && by < 0) at = count;
    for (let tried = 0; tried < count; tried++) {
      at = (at + by + count) % count;
      if (!Number.isNaN(dots.at[2 * at])) return placeAt(points, at);
    }
    return null;
  };

  // --- words ------------------------------------------------------------------------------

  const pointAt = (index: number): string => {
    const { points, classes, film } = input ?? {};
    if (!points || !classes || index < 0 || index >= points.id.length) return "";
    const { said, wrong } = film ? { said: null, wrong: 2 } : verdictOf(points, index);
    return pointText(words, points, index, classes, said, wrong);
  };
  /** What is to be said of a place, and of a point that lies there. */
  const textAt = (at: Place): string[] => {
    if (input === null || frame === null) return [];
    const { surface, classes } = input;
    const sheet = sheetOf(input);
    const parts = [placeText(frame.rectangle, surface?.labels ?? ["x", "y"], at)];
    if (surface !== null && sheet !== null) {
      const index = cellOf(sheet, frame.rectangle, at);
      parts.push(answerText(words, surface, sheet, index, classes));
    }
    const there = parts.filter((part) => part !== "").join(" · ");
    return [there, pointAt(pointed())].filter((part) => part !== "");
  };
  const tell = (spoken: boolean): void => {
    const text = look === null ? [] : textAt(look.at);
    setText(readout, text.join("\n"));
    if (spoken && text.length > 0) context.say(text.join(" · "));
    const sheet = input === null ? null : sheetOf(input);
    const rectangle = frame?.rectangle;
    const index = look && sheet && rectangle ? cellOf(sheet, rectangle, look.at) : -1;
    scale.point(index);
  };
  const whereIs = (at: Place): string =>
    frame === null ? "" : placeText(frame.rectangle, input?.surface?.labels ?? ["x", "y"], at);

  // --- doing ------------------------------------------------------------------------------

  const changed = (): void => {
    prepareDots();
    paintFront();
    tell(false);
    clearTimeout(later);
    // What the kernel never takes up is to be seen as it is.
    if (edits.waiting && edits.carried === null) later = setTimeout(settle, 1600);
  };
  const settle = (): void => {
    if (input?.points && frame) edits.settle(input.points, frame.rectangle);
    changed();
  };
  const goTo = (at: Place | null, byKeys: boolean): void => {
    const cross = byKeys || look?.keys === true;
    look = at === null ? null : { at, keys: byKeys };
    // What a pointer carries is painted when it has been told where to.
    if (cross || (edits.carried === null && pointed() !== under)) paintFront();
    tell(byKeys);
  };
  const add = (at: Place): void => {
    edits.add(at, input?.brush ?? 0);
    context.add(at);
    changed();
    context.say(words("ui.boundary.picture.added", { place: whereIs(at) }));
  };
  const remove = (id: number): void => {
    if (edits.isGone(id)) return;
    edits.remove(id);
    context.remove([id]);
    changed();
    context.say(words("ui.boundary.picture.removed"));
  };
  const lift = (id: number, at: Place): void => {
    const index = indexOf(id);
    if (!input?.points || index < 0) return;
    const from = placeAt(input.points, index);
    grip = [from[0] - at[0], from[1] - at[1]];
    carried.lift(id, from);
  };
  const carry = (to: Place): void => {
    if (frame === null) return;
    carried.carry(held(frame.rectangle, [to[0] + grip[0], to[1] + grip[1]]));
    changed();
  };
  const idAt = (index: number): number | null => input?.points?.id[index] ?? null;
  const deeds: Deeds = {
    tool: () => input?.tool ?? "ask",
    reachable: () => input?.reachable === true,
    editable,
    hit: (at, reach) => idAt(hit(at, reach)),
    ask: context.ask,
    add,
    remove,
    lift,
    carry,
    drop() {
      carried.drop();
      changed();
    },
    back() {
      carried.back();
      changed();
    },
    band(corners) {
      band = corners;
      paintFront();
    },
    zoom: context.zoom,
  };
  const shared = { ...deeds, root, signal, frame: () => frame };
  const touch = hands({ ...shared, look: (at) => goTo(at, false) });
  const byKeys = listenForKeys({
    ...shared,
    looking: () => look?.at ?? null,
    look: goTo,
    carried: () => edits.carried,
    cancel: touch.cancel,
    next,
    placeOf: (id) => (input?.points ? placeAt(input.points, indexOf(id)) : null),
    said(key, what) {
      const place = what !== null && typeof what === "object" ? whereIs(what) : "";
      const point = typeof what === "number" ? pointAt(indexOf(what)) : "";
      context.say(words(`ui.boundary.picture.done.${key}`, { place, point }));
    },
  });

  const paint = (): void => {
    paintBack();
    changed();
  };
  onResize(root, signal, paint);

  return {
    element,
    draw(now) {
      const was = input;
      input = now;
      const { surface, points, film } = now;
      if (surface !== null && points !== null) verdicts.update(surface, points);
      const rectangle = rectangleOf(now);
      if (points !== null && rectangle !== null) edits.settle(points, rectangle);
      root.classList.toggle("nnw-plane-held", now.tool !== "ask" && now.reachable);
      setAttribute(root, "data-tool", now.tool);
      if (now.tool !== "zoom") byKeys.forget();
      const same =
        was !== null &&
        was.surface === surface &&
        was.film === film &&
        was.classes.length === now.classes.length;
      if (!same) {
        paintBack();
        scale.draw(surface as Surface, sheetOf(now), isDark(root));
      }
      if (!same || was?.points !== points) {
        const label =
          surface === null || rectangle === null
            ? words("ui.boundary.picture.empty")
            : summaryOf(words, surface, rectangle, points, now.classes);
        setAttribute(root, "aria-label", label);
      }
      changed();
    },
    repaint() {
      pens.forget();
      if (input !== null) {
        scale.draw(input.surface, sheetOf(input), isDark(root));
      }
      paint();
    },
  };
}
