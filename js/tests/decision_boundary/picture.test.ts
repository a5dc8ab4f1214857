import { beforeEach, describe, expect, it, vi } from "vitest";
import { frameFor, toPixels } from "../../src/decision_boundary/picture/frame";
import type { PictureInput, Tool } from "../../src/decision_boundary/picture/types";
import { openPage, type Page } from "../page";
import { layOut } from "../ui/chart_fixtures";
import { close, inputOf, openPicture, pointsOf, surfaceOf, WIDTH } from "./picture_fixtures";

let page: Page;
beforeEach(() => {
  vi.useFakeTimers();
  page = openPage();
  layOut(WIDTH, 480);
  return () => vi.useRealTimers();
});

const FRAME = frameFor(WIDTH, [-1, 1, -1, 1], true);
const at = (x: number, y: number) => toPixels(FRAME, x, y);
const named = (name: string) => page.calls.filter((call) => call.name === name);
const withTool = (tool: Tool, more: Partial<PictureInput> = {}) =>
  openPicture(inputOf({ tool, ...more }));
/** Stamps of points: copies of a square part of a sheet. */
const stamps = () => named("drawImage").filter(({ args }) => args.length === 9);

describe("the picture", () => {
  it("is described for those who do not see it", () => {
    const { root } = openPicture();
    expect(root.getAttribute("aria-label")).toBe(
      "The most probable class and how probable it is, over length from −1.00 to 1.00 and width " +
        "from −1.00 to 1.00. Shares of the picture: cat 45\u202f%, dog 55\u202f%. Training points: " +
        "2; test points: 1. Right on 50\u202f% of the training points.",
    );
    expect(root.getAttribute("tabindex")).toBe("0");
    const help = document.getElementById(root.getAttribute("aria-describedby") ?? "");
    expect(help?.textContent).toContain("Arrow keys");
  });

  it("says so when there is none, and shows points all the same", () => {
    const { root } = openPicture(inputOf({ surface: null }));
    expect(root.getAttribute("aria-label")).toBe("There is no picture yet.");
    expect(stamps()).toHaveLength(3);
    expect(named("putImageData")).toHaveLength(0);
  });

  it("draws boundaries, and over the film none: they are of other weights", () => {
    const { picture } = openPicture();
    const lines = () => named("lineTo").filter(({ args }) => args[0] === at(0, 1)[0]).length;
    expect(lines()).toBeGreaterThan(0);
    page.calls.length = 0;
    const { label, value, rows, columns } = surfaceOf();
    const film = { palette: "classes", low: 0.5, high: 1, rectangle: [-1, 1, -1, 1] } as const;
    picture.draw(inputOf({ film: { ...film, label, value, rows, columns } }));
    expect(named("putImageData")).toHaveLength(1);
    expect(lines()).toBe(0);
  });

  it("paints the surface again only when that has changed", () => {
    const { picture } = openPicture();
    const input = inputOf();
    picture.draw(input);
    page.calls.length = 0;
    picture.draw({ ...input, tool: "add", points: pointsOf() });
    expect(named("putImageData")).toHaveLength(0);
    expect(stamps()).toHaveLength(3);
    picture.draw({ ...input, surface: surfaceOf() });
    expect(named("putImageData")).toHaveLength(1);
    page.calls.length = 0;
    picture.repaint();
    expect(named("putImageData")).toHaveLength(1);
  });

  it("leaves out points of hidden classes, or all", () => {
    const { picture } = openPicture(inputOf({ hidden: new Set([0]) }));
    expect(stamps()).toHaveLength(1);
    page.calls.length = 0;
    picture.draw(inputOf({ dots: false }));
    expect(stamps()).toHaveLength(0);
  });

  it("rings what is wrong and gives test points a shape of their own", () => {
    openPicture();
    const side = stamps()[0]?.args[3] as number;
    // From the sheet of stamps: which look (column), which class (row).
    const looks = stamps().map(({ args }) => [
      (args[1] as number) / side,
      (args[2] as number) / side,
    ]);
    expect(looks).toEqual([
      [0, 0],
      [1, 1],
      [2, 0],
    ]);
  });

  it("draws values of a regression in the colours of their scale", () => {
    const points = pointsOf({ kind: "values", y: Float32Array.of(-1, 0, 3) });
    const surface = surfaceOf({
      kind: "values",
      view: "value",
      unit: "value",
      palette: "diverging",
      label: null,
      low: -3,
      high: 3,
      levels: [1.5],
      lines: Float32Array.of(0, -1, 0, 0, 0.1, 0, 0, 1),
      lineEnds: Int32Array.of(4),
      wrong: null,
      said: Float32Array.of(0, 0, 2.5),
    });
    const { root, readout, point } = openPicture(inputOf({ points, surface }));
    const side = stamps()[0]?.args[3] as number;
    const shades = stamps().map(({ args }) => (args[2] as number) / side);
    expect(shades).toEqual([17, 25, 50]);
    expect(named("fillText").map(({ args }) => args[0])).toContain("1.5");
    point("pointermove", at(0.5, -0.5));
    expect(readout.textContent).toBe(
      "length 0.50 · width −0.50 · 0.00\ntest 3.00, model says 2.50",
    );
    expect(root.getAttribute("aria-label")).toContain("The value that the model says");
  });

  it("outlines rules in the colour of what they say, where they can be drawn", () => {
    const rule = { text: "", coverage: null, fidelity: null };
    const rules = [
      { ...rule, answer: 1, box: [-9, 0, -1, 1] as const },
      { ...rule, answer: 0, box: null },
    ];
    const extra = { state: "ready", problem: null, step: 1, maxDepth: 3 } as const;
    const more = { fidelity: 1, score: "agreement", notes: [] } as const;
    openPicture(inputOf({ rules: { ...extra, ...more, rules, notes: [] } }));
    const boxes = page.calls.filter(
      ({ name, strokeStyle }) => name === "stroke" && strokeStyle === "#d9772b",
    );
    expect(boxes).toHaveLength(1);
  });
});

