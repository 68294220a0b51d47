"""The table of the headlines: which runs are in it, and what each is compared with."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import RECIPES


@pytest.fixture
def tables(monkeypatch):
    """table.py as a module."""
    monkeypatch.syspath_prepend(str(RECIPES / "headline"))
    monkeypatch.delitem(sys.modules, "table", raising=False)
    return importlib.import_module("table")


def test_rows_of_the_table_that_were_not_run_stay_in_it(tables):
    """Beside runs of the same row that are told no length."""
    run = tables.Run(Path(), "lookup", "none", "", 1, SimpleNamespace(embedding_parameters=1, updates=2), 0, 3.0)
    test = SimpleNamespace(name="test", marks={}, scores=lambda path: np.zeros((1, 3)))
    rows = [row for row in tables.score_rows([run], test, "75") if row[1] == "lookup"]
    assert [(row[0], row[2]) for row in rows] == [("Transformer", "PE")] * 2 + [("Transformer", "LRPE+PE")]
    assert rows[-1][3] == "not run" and "32.29 11.49 28.03" in rows[-1]


@pytest.fixture
def runs_of(tables, tmp_path, monkeypatch):
    """Finished runs, of folders' names and the settings in them."""

    def runs_of(settings):
        for name, text in settings.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "settings").write_text(text)
            for file in ("averaged.pt", "duc2004-75.scored"):
                (tmp_path / name / file).touch()
        return tables.finished_runs(tmp_path, "duc2004", "75")

    contents = SimpleNamespace(embedding_parameters=1, updates=2)
    monkeypatch.setattr(sys.modules["results"], "read_contents", lambda path: (contents, {"extra_state": {}}))
    return runs_of


def test_runs_are_compared_with_a_lookup_that_was_trained_alike(tables, runs_of):
    settings = {
        "lookup-lrpe_pe-seed1": "lead_epochs 1\n--lr 1",
        "real_512-lrpe_pe-seed1": "lead_epochs 1\n--lr 1",
        "real_1024-lrpe_pe-seed1": "--lr 1",
    }
    test = SimpleNamespace(name="duc2004", marks={}, scores=lambda path: np.zeros((1, 3)))
    rows = {row[1]: row for row in tables.score_rows(runs_of(settings), test, "75")}
    assert rows["real_512"][9] == "+0.00 (p = 1.000)" and rows["real_1024"][9] == "not run"
    assert [rows[name][-3] for name in ("lookup", "real_512", "real_1024")] == [1, 1, 0]


def test_a_run_with_a_variant_does_not_stand_for_its_row(tables, runs_of):
    names = ("real_512-lrpe_pe-seed1", "real_512-lrpe_pe-fast-seed1", "lookup-lrpe-a_b.c-seed2")
    runs = runs_of(dict.fromkeys(names, "--lr 1"))
    assert [(run.name, run.control, run.seed) for run in runs] == [
        ("real_512", "lrpe_pe", 1),
        ("real_512-fast", "lrpe_pe", 1),
        ("lookup-a_b.c", "lrpe", 2),
    ]
    test = SimpleNamespace(name="duc2004", marks={}, scores=lambda path: np.zeros((1, 3)))
    rows = {(row[1], row[4]): row for row in tables.score_rows(runs, test, "75")}
    assert "31.96 11.50 27.74" in rows["real_512", "re-ranked"]
    assert "31.96 11.50 27.74" not in rows["real_512-fast", "re-ranked"]
    assert rows["lookup", "not run"] and rows["lookup-a_b.c", "re-ranked"][9] == "not run"
