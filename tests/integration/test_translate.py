"""``alone translate``: the translations of fairseq-generate, and a line out for each line in."""

import json
import os
import shutil
import subprocess
import sys
import threading
from argparse import Namespace
from itertools import permutations

import pytest
import torch
from commands import train
from fairseq import options
from fairseq.dataclass.configs import GenerationConfig
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq_cli import generate, preprocess

from alone_fairseq.cli import main
from alone_fairseq.text import TextPipeline, TextSettings
from alone_fairseq.translate import Translator


@pytest.fixture
def alone_translate(tiny_checkpoint, tiny_data, tmp_path, monkeypatch, capsys):
    """Run the command on a text; returns its exit status, lines and standard error."""

    def run(text, *options, checkpoint=tiny_checkpoint, data=tiny_data):
        (tmp_path / "stdin").write_bytes(text if isinstance(text, bytes) else text.encode())
        with open(tmp_path / "stdin") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            arguments = ["translate", "--checkpoint", str(checkpoint), "--data", str(data), "--cpu", *options]
            status = main(arguments)
        out, err = capsys.readouterr()
        return Namespace(status=status, lines=out.split("\n")[:-1], err=err)

    return run


@pytest.fixture
def translator(tiny_checkpoint, tiny_data):
    return lambda data=tiny_data: Translator(str(tiny_checkpoint), data, GenerationConfig(), cpu=True)


def lines(sentences):
    return "".join(f"{sentence}\n" for sentence in sentences)


@pytest.fixture
def english(tiny_text):
    return [english for english, _ in tiny_text["test"]]


def test_like_fairseq_generate(alone_translate, english, tiny_checkpoint, tiny_data, tmp_path, capsys):
    arguments = f"{tiny_data} --path {tiny_checkpoint} --beam 3 --nbest 2 --lenpen 0.5 --max-len-a 1"
    arguments += f" --required-batch-size-multiple 1 --cpu --num-workers 0 --results-path {tmp_path}"
    parsed = options.parse_args_and_arch(options.get_generation_parser(), input_args=arguments.split())
    generate.main(convert_namespace_to_omegaconf(parsed))
    capsys.readouterr()
    log = str(tmp_path / "generate-test.txt")
    assert main(["hypotheses", log, "--nbest", "2", "--detokenize", "de"]) == 0
    expected = capsys.readouterr().out.split("\n")[:-1]
    translated = alone_translate(lines(english), "--beam", "3", "--nbest", "2", "--lenpen", "0.5")
    assert translated.lines == expected


def test_text_not_tokens(alone_translate, english):
    """Different sentences too, for tests of order to be tests."""
    translations = alone_translate(lines(english)).lines
    assert all(translation.endswith(".") and " ." not in translation for translation in translations)
    assert len(set(translations)) > 4


@pytest.mark.parametrize("limit", [("--batch-size", "1"), ("--max-tokens", "5"), ("--max-tokens", "30")])
def test_batches_change_nothing(alone_translate, english, limit):
    assert alone_translate(lines(english), *limit).lines == alone_translate(lines(english)).lines


def test_a_line_out_for_each_line_in(alone_translate):
    text = "The man sees the dog.\n\n   \n\u00a0\u2028\n\x01\nThe\x0bman\x0csees\x85the\u2028dog .\r\n".encode()
    text += b"The \xff dog.\nThe man sees the dog."
    result = alone_translate(text)
    translation = result.lines[0]
    assert translation
    assert result.lines[:6] + result.lines[7:] == [translation, "", "", "", "", translation, translation]
    assert result.lines[6]
    assert result.err == "alone: warning: line 7: invalid UTF-8, replaced by U+FFFD\n"


def test_nbest_lines(alone_translate):
    result = alone_translate("The man sees the dog.\n\nThe dog sees the man.\n", "--nbest", "3")
    assert len(result.lines) == 9
    assert result.lines[3:6] == ["", "", ""]
    assert len(set(result.lines[:3])) == 3
    assert result.lines[::3] == alone_translate("The man sees the dog.\n\nThe dog sees the man.\n").lines


def test_nothing_in_nothing_out(alone_translate):
    assert alone_translate("") == Namespace(status=0, lines=[], err="")


def test_long_lines_are_cut(alone_translate, translator):
    words = ["the", "man", "sees"] * 20
    result = alone_translate(f"\n{' '.join(words)}\n")
    assert result.lines == ["", *alone_translate(f"{' '.join(words[:39])}\n").lines]
    assert result.err == "alone: warning: line 2: has 60 tokens; only the first 39 are translated\n"
    ids = translator().binarize(" ".join(words), 1)
    assert torch.equal(ids, translator().binarize(" ".join(words[:39]), 1))
    assert len(ids) == 40


