/** Passes on the newest value at most every 100 ms, and always the last. */
export function throttled<T>(signal: AbortSignal, send: (value: T) => void): (value: T) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: { value: T } | null = null;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  const flush = () => {
    timer = undefined;
    if (waiting === null) return;
    const { value } = waiting;
    waiting = null;
    timer = setTimeout(flush, 100);
    send(value);
  };
  return (value) => {
    waiting = { value };
    if (timer === undefined) flush();
  };
}
