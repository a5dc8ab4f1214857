/** Passes on the newest value at most every `pause` milliseconds, and always the last. */
export function throttled<T>(
  signal: AbortSignal,
  send: (value: T) => void,
  pause = 100,
): (value: T) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: { value: T } | null = null;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  const flush = () => {
    timer = undefined;
    if (waiting === null) return;
    const { value } = waiting;
    waiting = null;
    timer = setTimeout(flush, pause);
    send(value);
  };
  return (value) => {
    waiting = { value };
    if (timer === undefined) flush();
  };
}
