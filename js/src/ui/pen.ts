/** A canvas to draw on in the colours of the page, and small words on it. */

import { openCanvas } from "./raster";

export type Token =
  | "text"
  | "muted"
  | "line"
  | "control-line"
  | "accent"
  | "error"
  | "surface"
  | `series-${number}`;

export interface WriteOptions {
  align?: CanvasTextAlign;
  baseline?: CanvasTextBaseline;
  color?: Token;
  most?: number;
}

export interface Pen {
  ctx: CanvasRenderingContext2D;
  /** Device pixels in a CSS pixel. */
  ratio: number;
  width: number;
  height: number;
  /** A token of theme.css as a canvas understands it. */
  color(token: Token): string;
  /** Writes small text in a muted colour; gives its width. */
  write(text: string, x: number, y: number, how?: WriteOptions): number;
}

export interface PenCase {
  /** A pen for a canvas of this size, which is cleared; null while there is nothing to draw on. */
  open(canvas: HTMLCanvasElement, width: number, height: number): Pen | null;
  color(token: Token): string;
  /** Looks up the colours anew: the page may have another theme. */
  forget(): void;
}

/** @param probe an element of the widget whose own colour is set for a moment */
export function penCase(probe: HTMLElement): PenCase {
  const colors = new Map<Token, string>();
  const color = (token: Token): string => {
    let found = colors.get(token);
    if (found === undefined) {
      // var() and color-mix() are for elements only: let one work them out.
      probe.style.color = `var(--nnw-${token})`;
      found = getComputedStyle(probe).color || "#888";
      probe.style.removeProperty("color");
      colors.set(token, found);
    }
    return found;
  };
  return {
    color,
    forget: () => colors.clear(),
    open(canvas, width, height) {
      const opened = openCanvas(canvas, width, height);
      if (opened === null) return null;
      const { ctx, ratio } = opened;
      const { fontFamily } = getComputedStyle(canvas);
      ctx.font = `11px ${fontFamily || "system-ui, sans-serif"}`;
      return {
        ctx,
        ratio,
        width,
        height,
        color,
        write(
          text,
          x,
          y,
          { align = "left", baseline = "middle", color: token = "muted", most } = {},
        ) {
          ctx.textAlign = align;
          ctx.textBaseline = baseline;
          ctx.fillStyle = color(token);
          ctx.fillText(text, x, y, most);
          return ctx.measureText(text).width;
        },
      };
    },
  };
}
