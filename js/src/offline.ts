/**
 * The host of saved pages: runs a widget's bundle on the state it was saved with, without kernel.
 *
 * A page holds three kinds of script elements, and this file as a module script after them:
 *
 *     <script type="application/vnd.nnwidgets.bundle+json" data-name="training_monitor">
 *       "…the bundle's text as a JSON string…"
 *     </script>
 *     <script type="application/vnd.nnwidgets.state+json" data-bundle="training_monitor">
 *       {"state": {…traits…}, "buffers": [{"path": ["_curves", "data"], "data": "…base64…"}]}
 *     </script>
 *
 * Each state is shown where its element stands. In both, `<` is written as `\u003c`, so that no
 * text can end the element. `state` and `buffers` are laid out as ipywidgets saves them.
 */

import type { AnyModel } from "./link";
import type { AnyWidget } from "./runtime";
import { h } from "./ui/dom";
import { resolveLanguage, wordsFor } from "./ui/i18n";

const BUNDLE = "application/vnd.nnwidgets.bundle+json";
const STATE = "application/vnd.nnwidgets.state+json";

export interface SavedState {
  state: Record<string, unknown>;
  buffers?: readonly { path: readonly (string | number)[]; data: string }[];
}

/**
 * Pictures of a trait that a page holds besides the one it was saved with, in its trait `_held`:
 * a request that is named in `actions` sets a plain trait, and the values of `by`, one to a line,
 * say which picture the trait shows then. Where there is none, the traits that `resets` names for
 * the request become null, and the picture for that is shown.
 */
interface Held {
  trait: string;
  by: readonly string[];
  actions: Readonly<Record<string, readonly [trait: string, argument: string]>>;
  resets?: Readonly<Record<string, readonly string[]>>;
  pages: Readonly<Record<string, { meta: Record<string, unknown> }>>;
}

export interface WidgetModule {
  default: () => AnyWidget;
}

/** Puts the binary values back to where they were taken from. */
export function restore({ state, buffers = [] }: SavedState): Record<string, unknown> {
  const whole = structuredClone(state);
  for (const { path, data } of buffers) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    let place: unknown = whole;
    for (const key of path.slice(0, -1)) place = (place as Record<string, unknown>)?.[key];
    const last = path.at(-1);
    if (typeof place !== "object" || place === null || last === undefined) {
      throw new Error(`the saved state has no place ${JSON.stringify(path)}`);
    }
    (place as Record<string, unknown>)[last] = new DataView(bytes.buffer);
  }
  return whole;
}

/**
 * A model without a kernel: it holds what was saved, turns to another picture that it holds, and
 * answers all other requests with a sentence.
 */
export function savedModel(saved: SavedState): AnyModel {
  const state = restore(saved);
  const held = state._held as Held | undefined;
  const listeners = new Map<string, Set<(...args: never[]) => void>>();
  const tell = (name: string, ...args: unknown[]) => {
    for (const listener of listeners.get(name) ?? []) {
      (listener as (...args: unknown[]) => void)(...args);
    }
  };
  const set = (name: string, value: unknown) => {
    state[name] = value;
    tell(`change:${name}`);
  };
  let turned = 0;
  const pageOf = (changes: Readonly<Record<string, unknown>>) => {
    const wanted = { ...state, ...changes };
    return held?.pages[held.by.map((name) => String(wanted[name] ?? null)).join("\n")];
  };
  /** Shows what a request asks for, if the page holds it. */
  const turn = (action: string, args: Record<string, unknown>): boolean => {
    const change = held?.actions[action];
    if (held === undefined || change === undefined) return false;
    const [trait, argument] = change;
    const first = { [trait]: args[argument] };
    const left = (held.resets?.[action] ?? []).map((name) => [name, null]);
    const changes = [first, { ...Object.fromEntries(left), ...first }].find(
      (wanted) => pageOf(wanted) !== undefined,
    );
    const page = pageOf(changes ?? first);
    if (changes === undefined || page === undefined) return false;
    turned += 1;
    const shown = state[held.trait] as { meta?: { seq?: unknown } } | undefined;
    const seq = Number(shown?.meta?.seq ?? 0) + turned;
    for (const [name, value] of Object.entries(changes)) set(name, value);
    set(held.trait, { ...page, meta: { ...page.meta, seq } });
    return true;
  };
  return {
    get: (name) => (name === "_offline" ? true : state[name]),
    on(name, callback) {
      const known = listeners.get(name) ?? new Set();
      listeners.set(name, known.add(callback));
    },
    off(name, callback) {
      listeners.get(name)?.delete(callback);
    },
    send(content) {
      const { type, id, action, args } = content as Record<string, unknown>;
      if (type !== "request") return;
      queueMicrotask(() => {
        if (turn(String(action), (args ?? {}) as Record<string, unknown>)) {
          tell("msg:custom", { type: "reply", id, result: null, packed: null }, []);
        } else {
          const error = wordsFor(resolveLanguage(state.language))("ui.connection.offline");
          tell("msg:custom", { type: "error", id, error }, []);
        }
      });
    },
  };
}

/**
 * Shows a widget in `el`.
 *
 * @returns takes it away again
 */
export function mount(
  el: HTMLElement,
  { module, saved }: { module: WidgetModule; saved: SavedState },
): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  const model = savedModel(saved);
  const widget = module.default();
  widget.initialize({ model, signal });
  widget.render({ model, el, signal });
  return () => controller.abort();
}

/** Mounts every widget of the page. One that cannot be shown says why, and the others are. */
export async function mountPage(page: Document = document): Promise<void> {
  const sources = new Map<string, string>();
  for (const script of page.querySelectorAll<HTMLScriptElement>(`script[type="${BUNDLE}"]`)) {
    sources.set(script.dataset.name ?? "", script.text);
  }
  for (const script of page.querySelectorAll<HTMLScriptElement>(`script[type="${STATE}"]`)) {
    const el = h("div");
    script.after(el);
    try {
      const source = sources.get(script.dataset.bundle ?? "");
      if (source === undefined) throw new Error(`no bundle "${script.dataset.bundle}"`);
      const module = await load(JSON.parse(source));
      mount(el, { module, saved: JSON.parse(script.text) });
    } catch (problem) {
      el.append(h("p", { role: "alert" }, String((problem as Error).message)));
    }
  }
}

async function load(source: string): Promise<WidgetModule> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

void mountPage();
