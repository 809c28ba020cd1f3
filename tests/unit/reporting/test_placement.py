from __future__ import annotations

import numpy as np

from quetzalcore.reporting.placement import spread


def test_places_far_apart_stay() -> None:
    places = np.array([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]])
    assert np.array_equal(spread(places, apart=10.0), places)


def test_the_most_important_of_a_crowd_stays_and_the_others_step_aside() -> None:
    places = np.zeros((4, 2))
    spots = spread(places, apart=10.0)
    assert spots[0].tolist() == [0.0, 0.0]
    assert (np.hypot(*spots[1:].T) >= 10.0).all()


def test_a_hopeless_crowd_overlaps_rather_than_vanishes() -> None:
    spots = spread(np.zeros((200, 2)), apart=10.0)
    assert spots.shape == (200, 2)
    assert np.hypot(*spots.T).max() < 32.0


def test_no_places_are_no_trouble() -> None:
    assert spread(np.zeros((0, 2)), apart=10.0).shape == (0, 2)


def test_what_steps_aside_stays_inside_the_frame() -> None:
    places = np.full((6, 2), 99.0)
    spots = spread(places, apart=10.0, frame=(0.0, 0.0, 100.0, 100.0))
    assert (spots <= 100.0).all()
    assert len({tuple(spot) for spot in spots}) > 3
