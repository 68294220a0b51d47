"""``tokenizer.json``: text to tokens and back."""

import io
import json
import pickle
import runpy
import sys
from unittest.mock import Mock

import pytest
import sentencepiece
from subword_nmt.learn_bpe import learn_bpe

from alone_fairseq import text
from alone_fairseq.errors import UserError
from alone_fairseq.text import TextPipeline, TextSettings

SETTINGS = {"version": 1, "source_lang": "en", "target_lang": "de"}
CORPUS = "".join(f"A low tower is lower than the {word}est newer tower.\n" for word in ("low", "new", "wid") * 20)


@pytest.fixture
def pipeline(tmp_path):
    def build(lang="en", **settings):
        (tmp_path / "tokenizer.json").write_text(json.dumps({**SETTINGS, **settings}))
        return TextPipeline(TextSettings.load(tmp_path / "tokenizer.json"), lang)

    return build


@pytest.fixture
def codes(tmp_path):
    with open(tmp_path / "codes.txt", "w") as file:
        learn_bpe(io.StringIO(CORPUS), file, num_symbols=20)
    return "codes.txt"


@pytest.fixture
def model(tmp_path):
    with open(tmp_path / "sentencepiece.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.splitlines()), model_writer=file, vocab_size=24, minloglevel=2
        )
    return "sentencepiece.model"


def test_words(pipeline):
    assert pipeline().encode("  A\u00a0low\u2028\ttower. ") == "A low tower."
    assert pipeline().decode("A low tower.") == "A low tower."


def test_characters_of_the_target(pipeline, codes):
    """BPE on the source, characters on the target, both lower-cased: headlines."""
    settings = {"bpe": "subword_nmt", "codes": codes, "target_bpe": "characters", "lowercase": True}
    source, target = pipeline("en", **settings), pipeline("de", **settings)
    assert source.encode("A low tower") == pipeline("en", **{**settings, "target_bpe": "same"}).encode(
        "a low tower"
    )
    assert target.encode(" A  löw\ttower@@ ") == "a @@@@ l ö w @@@@ t o w e r @ @"
    assert target.decode("a @@@@ l ö w @@@@ t o w e r @ @") == "a löw tower@@"
    assert target.decode("@@@@ a <unk> @@@@") == "a<unk>"
    assert target.encode("") == target.decode("") == ""


def test_characters_are_those_of_the_text_as_it_is_written(pipeline):
    source, target = (pipeline(lang, tokenizer="moses", target_bpe="characters") for lang in ("en", "de"))
    assert source.encode("Ja, ja.") == "Ja , ja ."
    assert target.encode("Ja, ja.") == "J a , @@@@ j a ."
    assert target.decode("J a , @@@@ j a .") == "Ja, ja."


def test_moses(pipeline):
    english = pipeline(tokenizer="moses")
    tokens = english.encode("It's Mr. Low's [tower] & co.")
    assert tokens == "It 's Mr. Low 's [ tower ] & co ."  # nothing escaped; Mr. is no end of a sentence
    assert english.decode("It 's a tower , and low .") == "It's a tower, and low."
    assert pipeline("de", tokenizer="moses").encode("It's") == "It ' s"


def test_entities_stay_what_they_are(pipeline):
    assert pipeline(tokenizer="moses").decode("a &amp; b") == "a &amp; b"


def test_escaped_characters_come_back(pipeline):
    english = pipeline(tokenizer="moses", escape=True)
    tokens = english.encode('It\'s "A & B" [now].')
    assert tokens == "It &apos;s &quot; A &amp; B &quot; &#91; now &#93; ."
    assert english.decode(tokens) == 'It\'s "A & B" [now].'


def test_punctuation_gets_one_form(pipeline):
    text = "\u201eLow\u201c \u2013 it\u2019s\u00a0low\u2026"
    assert pipeline(normalize_punctuation=True).encode(text) == '"Low" - it\'s low...'
    assert pipeline().encode(text) == text.replace("\u00a0", " ")
    german = pipeline("de", tokenizer="moses", normalize_punctuation=True)
    assert german.encode("\u201eTurm\u201c") == '" Turm "'


def test_lowercase(pipeline):
    assert pipeline(tokenizer="moses", lowercase=True).encode("Mr. Low's TOWER.") == "mr. low 's tower ."


@pytest.mark.parametrize("empty", ["", "   ", "\t", "\u00a0\u3000", "\r"])
@pytest.mark.parametrize("tokenizer", ["none", "moses"])
def test_empty_stays_empty(pipeline, codes, model, empty, tokenizer):
    assert pipeline(tokenizer=tokenizer).encode(empty) == ""
    assert pipeline(tokenizer=tokenizer, bpe="subword_nmt", codes=codes).encode(empty) == ""
    assert pipeline(tokenizer=tokenizer, bpe="sentencepiece", codes=model).encode(empty) == ""


