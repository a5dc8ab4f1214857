/** All blocks without Python: index.html?theme=dark&language=zh&layer=maps&live=1 */

import "../../src/ui/theme.css";
import "../../src/ui/controls.css";
import { blockList } from "../../src/layer_inspector/blocks";
import { h } from "../../src/ui/dom";
import { wordsFor } from "../../src/ui/i18n";
import { followTheme } from "../../src/ui/theme";
import { LAYERS } from "./layers";

const query = new URLSearchParams(location.search);
document.body.classList.toggle("dark", query.get("theme") === "dark");
const words = wordsFor(query.get("language") === "zh" ? "zh" : "en");
const { signal } = new AbortController();
const only = query.get("layer");

for (const [name, make] of Object.entries(LAYERS)) {
  if (only !== null && only !== name) continue;
  let unit: number | number[] | null | undefined;
  const draw = () => {
    const layer = make();
    list.draw(unit === undefined ? layer : { ...layer, unit });
  };
  const list = blockList(words, signal, {
    pickUnit(picked) {
      unit = picked;
      draw();
    },
    act: async () => true,
    redraw: draw,
  });
  const root = h("div", { class: "nnw", id: name });
  root.append(list.element);
  document.querySelector("main")?.append(root);
  followTheme(root, signal, list.repaint);
  draw();
  if (query.get("live") === "1") setInterval(draw, 250);
}
