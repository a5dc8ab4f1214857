/** Pointer and keyboard on a chart; knows pixels and keys, nothing of data. */
import { h, setHidden } from "./dom";

export interface InputActions {
  /** The pointer is over this pixel of the plot area (CSS), or has left. */
  point(pixel: number | null): void;
  /** A stretch of the plot area was dragged over. */
  drag(from: number, to: number): void;
  /** The place was chosen: a click, a tap. */
  choose(pixel: number): void;
  reset(): void;
  /** Moves the crosshair by so many points. */
  move(points: number): void;
  /** Moves the crosshair to the first or last point in view. */
  moveToEnd(last: boolean): void;
  zoom(factor: number): void;
  enter(): void;
  escape(): void;
}

/** Pixels a pointer may wander between press and release and still mean a click. */
const CLICK = 4;
/** A click waits this long (ms) for a second one: a double click resets and chooses nothing. */
const DOUBLE_CLICK = 250;

/** Listens on the plot area and on the focusable root until `signal` aborts. */
export function listen(
  over: HTMLElement,
  root: HTMLElement,
  signal: AbortSignal,
  actions: InputActions,
): void {
  listenToPointer(over, signal, actions);
  root.addEventListener("keydown", (event) => onKey(event, actions), { signal });
  root.addEventListener("blur", () => actions.point(null), { signal });
}

function listenToPointer(over: HTMLElement, signal: AbortSignal, actions: InputActions): void {
  const selection = h("div", { class: "nnw-chart-selection", hidden: true });
  over.append(selection);
  let pressed: { id: number; at: number } | null = null;
  let waiting: ReturnType<typeof setTimeout> | undefined;

  const pixel = (event: PointerEvent): number => {
    const rect = over.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - rect.left, 0), rect.width);
  };
  const select = (from: number, to: number): void => {
    setHidden(selection, Math.abs(to - from) < CLICK);
    selection.style.left = `${Math.min(from, to)}px`;
    selection.style.width = `${Math.abs(to - from)}px`;
  };
  const release = (): void => {
    pressed = null;
    setHidden(selection, true);
  };
  const on = <K extends keyof HTMLElementEventMap>(
    type: K,
    listener: (event: HTMLElementEventMap[K]) => void,
  ): void => over.addEventListener(type, listener, { signal });

  on("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    pressed = { id: event.pointerId, at: pixel(event) };
    over.setPointerCapture(event.pointerId);
    actions.point(pressed.at);
  });
  on("pointermove", (event) => {
    if (!event.isPrimary) return;
    const at = pixel(event);
    if (pressed !== null) select(pressed.at, at);
    actions.point(at);
  });
  on("pointerup", (event) => {
    if (pressed === null || event.pointerId !== pressed.id) return;
    const { at } = pressed;
    const to = pixel(event);
    release();
    if (Math.abs(to - at) >= CLICK) {
      actions.drag(Math.min(at, to), Math.max(at, to));
      return;
    }
    clearTimeout(waiting);
    waiting = setTimeout(() => actions.choose(to), DOUBLE_CLICK);
  });
  on("pointercancel", release);
  on("pointerleave", (event) => {
    // A finger leaves when it is lifted: what it pointed at stays on show.
    if (pressed === null && event.pointerType !== "touch") actions.point(null);
  });
  on("dblclick", () => {
    clearTimeout(waiting);
    actions.reset();
  });
  signal.addEventListener("abort", () => clearTimeout(waiting), { once: true });
}

function onKey(event: KeyboardEvent, actions: InputActions): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const stride = event.shiftKey ? 10 : 1;
  const known: Record<string, () => void> = {
    ArrowLeft: () => actions.move(-stride),
    ArrowRight: () => actions.move(stride),
    Home: () => actions.moveToEnd(false),
    End: () => actions.moveToEnd(true),
    "+": () => actions.zoom(0.5),
    "=": () => actions.zoom(0.5),
    "-": () => actions.zoom(2),
    Enter: () => actions.enter(),
    Escape: () => actions.escape(),
  };
  const action = known[event.key];
  if (action === undefined) return;
  event.preventDefault();
  // The notebook has meanings of its own for these keys.
  event.stopPropagation();
  action();
}
