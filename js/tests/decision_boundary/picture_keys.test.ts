import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Tool } from "../../src/decision_boundary/picture/types";
import { openPage } from "../page";
import { layOut } from "../ui/chart_fixtures";
import { close, inputOf, openPicture, WIDTH } from "./picture_fixtures";

beforeEach(() => {
  vi.useFakeTimers();
  openPage();
  layOut(WIDTH, 480);
  return () => vi.useRealTimers();
});

const withTool = (tool: Tool) => openPicture(inputOf({ tool }));

describe("keys", () => {
  it("move a cross and say what is there", () => {
    const { press, say, ask, root } = openPicture();
    expect(press("ArrowRight")).toBe(true);
    expect(say).toHaveBeenLastCalledWith("length 0.00 · width 0.00 · dog 75\u202f%");
    press("ArrowUp", { shiftKey: true });
    expect(say).toHaveBeenLastCalledWith("length 0.00 · width 0.20 · dog 75\u202f%");
    press("Enter");
    expect(ask.mock.calls[0]?.[1]).toBeNull();
    close(ask.mock.calls[0]?.[0], 0, 0.2);
    expect(press("q")).toBe(false);
    expect(press("Escape")).toBe(false);
    expect(press("n", { ctrlKey: true })).toBe(false);
    root.dispatchEvent(new FocusEvent("blur"));
    press("Enter");
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("go from point to point", () => {
    const { press, say } = openPicture(inputOf({ hidden: new Set([1]) }));
    const heard = () => say.mock.lastCall?.[0] ?? "";
    press("n");
    expect(heard()).toContain("train cat, model says cat");
    press("n");
    expect(heard()).toContain("model says dog (wrong)");
    // The third one is hidden: the first comes again.
    press("n");
    expect(heard()).toContain("length −0.50 · width 0.50");
    press("p");
    expect(heard()).toContain("length 0.25 · width 0.50");
  });

  it("carry a point, put it down, and give it back", () => {
    const { press, move, say } = openPicture();
    press("n");
    press("m");
    expect(say.mock.lastCall?.[0]).toContain("Picked up: train cat");
    press("ArrowRight", { shiftKey: true });
    close(move.mock.calls[0]?.[1][0], -0.3, 0.5);
    press("Enter");
    expect(say.mock.lastCall?.[0]).toBe("Put down at length −0.30 · width 0.50.");
    press("m");
    press("ArrowDown", { shiftKey: true });
    press("Escape");
    vi.advanceTimersByTime(100);
    close(move.mock.calls.at(-1)?.[1][0], -0.3, 0.5);
    expect(say.mock.lastCall?.[0]).toBe("Given back.");
  });

  it("add, delete and zoom with the tools", () => {
    const adding = withTool("add");
    adding.press("ArrowRight");
    adding.press("Enter");
    close(adding.add.mock.calls[0]?.[0], 0, 0);
    const asking = openPicture();
    asking.press("n");
    asking.press("Delete");
    asking.press("Delete");
    expect(asking.remove.mock.calls).toEqual([[[10]]]);
    const zooming = withTool("zoom");
    zooming.press("ArrowRight");
    zooming.press("Enter");
    expect(zooming.say.mock.lastCall?.[0]).toContain("One corner at length 0.00");
    zooming.press("PageDown");
    for (let step = 0; step < 5; step++) zooming.press("ArrowRight", { shiftKey: true });
    zooming.press("Enter");
    const [rectangle] = zooming.zoom.mock.calls[0] ?? [];
    [0, 1, -0.2, 0].forEach((side, index) => {
      expect(rectangle?.[index]).toBeCloseTo(side, 6);
    });
  });

  it("are quiet with the signal", () => {
    const { press, controller, say, point, readout } = openPicture();
    controller.abort();
    expect(press("ArrowRight")).toBe(false);
    point("pointermove", [200, 200]);
    expect(say).not.toHaveBeenCalled();
    expect(readout.textContent).toBe("");
  });
});
