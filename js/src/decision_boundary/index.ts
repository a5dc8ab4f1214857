/** DecisionBoundaryPlot in the browser: the module that anywidget loads. */

import "../ui/theme.css";
import "../ui/controls.css";
import "../ui/parts.css";
import "../ui/looking.css";
import "./picture/picture.css";
import "./style.css";
import { defineWidget } from "../runtime";
import { boundaryView } from "./view";

export default defineWidget({
  name: "decision_boundary",
  packed: [
    "_live",
    "_choices",
    "_surface",
    "_points",
    "_film",
    "_units",
    "_point",
    "_rules",
    "_landscape",
  ],
  plain: ["view", "interest"],
  view: boundaryView,
});
