import { describe, expect, it, vi } from "vitest";
import {
  type Cell,
  cellAt,
  type Extent,
  isInside,
  listenForCells,
  middleOf,
  moved,
} from "../../src/ui/pointer";
import { randomFrom } from "./chart_fixtures";

const cell = (column: number, row: number): Cell => ({ column, row });
const key = (name: string, more: Partial<KeyboardEvent> = {}) => ({
  key: name,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  ...more,
});

describe("cells and places", () => {
  it("find each other, whatever the area", () => {
    const random = randomFrom(11);
    for (let trial = 0; trial < 300; trial++) {
      const extent = {
        columns: 1 + Math.floor(random() * 300),
        rows: 1 + Math.floor(random() * 9),
      };
      const area = {
        left: random() * 50 - 25,
        top: random() * 50,
        width: 1 + random() * 700,
        height: 1 + random() * 300,
      };
      const at = cell(Math.floor(random() * extent.columns), Math.floor(random() * extent.rows));
      expect(cellAt(...middleOf(at, area, extent), area, extent)).toEqual(at);
    }
  });

  it("end where the area ends", () => {
    const area = { left: 10, top: 10, width: 40, height: 20 };
    const extent = { columns: 4, rows: 2 };
    expect(cellAt(10, 10, area, extent)).toEqual(cell(0, 0));
    expect(cellAt(49.9, 29.9, area, extent)).toEqual(cell(3, 1));
    for (const [x, y] of [
      [9.9, 15],
      [50, 15],
      [20, 9.9],
      [20, 30],
    ] as const) {
      expect(cellAt(x, y, area, extent)).toBeNull();
    }
    expect(cellAt(10, 10, area, { columns: 0, rows: 0 })).toBeNull();
  });
});

describe("keys", () => {
  const extent: Extent = { columns: 20, rows: 30 };

  it("go one cell, or ten", () => {
    const from = cell(12, 12);
    expect(moved(from, key("ArrowLeft"), extent)).toEqual(cell(11, 12));
    expect(moved(from, key("ArrowDown"), extent)).toEqual(cell(12, 13));
    expect(moved(from, key("ArrowUp", { shiftKey: true }), extent)).toEqual(cell(12, 2));
    expect(moved(from, key("PageDown"), extent)).toEqual(cell(12, 22));
  });

  it("go to the ends of the row, with Ctrl to the corners", () => {
    const from = cell(12, 12);
    expect(moved(from, key("Home"), extent)).toEqual(cell(0, 12));
    expect(moved(from, key("End"), extent)).toEqual(cell(19, 12));
    expect(moved(from, key("End", { ctrlKey: true }), extent)).toEqual(cell(19, 29));
  });

  it("begin at the first cell and mean nothing else", () => {
    expect(moved(null, key("ArrowRight"), extent)).toEqual(cell(0, 0));
    expect(moved(null, key("a"), extent)).toBeNull();
    expect(moved(cell(0, 0), key("Enter"), extent)).toBeNull();
    expect(moved(null, key("ArrowRight"), { columns: 0, rows: 0 })).toBeNull();
  });

  it("never lead out of the picture", () => {
    const random = randomFrom(3);
    const names = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "End"];
    const small = { columns: 5, rows: 3 };
    let at: Cell | null = null;
    for (let press = 0; press < 500; press++) {
      const name = names[Math.floor(random() * names.length)] as string;
      at = moved(at, key(name, { shiftKey: random() < 0.3 }), small);
      expect(at !== null && isInside(at, small)).toBe(true);
    }
  });
});

describe("a listening element", () => {
  function listening(extent: Extent = { columns: 3, rows: 3 }) {
    const root = document.createElement("div");
    root.tabIndex = 0;
    document.body.append(root);
    const controller = new AbortController();
    const point = vi.fn();
    const pick = vi.fn();
    const letGo = vi.fn();
    const size = { ...extent };
    const pointer = listenForCells(root, {
      locate: (x, y) => cellAt(x, y, { left: 0, top: 0, width: 30, height: 30 }, size),
      extent: () => size,
      point,
      pick,
      escape: letGo,
      signal: controller.signal,
    });
    const press = (name: string) => {
      const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true });
      root.dispatchEvent(event);
      return event.defaultPrevented;
    };
    const over = (x: number, y: number) =>
      root.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y }));
    return { root, point, pick, letGo, pointer, press, over, controller, size };
  }

  it("tells each change once", () => {
    const { point, over, root } = listening();
    over(5, 5);
    over(6, 6);
    over(15, 5);
    root.dispatchEvent(new PointerEvent("pointerleave"));
    expect(point.mock.calls).toEqual([
      [cell(0, 0), false],
      [cell(1, 0), false],
      [null, false],
    ]);
  });

  it("reads out where keys lead, and picks with Enter", () => {
    const { point, pick, letGo, press, pointer } = listening();
    expect(press("Enter")).toBe(false);
    expect(press("ArrowRight")).toBe(true);
    expect(press("ArrowRight")).toBe(true);
    expect(point).toHaveBeenLastCalledWith(cell(1, 0), true);
    expect(pointer.cell).toEqual(cell(1, 0));
    press("Enter");
    press(" ");
    expect(pick.mock.calls).toEqual([[cell(1, 0)], [cell(1, 0)]]);
    press("Escape");
    expect(letGo).toHaveBeenCalledOnce();
    expect(press("q")).toBe(false);
  });

  it("picks what is clicked, and nothing beside the picture", () => {
    const { root, pick } = listening();
    root.dispatchEvent(new MouseEvent("click", { clientX: 25, clientY: 15 }));
    root.dispatchEvent(new MouseEvent("click", { clientX: 40, clientY: 15 }));
    expect(pick.mock.calls).toEqual([[cell(2, 1)]]);
  });

  it("forgets a place that the picture no longer has", () => {
    const { pointer, press, size } = listening();
    press("ArrowLeft");
    press("End");
    expect(pointer.cell).toEqual(cell(2, 0));
    size.columns = 2;
    expect(pointer.cell).toBeNull();
  });

  it("goes quiet with its signal", () => {
    const { controller, point, over, press } = listening();
    controller.abort();
    over(5, 5);
    press("ArrowRight");
    expect(point).not.toHaveBeenCalled();
  });
});
