/** One view of a decision boundary: puts the parts together. */

import { reader } from "../read";
import type { View, ViewContext } from "../runtime";
import { connected } from "../session";
import { busyLine } from "../ui/busy";
import { isDark } from "../ui/colormap";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import { connectionBanner, problemLine, queueNotice } from "../ui/notices";
import type { JsonObject } from "../wire";
import { Asking } from "./asking";
import { bar } from "./bar";
import { Browsing } from "./browsing";
import { drawPart } from "./draw";
import { foot } from "./foot";
import { header } from "./header";
import { landscapePart } from "./landscape_part";
import { planePart } from "./plane";
import { pointPart } from "./point";
import { rulesPart } from "./rules";
import {
  type Points,
  readChoices,
  readFilm,
  readLandscape,
  readLive,
  readPoint,
  readPoints,
  readRules,
  readSurface,
  readUnits,
} from "./state";
import { unitsPart } from "./units_part";

/** What a person wants to know to be waiting, or under way. */
const CLICKS: readonly string[] = [
  "view",
  "interest",
  "axes",
  "held",
  "others",
  "projection",
  "uncertainty",
  "zoom",
  "cursor",
  "point",
  "rules",
  "units",
  "unit",
  "landscape",
  "add",
  "move",
  "label",
  "delete",
  "clear",
  "undo",
  "redo",
  "toy",
  "refresh",
  "export",
  "surface",
];

/** The class of a point without one. */
const NO_LABEL = 255;

