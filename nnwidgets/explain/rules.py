"""Rules that approximate a model: a shallow tree fitted to the model's own answers.

The tree is scikit-learn's; it is fitted to what the model says, not to the labels, so it is about
the model (Craven & Shavlik 1996, "Extracting tree-structured representations of trained networks").
How far it can be believed is its fidelity: how often it agrees with the model on points that it
was not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnwidgets.explain.rules_text import Rule, read_tree, rule_lines
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["Ask", "Draw", "Rule", "Rules", "fit_rules", "rectangle"]

Ask = Callable[[NDArray[np.float64]], ArrayLike]
"""The model's answers for points (n, features): probabilities (n, classes), or values (n,)."""

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""Draws points, (n, features), evenly from what is plotted."""

_EVENLY: Final = 4000  # points drawn for fitting
_LEAST: Final = 0.005  # of the points: a leaf that holds a handful is chance, not a rule
_HELD_OUT: Final = 10_000  # points for the fidelity: its standard error is half a percent at most


@dataclass(frozen=True, eq=False)
class Rules:
    """Rules that together say what the model says, nearly.

    Attributes
    ----------
    text
        One rule a line, in English.
    fidelity
        On points drawn evenly from the plotted rectangle, not used for fitting: share on which the
        rules and the model agree; of values R² towards the model, 1 at best, below 0 where its
        mean alone does better.
    score
        ``"agreement"`` or ``"own_r2"``: which of the two.
    n_leaves
        How many rules there are. Neighbours in the tree that say the same are one rule.
    rules
        Each of them, from left to right in the tree.
    notes
        What is to be said, as keys of the catalogue.
    """

    text: str
    fidelity: float
    score: str
    n_leaves: int
    rules: tuple[Rule, ...]
    notes: tuple[Words, ...]
    _width: int

    def predict(self, points: Any) -> NDArray[Any]:
        """Return what the rules say.

        Parameters
        ----------
        points
            (n, features), as the model is asked.

        Returns
        -------
        ndarray
            (n,): index of the class, or value.
        """
        rows = self._rows(points)
        values = np.array([rule.answer for rule in self.rules])
        return values[self._places(rows)]

    def rule_for(self, point: Any) -> Rule:
        """Return the rule that applies to a point, (features,); there is exactly one."""
        return self.rules[int(self._places(self._rows(np.asarray(point)[None]))[0])]

    def text_in(self, language: str) -> str:
        """Return the rules as text in a language of the catalogue."""
        return rule_lines(self.rules, language)

    def _places(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        places = np.zeros(len(rows), np.intp)
        for rule in self.rules:
            places[rule.holds(rows)] = rule.index
        return places

    def _rows(self, points: Any) -> NDArray[np.float32]:
        rows = points.detach().cpu().numpy() if hasattr(points, "detach") else np.asarray(points)
        if rows.ndim != 2 or rows.shape[1] != self._width:
            raise ValueError(
                f"points of the form (n, {self._width}) are needed, as the model is asked, "
                f"not {rows.shape}"
            )
        # scikit-learn's trees compare in single precision.
        return rows.astype(np.float32)


def rectangle(
    low: Sequence[float],
    high: Sequence[float],
    *,
    features: Sequence[int] = (0, 1),
    fixed: ArrayLike | None = None,
) -> Draw:
    """Draw points evenly from a rectangle, with what is not plotted held fixed.

    Parameters
    ----------
    low, high
        Bounds of the plotted features.
    features
        Which columns these are.
    fixed
        (features of the model,): what the others are held at; None: there are no others.
    """
    columns = list(features)
    base = np.zeros(len(columns)) if fixed is None else np.asarray(fixed, np.float64)

    def draw(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        rows = np.repeat(base[None], count, axis=0)
        rows[:, columns] = generator.uniform(low, high, (count, len(columns)))
        return rows

    return draw


def fit_rules(
    ask: Ask,
    draw: Draw,
    data: Any = None,
    *,
    max_depth: int = 3,
    regression: bool = False,
    class_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    evenly: int = _EVENLY,
    held_out: int = _HELD_OUT,
    seed: int = 0,
) -> Rules:
    """Fit a shallow tree to a model's answers.

    Parameters
    ----------
    ask
        The model. Probabilities have two axes, values one (or a second of length one).
    draw
        Draws points evenly from the plotted rectangle (see `rectangle`).
    data
        (n, features): the data, which the tree is fitted to as well, with no more weight in all
        than the drawn points have; coverage counts them. None: there are none. Rows that are not
        finite are left out.
    max_depth
        How many conditions lead to a leaf at most, from 1 on.
    regression
        Whether several columns are values, which is refused: rules are about one of them.
    class_names, feature_names
        For the text.
    evenly, held_out
        How many points are drawn to fit, and how many more to see the fidelity.
    seed
        Of a generator of its own.

    Returns
    -------
    Rules
        Of classes or of values.

    Raises
    ------
    Refusal
        If scikit-learn is not installed, or if the model gives no finite answers there.
    ValueError
        If an argument is not what is said above.
    """
    depth: Any = max_depth  # a caller may give anything
    if isinstance(depth, bool) or not isinstance(depth, (int, np.integer)) or depth < 1:
        raise ValueError(f"max_depth is a whole number from 1 on, not {max_depth!r}")
    tree_module = _sklearn_tree()
    generator = np.random.default_rng(seed)
    drawn = draw(generator, evenly)
    rows, weights = _with_data(drawn, data)
    given, classes = _read(ask(rows), regression)
    fine = np.isfinite(given)
    if not fine[: len(drawn)].any():
        raise Refusal("explain.rules.not_finite")
    maker = tree_module.DecisionTreeClassifier if classes else tree_module.DecisionTreeRegressor
    tree = maker(max_depth=max_depth, min_weight_fraction_leaf=_LEAST, random_state=seed)
    right = given[fine].astype(np.intp) if classes else given[fine]
    with np.errstate(over="ignore", invalid="ignore"):  # it adds all up, to look for infinities
        tree.fit(rows[fine], right, sample_weight=weights[fine])

    names = _feature_names(feature_names, rows.shape[1])
    spread = drawn.max(0) - drawn.min(0)
    if len(rows) > len(drawn):
        spread = np.maximum(spread, np.ptp(rows[len(drawn) :], axis=0))
    labels = tuple(map(str, class_names)) if class_names is not None else ()
    bare = read_tree(tree, names, labels, spread, classes=classes)

    test = draw(generator, held_out)
    truth, _ = _read(ask(test), regression)
    known = np.isfinite(truth)
    of_data = rows[len(drawn) :].astype(np.float32)
    single = test.astype(np.float32)
    rules = tuple(
        rule.measured(
            coverage=float(rule.holds(of_data).mean()) if len(of_data) else None,
            truth=truth[rule.holds(single) & known],
        )
        for rule in bare
    )
    made = Rules("", 0.0, "", len(rules), rules, (), rows.shape[1])
    found = made.predict(test)[known]
    fidelity = float((found == truth[known]).mean()) if classes else _r2(truth[known], found)
    score = "agreement" if classes else "own_r2"
    notes: list[Words] = []
    if not fine.all() or not known.all():
        count = int((~fine).sum() + (~known).sum())
        total = str(len(fine) + len(known))
        notes.append(("explain.rules.some_not_finite", {"count": str(count), "total": total}))
    if len(rules) == 1:
        notes.append(("explain.rules.constant", {}))
    text = rule_lines(rules, "en")
    return Rules(text, fidelity, score, len(rules), rules, tuple(notes), rows.shape[1])


def _sklearn_tree() -> Any:
    try:
        import sklearn.tree
    except ImportError:
        raise Refusal("explain.rules.no_sklearn") from None
    return sklearn.tree


def _with_data(
    drawn: NDArray[np.float64], data: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights = np.ones(len(drawn))
    if data is None:
        return drawn, weights
    table = data.detach().cpu().numpy() if hasattr(data, "detach") else data
    table = np.asarray(table, np.float64)
    if table.ndim != 2 or table.shape[1] != drawn.shape[1]:
        raise ValueError(
            f"the data must have the form (n, {drawn.shape[1]}), as the drawn points, "
            f"not {table.shape}"
        )
    table = table[np.isfinite(table).all(1)]
    each = min(1.0, len(drawn) / max(len(table), 1))
    return np.concatenate([drawn, table]), np.concatenate([weights, np.full(len(table), each)])


def _read(given: Any, regression: bool) -> tuple[NDArray[np.float64], bool]:
    """Return labels or values, NaN where the model says nothing, and whether they are classes."""
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, np.float64)
    if values.ndim == 2 and values.shape[1] > 1:
        if regression:
            raise ValueError("rules are about one output: choose one column of the values")
        labels = values.argmax(1).astype(np.float64)
        labels[~np.isfinite(values).all(1)] = np.nan
        return labels, True
    return values.reshape(len(values)), False


def _feature_names(names: Sequence[str] | None, width: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"x{place}" for place in range(width))
    if len(names) != width:
        raise ValueError(f"{len(names)} feature names were given for {width} features")
    return tuple(map(str, names))


def _r2(truth: NDArray[np.float64], found: NDArray[Any]) -> float:
    left = float(((truth - found) ** 2).sum())
    spread = float(((truth - truth.mean()) ** 2).sum())
    scale = np.finfo(np.float32).eps * float(np.abs(truth).max(initial=0))
    if spread <= scale**2 * max(len(truth), 1):
        return 1.0 if left <= (10 * scale) ** 2 * max(len(truth), 1) else 0.0
    return 1 - left / spread
