/**
 * Light or dark, and colours that can be read on what lies behind them.
 *
 * JupyterLab says which theme it shows. Other hosts do not, so the background that really lies
 * behind the widget is measured. Host variables are taken as they are unless text in them would
 * be too faint (WCAG AA, 4.5 : 1): then they are moved towards the text colour until it is not.
 */

export type Theme = "light" | "dark";
/** Red, green, blue from 0 to 255 and opacity from 0 to 1. */
export type Rgba = [number, number, number, number];

const READABLE = 4.6;

/** Reads what getComputedStyle gives for a colour; null for what it never gives. */
export function parseColor(text: string): Rgba | null {
  const css = text.trim();
  if (css === "transparent") return [0, 0, 0, 0];
  const hex = /^#([\da-f]{3,8})$/i.exec(css)?.[1];
  if (hex !== undefined && [3, 4, 6, 8].includes(hex.length)) {
    const size = hex.length <= 4 ? 1 : 2;
    const parts = (hex.match(size === 1 ? /./g : /../g) ?? []).map((part) =>
      Number.parseInt(size === 1 ? part + part : part, 16),
    );
    return [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0, (parts[3] ?? 255) / 255];
  }
  const call = /^(rgba?|color)\(([^)]+)\)$/i.exec(css);
  if (!call) return null;
  const words = (call[2] ?? "").split(/[\s,/]+/).filter((word) => word !== "");
  const scale = call[1] === "color" ? 255 : 1;
  if (scale === 255 && words.shift() !== "srgb") return null;
  const numbers = words.map((word) =>
    word.endsWith("%") ? Number.parseFloat(word) / 100 : Number.parseFloat(word),
  );
  const [red, green, blue, alpha = 1] = numbers;
  if (red === undefined || green === undefined || blue === undefined) return null;
  if (numbers.some(Number.isNaN)) return null;
  return [red * scale, green * scale, blue * scale, alpha];
}

/** WCAG relative luminance, 0 (black) to 1 (white). */
export function luminance([red, green, blue]: Rgba): number {
  const linear = (value: number) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** WCAG contrast ratio, 1 to 21. */
export function contrast(a: Rgba, b: Rgba): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function over(front: Rgba, back: Rgba): Rgba {
  const mix = (f: number, b: number) => f * front[3] + b * (1 - front[3]);
  return [mix(front[0], back[0]), mix(front[1], back[1]), mix(front[2], back[2]), 1];
}

/**
 * Moves `color` towards `text` until it can be read on every one of `backgrounds`.
 *
 * What is translucent counts as it looks on the first of them.
 */
export function readable(color: Rgba, text: Rgba, backgrounds: readonly Rgba[]): Rgba {
  const fits = (candidate: Rgba) =>
    backgrounds.every((back) => contrast(over(candidate, back), back) >= READABLE);
  const [first] = backgrounds;
  if (first === undefined || fits(color)) return color;
  const [from, to] = [over(color, first), over(text, first)];
  for (let share = 0.05; share < 1; share += 0.05) {
    const candidate = over([to[0], to[1], to[2], share], from);
    if (fits(candidate)) return candidate;
  }
  return to;
}

/** The colour that really lies behind an element. */
export function backgroundBehind(element: Element): Rgba {
  const layers: Rgba[] = [];
  let node: Node | null = element;
  while (node !== null) {
    if (node instanceof Element) {
      const color = parseColor(getComputedStyle(node).backgroundColor);
      if (color !== null && color[3] > 0) layers.push(color);
      if (color !== null && color[3] >= 1) break;
    }
    node = node instanceof ShadowRoot ? node.host : node.parentNode;
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme ?? "";
  const dark =
    scheme.includes("dark") &&
    (!scheme.includes("light") || matches("(prefers-color-scheme: dark)"));
  const canvas: Rgba = dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
  return layers.reverse().reduce((back, front) => over(front, back), canvas);
}

function matches(query: string): boolean {
  return typeof matchMedia === "function" && matchMedia(query).matches;
}

export function detectTheme(host: Element): Theme {
  const lab = document.body?.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "true" ? "light" : "dark";
  const code = document.body?.dataset.vscodeThemeKind;
  if (code !== undefined) return code.includes("light") ? "light" : "dark";
  return luminance(backgroundBehind(host)) < 0.4 ? "dark" : "light";
}

/** Host variables that are also used as small text, on the surface and on raised bars. */
const TEXT_TOKENS = ["--nnw-muted", "--nnw-accent"];

/** Calls `work` with a function that gives a CSS colour as it computes inside `root`. */
function resolving<T>(root: HTMLElement, work: (resolve: (value: string) => string) => T): T {
  const probe = document.createElement("span");
  root.append(probe);
  const result = work((value) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return result;
}

function repairContrast(root: HTMLElement): void {
  for (const token of TEXT_TOKENS) root.style.removeProperty(token);
  if (matches("(forced-colors: active)")) return;
  resolving(root, (resolve) => {
    const read = (token: string) => parseColor(resolve(`var(${token})`));
    const text = read("--nnw-text");
    const backs = ["--nnw-surface", "--nnw-raised", "--nnw-accent-soft"].map(read);
    for (const token of TEXT_TOKENS) {
      const color = read(token);
      if (color === null || text === null || backs.includes(null)) continue;
      const better = readable(color, text, backs as Rgba[]);
      if (better !== color) {
        const [red, green, blue] = better.map(Math.round);
        root.style.setProperty(token, `rgb(${red}, ${green}, ${blue})`);
      }
    }
  });
}

/** The variables that canvases are painted in, as far as a host has a say in them. */
const PAINTED = ["text", "muted", "grid", "surface", "accent", "error", "series-1"].map(
  (name) => `var(--nnw-${name})`,
);

/**
 * Sets `data-theme` on a widget's root and keeps it right while the host changes its theme.
 *
 * @param changed called after each change, so that canvases are painted again
 * @returns looks again at once: hosts may render into an element that is in no document yet
 */
export function followTheme(
  root: HTMLElement,
  signal: AbortSignal,
  changed: () => void,
): () => void {
  let shown = "";
  const update = () => {
    if (!root.isConnected) return;
    root.dataset.theme = detectTheme(root.parentElement ?? root);
    repairContrast(root);
    // Two themes of one background may differ in what only canvases show.
    const colours = resolving(root, (resolve) => PAINTED.map(resolve).join());
    // JupyterLab hides its page while it swaps style sheets: what is painted then must be painted
    // again, and no observer of sizes notices that the page was gone.
    const now = `${root.dataset.theme} ${colours} ${root.clientWidth > 0}`;
    if (now !== shown) {
      shown = now;
      changed();
    }
  };
  update();
  const options = {
    attributes: true,
    attributeFilter: ["class", "style", "data-jp-theme-light", "data-jp-theme-name", "data-theme"],
  };
  // JupyterLab swaps the style sheet after the attribute: look again when it has loaded.
  const observer = new MutationObserver(() => {
    update();
    const later = setTimeout(update, 300);
    signal.addEventListener("abort", () => clearTimeout(later), { once: true });
  });
  observer.observe(document.documentElement, options);
  if (document.body !== null) observer.observe(document.body, options);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
    if (typeof matchMedia === "function") {
      matchMedia(query).addEventListener("change", update, { signal });
    }
  }
  return update;
}
