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
    similarity f1score
    correlation corr pearson spearman kendall r2score inception success purity nmi ari silhouette
    pass coverage pck stoi pesq mos sdr sisdr sisnr snr qwk concordance cindex bertscore bleurt
    comet lddt plddt gdt homogeneity vmeasure rew
    """
)
_LOWER = _words_of(
    """
    loss losses cost error errors err mae mse rmse rmsle mape smape msle perplexity ppl nll wer
    cer ter eer bce ce xent crossentropy kl kld kldiv divergence logloss hinge huber brier ece
    fid kid lpips bpc bpb bpd bpp bits fpr fnr hausdorff distance emd chamfer ade fde regret
    criterion deviance nelbo mpjpe epe rmsd crps pinball mase wape der levenshtein absrel silog
    """
)
# "win_rate" is a rate of wins, "error_rate" one of errors: a word that flips the one beside it.
_FLIP = frozenset(["neg", "negative", "minus"])
_LESS = re.compile(r"^(?:1\s*)?[-\u2212]\s*(?=[A-Za-z])")  # "-elbo", "1-acc"
# A number about a loss that is no loss: the scale of mixed precision, a term's weight, a duration.
_ABOUT = _words_of(
    """
    scale scaler weight coef coefficient factor time seconds count num number norm
    """
)
# Scores that are coefficients themselves.
_COEFFICIENTS = _words_of("dice jaccard correlation matthews silhouette")
# Higher is better, but a healthy run may give them up: precision for recall, the similarity of what
# should differ, wins against oneself.
_TRADED = _words_of(
    """
    precision recall sensitivity specificity tpr coverage similarity score scores match matches
    hit em pass correct success inception win wins winrate
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
# Series that only such a run logs; with them, a loss called just "loss" is a sum of such terms, or
# of an agent whose targets move (deep Q-learning: Mnih et al. 2015).
_PLAYERS = _words_of(
    """
    reward rewards rew return returns episode episodic policy actor critic ppo surrogate td
    generator discriminator disc gan adversarial
    """
)
_PREFERENCES = _words_of("chosen rejected margin margins accuracies")  # logged by plain losses
# What "reward" may stand with where it is the whole of it, and no single term.
_WHOLE = _words_of(
    """
    reward rewards rew return returns ep episode episodic mean avg average total sum rollout eval
    """
)
# Terms that fall whatever else happens, as the weights shrink.
_PENALTIES = _words_of("reg regularization regularisation penalty l1 l2 wd decay sparsity tv")


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
    if any(w in _ABOUT for w in words) and not (
        words[-1] == "coefficient" and not _COEFFICIENTS.isdisjoint(words)
    ):
        return None
    flipped = any(w in _FLIP for w in words) or _LESS.match(base.strip()) is not None
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


@lru_cache(maxsize=4096)
def is_meant_to_rise(base: str) -> bool:
    """Say whether a metric is a score that a healthy run does not give up again.

    False where higher is better only as long as all else is equal (precision, similarity), for the
    scores of one side of a game, and for single terms of a reward.
    """
    words = _words(base)
    if any(w in ("reward", "rewards", "rew", "return", "returns") for w in words):
        return all(w in _WHOLE for w in words)
    telling = [w for w in words if w not in _TRADED]
    return higher_is_better("_".join(telling)) is True and not any(w in _GAME for w in words)


@lru_cache(maxsize=4096)
def is_penalty(base: str) -> bool:
    """Say whether a loss is a penalty on the weights, which says nothing of the data."""
    return any(w in _PENALTIES for w in _words(base))


def is_game(names: Iterable[str]) -> bool:
    """Say whether series of an agent or of adversaries are among these."""
    return any(
        not _PLAYERS.isdisjoint(words) and _PREFERENCES.isdisjoint(words)
        for words in map(_words, names)
    )


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
