/** A list of blocks on a page of a given width, and what was asked of it. */

import { vi } from "vitest";
import { blockList, type LayerPicture, type Unit } from "../../../src/layer_inspector/blocks";
import { wordsFor } from "../../../src/ui/i18n";
import type { JsonObject } from "../../../src/wire";
import { layOut, recordCanvases } from "../../ui/chart_fixtures";

export function opened(width = 520) {
  const calls = recordCanvases();
  layOut(width, 300);
  const root = document.createElement("div");
  root.className = "nnw";
  document.body.replaceChildren(root);
  const controller = new AbortController();
  const picked: (Unit | null)[] = [];
  const asked: [string, JsonObject][] = [];
  const list = blockList(wordsFor("en"), controller.signal, {
    pickUnit: (unit) => picked.push(unit),
    act: async (action, args = {}) => {
      asked.push([action, args]);
      return true;
    },
    redraw: vi.fn(),
  });
  root.append(list.element);
  const all = <E extends HTMLElement = HTMLElement>(query: string): E[] => [
    ...root.querySelectorAll<E>(query),
  ];
  const find = <E extends HTMLElement = HTMLElement>(query: string): E => {
    const [found] = all<E>(query);
    if (found === undefined) throw new Error(`nothing matches ${query}`);
    return found;
  };
  return {
    list,
    root,
    calls,
    picked,
    asked,
    controller,
    all,
    find,
    draw: (layer: LayerPicture | null) => list.draw(layer),
    spoken: () => find(".nnw-blocks-part > [aria-live]").textContent,
  };
}

export function press(element: HTMLElement, key: string, more: KeyboardEventInit = {}): void {
  element.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }),
  );
}

export function clickAt(element: HTMLElement, x: number, y: number): void {
  element.dispatchEvent(
    new MouseEvent("click", { clientX: x, clientY: y, detail: 1, bubbles: true }),
  );
}

/** What is said of an element instead of what it shows. */
export const spokenOf = (element: Element | null | undefined): string =>
  element?.querySelector(".nnw-spoken")?.textContent ?? "";
