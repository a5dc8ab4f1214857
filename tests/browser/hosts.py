"""The kernels and front ends on which clicks must act while a cell runs."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

__all__ = ["HOSTS", "Host"]

_KERNELS: Final = "@jupyterlab/apputils-extension:kernels-settings"
_NO_SUBSHELL: Final[dict[str, dict[str, Any]]] = {_KERNELS: {"commsOverSubshells": "disabled"}}


class Host(NamedTuple):
    """A kernelspec, settings of JupyterLab, and the route that a click takes there."""

    kernel: str
    settings: dict[str, dict[str, Any]]
    route: str


HOSTS: Final = {
    "ipykernel 7.4": Host("python3", {}, "route.subshell"),
    "ipykernel 7.4, no subshell id": Host("python3", _NO_SUBSHELL, "route.own_subshell"),
    "ipykernel 7.1": Host("nnwidgets-ipykernel71", {}, "route.subshell"),
    "ipykernel 7.1, no subshell id": Host(
        "nnwidgets-ipykernel71", _NO_SUBSHELL, "route.own_subshell"
    ),
    "ipykernel 6.31": Host("nnwidgets-ipykernel6", {}, "route.pump"),
}