export function boundaryView({ link, root, words, signal, redraw }: ViewContext): View {
  const liveOf = reader(readLive);
  const choicesOf = reader(readChoices);
  const surfaceOf = reader(readSurface);
  const pointsOf = reader(readPoints);
  const filmOf = reader(readFilm);
  const unitsOf = reader(readUnits);
  const pointOf = reader(readPoint);
  const rulesOf = reader(readRules);
  const landscapeOf = reader(readLandscape);

  const asking = new Asking(link, signal, redraw);
  const browsing = new Browsing(signal, redraw);
  const label = (action: string) =>
    CLICKS.includes(action) ? words(`ui.boundary.action.${action}`) : null;
  const cancel = (id: number) => link.requests.cancel(id);
  const stop = () => void asking.act("stop");
  const said = h("span", { class: "nnw-spoken", role: "status" });
  const say = (text: string) => setText(said, text);
  const reached = () => connected(link.connection);

  /** The points as they were when something was done to all of them, until others come. */
  let before: Points | null = null;
  let current: Points | null = null;
  const edit = async (action: string, args: JsonObject = {}) => {
    before = current;
    if (!(await asking.act(action, args))) before = null;
  };
  /** Whoever does not see the points is told how many there are now. */
  const tellPoints = (points: Points | null) => {
    if (before !== null && points !== null && points.version !== before.version) {
      before = null;
      const { train, test } = points.count;
      say(
        words("ui.boundary.points_now", { train: formatInteger(train), test: formatInteger(test) }),
      );
    }
    current = points;
  };

  // --- the parts ---------------------------------------------------------------------------

  const top = header(words, signal);
  const connection = connectionBanner((lost) => words(`ui.boundary.connection.${lost}`));
  const problems = problemLine(words, signal, () => {
    asking.problem = null;
    redraw();
  });
  const how = bar(words, signal, {
    view: asking.view,
    interest: asking.interest,
    axes: asking.axes,
    projection: asking.projection,
    uncertainty: asking.uncertainty,
    others: asking.others,
    hold: asking.hold,
    heldAt: asking.heldAt,
    whole: () => void asking.act("zoom", { rectangle: null }),
    save: (format) => void asking.save(format, { dark: isDark(root) }),
  });
  const tools = drawPart(words, signal, {
    changed: redraw,
    undo: () => void edit("undo"),
    redo: () => void edit("redo"),
    clear: () => void edit("clear"),
    toy: (toy) => void edit("toy", { ...toy }),
  });
  const plane = planePart(
    {
      words,
      signal,
      say,
      ask: asking.explain,
      add(at) {
        void asking.act("add", { at: [...at], y: tools.y, test: tools.test });
      },
      move(ids, at, gesture) {
        const places = at.map((place) => [...place]);
        void asking.act("move", { ids, at: places, gesture });
      },
      remove: (ids) => void asking.act("delete", { ids }),
      zoom: (rectangle) =>
        void asking.act("zoom", { rectangle: rectangle === null ? null : [...rectangle] }),
    },
    redraw,
  );
  const leave = () => {
    asking.unpoint();
    // The button goes, and the focus must not go with it.
    plane.focus();
  };
  const point = pointPart(
    { words, signal, say },
    {
      explain: asking.explain,
      unpoint: leave,
      label: (id, y) => asking.act("label", { ids: [id], y }),
      remove(id) {
        void asking.act("delete", { ids: [id] });
        leave();
        say(words("ui.boundary.picture.removed"));
      },
    },
  );
  const rules = rulesPart(words, signal, asking.rules);
  const landscape = landscapePart(
    { words, signal, say },
    { show: (on) => void asking.act("landscape", { on }), cancel, stop },
  );
  const queued = queueNotice(words, signal, {
    label,
    other: words("ui.boundary.action.other"),
    withdraw: cancel,
  });
  const busy = busyLine(words, signal, {
    label: (action) => label(action) ?? words("ui.boundary.action.other"),
    cancel,
    stop,
  });
  const notices = h("div", { class: "nnw-over" }, busy.element, queued.element);
  const hands = h("div", { class: "nnw-boundary-hands" }, plane.element, tools.element);
  const side = h(
    "div",
    { class: "nnw-boundary-side" },
    point.element,
    h("div", { class: "nnw-boundary-more" }, rules.element, landscape.element),
  );
  const main = h("div", { class: "nnw-boundary" }, hands, side, notices);
  const emptyText = h("p", { class: "nnw-empty-text" });
  const empty = h("div", { class: "nnw-empty", role: "status" }, emptyText);
  const units = unitsPart({ words, signal, say }, { layer: asking.units, unit: asking.unit });
  const bottom = foot(words, signal, units.element, {
    setCursor(step) {
      if (reached()) asking.setCursor(step);
      if (step === null) browsing.browse(null);
    },
    browse: browsing.browse,
    settle: () => browsing.settle(reached()),
    refresh: () => void asking.act("refresh"),
  });
  root.append(
    top.element,
    connection.element,
    problems.element,
    how.element,
    empty,
    main,
    bottom.element,
    said,
  );

  // --- drawing -----------------------------------------------------------------------------

  return {
    draw() {
      const live = liveOf(link.packed("_live"));
      const choices = choicesOf(link.packed("_choices"));
      const surface = surfaceOf(link.packed("_surface"));
      const points = pointsOf(link.packed("_points"));
      const film = filmOf(link.packed("_film"));
      const hidden = unitsOf(link.packed("_units"));
      const explained = pointOf(link.packed("_point"));
      const found = rulesOf(link.packed("_rules"));
      const around = landscapeOf(link.packed("_landscape"));
      const reachable = reached();
      const choice = asking.choice({
        live,
        choices,
        surface,
        point: explained,
        rules: found,
        units: hidden,
      });
      top.draw({
        title: String(link.plain("title") ?? ""),
        live,
        surface,
        connection: link.connection,
      });
      connection.draw(link.connection);
      problems.draw(asking.problem, live?.error ?? null);

      const { pending } = link.requests;
      const working = pending.filter(({ action, state }) => state === "working" && label(action));
      const underWay = reachable ? (live?.busy ?? null) : null;
      // The landscape says itself how far it is.
      const ofLandscape = working.find(({ action }) => action === "landscape") ?? null;
      const others = working.filter((one) => one !== ofLandscape);
      // What is there already is brought up to date in passing: nobody waits for that.
      const awaited = [
        { action: "point", state: explained?.state },
        { action: "rules", state: found?.state },
        { action: "surface", state: surface?.state },
      ].find(({ action }) => action === underWay?.action);
      const told = underWay?.action === "landscape" || (awaited && awaited.state !== "working");
      const elsewhere = told ? null : underWay;
      queued.draw(
        pending.filter(({ state }) => state !== "working"),
        live,
      );
      busy.draw(others[0] ?? null, elsewhere);

      setHidden(how.element, choices === null);
      how.draw({
        choices,
        choice,
        reachable,
        can: asking.can,
      });
      const nothing = surface === null && points === null;
      setHidden(main, nothing);
      setHidden(empty, !nothing);
      const state = choices !== null ? "loading" : reachable ? "waiting" : "over";
      setText(emptyText, words(`ui.boundary.empty.${state}`));
      setHidden(bottom.element, nothing);
      tellPoints(points);
      if (nothing) return;
      // In a saved page there is nobody to draw for, or to compute anything.
      const saved = link.connection === "offline";
      setHidden(tools.element, saved);
      setHidden(rules.element, saved && choice.rules === null);
      setHidden(landscape.element, saved && around?.loss == null);
      // What is said of a place has the whole panel then.
      const alone = saved && choice.rules === null && around?.loss == null;
      setAttribute(side, "data-alone", alone);
      tools.draw({ choices, points, reachable });
      plane.draw({
        surface,
        points,
        choices,
        rules: choice.rules === null ? null : found,
        past: browsing.frame(film, surface),
        chosen: choice.chosen,
        tool: tools.tool,
        brush: tools.y ?? NO_LABEL,
        loading: choice.loading,
        connection: link.connection,
      });
      point.draw({
        point: explained,
        points,
        choices,
        rectangle: surface?.rectangle ?? null,
        step: surface?.step ?? null,
        chosen: choice.chosen,
        reachable,
      });
      rules.draw({ rules: found, choices, depth: choice.rules, reachable });
      landscape.draw({
        landscape: around,
        own: ofLandscape,
        work: underWay?.action === "landscape" ? underWay : null,
        reachable,
      });
      units.draw({
        units: hidden,
        choices,
        layer: choice.layer,
        unit: choice.unit,
        reachable,
        awaited: pending.length > 0 || underWay !== null || live?.state === "running",
      });
      // A page can have been saved while an earlier step was looked at.
      const past = surface?.past === true ? surface.step : null;
      bottom.draw({
        film,
        kept: reachable ? (choices?.steps ?? []) : [],
        step: live?.step ?? 0,
        cursor: reachable ? choice.cursor : (browsing.step ?? past),
        reachable,
        browsable: reachable || (film?.frames.length ?? 0) > 0,
      });
      setAttribute(main, "data-chosen", choice.chosen !== null);
    },
    repaint() {
      plane.repaint();
      landscape.repaint();
      units.repaint();
      redraw();
    },
  };
}
