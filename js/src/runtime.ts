/**
 * Makes an anywidget out of a definition: the link belongs to the model, the drawing to the view.
 *
 * `export default defineWidget({...})` gives the factory that hosts call once per model. All state
 * lives in its closures, because marimo shares modules between widgets; every listener, timer and
 * observer ends with the signal of what it belongs to.
 */

import { type AnyModel, Link } from "./link";
import { h, uniqueId } from "./ui/dom";
import { resolveLanguage, type Words, wordsFor } from "./ui/i18n";
import { followTheme } from "./ui/theme";

export interface ViewContext {
  readonly link: Link;
  /** The widget's element; what is in it belongs to the view. */
  readonly root: HTMLElement;
  readonly words: Words;
  /** Aborts when the view goes, or is built anew in another language. */
  readonly signal: AbortSignal;
  /** Asks for `draw` in the next frame in which the view can be seen. */
  redraw(): void;
}

export interface View {
  /** Brings the picture up to date; called at most once a frame, and only while visible. */
  draw(): void;
  /** The colours have changed: what is painted must be painted again. */
  repaint?(): void;
}

export interface WidgetDefinition {
  /** Python module, folder, bundle and CSS root: `training_monitor`. */
  readonly name: string;
  readonly packed: readonly string[];
  readonly plain: readonly string[];
  view(context: ViewContext): View;
}

interface InitializeProps {
  model: AnyModel;
  signal?: AbortSignal;
}

interface RenderProps extends InitializeProps {
  el: HTMLElement;
}

export interface AnyWidget {
  initialize(props: InitializeProps): () => void;
  render(props: RenderProps): () => void;
}

/** Runs `draw` once a frame at most, and not at all while nobody looks. */
export class Frames {
  readonly #draw: () => void;
  readonly #signal: AbortSignal;
  #frame = 0;
  #dirty = false;
  #visible = true;

  constructor(draw: () => void, signal: AbortSignal) {
    this.#draw = draw;
    this.#signal = signal;
    signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame), { once: true });
  }

  set visible(visible: boolean) {
    this.#visible = visible;
    if (visible && this.#dirty) this.request();
  }

  request(): void {
    this.#dirty = true;
    if (this.#frame !== 0 || !this.#visible || this.#signal.aborted) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#dirty = false;
      this.#draw();
    });
  }
}

/** A controller that aborts with its parent, and a signal even where the host gives none. */
function child(parent: AbortSignal | undefined): AbortController {
  const controller = new AbortController();
  if (parent?.aborted) controller.abort();
  parent?.addEventListener("abort", () => controller.abort(), {
    once: true,
    signal: controller.signal,
  });
  return controller;
}

/**
 * Reports to `changed` whether the element is on the screen of a page that is shown.
 *
 * @param moved called whenever the element has come onto the page or left it
 */
function followVisibility(
  element: Element,
  signal: AbortSignal,
  changed: (visible: boolean) => void,
  moved: () => void,
): void {
  let inside = true;
  let shown: boolean | null = null;
  const update = () => {
    const now = inside && document.visibilityState !== "hidden" && !signal.aborted;
    if (now === shown) return;
    shown = now;
    changed(now);
  };
  update();
  if (typeof IntersectionObserver === "function") {
    const observer = new IntersectionObserver((entries) => {
      inside = entries.at(-1)?.isIntersecting ?? inside;
      moved();
      update();
    });
    observer.observe(element);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }
  document.addEventListener("visibilitychange", update, { signal });
  window.addEventListener("pagehide", () => changed(false), { signal });
  window.addEventListener("pageshow", (event) => event.persisted && changed(shown ?? true), {
    signal,
  });
  signal.addEventListener("abort", update, { once: true });
}

/**
 * Keeps keys for the control that has the focus: JupyterLab would delete cells, move away, or take
 * the arrows from sliders. What is pressed with Ctrl or Cmd goes on to the notebook.
 */
function keepKeys(root: HTMLElement, signal: AbortSignal): void {
  // Lumino's shortcuts listen before us and look for this attribute.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.addEventListener(
    "keydown",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
    },
    { signal },
  );
}

export function defineWidget(definition: WidgetDefinition): () => AnyWidget {
  return () => {
    const links = new WeakMap<AnyModel, Link>();
    // anywidget hands each view its own wrapper around the model: then there is only one model.
    let newest: Link | null = null;

    const open = (model: AnyModel, signal: AbortSignal): Link => {
      newest = new Link(
        model,
        definition.packed,
        ["title", "language", ...definition.plain],
        signal,
      );
      links.set(model, newest);
      return newest;
    };

    return {
      initialize({ model, signal }) {
        const controller = child(signal);
        open(model, controller.signal);
        return () => controller.abort();
      },
      render({ model, el, signal }) {
        const controller = child(signal);
        const link = links.get(model) ?? newest ?? open(model, controller.signal);
        renderView(definition, link, el, controller.signal);
        return () => controller.abort();
      },
    };
  };
}

function renderView(
  definition: WidgetDefinition,
  link: Link,
  el: HTMLElement,
  signal: AbortSignal,
): void {
  const root = h("div", { class: `nnw nnw-${definition.name.replaceAll("_", "-")}` });
  const fault = h("p", { class: "nnw-fault", role: "alert", hidden: true });
  const body = h("div", { class: "nnw-body" });
  root.append(fault, body);
  el.append(root);

  let view: View | null = null;
  let words: Words | null = null;
  let built: AbortController | null = null;

  /** An error in drawing is shown where it happened; it must not reach the host. */
  const guarded = (work: () => void) => {
    try {
      work();
      show(link.fault);
    } catch (problem) {
      show(String((problem as Error)?.message ?? problem));
    }
  };
  const show = (problem: string | null) => {
    const text = problem === null ? "" : wordsNow()("ui.fault", { problem });
    if (fault.textContent !== text) fault.textContent = text;
    fault.hidden = text === "";
  };
  const wordsNow = () => words ?? wordsFor(resolveLanguage(link.plain("language")));

  const frames = new Frames(() => guarded(draw), signal);
  const draw = () => {
    const language = resolveLanguage(link.plain("language"));
    if (words === null || words.language !== language) build(language);
    view?.draw();
  };
  const build = (language: Words["language"]) => {
    built?.abort();
    built = child(signal);
    // Not known before the view stands: one that fails is tried again, and its fault stays.
    words = null;
    const spoken = wordsFor(language);
    root.lang = language === "zh" ? "zh-Hans" : "en";
    body.replaceChildren();
    view = null;
    view = definition.view({
      link,
      root: body,
      words: spoken,
      signal: built.signal,
      redraw: () => frames.request(),
    });
    words = spoken;
  };

  const id = uniqueId("view");
  const updateTheme = followTheme(root, signal, () => {
    guarded(() => view?.repaint?.());
    frames.request();
  });
  guarded(draw);
  // Hosts render into an element that is in no document yet: how it looks there is known later.
  followVisibility(
    root,
    signal,
    (visible) => {
      frames.visible = visible;
      link.reportView(id, visible, wordsNow().language);
    },
    updateTheme,
  );
  keepKeys(root, signal);
  link.subscribe(() => frames.request(), signal);
  signal.addEventListener("abort", () => root.remove(), { once: true });
}
