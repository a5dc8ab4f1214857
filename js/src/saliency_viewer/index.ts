/** SaliencyViewer in the browser: the module that anywidget loads. */

import "../ui/theme.css";
import "../ui/controls.css";
import "../ui/parts.css";
import "../ui/looking.css";
import "./style.css";
import "./kinds.css";
import { defineWidget } from "../runtime";
import { saliencyView } from "./view";

export default defineWidget({
  name: "saliency_viewer",
  packed: ["_live", "_samples", "_choices", "_picture", "_film", "_trust", "_importance"],
  plain: ["index", "target", "method", "layer"],
  view: saliencyView,
});
