"""What the browser is given: small, self-contained, with its licences."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, STATIC, tracked

LIMIT = 60_000
# Names of XML vocabularies look like addresses and are never fetched.
VOCABULARY = "http://www.w3.org/"
ADDRESS = re.compile(r"""(?:https?:)?//[a-z0-9-]+(?:\.[a-z0-9-]+)+[^\s"'`<>)]*""", re.IGNORECASE)
BUNDLES = sorted(STATIC.glob("*.js"))


def test_every_widget_has_its_bundle() -> None:
    widgets = {entry.parent.name for entry in (ROOT / "js" / "src").glob("*/index.ts")}
    widgets.discard("ui")
    assert widgets <= {bundle.stem for bundle in BUNDLES}
    assert "training_monitor" in widgets


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda file: file.name)
def test_bundle_is_small(bundle: Path) -> None:
    size = len(gzip.compress(bundle.read_bytes(), compresslevel=9, mtime=0))
    assert 0 < size <= LIMIT


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.[jc]s*")), ids=lambda file: file.name)
def test_bundle_names_no_network_address(file: Path) -> None:
    found = ADDRESS.findall(file.read_text(encoding="utf-8"))
    assert [address for address in found if not address.startswith(VOCABULARY)] == []


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda file: file.name)
def test_bundle_loads_nothing_more(bundle: Path) -> None:
    text = bundle.read_text(encoding="utf-8")
    # A saved page carries the bundles, and its host makes modules of them: no address to fetch.
    computed = [] if bundle.stem == "offline" else re.findall(r"\bimport\s*\(", text)
    assert computed == []
    assert re.findall(r"""\bimport\s*\(?\s*["'`{*]""", text) == []
    assert "sourceMappingURL" not in text


def test_licences_travel_with_the_bundles() -> None:
    package = json.loads((ROOT / "js" / "package.json").read_text(encoding="utf-8"))
    licences = (STATIC / "THIRD_PARTY_LICENSES.txt").read_text(encoding="utf-8")
    for name, version in package["dependencies"].items():
        assert f"{name} {version}" in licences
    assert licences.count("Permission is hereby granted") >= len(package["dependencies"])


def test_bundles_are_built_not_kept() -> None:
    assert tracked("nnwidgets/static") == []