def test_special_symbols_are_text(alone_translate, translator, tiny_data, tmp_path):
    """Where no tokenizer takes them apart they would be padding, or the end of the sentence."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "tokenizer.json").write_text('{"version": 1, "source_lang": "en", "target_lang": "de"}')
    ids = translator(data=data).binarize("<pad> dog </s> <s> <unk> man", 1)
    assert torch.equal(ids, translator(data=data).binarize("un dog known un known man", 1))
    assert len(alone_translate("<pad>\n", data=data).lines) == 1


def test_each_language_has_its_tokenizer(translator):
    assert translator().source.decode("it 's") == "it's"
    assert translator().target.decode("sagt 's") == "sagt 's"


def test_ensemble(alone_translate, english, tiny_checkpoint):
    once = alone_translate(lines(english)).lines
    assert alone_translate(lines(english), checkpoint=f"{tiny_checkpoint}:{tiny_checkpoint}").lines == once
    early = tiny_checkpoint.with_name("checkpoint5.pt")
    assert alone_translate(lines(english), checkpoint=f"{tiny_checkpoint}:{early}:{early}").lines != once


def test_averaged(alone_translate, english, tiny_checkpoint, tmp_path, capsys):
    averaged = tmp_path / "averaged.pt"
    arguments = ["average", "--inputs", str(tiny_checkpoint.parent), "--last", "3", "--output", str(averaged)]
    assert main(arguments) == 0
    names = [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]
    assert names == ["checkpoint20.pt", "checkpoint15.pt", "checkpoint10.pt"]
    assert averaged.stat().st_size < tiny_checkpoint.stat().st_size / 2
    assert len(alone_translate(lines(english), checkpoint=averaged).lines) == len(english)


def test_no_dropout(translator):
    assert not any(module.training for module in translator().models[0].modules())


@pytest.fixture
def french_data(tiny_data, tmp_path):
    """``tiny_data`` with a French dictionary in place of the English one, still with en-de in its settings."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    (data / "dict.en.txt").rename(data / "dict.fr.txt")
    return data


def test_a_flag_chooses_the_direction(alone_translate, french_data):
    result = alone_translate("The man sees the dog.\n", data=french_data)
    assert (result.status, result.lines) == (1, [])
    assert f"{french_data}: no dict.en.txt" in result.err
    result = alone_translate("The man sees the dog.\n", "--source-lang", "fr", data=french_data)
    assert result.lines == alone_translate("The man sees the dog.\n").lines
    result = alone_translate(
        "The man sees the dog.\n", "--source-lang", "fr", "--target-lang", "nl", data=french_data
    )
    assert f"{french_data}: no dict.nl.txt" in result.err


def test_the_checkpoint_knows_its_direction(alone_translate, tiny_checkpoint, french_data, tmp_path):
    state = torch.load(tiny_checkpoint, weights_only=True)
    state["cfg"]["task"]["source_lang"] = "fr"
    torch.save(state, tmp_path / "french.pt")
    result = alone_translate("The man sees the dog.\n", checkpoint=tmp_path / "french.pt", data=french_data)
    assert result.lines == alone_translate("The man sees the dog.\n").lines


