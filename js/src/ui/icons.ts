/** Small pictures beside words; never the only carrier of a meaning. */

const PATHS = {
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  play: "M4 2.5v11l9-5.5z",
  step: "M3 3v10l7-5zM11 3h2v10h-2z",
  stop: "M3.5 3.5h9v9h-9z",
  down: "M4 6l4 4.5L12 6z",
  right: "M6 4l4.5 4L6 12z",
  live: "M8 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8z",
  info: "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM7.2 7v4.5h1.6V7zM7.2 4.4V6h1.6V4.4z",
  warning: "M8 1.6l7 12.6H1zM7.2 6v4.2h1.6V6zM7.2 11.2v1.6h1.6v-1.6z",
  error:
    "M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM7.2 4v5h1.6V4zM7.2 10.3v1.6h1.6v-1.6z",
  plus: "M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",
  minus: "M3 7.2h10v1.6H3z",
  whole:
    "M2 2h4.5v1.5h-3v3H2zM9.5 2H14v4.5h-1.5v-3h-3zM2 9.5h1.5v3h3V14H2zM12.5 9.5H14V14H9.5v-1.5h3z",
  list: "M2 3h12v1.6H2zM4.5 7.2H14v1.6H4.5zM4.5 11.4H14V13H4.5z",
  reset: "M8 3a5 5 0 1 1-4.9 6h1.6A3.4 3.4 0 1 0 8 4.6V7L4.4 3.8 8 .8z",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "nnw-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg: SVGSVGElement, name: IconName): void {
  const path = svg.firstElementChild;
  if (path?.getAttribute("d") !== PATHS[name]) path?.setAttribute("d", PATHS[name]);
}
