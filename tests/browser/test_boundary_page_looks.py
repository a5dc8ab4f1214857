"""How the decision boundary's page looks: at each width, in each state, in both themes."""

from __future__ import annotations

import pytest

from tests.browser.boundary_page import BoundaryPage, open_boundary
from tests.browser.lab import Chromium

OPEN = "state=paused&trained=120&open=point,rules,units"
EVERYTHING = {
    "three features, several models": f"{OPEN}&uncertain=ensemble",
    "ten classes": f"data=ten&{OPEN}",
    "values": f"data=values&{OPEN}&uncertain=ensemble",
    "of an earlier moment": "state=stale&move=0&trained=120&open=point,rules,units",
    "a projection, in Chinese": "state=projection&move=0&language=zh&trained=120",
}
STILL = "state=paused&trained=120&move=0"
STATES = (
    "idle refining working stale failed unlabelled empty queued deaf error blind loading closed"
)

_READOUT = ".nnw-plane-part .nnw-readout"
_WHOLE = "e => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"
_NAMED = """(() => {
    world.features.splice(0, 2, 'color intensity', 'flavanoids');
    if (world.classes.length === 3) world.classes.splice(0, 3, 'class_0', 'class_1', 'class_2');
    model.send({ type: 'request', id: -1, action: 'refresh', args: {} });
})()"""


def settled(page: BoundaryPage, query: str) -> None:
    """Wait until everything that was asked for is shown."""
    if "open=" in query:
        page.wait("['_units', '_rules'].every(name => /ready|stale/.test(meta(name).state))")
        page.root.locator(".nnw-unit").first.wait_for()
    page.page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


@pytest.mark.parametrize("query", EVERYTHING.values(), ids=EVERYTHING.keys())
@pytest.mark.parametrize("width", [480, 700, 1400])
def test_nothing_is_cut_or_overlaps(chromium: Chromium, width: int, query: str) -> None:
    with open_boundary(chromium, query, width=width, height=3000) as page:
        settled(page, query)
        page.assert_tidy()


@pytest.mark.parametrize("data", ["three", "ten", "values"])
@pytest.mark.parametrize("width", [400, 700, 800, 900, 1400])
def test_a_point_is_told_whole_and_moves_nothing(chromium: Chromium, width: int, data: str) -> None:
    with open_boundary(chromium, f"data={data}&{STILL}", width=width, height=3000) as page:
        # Names as real data have them.
        page.kernel(_NAMED)
        page.wait("meta('_surface').labels[0] === 'color intensity'")
        settled(page, "")
        legend = page.root.locator(".nnw-boundary-legend")
        before = legend.bounding_box()
        for number in range(5):
            told = page.point_at(*page.place(number)).split("\n")
            assert "model says" in told[-1]
            assert page.root.locator(_READOUT).first.evaluate(_WHOLE), told
        # Beside the points there is less to say, and in no less room.
        assert legend.bounding_box() == before
        page.page.mouse.move(0, 0)
        assert legend.bounding_box() == before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_but_what_is_planted(chromium: Chromium, theme: str) -> None:
    for query in EVERYTHING.values():
        with open_boundary(chromium, f"{query}&theme={theme}", height=3000) as page:
            settled(page, query)
            found = page.violations()
            assert not found, "\n".join(map(str, found))
            page.root.evaluate("root => root.prepend(document.createElement('button'))")
            assert "button-name" in {rule for rule, *_ in page.violations()}


@pytest.mark.parametrize("state", STATES.split())
def test_every_state_is_tidy_and_accessible(chromium: Chromium, state: str) -> None:
    query = f"state={state}&move=0&trained=50&theme=dark"
    with open_boundary(chromium, query, width=900, height=2000) as page:
        settled(page, query)
        found = page.violations()
        assert not found, "\n".join(map(str, found))
        page.assert_tidy()


def test_dark_is_another_picture_with_the_same_numbers(chromium: Chromium) -> None:
    painted, labels = [], []
    for theme in ("light", "dark"):
        query = f"state=paused&trained=50&theme={theme}"
        with open_boundary(chromium, query) as page:
            page.page.wait_for_function(
                "() => document.querySelector('.nnw-plane canvas').width > 300"
            )
            settled(page, query)
            painted.append(page.painted())
            labels.append(page.picture.get_attribute("aria-label"))
    assert painted[0] != painted[1]
    assert labels[0] == labels[1]


def test_chinese_is_chinese(chromium: Chromium) -> None:
    with open_boundary(chromium, "language=zh&move=0") as page:
        page.button("概率").wait_for()
        assert page.root.get_attribute("lang") == "zh-Hans"
        assert "ui." not in page.root.inner_text()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("failed", "The model raised an error in layer 2"),
        ("loading", "Waiting for the kernel"),
        ("blind", "The first picture is being computed"),
        ("closed", "This widget was closed"),
        ("deaf", "No kernel answers"),
        ("refining", "The model was asked at 31"),
        ("queued", "The view"),
    ],
)
def test_what_is_the_matter_is_said(chromium: Chromium, state: str, sentence: str) -> None:
    with open_boundary(chromium, f"state={state}&move=0") as page:
        page.says(sentence)
