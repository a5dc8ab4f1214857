/** What the drawing of a block is given, and what it gives. */

import type { Words } from "../../ui/i18n";
import type { JsonObject } from "../../wire";
import type { BlockData, LayerPicture, Unit } from "./types";

export interface BlockHooks {
  /** The unit was chosen; null lets go of the chosen one. */
  pickUnit(unit: Unit | null): void;
  /** Asks the kernel; false if it did not do it. */
  act(action: string, args?: JsonObject): Promise<boolean>;
  redraw(): void;
}

export interface BlockContext {
  words: Words;
  signal: AbortSignal;
  hooks: BlockHooks;
  /** Choices that outlive a block: they hold for the next layer too. */
  memory: Map<string, string>;
  /** Reads a sentence to those who do not see the picture. */
  say(text: string): void;
}

export interface BlockView {
  element: HTMLElement;
  draw(block: BlockData, layer: LayerPicture): void;
  /** Paints again what is on canvases: other colours, another size. */
  repaint(): void;
}

export type BlockMaker = (context: BlockContext) => BlockView;
