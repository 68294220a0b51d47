"""Gigaword and DUC as LDC and NIST ship them, made up in small, to pairs and to texts with references."""

import gzip
import runpy
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest import mock

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "headline"
LONG = "a ferry with 200 passengers sank off the northern coast on sunday in heavy rain"


def call(script: str, *arguments) -> subprocess.CompletedProcess:
    """Run a script of the recipe in this process: a process of its own would spend seconds on imports."""
    command = [str(RECIPE / script), *map(str, arguments)]
    stdout, stderr = TextIOWrapper(BytesIO()), StringIO()
    status = 0
    with mock.patch.multiple(sys, argv=command, stdout=stdout, stderr=stderr):
        try:
            runpy.run_path(command[0], run_name="__main__")
        except SystemExit as end:  # as the interpreter does at the end of a program
            status = end.code if isinstance(end.code, int) else 1
            stderr.write("" if isinstance(end.code, int) else f"{end.code}\n")
        stdout.flush()
    return subprocess.CompletedProcess(command, status, stdout.buffer.getvalue().decode(), stderr.getvalue())


def refusal(result: subprocess.CompletedProcess) -> str:
    assert result.returncode != 0
    (line,) = result.stderr.splitlines()
    return line


def parse(words: str) -> str:
    """A parse tree of the words, flat."""
    return f"(S {' '.join(f'(NN {word})' for word in words.split())})"


def document(headline: list[str] | None, paragraphs: list[list[str]]) -> str:
    """A document of annotated Gigaword: parses, then tokens that are of no interest here."""
    parts = ['<DOC id="AFP_ENG_19940512.0001" type="story" >']
    if headline is not None:
        parts += ["<HEADLINE>", *headline, "</HEADLINE>"]
    parts += ["<DATELINE>", parse("SEOUL , May 12 -LRB- AFP -RRB-"), "</DATELINE>", "<TEXT>"]
    for paragraph in paragraphs:
        parts += ["<P>", *paragraph, "</P>"]
    return "\n".join([*parts, "</TEXT>", "<sentences>", "<word>Ferry</word>", "</sentences>", "</DOC>", ""])


def story(headline: str, text: str) -> str:
    return document([parse(headline)], [[parse(text)], [parse("Another paragraph .")]])


MONTHS = {
    "afp_eng_199405": [
        story("Ferry sank off Japan , 200 died .", f"{LONG.title()} .") * 4,
        # A second sentence does not count, and ends at its full stop; the brackets of one parse do not match.
        document(
            [parse("Ferry Sank In Rain"), parse("More news")], [[f"( {parse(LONG)})", parse("said . police .")]]
        ),
        document([parse("A Headline Without Text")], []),
        document(None, [[parse(f"{LONG} without a headline .")]]),
        document([], [[parse(f"{LONG} with an empty headline .")]]),
        story("Too Short", f"{LONG} ."),
        story("Ferry And Nothing Else Today", "short ferry ."),
        story("Ferry sank with no full stop", LONG),
        story("Nothing these two share", f"{LONG} ."),
        story("Ferry sank off coast ap", f"{LONG} ."),
        story("Update3 ferry sank off coast", f"{LONG} ."),
        story("1st-Ld-Writethru ferry sank off", f"{LONG} ."),
        story("Ny1234 ferry sank adv123", f"{LONG} ."),
        story("Ferry sank off coast ?", f"{LONG} ."),
        story("Ferry sank -LRB- off coast -RRB-", f"{LONG} ."),
    ],
    "nyt_eng_199512": [story(f"Ferry sank in {word} on sunday", f"{LONG} .") for word in ("rain", "snow", "fog")],
    "xin_eng_199704": [story("Unfiltered", "Too short ."), story(", .", "Nothing is left of the headline .")],
    "wpb_eng_201001": [story("Ferry sank off coast again", f"{LONG} .")],
}