@pytest.mark.parametrize("tokenizer", ["none", "moses"])
def test_subword_nmt(pipeline, codes, tokenizer):
    subwords = pipeline(tokenizer=tokenizer, bpe="subword_nmt", codes=codes)
    tokens = subwords.encode("The lower tower.")
    assert "@@ " in tokens
    assert "tower" in tokens
    assert subwords.decode(tokens) == "The lower tower."


def test_sentencepiece(pipeline, model):
    subwords = pipeline(bpe="sentencepiece", codes=model)
    tokens = subwords.encode("The lower tower.")
    assert tokens.startswith("\u2581")
    assert len(tokens.split()) > 3
    assert subwords.decode(tokens) == "The lower tower."


@pytest.mark.parametrize("bpe", ["subword_nmt", "sentencepiece"])
def test_what_converts_can_be_given_to_processes_that_are_spawned(pipeline, codes, model, bpe):
    subwords = pipeline(bpe=bpe, codes={"subword_nmt": codes, "sentencepiece": model}[bpe])
    sentence = "The lower tower."
    assert pickle.loads(pickle.dumps(subwords.encode))(sentence) == subwords.encode(sentence)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must name version, source_lang, target_lang"),
        (json.dumps({"version": 1, "source_lang": "en"}), "must name version, source_lang, target_lang"),
        (json.dumps({**SETTINGS, "truecase": True}), "must name version, source_lang, target_lang"),
        (json.dumps({**SETTINGS, "version": 2}), "version must be 1, not 2"),
        (json.dumps({**SETTINGS, "bpe": "bpe"}), 'bpe must be "subword_nmt" or "sentencepiece" or "none"'),
        (json.dumps({**SETTINGS, "tokenizer": "Moses"}), 'tokenizer must be "moses" or "none", not "Moses"'),
        (json.dumps({**SETTINGS, "lowercase": "false"}), 'lowercase must be true or false, not "false"'),
        (json.dumps({**SETTINGS, "bpe": "subword_nmt"}), "codes must name the file"),
    ],
)
def test_bad_settings(tmp_path, settings, message):
    (tmp_path / "tokenizer.json").write_text(settings)
    with pytest.raises(UserError, match=r"tokenizer\.json") as error:
        TextSettings.load(tmp_path / "tokenizer.json")
    assert message in str(error.value)


