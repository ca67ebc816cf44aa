"""The parts of a hit go through the same steps as the whole."""

from tallystick.services.ingest import steps
from tallystick.services.ingest.ingest import STEPS
from tallystick.services.ingest.parts import BROWSER_STEPS, PAGE_STEPS, SENDER_STEPS

ANEW = {steps.drop_prefetch, steps.find_visitor, steps.drop_spam_referrer}
"""What ``Ingest.hit_at_once`` and the lane do for each hit."""


def test_no_step_is_left_out() -> None:
    assert {*PAGE_STEPS, *BROWSER_STEPS, *SENDER_STEPS, *ANEW} == set(STEPS)


def test_each_part_keeps_the_order_of_the_steps() -> None:
    for part in (PAGE_STEPS, BROWSER_STEPS, SENDER_STEPS):
        assert list(part) == [step for step in STEPS if step in part]