def write_gigaword(folder: Path, layout: str) -> Path:
    """The corpus in one folder, as LDC ships it, or in one for each agency."""
    for name, documents in MONTHS.items():
        path = folder / ("data/xml" if layout == "ldc" else name[:3]) / f"{name}.xml.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(f'<FILE id="{name}">\n{"".join(documents)}</FILE>\n')
    return folder


@pytest.fixture(params=["ldc", "agencies"])
def extracted(tmp_path, request) -> Path:
    """What gigaword.py makes of either layout."""
    corpus = write_gigaword(tmp_path / "LDC2012T21", request.param)
    result = call("gigaword.py", "--gigaword", corpus, "--output", tmp_path / "pairs", "--workers", 2)
    assert result.returncode == 0, result.stderr
    return tmp_path / "pairs"


def lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_each_document_with_headline_and_text_gives_a_pair(extracted):
    names = (extracted / "files.txt").read_text().split()
    assert [name.split(".")[0] for name in names] == sorted(MONTHS)
    found = lines(extracted / names[0])
    assert found[0] == [f"{LONG.title()} .", "Ferry sank off Japan , 200 died ."]
    assert found[4] == [f"{LONG} said .", "Ferry Sank In Rain"]
    headlines = [headline for _, headline in found]
    assert len(found) == 4 + 1 + 10
    assert not any("Without" in headline for headline in headlines), "it has no text, and gets none of the next"


def test_a_space_in_a_word_of_a_parse_loses_nothing():
    leaves = runpy.run_path(str(RECIPE / "gigaword.py"))["leaves"]
    assert leaves("(NP (CD 1\u00a01/2) (NNS miles))") == ["1", "1/2", "miles"]


def test_a_second_run_reads_nothing_again(extracted, tmp_path):
    (lost,) = extracted.glob("nyt_eng_199512.*.tsv")
    lost.unlink()
    before = {path: path.stat().st_mtime_ns for path in extracted.glob("*.tsv")}
    assert call("gigaword.py", "--gigaword", tmp_path / "LDC2012T21", "--output", extracted).returncode == 0
    assert len(lines(lost)) == 3
    assert before.items() <= {path: path.stat().st_mtime_ns for path in extracted.glob("*.tsv")}.items()


def test_a_file_that_is_copied_again_counts_with_its_new_pairs(extracted, tmp_path):
    (source,) = (tmp_path / "LDC2012T21").rglob("nyt_eng_199512.xml.gz")
    source.write_bytes(gzip.compress(story("Ferry sank in fog on sunday", f"{LONG} .").encode()))
    assert call("gigaword.py", "--gigaword", tmp_path / "LDC2012T21", "--output", extracted).returncode == 0
    result = call("namas.py", "--pairs", extracted, "--output", tmp_path)
    assert result.stdout.splitlines()[1] == "valid: 1 pairs", result.stderr


