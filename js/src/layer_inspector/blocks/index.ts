/** The blocks that make up the picture of a layer, each kept while its kind stays. */

import "./blocks.css";
import { h, setText } from "../../ui/dom";
import type { Words } from "../../ui/i18n";
import { arithmeticBlock } from "./arithmetic";
import { attentionBlock } from "./attention";
import { barsBlock } from "./bars";
import type { BlockContext, BlockHooks, BlockMaker, BlockView } from "./context";
import { histogramBlock } from "./histogram";
import { imageBlock } from "./image";
import { linesBlock } from "./lines";
import { mapBlock } from "./map";
import { mapsBlock } from "./maps";
import { matrixBlock } from "./matrix";
import { noteBlock } from "./note";
import { numbersBlock } from "./numbers";
import { outputsBlock } from "./outputs";
import { ridgeBlock } from "./ridge";
import { samplesBlock } from "./samples";
import { termsBlock } from "./terms";
import type { BlockData, LayerPicture } from "./types";

export type { BlockHooks } from "./context";
export { type BlockData, type LayerPicture, readLayer, type Unit } from "./types";

const MAKERS: Readonly<Record<string, BlockMaker>> = {
  arithmetic: arithmeticBlock,
  attention: attentionBlock,
  bars: barsBlock,
  histogram: histogramBlock,
  image: imageBlock,
  lines: linesBlock,
  map: mapBlock,
  maps: mapsBlock,
  matrix: matrixBlock,
  note: noteBlock,
  numbers: numbersBlock,
  outputs: outputsBlock,
  ridge: ridgeBlock,
  samples: samplesBlock,
  terms: termsBlock,
};

interface Entry {
  key: string;
  view: BlockView;
  /** Ends the listeners of a block that has gone. */
  gone: AbortController;
}

export interface BlockList {
  element: HTMLElement;
  draw(layer: LayerPicture | null): void;
  /** After a change of the theme. */
  repaint(): void;
}

export function blockList(words: Words, signal: AbortSignal, hooks: BlockHooks): BlockList {
  const list = h("div", { class: "nnw-blocks" });
  const spoken = h("div", { class: "nnw-spoken", "aria-live": "polite" });
  const element = h("div", { class: "nnw-blocks-part" }, list, spoken);
  const memory = new Map<string, string>();
  let entries: Entry[] = [];
  let place = "";

  const make = (key: string, kind: string): Entry => {
    const maker = MAKERS[kind] ?? noteBlock;
    const gone = new AbortController();
    signal.addEventListener("abort", () => gone.abort(), { signal: gone.signal });
    const context: BlockContext = {
      words,
      signal: gone.signal,
      hooks,
      memory,
      say: (text) => setText(spoken, text),
    };
    return { key, view: maker(context), gone };
  };
  const drop = (entry: Entry): void => {
    entry.gone.abort();
    entry.view.element.remove();
  };

  return {
    element,
    draw(layer) {
      // What is remembered of one layer (a place in it, a head) means nothing in another.
      const now = layer === null ? "" : `${layer.name}\n${layer.tab}`;
      if (now !== place) for (const entry of entries.splice(0)) drop(entry);
      place = now;
      const blocks = layer?.blocks ?? [];
      const keys = keysOf(blocks);
      const kept = new Map<string, Entry>();
      for (const entry of entries) {
        if (keys.includes(entry.key)) kept.set(entry.key, entry);
        else drop(entry);
      }
      entries = blocks.map(({ kind }, index) => {
        const key = keys[index] as string;
        return kept.get(key) ?? make(key, kind);
      });
      entries.forEach(({ view }, index) => {
        // An element that is moved loses focus and scroll: those in their place stay untouched.
        const before = list.children[index] ?? null;
        if (before !== view.element) list.insertBefore(view.element, before);
        if (layer !== null) view.draw(blocks[index] as BlockData, layer);
      });
    },
    repaint() {
      for (const { view } of entries) view.repaint();
    },
  };
}

/** A name for each block by which it is found again: its kind, and the how-manieth of it. */
function keysOf(blocks: readonly BlockData[]): string[] {
  const counts = new Map<string, number>();
  return blocks.map(({ kind }) => {
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    return `${kind} ${count}`;
  });
}
