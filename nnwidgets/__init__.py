"""Live notebook widgets that open a PyTorch model in the cell where it trains."""

from nnwidgets._version import __version__
from nnwidgets.decision_boundary import DecisionBoundaryPlot
from nnwidgets.layer_inspector import LayerInspector
from nnwidgets.saliency_viewer import SaliencyViewer
from nnwidgets.training_monitor import TrainingMonitor

__all__ = [
    "DecisionBoundaryPlot",
    "LayerInspector",
    "SaliencyViewer",
    "TrainingMonitor",
    "__version__",
]