def test_pairs_are_filtered_and_masked(extracted, tmp_path):
    result = call("namas.py", "--pairs", extracted, "--output", tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["train: 5 pairs", "valid: 3 pairs", "test: 1 pairs"]
    known = f"{LONG} .".replace("200", "###")
    # "japan" holds "ap", and is no message to editors; it was seen four times only, as "died" was.
    assert lines(tmp_path / "train.tsv") == [[known, "ferry sank <unk> <unk> <unk> <unk>"]] * 4 + [
        [known.replace(" .", " <unk> ."), "ferry sank <unk> <unk>"]
    ]
    assert lines(tmp_path / "test.tsv") == [["<unk> <unk> .", "<unk>"]]


def test_digits_and_rare_words_can_stay(extracted, tmp_path):
    flags = ["--keep-digits", "--no-unk", "--valid-size", 2]
    assert call("namas.py", "--pairs", extracted, "--output", tmp_path, *flags).returncode == 0
    train = lines(tmp_path / "train.tsv")
    assert train[0] == [f"{LONG} .", "ferry sank off japan 200 died"]
    assert train[4] == [f"{LONG} said .", "ferry sank in rain"]
    assert len(train) == 5, "update3 is found as update# is"
    assert len(lines(tmp_path / "valid.tsv")) == 2
    assert lines(tmp_path / "test.tsv") == [["too short .", "unfiltered"]]


def test_the_splits_are_those_of_namas():
    sys.path.insert(0, str(RECIPE))
    try:
        from namas import AGENCIES, SPLITS, split_of
    finally:
        sys.path.remove(str(RECIPE))
    months = {(split, agency): SPLITS[split][agency].split() for split in SPLITS for agency in AGENCIES}
    for split in SPLITS:
        assert sum(len(set(months[split, agency])) for agency in AGENCIES) == 47
    assert not any(set(months["valid", agency]) & set(months["test", agency]) for agency in AGENCIES)
    names = ["afp_eng_199405", "apw_eng_200907", "xin_eng_200902", "wpb_eng_201001"]
    assert [split_of(name) for name in names] == ["train", "valid", "test", None]


def test_what_is_not_gigaword_is_refused(tmp_path):
    assert "no file in it is named like afp_eng_199405.xml.gz" in refusal(
        call("gigaword.py", "--gigaword", tmp_path, "--output", tmp_path / "out")
    )
    whole = gzip.compress(b"<DOC>\n" * 999)
    for damaged in (whole[:40], b"<DOC>\n", whole[:-8] + bytes(8), whole[:20] + bytes(9) + whole[29:]):
        (tmp_path / "afp_eng_199405.xml.gz").write_bytes(damaged)
        line = refusal(call("gigaword.py", "--gigaword", tmp_path, "--output", tmp_path / "out"))
        assert "afp_eng_199405.xml.gz: damaged, copy it again" in line
        assert not list((tmp_path / "out").iterdir())
    (tmp_path / "afp_eng_199405.xml.gz").unlink()
    (tmp_path / "nyt_eng_199512.xml.gz").write_bytes(whole)
    assert call("gigaword.py", "--gigaword", tmp_path, "--output", tmp_path / "out").returncode == 0
    assert "has none of the months of train" in refusal(
        call("namas.py", "--pairs", tmp_path / "out", "--output", tmp_path)
    )


# DUC: name of the document, its text, and what the model gets to read of it.
DUC = {
    "2004": {
        "d30001t/APW19981016.0240": (
            "<P>\nPHNOM PENH, Cambodia (AP) _ Leaders met &AMP; talked in\nPhnom Penh for 3 hours on Friday"
            " about a coalition (the first) that would hold power over the coming years, officials said.\n</P>\n"
            "<P>\nMore.\n</P>",
            "leaders met talked in phnom penh for 3 hours on friday about a coalition -lrb- the first -rrb- that"
            " would hold power over the coming years , officials said .",
        ),
        "d30001t/NYT19981017.0001": (
            "A ferry sank. It was raining - as always (they said).\n",
            "a ferry sank , it was raining - as always -lrb- they said -rrb- .",
        ),
        "d30002t/APW19981018.0001": ("\n", ""),
        "d30002t/APW19981018.0002": (
            "TEL AVIV - JAFFA, Israel (AP) _ The prime minister (Hun Sen) - who is seldom here - said that (again)"
            " the leaders of both sides would meet on Friday - or on Sunday.\n",
            "the prime minister -lrb- hun sen -rrb- - who is seldom here - said that -lrb- again -rrb- the leaders"
            " of both sides would meet on friday - or on sunday .",
        ),
        "d30002t/APW19981018.0003": (
            "The prime minister (Hun Sen) - he is seldom here - said that the leaders of both sides would meet on"
            " Friday or on Sunday, and nobody believed him.\n",
            "the prime minister -lrb- hun sen -rrb- - he is seldom here - said that the leaders of both sides"
            " would meet on friday or on sunday , and nobody believed him .",
        ),
    },
    "2003": {
        "d100a/AP880911-0016": (
            "<ANNOTATION>Note</ANNOTATION> WASHINGTON _ The storm came - it went on all night over the whole of"
            " the island and the sea around it, which had been quiet for days before it.",
            "the storm came - it went on all night over the whole of the island and the sea around it , which had"
            " been quiet for days before it .",
        ),
    },
}


def write_duc(folder: Path, layout: str) -> Path:
    """NIST's archives of DUC 2003 and 2004, packed, with archives in them, or unpacked."""
    trees = {
        "2004": ("DUC2004_Summarization_Documents/duc2004_testdata/tasks1and2/duc2004_tasks1and2_docs/docs", ""),
        "2003": ("DUC2003_Summarization_Documents/duc2003_testdata/task1/docs.without.headlines", ".P.10.T"),
    }
    models = {"2004": "duc2004_results/ROUGE/eval/models/1", "2003": "detagged.duc2003.abstracts/models"}
    for year, documents in DUC.items():
        docs, kind = trees[year]
        for name, (text, _) in documents.items():
            path = folder / docs / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"<DOC>\n<HEAD>no text</HEAD>\n<TEXT>\n{text}\n</TEXT>\n</DOC>\n")
            for letter in "BADC":
                group = path.parent.name[:-1].upper()
                model = folder / models[year] / f"{group}{kind or '.P.10.T'}.{letter}.{path.name}"
                model.parent.mkdir(parents=True, exist_ok=True)
                model.write_text(f"Reference {letter} of\n {path.name}\n")
                (model.parent / f"{group}.P.100.T.{letter}").write_text("of another task\n")
    other = folder / "DUC2004_Summarization_Documents/duc2004_testdata/task5/docs/d132d"
    other.mkdir(parents=True, exist_ok=True)
    (other / "XIE1").write_text("of another task")
    if layout == "archives":
        pack(
            folder / "DUC2003_Summarization_Documents/duc2003_testdata/task1",
            "docs.without.headlines",
            "task1.docs.tar.gz",
        )
        pack(folder / "duc2004_results/ROUGE", "eval", "duc2004.task1.ROUGE.models.tar.gz")
        for name in ("DUC2003_Summarization_Documents", "DUC2004_Summarization_Documents", "duc2004_results"):
            pack(folder, name, f"{name}.tgz")
        pack(folder, "detagged.duc2003.abstracts", "detagged.duc2003.abstracts.tar.gz")
    return folder


