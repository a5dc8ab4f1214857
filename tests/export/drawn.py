"""What a blocks figure shows, read back from its artists; and blocks to draw."""

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.image import AxesImage, PcolorImage

from nnwidgets.probe.blocks import Block, bars, decode, note, picture

NAN, INF = np.nan, np.inf


def words(figure):
    """Everything written, numbers beside axes left out."""
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def fields(figure, label):
    """Arrays of the images with this label."""
    found = figure.findobj(lambda artist: isinstance(artist, (AxesImage, PcolorImage)))
    return [np.asarray(artist.get_array()) for artist in found if artist.get_label() == label]


def image_of(figure, label):
    found = figure.findobj(lambda artist: isinstance(artist, (AxesImage, PcolorImage)))
    return next(artist for artist in found if artist.get_label() == label)


def filled(figure, label):
    """Rectangles drawn under this label."""
    (found,) = [a for a in labelled(figure, label) if isinstance(a, PatchCollection)]
    return found


def charts(figure, label):
    return [axes for axes in figure.axes if axes.get_label() == label and axes.axison]


def labelled(figure, label):
    return figure.findobj(lambda artist: artist.get_label() == label)


def ticks(figure, axis):
    """What stands beside an axis."""
    figure.canvas.draw()
    return [text.get_text() for text in axis.get_ticklabels() if text.get_visible()]


def boxes_of(collection):
    """Left, top, width and height of filled rectangles."""
    extents = [path.get_extents() for path in collection.get_paths()]
    return np.array([[e.x0, e.y0, e.width, e.height] for e in extents])


def reads_back(codes, block, values):
    """Whether codes mean these numbers, within half a level."""
    low, high = block.meta["low"], block.meta["high"]
    np.testing.assert_allclose(decode(codes, low, high), values, atol=(high - low) / 499 + 1e-30)


VALUES = np.array([[-1.0, 0.0, 0.25], [NAN, INF, -INF], [2.0, -2.0, 1.0]])


def some_maps(maps=3, **meta):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(maps, 5, 4))
    units = np.arange(maps, dtype=np.int32) * 10
    return values, picture(
        "maps",
        values,
        signed=True,
        meta={"count": maps, "sort": "index", "rgb": False, "caption": "activity", **meta},
        arrays={"units": units, "values": values.mean((1, 2)).astype(np.float32)},
    )


def terms(products, **meta):
    products = np.asarray(products, np.float32)
    count = len(products)
    return Block(
        "terms",
        {"total": count, "shown": count, "bias": None, "sum": 1.5, "rest": None, **meta},
        {
            "inputs": np.stack([np.arange(count), np.full(count, 4), np.full(count, 7)], 1),
            "activation": np.full(count, 0.5, np.float32),
            "weight": np.clip(products, -1e38, 1e38) * 2,
            "product": products,
        },
    )


def every_kind():
    rng = np.random.default_rng(0)
    _, small = some_maps(7)
    thumbs = rng.integers(0, 255, (4, 8, 8)).astype(np.uint8)
    counts = rng.integers(0, 9, (5, 16)).astype(np.float32)
    return [
        small,
        picture("map", VALUES, signed=True),
        bars([1.0, NAN]),
        picture("matrix", VALUES, signed=False),
        picture("attention", rng.random((2, 3, 3)), signed=False),
        Block("histogram", {}, {"counts": np.ones(4), "edges": np.arange(5.0)}),
        Block(
            "numbers", {"items": [["ui.inspector.mean", "number", None]]}, {"values": np.ones(1)}
        ),
        Block("ridge", {}, {"steps": np.arange(5.0), "counts": counts, "edges": np.arange(17.0)}),
        Block("lines", {"names": ["a"]}, {"steps": np.arange(3.0), "values": np.ones((1, 3))}),
        terms([1.0, -2.0]),
        Block("arithmetic", {"lines": [["1 + 1", "term"], ["= 2", "result"]]}),
        Block("samples", {"indices": [1, 2, 3, 4]}, {"thumbs": thumbs, "values": np.ones(4)}),
        Block("image", {}, {"pixels": thumbs[0]}),
        Block("outputs", {"labels": ["a"]}, {"before": np.ones(1), "after": np.ones(1)}),
        note("probe.display.no_scores"),
    ]
