"""What an inspector knows, and what it finds out when it is asked."""

from __future__ import annotations

from torch import Tensor, nn

from nnwidgets._inspector_arguments import nearest
from nnwidgets._inspector_looking import Looking
from nnwidgets.catalogue import text
from nnwidgets.probe.look import Call, look
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.reach import why_not_seen
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.structure import Structure
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.units import main_tensor

__all__ = ["Answering"]


class Answering(Looking):
    """The part of an inspector that answers questions about structure and layers."""

    def _known_structure(self) -> Structure:
        """Return the structure as it is now; as it was last if the model is gone.

        Raises
        ------
        ValueError
            If the model is gone and was never looked at.
        """
        model = self._session.model
        if model is not None and (self._structure is None or self._traced != self._to_trace(model)):
            self._at_rest(lambda: self._trace_if_changed(model))
        if self._structure is None:
            raise ValueError(text("status.model_gone", "en"))
        return self._structure

    def _module(self, layer: object) -> nn.Module:
        """Return the user's module of that name.

        Raises
        ------
        ValueError
            If there is none, or the model is gone.
        """
        model = self._session.model
        if model is None:
            raise ValueError(text("status.model_gone", "en"))
        modules = dict(model.named_modules())
        if not isinstance(layer, str) or layer not in modules:
            raise ValueError(nearest(layer, [name for name in modules if name]))
        module: nn.Module = modules[layer]
        return module

    def _output(self, layer: str) -> Tensor:
        """Return what a layer gives for the probe batch."""
        with self._open_twin() as root:
            return main_tensor(self._call(root, layer).output)

    def _call(self, root: nn.Module, layer: str) -> Call:
        if self._probe is None:
            raise ValueError(text("probe.inspect.no_sample", "en"))
        seen = look(root, self._probe.sample, [layer], copy=True)
        if seen.calls[layer]:
            call = seen.calls[layer][-1]
            if any_without_data(tensors_in(call.output)):
                raise Refusal("explain.meta_model")
            return call
        raise why_not_seen(root, layer, seen)
