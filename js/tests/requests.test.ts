import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  CancelledError,
  LatestRequest,
  QUEUED_AFTER,
  RequestError,
  Requests,
} from "../src/requests";
import type { JsonObject } from "../src/wire";

function setUp() {
  const sent: JsonObject[] = [];
  const controller = new AbortController();
  const changed = vi.fn();
  const requests = new Requests({
    send: (content) => void sent.push(content),
    changed,
    signal: controller.signal,
  });
  const lastId = () => sent.at(-1)?.id as number;
  return { sent, controller, changed, requests, lastId };
}

describe("Requests", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives every request an id of its own, also across pages", async () => {
    const one = setUp();
    const other = setUp();
    for (const { requests } of [one, one, other]) requests.request("pause").catch(() => undefined);
    const ids = [...one.sent, ...other.sent].map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(ids.every(Number.isSafeInteger)).toBe(true);
  });

  it("resolves with the reply and forgets the request", async () => {
    const { requests, lastId, changed } = setUp();
    const answer = requests.request("pause");
    expect(requests.pending).toHaveLength(1);
    const reply = { type: "reply", id: lastId(), result: 7, packed: null };
    expect(requests.handle(reply)).toBe(true);
    await expect(answer).resolves.toEqual({ result: 7, packed: null });
    expect(requests.pending).toHaveLength(0);
    expect(changed).toHaveBeenCalledTimes(2);
    expect(requests.handle(reply)).toBe(false);
  });

  it("rejects with the kernel's sentence", async () => {
    const { requests, lastId } = setUp();
    const answer = requests.request("stop");
    requests.handle({ type: "error", id: lastId(), error: "nothing runs." });
    await expect(answer).rejects.toThrow(new RequestError("nothing runs."));
  });

  it("rejects when the reply cannot be read", async () => {
    const { requests, lastId } = setUp();
    const answer = requests.request("view");
    requests.handle({ type: "reply", id: lastId(), packed: { v: 99 } });
    await expect(answer).rejects.toThrow(/version/);
  });

  it("leaves the answers to other pages alone", () => {
    const { requests } = setUp();
    requests.request("pause").catch(() => undefined);
    expect(requests.handle({ type: "reply", id: 1, result: null })).toBe(false);
    expect(requests.pending).toHaveLength(1);
  });

  it("is shown as queued after a while without an answer, and never times out", async () => {
    const { requests, lastId } = setUp();
    const answer = requests.request("pause");
    vi.advanceTimersByTime(QUEUED_AFTER - 1);
    expect(requests.pending[0]).toMatchObject({ state: "sent", waits: null });
    vi.advanceTimersByTime(1);
    expect(requests.pending[0]).toMatchObject({ state: "queued", waits: null });
    requests.handle({ type: "accepted", id: lastId(), waits: "cell" });
    expect(requests.pending[0]).toMatchObject({ state: "queued", waits: "cell" });
    vi.advanceTimersByTime(3_600_000);
    requests.handle({ type: "reply", id: lastId(), result: null });
    await expect(answer).resolves.toBeDefined();
  });

  it("shows progress", () => {
    const { requests, lastId } = setUp();
    requests.request("export").catch(() => undefined);
    requests.handle({ type: "accepted", id: lastId(), waits: null });
    requests.handle({ type: "progress", id: lastId(), fraction: 0.5, note: "curves" });
    vi.advanceTimersByTime(QUEUED_AFTER);
    expect(requests.pending[0]).toMatchObject({
      state: "working",
      fraction: 0.5,
      note: "curves",
    });
  });

  it("can be withdrawn: the kernel is told, and a late answer is dropped", async () => {
    const { requests, sent, lastId } = setUp();
    const answer = requests.request("export");
    const id = lastId();
    requests.cancel(id);
    await expect(answer).rejects.toThrow(CancelledError);
    expect(sent.at(-1)).toEqual({ type: "cancel", id });
    expect(requests.handle({ type: "reply", id, result: null })).toBe(false);
  });

  it("rejects when the host cannot send", async () => {
    const requests = new Requests({
      send: () => {
        throw new Error("no comm");
      },
      changed: () => undefined,
      signal: new AbortController().signal,
    });
    await expect(requests.request("pause")).rejects.toThrow(RequestError);
    expect(requests.pending).toHaveLength(0);
  });

  it("ends with its model, and leaves no timer behind", async () => {
    const { requests, controller } = setUp();
    const answer = requests.request("pause");
    controller.abort();
    await expect(answer).rejects.toThrow(CancelledError);
    await expect(requests.request("pause")).rejects.toThrow(CancelledError);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("LatestRequest", () => {
  it("withdraws the request before it", async () => {
    const { requests, sent, lastId } = setUp();
    const latest = new LatestRequest(requests, "view");
    const first = latest.send({ x0: 0 });
    const firstId = lastId();
    const second = latest.send({ x0: 5 });
    await expect(first).rejects.toThrow(CancelledError);
    expect(sent).toContainEqual({ type: "cancel", id: firstId });
    requests.handle({ type: "reply", id: lastId(), result: "second" });
    await expect(second).resolves.toMatchObject({ result: "second" });
    // What has been answered is not withdrawn again.
    const count = sent.length;
    latest.cancel();
    expect(sent).toHaveLength(count);
  });
});
