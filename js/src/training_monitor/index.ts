import uPlot from "uplot";

export default () => ({ render: () => void uPlot });