def pack(folder: Path, name: str, archive: str) -> None:
    with tarfile.open(folder / archive, "w:gz") as tar:
        tar.add(folder / name, arcname=name)
    shutil.rmtree(folder / name)


def prepare_duc(folder: Path) -> subprocess.CompletedProcess:
    output = folder.parent / "output"
    output.mkdir()
    return call("duc.py", "--duc", folder, "--unpack", folder.parent / "unpacked", "--output", output)


@pytest.mark.parametrize("layout", ["archives", "unpacked", "both"])
def test_duc(tmp_path, layout):
    folder = write_duc(tmp_path / "DUC", "archives" if layout == "both" else layout)
    if layout == "both":
        write_duc(tmp_path / "DUC", "unpacked")
    result = prepare_duc(folder)
    assert result.returncode == 0, result.stderr
    assert f"DUC 2004: {len(DUC['2004'])} documents" in result.stdout and "DUC 2003: 1 documents" in result.stdout
    for year, documents in DUC.items():
        names = [name.partition("/")[2] for name in documents]
        expected = [text for _, text in documents.values()]
        assert (tmp_path / "output" / f"{year}.text").read_text().split("\n")[:-1] == expected
        for number, letter in enumerate("ABCD"):
            references = (tmp_path / "output" / f"{year}.ref{number}").read_text().splitlines()
            assert references == [f"Reference {letter} of {name}" for name in names]


