"""The planned mesh: its stated error is real, and falls when the mesh is refined."""

from __future__ import annotations

from small_fit import quick_compile

from pkpd.arm_level.planned import mesh_error


def test_the_stated_error_of_a_mesh_falls_when_it_is_refined(small):
    with quick_compile():
        wide, narrow = (mesh_error(some) for some in (small, small.tight(4)))
    assert 0 < narrow < wide / 8
