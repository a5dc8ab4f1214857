"""A page saved from a monitor, opened from the disk: whole, offline, and clickable."""

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
