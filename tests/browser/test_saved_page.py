"""A page saved from a monitor, opened from the disk: whole, offline, and clickable."""

import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor

TITLE = 'Moons </script><img src=x onerror="document.title=1"> & <b>'


def trained(steps):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    monitor = TrainingMonitor(model, optimizer, title=TITLE, language="en")
    x = torch.randn(64, 2)
    for _ in monitor.track(range(steps)):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        loss.backward()
        optimizer.step()
        monitor.log({"loss": loss.detach(), "<b>val</b>_loss": loss.detach() + 0.1})
    return monitor


def test_a_saved_page_shows_the_run_without_kernel_or_network(chromium, tmp_path):
    with trained(50) as monitor:
        monitor.save_html(tmp_path / "run.html")
    address = (tmp_path / "run.html").as_uri()
    # Leaving fails if the page asked for anything but itself, or logged an error.
    with chromium.page(allowed=address) as page:
        page.goto(address)
        page.get_by_text(TITLE, exact=True).wait_for()
        page.wait_for_function("() => document.querySelectorAll('canvas').length > 1")
        assert page.title() == TITLE
        assert page.locator("main img").count() == 0
        assert page.get_by_role("button", name="Pause").is_disabled()
        page.get_by_label("log y").check()  # what needs no kernel still works


# On which lines things stand, and of which texts a part is out of sight.
LINES = """(selector) => {
    const tops = [...document.querySelectorAll(selector)].map(e => e.getBoundingClientRect());
    return new Set(tops.map(r => Math.round((r.top + r.bottom) / 20))).size;
}"""
CUT = """() => [...document.querySelectorAll('.nnw-best:not([hidden])')].flatMap(best => {
    const box = best.getBoundingClientRect();
    return [...best.children].filter(part => {
        const { top, bottom, right } = part.getBoundingClientRect();
        return top < box.bottom - 1 && (right > box.right + 1 || bottom > box.bottom + 1);
    });
}).length"""


@pytest.mark.parametrize(("width", "lines"), [(1400, 1), (1000, 1), (940, 1), (700, 2)])
def test_the_bar_takes_a_line_where_it_can_and_nothing_is_cut(chromium, tmp_path, width, lines):
    with TrainingMonitor(title="Wide and narrow", language="en") as monitor:
        for step in range(200):
            monitor.log(train_accuracy=step / 200, val_accuracy=(step % 190) / 200)
            monitor.log(loss=1 / (step + 1), val_loss=(1 / (step + 1)) ** 3, step=10**6 + step)
            monitor.log(
                reconstruction_loss=step * 1e-9, val_reconstruction_loss=1e-9 - step * 1e-15
            )
        monitor.save_html(tmp_path / "run.html")
    address = (tmp_path / "run.html").as_uri()
    with chromium.page(width=width + 100, allowed=address) as page:
        page.goto(address)
        page.locator(".nnw-best").first.wait_for()
        page.evaluate(f"document.querySelector('.nnw').style.width = '{width}px'")
        assert page.locator(".nnw").evaluate("e => e.offsetWidth") == width
        assert page.evaluate(LINES, ".nnw-toolbar > div") == lines
        for narrower in range(width, width - 60, -7):
            page.evaluate(f"document.querySelector('.nnw').style.width = '{narrower}px'")
            assert page.evaluate(CUT) == 0