class RunsCode:
    """Unpickled, it makes a file; a checkpoint with it must be refused."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def truncated(checkpoint, path):
    path.write_bytes(checkpoint.read_bytes()[:10000])


def foreign(checkpoint, path):
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, path)


def missing(checkpoint, path):
    pass


def runs_code(checkpoint, path):
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "extra": RunsCode(str(path.with_suffix(".ran")))}, path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated, "not a checkpoint, or cut short"),
        (foreign, "not a checkpoint of fairseq"),
        (runs_code, "refused: loading it would call posix.mkdir"),
        (missing, "No such file or directory"),
    ],
)
def test_bad_checkpoints(alone_translate, tiny_checkpoint, tmp_path, make, message):
    make(tiny_checkpoint, tmp_path / "bad.pt")
    result = alone_translate("The man sees the dog.\n", checkpoint=tmp_path / "bad.pt")
    assert (result.status, result.lines) == (1, [])
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "bad.ran").exists()


def no_settings(data):
    (data / "tokenizer.json").unlink()


def no_dictionary(data):
    (data / "dict.de.txt").unlink()


def other_dictionaries(data):
    for lang in ("en", "de"):
        with open(data / f"dict.{lang}.txt", "a") as dictionary:
            dictionary.write("unheard 1\n")


def broken_dictionary(data):
    (data / "dict.en.txt").write_text("word\n")


def no_codes(data):
    settings = json.loads((data / "tokenizer.json").read_text())
    (data / "tokenizer.json").write_text(json.dumps({**settings, "bpe": "subword_nmt", "codes": "codes.txt"}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_settings, "tokenizer.json: not there; to write it, see"),
        (no_dictionary, "no dict.de.txt"),
        (other_dictionaries, "does not load with the dictionaries in"),
        (broken_dictionary, "dict.en.txt: not a dictionary of fairseq-preprocess"),
        (no_codes, "codes.txt: not there"),
    ],
)
def test_bad_data(alone_translate, tiny_data, tmp_path, damage, message):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    damage(data)
    result = alone_translate("The man sees the dog.\n", data=data)
    assert (result.status, result.lines) == (1, [])
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--bpe-codes", "codes"], "says that there is no BPE"),
        (["--nbest", "5"], "--nbest 5 needs a --beam of 5 or more"),
        (["--fp16"], "--fp16 needs a GPU"),
        (["--desired-length", "9"], "is for models that were trained with --length-control, and this one was not"),
    ],
)
def test_bad_flags(alone_translate, flags, message):
    result = alone_translate("The man sees the dog.\n", *flags)
    assert (result.status, result.lines) == (1, [])
    assert message in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "kind"), [("--beam", "0", "positive number"), ("--lenpen", "nan", "number")]
)
def test_bad_number(alone_translate, capsys, option, value, kind):
    with pytest.raises(SystemExit) as exit_:
        alone_translate("", option, value)
    assert exit_.value.code == 2
    assert f"argument {option}: invalid {kind} value: '{value}'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def headlines(tmp_path_factory):
    """A folder with data, characters on their target side, and a model that is told their number."""
    folder = tmp_path_factory.mktemp("headlines")
    (folder / "data").mkdir()
    settings = {"version": 1, "source_lang": "text", "target_lang": "title", "lowercase": True}
    (folder / "data/tokenizer.json").write_text(json.dumps({**settings, "target_bpe": "characters"}))
    settings = TextSettings.load(folder / "data/tokenizer.json")
    for lang in ("text", "title"):
        encode = TextPipeline(settings, lang).encode
        rows = [encode(f"{first} {second}") for first, second in permutations(("An", "älter", "MAN", "naps"), 2)]
        (folder / f"train.{lang}").write_text("".join(f"{row}\n" for row in rows))
    line = f"-s text -t title --trainpref {folder}/train --destdir {folder}/data --joined-dictionary"
    preprocess.main(options.get_preprocessing_parser().parse_args(line.split()))
    train(folder / "data", folder, "--task headline_generation --length-control lrpe --max-update 20")
    return folder


@pytest.fixture
def headline(alone_translate, headlines):
    def run(text, *options):
        return alone_translate(
            text, *options, checkpoint=headlines / "checkpoint_last.pt", data=headlines / "data"
        )

    return run


def test_lengths_of_headlines(headline, tmp_path):
    text = "An naps\n\nMAN älter\n"
    found = {length: headline(text, "--desired-length", str(length)).lines for length in (2, 40)}
    (tmp_path / "lengths").write_text("40\n7\n2\n")
    result = headline(text, "--desired-length", str(tmp_path / "lengths"), "--batch-size", "1")
    assert result.lines == [found[40][0], "", found[2][2]]
    assert found[40][0] != found[2][0]
    assert not any("@" in line for line in result.lines)
    limited = headline(text, "--desired-length", "40", "--max-bytes", "3").lines
    assert max(len(line.encode()) for line in limited) <= 3 < len(found[40][0])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "must be told how long its output shall be: give --desired-length N"),
        (["--desired-length", "0"], "--desired-length 0: a wanted length must be between 1 and"),
        (["--desired-length", "-2"], "--desired-length -2: a wanted length must be between 1 and"),
        (["--desired-length", "long"], "--desired-length long: neither a number, nor gold, nor a file"),
        (["--desired-length", ""], "--desired-length : neither a number, nor gold, nor a file"),
        (["--desired-length", "gold"], "--desired-length gold is for fairseq-generate"),
        (["--desired-length", "few"], "--desired-length: has 1 lengths, and the text has more lines"),
        (["--desired-length", "many"], "many: has 3 lengths, but the text 2 lines"),
    ],
)
def test_bad_lengths(headline, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few").write_text("3\n")
    (tmp_path / "many").write_text("3\n3\n3\n")
    result = headline("An naps\nMAN älter\n", *flags)
    assert result.status == 1
    assert message in result.err
    assert result.err.count("\n") == 1


def test_pipe(tiny_checkpoint, tiny_data):
    """A line is answered while the next one is still to come; a reader that goes away is no error."""
    code = "import sys; from alone_fairseq.cli import main; sys.exit(main())"
    arguments = ["translate", "--checkpoint", tiny_checkpoint, "--data", tiny_data, "--cpu"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        hang_up = threading.Timer(120, process.kill)  # or this test would wait for ever where it should fail
        hang_up.start()
        process.stdin.write(b"The man sees the dog.\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"D")
        process.stdout.close()
        process.stdin.write(b"The man sees the dog.\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        hang_up.cancel()
    assert process.returncode != 0