describe("under the pointer", () => {
  it("stands what the model says, and what is known of the point there", () => {
    const { readout, point } = openPicture();
    point("pointermove", at(0.8, 0.8));
    expect(readout.textContent).toBe("length 0.80 · width 0.80 · dog 75\u202f%");
    point("pointermove", at(0.25, 0.5));
    expect(readout.textContent).toBe(
      "length 0.25 · width 0.50 · dog 75\u202f%\ntrain cat, model says dog (wrong)",
    );
    point("pointerleave", at(2, 2));
    expect(readout.textContent).toBe("");
  });

  it("is told that there is no answer", () => {
    const value = new Uint8Array(121).fill(253);
    const { readout, point } = openPicture(inputOf({ surface: surfaceOf({ value }) }));
    point("pointermove", at(0.8, 0.8));
    expect(readout.textContent).toBe("length 0.80 · width 0.80 · no answer: not a finite number");
  });

  it("has its unit in other views", () => {
    const view = { view: "entropy", palette: "sequential", unit: "nats" } as const;
    const surface = surfaceOf({ ...view, low: 0, high: 0.7 });
    const { readout, point, picture } = openPicture(inputOf({ surface }));
    point("pointermove", at(-0.8, 0.8));
    expect(readout.textContent).toBe("length −0.80 · width 0.80 · 0.350 nats · cat");
    expect(picture.element.querySelector(".nnw-plane-scale")?.textContent).toContain(
      "entropy, in nats",
    );
  });
});

