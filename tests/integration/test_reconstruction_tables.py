"""The tables that the recipes of the reconstruction print, from made-up scores."""

import importlib
import json
from dataclasses import replace

import pytest
from commands import RECIPES

from alone_fairseq.errors import UserError

HERE = RECIPES / "reconstruction"


@pytest.fixture
def tables(monkeypatch):
    """The programs that print the recipes' tables, as modules."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.syspath_prepend(str(RECIPES / "lib"))
    return importlib.import_module


def test_the_analogy_table_has_the_paper_s_figures_beside_ours(tables):
    def space(semantic, syntactic):
        groups = {"semantic": (semantic, 10), "syntactic": (syntactic, 0)}
        named = {name: {"3CosMul": score, "questions": n, "total": 20} for name, (score, n) in groups.items()}
        return {"groups": named}

    found = {"teacher.npz": space(0.5, None), "highway-random-seed1-epoch-0.safetensors": space(0.25, None)}
    found["highway-linf-seed1-epoch-10.safetensors"] = space(0.3, None)
    found["highway-linf-seed2-epoch-10.safetensors"] = space(0.4, None)
    found["highway-euclidean-seed1-epoch-10.safetensors"] = space(0.3, None)
    text = tables("subword").analogy(found)
    assert "| teacher | 50.00% | none | 57.42% | 59.58% |" in text
    assert "| random | 25.00% | none | 65.21% | 1.13% |" in text
    assert "| linf | 35.00 ± 7.07% | none | 45.68% | 1.74% |" in text, "of two seeds"
    assert "| euclidean | 30.00% | none | – | – |" in text, "a distance that the paper's table does not have"
    assert "semantic 10 of 20, syntactic 0 of 20" in text


def test_parameters_in_figure_3_are_those_of_the_students(tables):
    score = tables("scores").Score
    done = score("real-trained-9", 1, 2, 232, 0.58, {"men": 0.2}, {"men": 0.7}, {"men": (100, 100)}, None, 0)
    text = tables("figure3").table([done], [("real", "trained", 9), ("real", "fixed", 9)], 50, 8)
    assert "D_inter = 9 | 232 | 58.0% | 1 |" in text, "with options of its own, such as --alone-own-rows"
    assert "(Fix o), D_inter = 9 | 152 | 38.0% | not run |" in text


@pytest.mark.parametrize(("share", "inter_dim"), [(96.0, 2400), (50, 1250), (25, 624), (10, 250)])
def test_a_share_of_the_teacher_has_its_inter_dim(tables, share, inter_dim):
    assert tables("figure3").inter_dim_of(share, 5000, 300) == pytest.approx(inter_dim, abs=1)


def test_curves_by_epochs_stand_beside_the_sizes(tables, tmp_path, monkeypatch):
    module, figures = tables("global_loss"), []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *args, **kwargs: figures.append(figure))
    score = tables("scores").Score

    def made(name, epochs, rho):
        return score(name, 1, epochs, 1000, 0.5, {"men": rho}, {"men": 0.7}, {"men": (100, 100)}, None, 0)

    by_epochs = {5: [made("char_cnn-local", 5, 0.2)]}
    by_epochs[10] = [made("char_cnn-local", 10, 0.3), made("char_cnn-global", 10, 0.4)]
    module.plot(by_epochs, tmp_path / "figure.png")
    sizes, curves = figures[0].axes
    assert (sizes.get_xlabel(), curves.get_xlabel()) == ("MB", "epochs")
    *lines, _ = curves.lines  # the last is the teacher's
    drawn = {line.get_marker(): line.get_xydata().tolist() for line in lines}
    assert drawn == {"o": [[5, 0.2], [10, 0.3]], "^": [[10, 0.4]]}, "local, and with the global loss"
    assert sizes.lines[0].get_xydata().tolist() == [[0.004, 0.3], [0.004, 0.4]], "of the last epochs"


def test_no_more_vectors_are_read_than_are_learnt(tables, tmp_path):
    choose = tables("choose_words").choose
    words = ["a", "B", "C", "D", "E", "f", "g", "h"]
    (tmp_path / "head.txt").write_text("".join(f"{word} {n} 0\n" for n, word in enumerate(words)))
    (tmp_path / "more.txt").write_text((tmp_path / "head.txt").read_text() + "one value 1\n")
    for name in ("head.txt", "more.txt"):
        chosen = choose(tmp_path / name, 2, True)
        assert chosen.words == ["a", "f"] and chosen.matrix[:, 0].tolist() == [0, 5]
    assert choose(tmp_path / "head.txt", 4, True).words == ["a", "f", "g", "h"], "all that there are"
    assert choose(tmp_path / "head.txt", None, False).words == words
    with pytest.raises(UserError, match="has 4 words in lower case, --words wants 5"):
        choose(tmp_path / "head.txt", 5, True)
    with pytest.raises(UserError, match="line 9"):
        choose(tmp_path / "more.txt", None, True)


def test_means_and_deviations_over_seeds(tables, tmp_path, capsys):
    module = tables("scores")
    for seed, rho in ((1, 0.2), (2, 0.4), (10, None)):
        folder = tmp_path / f"real-trained-9-seed{seed}"
        folder.mkdir()
        counts = {"one": (rho, 125, 130), "two": (0.6, 100, 100), "few": (-0.9, 99, 120)}
        sets = {name: {"rho": rho, "pairs": n, "total": total} for name, (rho, n, total) in counts.items()}
        spaces = {
            name: {"parameters": size, "sets": sets} for name, size in (("teacher.npz", 180), ("student", 90))
        }
        (folder / "epoch-5.json").write_text(json.dumps(spaces))
        (folder / "epoch-5.pairs").write_text("one two few")
    scores = sorted(module.read_scores(tmp_path, "one two few"), key=lambda score: score.seed)
    assert [(score.name, score.seed, score.epochs, score.share) for score in scores] == [
        ("real-trained-9", seed, 5, 0.5) for seed in (1, 2, 10)
    ]
    assert module.over_seeds(scores[:2], lambda score: score.rho.get("one")) == "0.300 ± 0.141"
    assert module.over_seeds(scores, lambda score: score.rho.get("one")) == "–", "of the third there is none"
    assert [score.mean_rho for score in scores[:2]] == pytest.approx([0.4, 0.5]), "a set of 99 pairs is left out"
    assert scores[2].mean_rho is None, "a set without a rho does not leave it the mean of the others"
    assert module.over_seeds(scores[:1], lambda score: score.mean_rho) == "0.400"
    rhos = {"one": {"rho": 0.4}, "two": {"rho": 0.2}, "few": {"rho": 0.9}}
    (folder / "epoch-5-all.json").write_text(json.dumps({"student": {"sets": rhos, "out_of_vocabulary": 7}}))
    (last,) = (score for score in module.read_scores(tmp_path, None) if score.seed == 10)
    assert last.mean_everywhere == pytest.approx(0.3) and last.new == 7, "the same sets as in mean_rho"
    (folder / "epoch-5.pairs").write_text("one two")
    assert [score.seed for score in module.read_scores(tmp_path, "one two")] == [10], (
        "the others are of other pairs"
    )
    assert capsys.readouterr().err.startswith(
        "left out, for they were scored on other pairs: real-trained-9-seed1, "
    )
    assert module.over_seeds([], lambda score: 1.0) == "not run"
    assert module.notes(scores) == []
    (note,) = module.notes([replace(last, pairs={"few": (99, 120)})])
    assert "no set has 100 pairs or more" in note
    (note,) = module.notes([replace(last, share=1.1)])
    assert "No smaller than the teacher: real-trained-9." in note
    assert module.share(0.3, 0.6) == "50.0%" and module.share(0.3, -0.6) == "–"
