"""An exported page is whole in itself, and nothing in it is more than it says."""

import base64
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.export.html import SavedWidget, page, save_page

NASTY = '</SCRIPT></Style><script>alert(1)</script><!-- "&<img src=x onerror=alert(2)> \u2028 损失'


class Reader(HTMLParser):
    """Elements in order, with attributes and text; complains about what is not closed."""

    VOID = frozenset({"meta"})

    def __init__(self, text):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        element = (tag, dict(attributes), [])
        self.elements.append(element)
        if tag not in self.VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if self._open:
            self._open[-1][2].append(data)

    def all(self, tag, **attributes):
        return [
            ("".join(text), found)
            for name, found, text in self.elements
            if name == tag and attributes.items() <= found.items()
        ]


def states(reader):
    kind = "application/vnd.nnwidgets.state+json"
    return [json.loads(text) for text, _ in reader.all("script", type=kind)]


def widget(state, name="monitor", bundle="export default 1"):
    return SavedWidget(name, bundle, ".nnw { color: red }", state)


def test_a_page_holds_what_it_shows():
    state = {"title": "Run", "_curves": {"v": 1, "data": memoryview(b"\x00\xff")}, "list": [b"a"]}
    reader = Reader(page(title="Run", widgets=[widget(state)], offline="start()", language="zh"))
    (saved,) = states(reader)
    assert saved["state"] == {"title": "Run", "_curves": {"v": 1, "data": None}, "list": [None]}
    assert {tuple(b["path"]): base64.b64decode(b["data"]) for b in saved["buffers"]} == {
        ("_curves", "data"): b"\x00\xff",
        ("list", 0): b"a",
    }
    assert reader.all("script", type="module") == [("start()", {"type": "module"})]
    assert reader.all("html")[0][1] == {"lang": "zh"}
    assert [text for text, _ in reader.all("title")] == ["Run"]
    assert "JavaScript" in reader.all("p")[0][0]


def test_widgets_of_one_kind_share_their_bundle():
    pair = [widget({"n": 1}), widget({"n": 2}), widget({"n": 3}, "inspector")]
    reader = Reader(page(title="", widgets=pair, offline=""))
    bundles = reader.all("script", type="application/vnd.nnwidgets.bundle+json")
    assert [found["data-name"] for _, found in bundles] == ["monitor", "inspector"]
    assert [json.loads(text) for text, _ in bundles] == ["export default 1"] * 2
    assert [saved["state"]["n"] for saved in states(reader)] == [1, 2, 3]


def test_names_are_text_wherever_they_stand():
    saved = SavedWidget(NASTY, f"const x = {NASTY!r}", f"a {{ content: '{NASTY}</style>' }}", {})
    state = {"title": NASTY, NASTY: [NASTY]}
    plain = Reader(page(title="", widgets=[widget({}), widget({})], offline=""))
    reader = Reader(
        page(title=NASTY, widgets=[widget(state), saved], offline=f"'{NASTY}'", language='"><b>')
    )
    assert states(reader)[0]["state"] == state
    assert reader.all("title")[0][0] == NASTY
    # One bundle more than before, one style more, and no element that a name brought in.
    assert len(reader.elements) == len(plain.elements) + 2
    assert not reader.all("img")


@given(st.dictionaries(st.text(), st.text() | st.binary()))
def test_any_state_comes_back(state):
    (saved,) = states(Reader(page(title="", widgets=[widget(state)], offline="")))
    back = saved["state"]
    for buffer in saved["buffers"]:
        (name,) = buffer["path"]
        back[name] = base64.b64decode(buffer["data"])
    assert back == state


def test_nothing_is_fetched():
    text = page(title="t", widgets=[widget({"a": 1})], offline="")
    reader = Reader(text)
    for _, attributes, _ in reader.elements:
        assert not {"src", "href", "srcset", "action", "data"} & attributes.keys()
    (policy,) = [a["content"] for _, a in reader.all("meta") if a.get("http-equiv")]
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert not any(source in policy for source in ("http", "*", "'self'"))


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        page(title="", widgets=[widget({"a": float("nan")})], offline="")


class TrainingLike:
    _esm, _css, title, language = "export default 1", "", "", "en"

    def get_state(self):
        return {"_esm": "x", "layout": "IPY_MODEL_1", "_view_name": "V", "_live": {"seq": 1}}


def test_a_saved_page_holds_the_state_and_not_the_machinery(tmp_path):
    save_page(tmp_path / "run.html", TrainingLike(), title="Mine")
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    reader = Reader(text)
    assert states(reader)[0]["state"] == {"_live": {"seq": 1}}
    assert reader.all("title")[0][0] == "Mine"
    (script,) = reader.all("script", type="application/vnd.nnwidgets.state+json")
    assert script[1]["data-bundle"] == "training_like"
