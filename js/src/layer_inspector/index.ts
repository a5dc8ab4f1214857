/** LayerInspector in the browser: the module that anywidget loads. */

import "../ui/theme.css";
import "../ui/controls.css";
import "../ui/parts.css";
import "../ui/looking.css";
import "./style.css";
import { defineWidget } from "../runtime";
import { inspectorView } from "./view";

export default defineWidget({
  name: "layer_inspector",
  packed: ["_live", "_tree", "_graph", "_rows", "_layer", "_samples"],
  plain: ["selected", "sample_index", "tab"],
  view: inspectorView,
});
