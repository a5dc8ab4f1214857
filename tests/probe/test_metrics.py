"""What names of metrics are taken to mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.probe.metrics import (
    Panel,
    higher_is_better,
    is_meant_to_fall,
    kind_of,
    panels,
    split_name,
)


@pytest.mark.parametrize(
    ("name", "base", "role"),
    [
        ("loss", "loss", ""),
        ("val_loss", "loss", "val"),
        ("val/loss", "loss", "val"),
        ("valid_loss", "loss", "val"),
        ("validation/loss", "loss", "val"),
        ("validation/box_loss", "box_loss", "val"),
        ("eval_loss", "loss", "val"),
        ("dev-wer", "wer", "val"),
        ("val loss", "loss", "val"),
        ("val.loss", "loss", "val"),
        ("valLoss", "Loss", "val"),
        ("valloss", "loss", "val"),
        ("loss_val", "loss", "val"),
        ("loss/val", "loss", "val"),
        ("val_loss_epoch", "loss", "val"),
        ("loss_val_epoch", "loss", "val"),
        ("epoch/val_acc", "epoch/acc", "val"),
        ("train_loss", "loss", "train"),
        ("train/loss", "loss", "train"),
        ("train_loss_step", "loss", "train"),
        ("training loss", "loss", "train"),
        ("model/train/loss", "model/loss", "train"),
        ("test_acc", "acc", "test"),
        ("testAccuracy", "Accuracy", "test"),
        ("train", "", "train"),
        ("val", "", "val"),
        # Words that only look like a role.
        ("value_loss", "value_loss", ""),
        ("evaluate", "evaluate", ""),
        ("trainable_params", "trainable_params", ""),
        ("invalid", "invalid", ""),
        ("contest_score", "contest_score", ""),
        ("metrics/mAP50(B)", "metrics/mAP50(B)", ""),
        ("step", "step", ""),
        ("loss_epoch", "loss_epoch", ""),
        ("验证损失", "验证损失", ""),
        ("", "", ""),
        ("/", "/", ""),
        ("_", "_", ""),
    ],
)
def test_split_name(name: str, base: str, role: str) -> None:
    assert split_name(name) == (base, role)


@given(st.text(max_size=30))
def test_any_text_is_a_name(name: str) -> None:
    base, role = split_name(name)
    assert role in ("", "train", "val", "test")
    assert higher_is_better(base) in (True, False, None)
    assert kind_of(name) in ("metric", "lr", "grad")


@pytest.mark.parametrize(
    "base",
    ["acc", "accuracy", "Accuracy", "top5_acc", "acc@1", "top-1", "f1", "F1-score", "auc", "auroc",
     "precision", "recall@5", "iou", "mIoU", "dice", "bleu", "rougeL", "r2", "mAP", "mAP50",
     "metrics/mAP50(B)", "mean_reward", "episode_return", "elbo", "log_likelihood", "psnr",
     "ssim", "win_rate", "neg_log_loss", "exact_match"],
)  # fmt: skip
def test_higher_is_better(base: str) -> None:
    assert higher_is_better(base) is True
    assert not is_meant_to_fall(base)


@pytest.mark.parametrize(
    "base",
    ["loss", "Loss", "box_loss", "total/loss", "f1_loss", "dice_loss", "error", "error_rate",
     "top1_err", "mae", "MSE", "rmse", "perplexity", "ppl", "nll", "neg_log_likelihood", "wer",
     "cer", "cross_entropy", "CrossEntropyLoss", "log_loss", "bits_per_byte", "grad_loss", "mape"],
)  # fmt: skip
def test_lower_is_better(base: str) -> None:
    assert higher_is_better(base) is False
    assert is_meant_to_fall(base)


@pytest.mark.parametrize(
    "base",
    ["lr", "learning_rate", "lr-AdamW", "grad_norm", "entropy", "temperature", "loss_scale",
     "kl_weight", "step", "epoch", "step_time", "loss_seconds", "foo", "", "测试"],
)  # fmt: skip
def test_direction_unknown(base: str) -> None:
    assert higher_is_better(base) is None
    assert not is_meant_to_fall(base)


@pytest.mark.parametrize(
    "base",
    ["loss_G", "loss_D", "g_loss", "disc_loss", "policy_loss", "value_loss", "actor/loss",
     "critic_loss", "td_error", "adv_loss", "kl_loss"],
)  # fmt: skip
def test_losses_of_a_game_need_not_fall(base: str) -> None:
    assert higher_is_better(base) is False
    assert not is_meant_to_fall(base)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("lr", "lr"), ("lr/group0", "lr"), ("learning rate", "lr"), ("LearningRate", "lr"),
     ("grad_norm", "grad"), ("gradient_norm", "grad"), ("train/grad_norm", "grad"),
     ("grad_loss", "metric"), ("loss", "metric"), ("blur", "metric"), ("upgrade", "metric")],
)  # fmt: skip
def test_kind_of(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_panels_pair_training_and_validation() -> None:
    names = ["acc", "val_loss", "lr", "loss", "grad_norm", "test_acc", "val_acc", "ppl", "loss"]
    assert panels(names) == [
        Panel("loss", "metric", ("loss", "val_loss")),
        Panel("acc", "metric", ("acc", "val_acc", "test_acc")),
        Panel("ppl", "metric", ("ppl",)),
        Panel("grad_norm", "grad", ("grad_norm",)),
        Panel("lr", "lr", ("lr",)),
    ]


def test_panels_pair_bare_roles_and_different_spelling() -> None:
    assert panels(["train", "val"])[0].names == ("train", "val")
    assert panels(["trainLoss", "val_loss"])[0].names == ("trainLoss", "val_loss")
    assert [p.title for p in panels(["train", "val"])] == ["train · val"]


@given(st.lists(st.text(max_size=8) | st.sampled_from(["loss", "val_loss", "lr", "grad"])))
def test_every_series_is_in_exactly_one_panel(names: list[str]) -> None:
    drawn = [name for panel in panels(names) for name in panel.names]
    assert sorted(drawn) == sorted(set(names))
    assert all(panel.kind in ("metric", "lr", "grad") for panel in panels(names))