def test_codes_without_bpe_are_none(tmp_path):
    settings = {"version": 1, "source_lang": "en", "target_lang": "de", "codes": "codes.txt"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    assert TextSettings.load(tmp_path / "tokenizer.json").codes is None


def test_no_settings(tmp_path):
    with pytest.raises(UserError, match="not there; to write it, see: python -m pydoc alone_fairseq.text"):
        TextSettings.load(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("bpe", ["subword_nmt", "sentencepiece"])
@pytest.mark.parametrize("content", [b"", b"one two three\n", b"\xff\xfe\x00"])
def test_bad_codes(pipeline, tmp_path, capfd, bpe, content):
    (tmp_path / "codes").write_bytes(content)
    with pytest.raises(UserError, match=f"codes: not what {bpe} has learnt"):
        pipeline(bpe=bpe, codes="codes")
    assert capfd.readouterr().err == ""


def test_missing_codes(pipeline):
    with pytest.raises(UserError, match="codes: not there; it should be what subword_nmt has learnt"):
        pipeline(bpe="subword_nmt", codes="codes")


@pytest.fixture
def apply(tmp_path, monkeypatch, capsys):
    """``python -m alone_fairseq.text``, in this process."""

    def run(action, content, lang="en"):
        (tmp_path / "stdin").write_bytes(content)
        with open(tmp_path / "stdin") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            text.main([action, "--config", str(tmp_path / "tokenizer.json"), "--lang", lang])
        return capsys.readouterr().out

    return run


def test_apply_and_tokenize(pipeline, codes, apply):
    pipeline(tokenizer="moses", bpe="subword_nmt", codes=codes)
    content = "The lower tower.\n\n  \nlow\x85low\n".encode()
    assert apply("tokenize", content) == "The lower tower .\n\n\nlow low\n"
    assert apply("apply", content).replace("@@ ", "") == "The lower tower .\n\n\nlow low\n"
    assert "@@ " in apply("apply", content)


@pytest.fixture
def convert(tmp_path):
    """``python -m alone_fairseq.text`` with files, in this process."""

    def run(action, *paths, workers=1):
        folder = tmp_path / f"{action} {workers}"
        folder.mkdir()
        words = [action, *paths, "--config", tmp_path / "tokenizer.json", "--into", folder, "--workers", workers]
        text.main(list(map(str, words)))
        return [folder / path.name for path in paths]

    return run


@pytest.mark.parametrize("workers", [1, 2])
def test_files_one_step_after_the_other_and_back(pipeline, codes, convert, tmp_path, workers):
    pipeline(tokenizer="moses", lowercase=True, bpe="subword_nmt", codes=codes)
    raw = [tmp_path / "set.en", tmp_path / "set.de"]
    for path in raw:
        path.write_text("The lower tower's lowland.\n\n" * 2000)
    words = convert("tokenize", *raw, workers=workers)
    assert words[0].read_text() == "the lower tower 's lowland .\n\n" * 2000
    assert words[1].read_text() == "the lower tower ' s lowland .\n\n" * 2000
    tokens = convert("segment", *words, workers=workers)
    for one, both in zip(tokens, convert("apply", *raw, workers=workers), strict=True):
        assert "@@ " in one.read_text()
        assert one.read_text() == both.read_text()
    assert convert("decode", *tokens, workers=workers)[0].read_text() == "the lower tower's lowland.\n\n" * 2000


@pytest.mark.parametrize(
    "words", [[], ["--lang", "en", "--into", "."], ["a.en"], ["a.en", "--lang", "en", "--into", "."]]
)
def test_either_files_or_standard_input(words, capsys):
    with pytest.raises(SystemExit):
        text.main(["apply", "--config", "tokenizer.json", *words])
    assert "give --lang and standard input, or files and --into" in capsys.readouterr().err


def test_nothing_is_replaced_by_a_part(pipeline, tmp_path, monkeypatch):
    pipeline()
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "set.en").write_text("as it was\n")
    for name in ("set.en", "set.zz"):
        (tmp_path / name).write_text("low\n")
    options = ["--config", str(tmp_path / "tokenizer.json"), "--into", str(tmp_path / "made")]
    with pytest.raises(UserError, match="zz"):
        text.main(["apply", str(tmp_path / "set.en"), str(tmp_path / "set.zz"), *options])
    monkeypatch.setattr(text, "converted", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        text.main(["apply", str(tmp_path / "set.en"), *options])
    assert [path.read_text() for path in (tmp_path / "made").iterdir()] == ["as it was\n"]


def test_a_file_is_never_written_over_itself_or_another(pipeline, tmp_path):
    pipeline()
    (tmp_path / "other").mkdir()
    paths = [tmp_path / "set.en", tmp_path / "other" / "set.en"]
    for path in paths:
        path.write_text("low\n")
    options = ["--config", str(tmp_path / "tokenizer.json"), "--into", str(tmp_path / "other" / "..")]
    with pytest.raises(UserError, match="set.en: would be overwritten while it is read; choose another --into"):
        text.main(["apply", str(paths[0]), *options])
    with pytest.raises(UserError, match="two files of the same name"):
        text.main(["apply", *map(str, paths), *options])
    assert [path.read_text() for path in paths] == ["low\n"] * 2


def test_tokenize_needs_no_codes_yet(pipeline, apply):
    with pytest.raises(UserError):
        pipeline(bpe="subword_nmt", codes="codes.txt")
    assert apply("tokenize", b"low\n") == "low\n"


def test_a_target_of_characters_is_cut_as_it_is_written_in_one_step_and_in_two(pipeline, apply):
    pipeline(tokenizer="moses", target_bpe="characters")
    assert apply("tokenize", b"low, toe\n") == apply("apply", b"low, toe\n") == "low , toe\n"
    words = apply("tokenize", b" low,  toe\n", lang="de")
    assert words == "low, toe\n"
    assert apply("segment", words.encode(), lang="de") == "l o w , @@@@ t o e\n"
    assert apply("apply", b" low,  toe\n", lang="de") == "l o w , @@@@ t o e\n"


def test_language_must_be_one_of_the_two(pipeline, apply):
    pipeline()
    with pytest.raises(UserError, match="the language fr is not one of the two in tokenizer.json, en or de"):
        apply("apply", b"low\n", lang="fr")


@pytest.mark.filterwarnings("ignore:'alone_fairseq.text' found in sys.modules")
def test_errors_are_one_line(monkeypatch):
    monkeypatch.setattr("sys.argv", ["text.py", "apply", "--config", "nowhere.json", "--lang", "en"])
    with pytest.raises(SystemExit, match="alone_fairseq.text: error: nowhere.json: not there; .*$"):
        runpy.run_module("alone_fairseq.text", run_name="__main__")
