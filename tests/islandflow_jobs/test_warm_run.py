"""Warming: kernels stay, nothing else does, and no server of the profile is asked.

All of it runs when the image is built; here the domain whose kernels every other test needs.
"""

import re
import tempfile

from islandflow_jobs import warm_run
from islandflow_resources.resource_set import ResourceSet
from tests import deployment

LINE = re.compile(r"bars: (\d+) kernels compiled, \d+\.\d s")
SUM = re.compile(r"(\d+) kernels in (\S+), (\d+) of them new, \d+\.\d s")


def test_warming_leaves_kernels_alone_and_asks_no_server(monkeypatch, tmp_path):
    monkeypatch.setattr(warm_run, "_WORK", warm_run._WORK[:1])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    given = deployment.started()["services"]["code"]["environment"]
    resources = ResourceSet.from_environment(given | {"ISLANDFLOW_HOME": str(tmp_path / "home")})
    for new in (None, "0"):
        bars, total = warm_run.warm(resources)
        compiled, kept = LINE.fullmatch(bars), SUM.fullmatch(total)
        assert compiled
        assert kept
        assert compiled[1] == kept[3]
        assert new in (None, kept[3])
        assert int(kept[1]) > 15
    assert list((tmp_path / "scratch").iterdir()) == []
    assert not (tmp_path / "home" / "objects").exists()
