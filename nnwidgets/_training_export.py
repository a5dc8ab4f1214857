"""What a TrainingMonitor gives away: tables, figures, pages."""

from __future__ import annotations

from io import BufferedIOBase, RawIOBase, StringIO
from numbers import Real
from os import PathLike
from typing import IO, TYPE_CHECKING, Any, Final

from torch import serialization

from nnwidgets.catalogue import text
from nnwidgets.live.diary import Diary
from nnwidgets.live.history import History

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["TrainingExport", "TrainingHistory"]


_MEDIA: Final = {
    "csv": "text/csv",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
}


class TrainingHistory(History):
    """A history that can also be written out; what that needs is imported when asked for.

    It may be kept in a checkpoint, next to the weights: checkpoints name this class by its module.
    """

    def to_pandas(self) -> pd.DataFrame:
        """Return the whole history as a data frame, a row for each logged step.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from nnwidgets.export import tables

        return tables.to_pandas(self)

    def to_csv(self, path: str | PathLike[str] | IO[str]) -> None:
        """Write the whole history as CSV, a row for each logged step, every digit kept."""
        _check_target(path, "to_csv")
        from nnwidgets.export import tables

        tables.to_csv(self, path)

    def to_json(self, path: str | PathLike[str] | IO[str]) -> None:
        """Write the whole history as strict JSON; non-finite values are strings."""
        _check_target(path, "to_json")
        from nnwidgets.export import tables

        tables.to_json(self, path)


# Plain numbers that run nothing when they are read: torch.load takes them with weights_only=True,
# its default, as it takes weights. (torch 2.3 has no such list, and no such default.)
if hasattr(serialization, "add_safe_globals"):
    serialization.add_safe_globals([TrainingHistory])


class TrainingExport:
    """The verbs of a monitor that write something out."""

    history: TrainingHistory
    _diary: Diary
    title: str
    language: str

    def to_pandas(self) -> pd.DataFrame:
        """Return the whole history as a data frame (see `TrainingHistory.to_pandas`)."""
        return self.history.to_pandas()

    def to_csv(self, path: str | PathLike[str] | IO[str]) -> None:
        """Write the whole history as CSV (see `TrainingHistory.to_csv`)."""
        self.history.to_csv(path)

    def to_json(self, path: str | PathLike[str] | IO[str]) -> None:
        """Write the whole history as JSON (see `TrainingHistory.to_json`)."""
        self.history.to_json(path)

    def figure(self, *, smoothing: float = 0.0, log_y: bool = False, dark: bool = False) -> Figure:
        """Return the curves as a matplotlib figure.

        Parameters
        ----------
        smoothing
            Weight of the past in the exponential mean, from 0 (none) to below 1.
        log_y
            Logarithmic y axes.
        dark
            On a dark ground.
        """
        given: object = smoothing
        if isinstance(given, bool) or not isinstance(given, Real):
            raise TypeError(f"smoothing must be a number, not {type(given).__name__}.")
        from nnwidgets.export import figures
        from nnwidgets.probe.metrics import higher_is_better, panels, split_name

        return figures.curves_figure(
            self.history,
            panels=[
                figures.Panel(
                    group.title,
                    group.names,
                    roles=tuple(split_name(name)[1] for name in group.names),
                    higher=higher_is_better(split_name(group.names[0])[0]),
                    kind=group.kind,
                )
                for group in panels(self.history.names())
            ],
            events=[
                (event.step, text(event.key, self.language or "en", **event.params))
                for event in self._diary.events
            ],
            title=self.title,
            smoothing=smoothing,
            log_y=log_y,
            dark=dark,
            language=self.language or "en",
        )

    def save_html(self, path: str | PathLike[str]) -> None:
        """Write one offline page that shows and zooms what the widget holds."""
        from nnwidgets.export.html import save_page

        save_page(path, self, title=self.title)

    def _as_file(self, format: str, *, dark: bool = False) -> tuple[str, str, bytes]:
        """Return name, media type and bytes of the history in one of four formats."""
        if format not in _MEDIA:
            raise ValueError(f"format must be one of {', '.join(_MEDIA)}, not {format!r}.")
        name = "".join(c if c.isalnum() else "-" for c in self.title.strip()).strip("-").lower()
        if format in ("csv", "json"):
            written = StringIO()
            (self.to_csv if format == "csv" else self.to_json)(written)
            data = written.getvalue().encode()
        else:
            from nnwidgets.export import figures

            write = figures.to_png if format == "png" else figures.to_svg
            data = write(self.figure(dark=dark))
        return f"{name or 'training'}.{format}", _MEDIA[format], data


def _check_target(target: Any, verb: str) -> None:
    """Raise TypeError, before anything is opened, unless text can be written there."""
    binary = isinstance(target, (RawIOBase, BufferedIOBase))
    if binary or not (isinstance(target, (str, PathLike)) or hasattr(target, "write")):
        what = "a file of bytes" if binary else type(target).__name__
        raise TypeError(f"{verb}() needs a path or a file open for writing text, not {what}.")
