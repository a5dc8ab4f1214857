/** One view of a monitor: puts the parts together and sends what is clicked. */

import { reader } from "../read";
import { CancelledError, RequestError } from "../requests";
import type { View, ViewContext } from "../runtime";
import { conditionOf, connected } from "../session";
import { h, setHidden, setText } from "../ui/dom";
import { keep, recalled } from "../ui/kept";
import { connectionBanner, problemLine, queueNotice } from "../ui/notices";
import { fileOf, saveFile } from "../ui/save";
import { throttled } from "../ui/throttled";
import type { JsonObject } from "../wire";
import { type ExportFormat, fileHeld } from "./files";
import { findings } from "./findings";
import { foot } from "./foot";
import { header } from "./header";
import { layersTable } from "./layers_table";
import { chosen, optionsFrom, usableRange, type ViewOptions } from "./options";
import { panels } from "./panels";
import {
  type Curves,
  type Live,
  type Notes,
  readCurves,
  readLayers,
  readLive,
  readNotes,
} from "./state";
import { toolbar } from "./toolbar";
import { Zoom } from "./zoom";

/** Clicks of which a person wants to know that they wait; the others are made by the view. */
const CLICKS = ["pause", "resume", "step", "stop", "set_lr_scale", "export"];
const NO_MARKS: Notes["marks"] = [];

export function monitorView({ link, root, words, signal, redraw }: ViewContext): View {
  let options: ViewOptions = optionsFrom(recalled(link.plain("_id")));
  /** The cursor asked for, until the kernel reports one; `undefined` follows the kernel. */
  let wantedCursor: number | null | undefined;
  let problem: string | null = null;
  let shown: { live: Live | null; curves: Curves | null } = { live: null, curves: null };

  const liveOf = reader(readLive);
  const curvesOf = reader(readCurves);
  const layersOf = reader(readLayers);
  const notesOf = reader((packed) => readNotes(packed, words, spokenLanguage()));
  const spokenLanguage = () => (link.plain("language") === "zh" ? "zh" : "en");
  const title = () => String(link.plain("title") ?? "");

  // --- what is sent ------------------------------------------------------------------------

  const report = (error: unknown) => {
    if (error instanceof CancelledError || signal.aborted) return;
    const closed = link.connection === "closed";
    const sentence = error instanceof Error ? error.message : String(error);
    problem = error instanceof RequestError && closed ? words("ui.connection.closed") : sentence;
    redraw();
  };
  const act = async (action: string, args: JsonObject = {}): Promise<boolean> => {
    try {
      await link.request(action, args);
      problem = null;
      redraw();
      return true;
    } catch (error) {
      report(error);
      return false;
    }
  };
  const change = (changes: Partial<ViewOptions>) => {
    options = { ...options, ...changes };
    keep(link.plain("_id"), chosen(options));
    if (changes.range !== undefined) {
      options.range = usableRange(changes.range, shown.curves?.range ?? null);
      zoom.show(options.range, grid.width);
    }
    redraw();
  };
  const cursor = throttled(signal, (step: number | null) => {
    if (!connected(link.connection)) return;
    link.request("cursor", { step }).catch(report);
  });
  const setCursor = (step: number | null) => {
    wantedCursor = step;
    cursor(step);
    redraw();
  };
  const goTo = (step: number) => {
    const { range } = options;
    if (range !== null && (step < range[0] || step > range[1])) change({ range: null });
    setCursor(step);
  };
  const save = async (format: ExportFormat) => {
    try {
      if (connected(link.connection)) {
        const file = fileOf((await link.request("export", { format })).packed);
        saveFile(file.content, file.name);
      } else if (shown.curves !== null) {
        const file = await fileHeld(format, title(), shown.curves, grid.charts);
        saveFile(file.content, file.name);
      }
    } catch (error) {
      report(error);
    }
  };

  // --- the parts ---------------------------------------------------------------------------

  const top = header(words, signal);
  const bar = toolbar(link, words, options, signal, {
    act,
    change,
    save: (format) => void save(format),
  });
  const queued = queueNotice(words, signal, {
    label: (action) => (CLICKS.includes(action) ? words(`ui.action.${action}`) : null),
    other: words("ui.action.other"),
    withdraw: (id) => link.requests.cancel(id),
  });
  const grid = panels(words, signal, { change, setCursor });
  const zoom = new Zoom(link, signal, redraw);
  const time = foot(words, signal, { setCursor, resetZoom: () => change({ range: null }) });
  const notesPart = findings(words, signal, goTo);
  const layersPart = layersTable(words, signal);
  const connection = connectionBanner((lost) => words(`ui.connection.${lost}`));
  const problems = problemLine(words, signal, () => {
    problem = null;
    redraw();
  });
  const emptyText = h("p", { class: "nnw-empty-text" });
  const example = h("code", {}, "monitor.log(loss=loss)");
  const empty = h("div", { class: "nnw-empty" }, emptyText, example);
  top.element.append(queued.element);
  root.append(
    top.element,
    connection.element,
    bar.element,
    problems.element,
    empty,
    grid.element,
    time.element,
    notesPart.element,
    layersPart.element,
  );

  // --- drawing -----------------------------------------------------------------------------

  const drawEmpty = (live: Live | null, curves: Curves | null) => {
    const nothing = (curves?.panels.length ?? 0) === 0;
    setHidden(empty, !nothing);
    setHidden(grid.element, nothing);
    if (!nothing) return;
    const condition = conditionOf(live, link.connection);
    const known = ["waiting", "idle", "running"].includes(condition);
    setText(emptyText, words(known ? `ui.empty.${condition}` : "ui.empty.over"));
    setHidden(example, condition !== "idle" && condition !== "running");
  };
  const cursorOf = (live: Live | null): number | null => {
    if (wantedCursor === undefined) return live?.cursor ?? null;
    const reported = live !== shown.live && live?.cursor === wantedCursor;
    const cursorNow = wantedCursor;
    if (reported) wantedCursor = undefined;
    return cursorNow;
  };

  return {
    draw() {
      const live = liveOf(link.packed("_live"));
      const curves = curvesOf(link.packed("_curves"));
      const notes = notesOf(link.packed("_notes"));
      const step = cursorOf(live);
      top.draw(title(), live, link.connection);
      bar.draw(live);
      queued.draw(link.requests.pending, live);
      connection.draw(link.connection);
      problems.draw(problem, live?.error ?? null);
      drawEmpty(live, curves);
      if (curves !== null && curves !== shown.curves && curves.range !== null) {
        zoom.grown(curves.range[1], grid.width);
      }
      const whole = curves?.range ?? null;
      const drawn = (options.range === null ? null : zoom.curves) ?? curves;
      if (drawn !== null && drawn.panels.length > 0) {
        grid.draw({
          panels: drawn.panels,
          epochs: drawn.epochs,
          whole,
          live,
          marks: notes?.marks ?? NO_MARKS,
          cursor: step,
          options,
        });
      }
      time.draw(
        drawn !== null && drawn.panels.length > 0 ? whole : null,
        step,
        options.range !== null,
      );
      notesPart.draw(notes);
      layersPart.draw(layersOf(link.packed("_layers")));
      shown = { live, curves };
    },
    repaint() {
      grid.repaint();
      layersPart.repaint();
    },
  };
}