describe("clicks and drags", () => {
  it("ask about a place, or about the point that is hit", () => {
    const { ask, point } = openPicture();
    point("pointerdown", at(0.75, 0.75));
    point("pointerup", at(0.75, 0.75));
    close(ask.mock.calls[0]?.[0], 0.75, 0.75);
    expect(ask.mock.calls[0]?.[1]).toBeNull();
    point("pointerdown", at(0.5, -0.49));
    point("pointerup", at(0.5, -0.49));
    expect(ask.mock.calls[1]?.[1]).toBe(12);
  });

  it("move a point: shown at once, told 25 times a second, given back by Escape", () => {
    const { move, ask, point, picture, press, readout } = openPicture();
    const [x, y] = at(0.5, -0.5);
    point("pointerdown", [x, y]);
    point("pointermove", [x + 2, y]);
    expect(move).not.toHaveBeenCalled();
    for (let step = 1; step <= 10; step++) point("pointermove", at(0.5 - step / 10, -0.5));
    expect(move).toHaveBeenCalledTimes(1);
    // Class 1 is drawn left of the line now: the surface there says class 0.
    expect(readout.textContent).toBe(
      "length −0.50 · width −0.50 · cat 75\u202f%\ntest dog, model says cat (wrong)",
    );
    // The kernel is behind: what it sends does not move the point that is held.
    page.calls.length = 0;
    picture.draw(inputOf({ points: pointsOf({ version: 2 }) }));
    const held = stamps().at(-1)?.args ?? [];
    expect(held[5] as number).toBeCloseTo(at(-0.5, -0.5)[0] - (held[7] as number) / 2, 3);
    vi.advanceTimersByTime(40);
    expect(move).toHaveBeenCalledTimes(2);
    close(move.mock.calls[1]?.[1][0], -0.5, -0.5);
    expect(press("Escape")).toBe(true);
    vi.advanceTimersByTime(40);
    close(move.mock.calls.at(-1)?.[1][0], 0.5, -0.5);
    expect(new Set(move.mock.calls.map(([ids, , gesture]) => `${ids} ${gesture}`)).size).toBe(1);
    point("pointerup", at(-0.5, -0.5));
    expect(ask).not.toHaveBeenCalled();
  });

  it("leave a point where it is dropped, until the kernel has had its time", () => {
    const { move, point } = openPicture();
    point("pointerdown", at(0.5, -0.5));
    point("pointermove", at(0.5, 0));
    point("pointermove", at(0.75, 0));
    point("pointerup", at(0.75, 0));
    close(move.mock.calls.at(-1)?.[1][0], 0.75, 0);
    const middle = () => {
      const [, , , , , left, , width] = (stamps().at(-1)?.args ?? []) as number[];
      return (left ?? 0) + (width ?? 0) / 2;
    };
    // The ringed one is drawn last; the dragged one is wrong there or not, so look at both.
    expect([at(0.75, 0)[0], at(0.25, 0.5)[0]].some((x) => Math.abs(x - middle()) < 0.01)).toBe(
      true,
    );
    page.calls.length = 0;
    vi.advanceTimersByTime(1700);
    const lefts = stamps().map(({ args }) => (args[5] as number) + (args[7] as number) / 2);
    expect(lefts.some((x) => Math.abs(x - at(0.5, 0)[0]) < 0.01)).toBe(true);
    expect(lefts.some((x) => Math.abs(x - at(0.75, 0)[0]) < 0.01)).toBe(false);
  });

  it("keep a point in the picture, by its middle and not by where it was taken hold of", () => {
    const { move, point } = openPicture();
    const [x, y] = at(0.5, -0.5);
    point("pointerdown", [x - 3, y]);
    point("pointermove", [x - 3, y - 20]);
    close(move.mock.calls[0]?.[1][0], 0.5, -0.5 + (20 / FRAME.box[3]) * 2);
    vi.advanceTimersByTime(40);
    point("pointermove", [x + 900, y]);
    expect(move.mock.calls[1]?.[1][0]).toEqual([1, expect.closeTo(-0.5, 6)]);
  });

  it("put points down with the brush, apart from one another, and show them at once", () => {
    const { add, point } = withTool("add");
    point("pointerdown", at(-0.9, 0));
    page.calls.length = 0;
    const [from, y] = at(-0.9, 0);
    for (let step = 1; step <= 50; step++) point("pointermove", [from + step, y]);
    point("pointerup", [from + 50, y]);
    expect(add).toHaveBeenCalledTimes(4);
    close(add.mock.calls[0]?.[0], -0.9, 0);
    expect(stamps().some(({ args }) => (args[2] as number) > 0)).toBe(true);
  });

  it("take away what the eraser passes, each once", () => {
    const { remove, point } = withTool("delete");
    point("pointerdown", at(-0.5, 0.5));
    for (let step = 0; step <= 30; step++) point("pointermove", at(-0.5 + step / 40, 0.5));
    point("pointerup", at(0.25, 0.5));
    expect(remove.mock.calls).toEqual([[[10]], [[11]]]);
  });

  it("look closer at a rectangle, with Shift under every tool, and back again", () => {
    const { zoom, point, picture, root, press } = openPicture();
    point("pointerdown", at(-0.5, -0.5), { shiftKey: true });
    point("pointermove", at(0.5, 0.25));
    expect(named("fillRect")).not.toHaveLength(0);
    point("pointerup", at(0.5, 0.25));
    const [rectangle] = zoom.mock.calls[0] ?? [];
    [-0.5, 0.5, -0.5, 0.25].forEach((side, index) => {
      expect(rectangle?.[index]).toBeCloseTo(side, 6);
    });
    root.dispatchEvent(new MouseEvent("dblclick"));
    expect(zoom).toHaveBeenCalledTimes(1);
    picture.draw(inputOf({ tool: "zoom" }));
    root.dispatchEvent(new MouseEvent("dblclick"));
    expect(zoom).toHaveBeenLastCalledWith(null);
    point("pointerdown", at(-0.5, -0.5));
    point("pointermove", at(0.5, 0.25));
    press("Escape");
    point("pointerup", at(0.5, 0.25));
    expect(zoom).toHaveBeenCalledTimes(2);
    press("Escape");
    expect(zoom).toHaveBeenCalledTimes(3);
  });

  it("do nothing where nobody answers, or where points may not be changed", () => {
    for (const state of [{ reachable: false }, { editable: false }]) {
      for (const tool of ["ask", "add", "delete"] as const) {
        const { add, move, remove, ask, point } = withTool(tool, state);
        point("pointerdown", at(-0.5, 0.5));
        point("pointermove", at(0, 0));
        point("pointerup", at(0, 0));
        for (const call of [add, move, remove, ask]) expect(call).not.toHaveBeenCalled();
      }
    }
  });

  it("of a finger on a point do not scroll the page; beside points they do", () => {
    const { root } = openPicture();
    const touch = ([clientX, clientY]: [number, number]) => {
      const event = new Event("touchstart", { cancelable: true });
      Object.assign(event, { touches: [{ clientX, clientY }] });
      root.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(touch(at(-0.5, 0.5))).toBe(true);
    expect(touch(at(-0.5, -0.5))).toBe(false);
    const drawing = withTool("add").root;
    expect(drawing.classList.contains("nnw-plane-held")).toBe(true);
  });
});