def test_what_is_not_duc_is_refused(tmp_path):
    assert "not a folder" in refusal(prepare_duc(tmp_path / "nowhere"))
    (tmp_path / "1").mkdir()
    folder = write_duc(tmp_path / "1" / "DUC", "unpacked")
    next(folder.rglob("D30001.P.10.T.C.NYT19981017.0001")).unlink()
    assert "NYT19981017.0001: has 3 references" in refusal(prepare_duc(folder))
    (tmp_path / "2" / "DUC").mkdir(parents=True)
    line = refusal(prepare_duc(tmp_path / "2" / "DUC"))
    assert "no documents of DUC 2003" in line and "DUC2003_Summarization_Documents.tgz" in line
    (tmp_path / "3" / "DUC").mkdir(parents=True)
    (tmp_path / "3" / "DUC" / "bad.tgz").write_bytes(b"not an archive")
    assert "bad.tgz: cannot be unpacked" in refusal(prepare_duc(tmp_path / "3" / "DUC"))
    (tmp_path / "4" / "DUC").mkdir(parents=True)
    with tarfile.open(tmp_path / "4" / "DUC" / "hostile.tgz", "w:gz") as hostile:
        hostile.add(__file__, "../../../outside")
    assert "outside would lie outside of" in refusal(prepare_duc(tmp_path / "4" / "DUC"))
    assert not list(tmp_path.rglob("outside"))


def test_outputs_get_their_numbers_back(tmp_path):
    (tmp_path / "text").write_text("7.07 of 12 and 34 b2\n20 of 30\nnothing\n")
    (tmp_path / "outputs").write_text("#.## and ## , ## , ## #### <s>\n##\n<s>\n")
    result = call("restore.py", tmp_path / "outputs", tmp_path / "text")
    assert result.stdout == "7.07 and 12 , 34 , 34 ####\n20\nfail\n"
    (tmp_path / "outputs").write_text("a\nb\n")
    assert "outputs has 2 lines, but" in refusal(call("restore.py", tmp_path / "outputs", tmp_path / "text"))


@pytest.fixture
def tsv(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("train", "valid", "test"):
        (folder / f"{name}.tsv").write_bytes("The  Text of\u00a0it\tHEADLINE É\r\n".encode() * 2)
    return folder


def test_pairs_are_cut_and_headlines_lower_cased(tsv, tmp_path):
    assert call("pairs.py", tsv, tmp_path, 3).returncode == 0
    assert (tmp_path / "train.en").read_text() == "The Text of\n" * 2, "Moses looks at capitals"
    assert (tmp_path / "valid.headline").read_text() == "headline é\n" * 2
    (tsv / "test.tsv").write_bytes(b"\xef\xbb\xbf" + (tsv / "test.tsv").read_bytes())
    assert call("pairs.py", tsv, tmp_path).returncode == 0
    assert (tmp_path / "test.en").read_text() == "The Text of it\n" * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "valid.tsv: is empty; each line must be a text, a tab and its headline"),
        (b"a\tb\na b\n", "valid.tsv: line 2 has 0 tabs; it must be a text, one tab and its headline"),
        (b"a\tb\tc\n", "valid.tsv: line 1 has 2 tabs"),
        (b"a\tb\na\0\tb\n", "valid.tsv: line 2 has a NUL byte"),
        (b"a\tb\na\t \n", "valid.tsv: line 2 has an empty headline; mend it or leave it out"),
        (b"\tb\n", "valid.tsv: line 1 has an empty text"),
        (b"a\tb\na\t\xff\n", "valid.tsv: line 2 is not valid UTF-8"),
    ],
)
def test_damaged_pairs_are_refused(tsv, tmp_path, content, message):
    (tsv / "valid.tsv").write_bytes(content)
    assert message in refusal(call("pairs.py", tsv, tmp_path))
