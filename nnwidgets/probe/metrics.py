"""What the name of a metric says: its role, which way is better, where it is drawn.

Everything here is a guess from words, so every function has an answer for "cannot tell" (`""` or
`None`) and whoever uses one must have something sensible to do with that answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_ROLES = {
    "train": "train", "training": "train", "trn": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val",
    "evaluation": "val",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip


def _words_of(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Whole words; the digits behind a word ("top5", "acc1", "f1") are tried with and without.
_HIGHER = _words_of(
    """
    acc accuracy f1 fscore auc auroc auprc aucpr roc precision recall sensitivity specificity
    tpr tnr iou miou jaccard dice bleu sacrebleu rouge rougel meteor cider spice chrf r2 map ap
    mar ndcg mrr kappa mcc psnr ssim elbo likelihood reward rewards return returns score scores
    win winrate wins hits hit em exactmatch match matches correct top top1 top3 top5 top10
    similarity
    correlation corr pearson spearman r2score inception success purity nmi ari silhouette pass
    coverage
    """
)
_LOWER = _words_of(
    """
    loss losses cost error errors err mae mse rmse rmsle mape smape msle perplexity ppl nll wer
    cer ter eer bce ce xent crossentropy kl kld kldiv divergence logloss hinge huber brier ece
    fid kid lpips bpc bpb bpd bits fpr fnr hausdorff distance emd chamfer ade fde regret
    criterion deviance
    """
)
# "win_rate" is a rate of wins, "error_rate" one of errors: a word that flips the one beside it.
_FLIP = frozenset(["neg", "negative", "minus"])
# A number about a loss that is no loss: the scale of mixed precision, a term's weight, a duration.
_ABOUT = _words_of(
    """
    scale scaler weight coef coefficient factor time seconds count num number norm
    """
)
_LEARNING_RATE = re.compile(r"(?:^|[\W_])(?:lr|learning[\W_]*rate)(?:$|[\W_\d])", re.IGNORECASE)
_GRADIENT = re.compile(r"(?:^|[\W_])(?:grad|grads|gradient|gradients)(?:$|[\W_])", re.IGNORECASE)

# Losses of a game between networks, or of an agent whose data changes as it learns: they are not
# meant to fall, so a loss that stays or rises says nothing (Goodfellow et al. 2014 §4; for
# actor-critic losses Schulman et al. 2017).
_GAME = _words_of(
    """
    g d gen disc generator discriminator adv adversarial gan wgan actor critic policy value vf
    pg q td surrogate entropy alpha fake real gp kl reward curiosity aux
    """
)


@dataclass(frozen=True)
class Panel:
    """One chart: the series that belong together, in the order they are drawn.

    Attributes
    ----------
    title
        What the series have in common, for example ``"loss"``.
    kind
        ``"metric"``, ``"lr"`` (learning rates) or ``"grad"`` (gradient norms).
    names
        Names of the series, training before validation before test.
    """

    title: str
    kind: str
    names: tuple[str, ...]


@lru_cache(maxsize=4096)
def split_name(name: str) -> tuple[str, str]:
    """Split the name of a metric into what is measured and on which data.

    The role may come first or last and be set off by ``_``, ``/``, ``-``, ``.``, ``:``, a space or
    a capital letter; the pieces ``_step`` and ``_epoch`` that Lightning appends are dropped from
    names that have a role.

    Parameters
    ----------
    name
        For example ``"val_loss"``, ``"train/loss"``, ``"loss_val"``, ``"validAcc"``.

    Returns
    -------
    base, role : str
        Role is ``"train"``, ``"val"``, ``"test"`` or ``""``; base is the rest of the name, and
        empty where the name was only a role.

    Examples
    --------
    >>> split_name("validation/box_loss")
    ('box_loss', 'val')
    >>> split_name("value_loss")
    ('value_loss', '')
    """
    parts = [p for p in re.split(r"[/.:\\]+", name.strip()) if p]
    # A path says it most clearly: any part that is a role, wherever it stands.
    for i, part in enumerate(parts):
        if (role := _ROLES.get(part.lower())) is not None:
            return _trim("/".join(parts[:i] + parts[i + 1 :])), role
    for i in range(len(parts) - 1, -1, -1):
        base, role = _split_part(parts[i])
        if role:
            return _trim("/".join([*parts[:i], *([base] if base else []), *parts[i + 1 :]])), role
    return name.strip(), ""


@lru_cache(maxsize=4096)
def higher_is_better(base: str) -> bool | None:
    """Say which way a metric improves, from its name without the role.

    Returns
    -------
    bool or None
        `True` for accuracies and scores, `False` for losses and errors, `None` where the words
        do not tell (``"entropy"``, ``"lr"``, ``"temperature"``).

    Examples
    --------
    >>> higher_is_better("top5_acc"), higher_is_better("dice_loss"), higher_is_better("lr")
    (True, False, None)
    """
    if kind_of(base) != "metric":
        return None
    words = _words(base)
    if any(w in _ABOUT for w in words):
        return None
    flipped = any(w in _FLIP for w in words)
    # "f1_loss" and "error_rate" are losses whatever else they are named after.
    if any(w in _LOWER or w.rstrip("0123456789") in _LOWER for w in words):
        # "neg_log_loss" as scikit-learn scores it is better higher.
        return flipped
    if _known_compound(words, _LOWER):
        return flipped
    if any(w in _HIGHER or w.rstrip("0123456789@") in _HIGHER for w in words):
        # "neg_log_likelihood" is the likelihood turned round.
        return not flipped
    return None


@lru_cache(maxsize=4096)
def kind_of(name: str) -> str:
    """Return the kind of panel a series belongs to: ``"lr"``, ``"grad"`` or ``"metric"``."""
    if _LEARNING_RATE.search(name):
        return "lr"
    words = _words(name)
    if _GRADIENT.search(name) and not any(w in _LOWER for w in words):
        return "grad"
    return "metric"


@lru_cache(maxsize=4096)
def is_meant_to_fall(base: str) -> bool:
    """Say whether a metric is a plain loss that training should bring down.

    False for losses of adversarial and reinforcement learning, which may stay level or rise in a
    healthy run, and for everything that is not a loss.
    """
    words = _words(base)
    if "cross" in words:  # "cross_entropy" is a plain loss, "entropy" the spread of a policy
        words = [w for w in words if w != "entropy"]
    return higher_is_better(base) is False and not any(w in _GAME for w in words)


def panels(names: Iterable[str]) -> list[Panel]:
    """Group series into charts: training with validation, learning rates and gradients last.

    Parameters
    ----------
    names
        Names of the series in the order in which they were first logged.

    Returns
    -------
    list of Panel
        Losses first, then other metrics, each in order of first appearance; then gradient norms,
        then learning rates. Every name occurs exactly once.
    """
    groups: dict[tuple[int, str], list[str]] = {}
    for name in dict.fromkeys(names):
        kind = kind_of(name)
        base = split_name(name)[0]
        if kind == "metric":
            rank = 0 if higher_is_better(base) is False and "loss" in base.lower() else 1
            groups.setdefault((rank, base.lower()), []).append(name)
        else:
            groups.setdefault((2, "") if kind == "grad" else (3, ""), []).append(name)
    order = {"": 0, "train": 1, "val": 2, "test": 3}
    made = []
    for (rank, base), members in sorted(groups.items(), key=lambda item: item[0][0]):
        members.sort(key=lambda n: order[split_name(n)[1]])
        kind = {2: "grad", 3: "lr"}.get(rank, "metric")
        shown = split_name(members[0])[0] if kind == "metric" else ""
        title = shown or (members[0] if len(members) == 1 else base or " · ".join(members[:3]))
        made.append(Panel(title, kind, tuple(members)))
    return made


def _split_part(part: str) -> tuple[str, str]:
    """Take a role off either end of one part of a path."""
    tokens = re.split(r"([_\-\s]+)", re.sub(r"(?<=[a-z]{2})(?=[A-Z])", "_", part))
    words = tokens[::2]
    for at, rest in ((0, tokens[2:]), (-1, tokens[:-2])):
        role = _ROLES.get(words[at].lower())
        if role is not None:
            return "".join(rest), role
    # "loss_val_epoch": the role stands before what Lightning appends.
    if len(words) > 2 and words[-1].lower() in {"step", "epoch"}:
        base, role = _split_part("".join(tokens[:-2]))
        if role:
            return base, role
    # "valloss", "trainacc": run together, but only in front of a word that is surely a metric.
    lower = part.lower()
    for word, role in _ROLES.items():
        metric = lower[len(word) :]
        if lower.startswith(word) and (metric in _HIGHER or metric in _LOWER):
            return part[len(word) :], role
    return part, ""


def _trim(base: str) -> str:
    """Drop the ``_step`` or ``_epoch`` that Lightning appends to names it also averages."""
    shorter = re.sub(r"_(?:step|epoch)$", "", base)
    return shorter or base


def _words(name: str) -> list[str]:
    """Return the lower-case words of a name, also where capitals mark them."""
    spaced = re.sub(r"(?<=[a-z]{2})(?=[A-Z])", " ", name)
    return [w for w in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if w]


def _known_compound(words: list[str], known: frozenset[str]) -> bool:
    """Recognise words written apart or together: "cross entropy", "crossentropyloss"."""
    together = "".join(words)
    return any(len(k) > 4 and k in together for k in known)
