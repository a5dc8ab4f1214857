import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Carrier, carrier } from "../../src/decision_boundary/picture/carrier";
import { Edits } from "../../src/decision_boundary/picture/edits";
import { pointsOf } from "./picture_fixtures";

const PLANE = [-1, 1, -1, 1] as const;

describe("what hands have done", () => {
  let now = 0;
  let edits: Edits;
  beforeEach(() => {
    now = 0;
    edits = new Edits(() => now);
  });

  it("is shown until the kernel says the same", () => {
    edits.move(10, [0.125, 0.25]);
    edits.remove(11);
    edits.add([0.75, 0.75], 1);
    edits.settle(pointsOf(), PLANE);
    expect(edits.placeOf(10)).toEqual([0.125, 0.25]);
    expect(edits.isGone(11)).toBe(true);
    expect(edits.added).toHaveLength(1);
    const after = pointsOf({
      id: Float64Array.of(10, 12, 13),
      xy: Float32Array.of(0.1251, 0.25, 0.5, -0.5, 0.75, 0.75),
    });
    edits.settle(after, PLANE);
    expect(edits.placeOf(10)).toBeNull();
    expect(edits.isGone(11)).toBe(false);
    expect(edits.added).toHaveLength(0);
    expect(edits.waiting).toBe(false);
  });

  it("is forgotten when the kernel never takes it up", () => {
    edits.move(10, [0.125, 0.25]);
    edits.remove(11);
    edits.add([0.75, 0.75], 1);
    now = 1499;
    edits.settle(pointsOf(), PLANE);
    expect(edits.placeOf(10)).not.toBeNull();
    now = 1500;
    edits.settle(pointsOf(), PLANE);
    expect(edits.waiting).toBe(false);
  });

  it("holds a point that is carried, whatever arrives and however long it takes", () => {
    edits.carried = 10;
    edits.move(10, [0.125, 0.25]);
    now = 60_000;
    edits.settle(pointsOf({ xy: Float32Array.of(0.125, 0.25, 0, 0, 0, 0) }), PLANE);
    expect(edits.placeOf(10)).toEqual([0.125, 0.25]);
  });

  it("is nothing for a point that somebody else has deleted", () => {
    edits.move(99, [0, 0]);
    edits.settle(pointsOf(), PLANE);
    expect(edits.placeOf(99)).toBeNull();
  });
});

describe("a carried point", () => {
  const send = vi.fn();
  let edits: Edits;
  let one: Carrier;
  beforeEach(() => {
    vi.useFakeTimers();
    send.mockReset();
    edits = new Edits(() => 0);
    one = carrier(edits, new AbortController().signal, send);
    return () => vi.useRealTimers();
  });
  const places = () => send.mock.calls.map(([, at]) => at);

  it("is told of at once, then the newest place every 40 ms, and the last when it is dropped", () => {
    one.lift(10, [0, 0]);
    expect(send).not.toHaveBeenCalled();
    for (let step = 1; step <= 5; step++) one.carry([step, 0]);
    expect(places()).toEqual([[1, 0]]);
    vi.advanceTimersByTime(39);
    expect(places()).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(places()).toEqual([
      [1, 0],
      [5, 0],
    ]);
    vi.advanceTimersByTime(1000);
    expect(places()).toHaveLength(2);
    one.carry([6, 0]);
    one.carry([7, 0]);
    one.drop();
    expect(places().at(-1)).toEqual([7, 0]);
    expect(one.id).toBeNull();
    vi.advanceTimersByTime(1000);
    expect(places()).toHaveLength(4);
  });

  it("goes back to where it was, in the same gesture", () => {
    one.lift(10, [0.5, 0.5]);
    one.carry([1, 0]);
    one.carry([2, 0]);
    one.back();
    expect(places()).toEqual([
      [1, 0],
      [0.5, 0.5],
    ]);
    expect(edits.placeOf(10)).toEqual([0.5, 0.5]);
    one.lift(11, [0, 0]);
    one.carry([3, 3]);
    const gestures = send.mock.calls.map(([, , gesture]) => gesture);
    expect(gestures[0]).toBe(gestures[1]);
    expect(gestures[2]).not.toBe(gestures[0]);
    expect(send.mock.calls.map(([id]) => id)).toEqual([10, 10, 11]);
  });

  it("that never moved is not told of", () => {
    one.lift(10, [0.5, 0.5]);
    one.back();
    one.lift(10, [0.5, 0.5]);
    one.drop();
    one.carry([1, 1]);
    vi.advanceTimersByTime(100);
    expect(send).not.toHaveBeenCalled();
  });
});
