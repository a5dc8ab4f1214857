/** TrainingMonitor in the browser: the module that anywidget loads. */

import "../ui/theme.css";
import "../ui/controls.css";
import "../ui/parts.css";
import "./style.css";
import "./notes.css";
import { defineWidget } from "../runtime";
import { monitorView } from "./view";

export default defineWidget({
  name: "training_monitor",
  packed: ["_live", "_curves", "_layers", "_notes"],
  plain: [],
  view: monitorView,
});
