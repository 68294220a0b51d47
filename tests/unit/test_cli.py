"""What all ``alone`` commands share."""

import io
import sys

import pytest

from alone_fairseq.cli import COMMANDS, main


@pytest.mark.parametrize("arguments", ["params --vocab 0", "translate", "nonsense", "average --last x"])
def test_wrong_arguments_get_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("alone") and "--help" in err


def test_each_command_has_an_example(capsys):
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].strip("_").replace("_", "-")
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
        out = capsys.readouterr().out
        assert "example" in out and "%%" not in out


def test_words_are_written_in_utf_8_whatever_the_locale(tmp_path, monkeypatch):
    (tmp_path / "some.vec").write_text("2 1\nłódź 1\nrzeka 2\n", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert main(["neighbours", "rzeka", "--vectors", str(tmp_path / "some.vec")]) == 0
    sys.stdout.flush()
    assert "łódź" in sys.stdout.buffer.getvalue().decode()
