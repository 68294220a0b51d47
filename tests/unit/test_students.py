"""Students: what they are made of, that a word's vector is its own business, and that they can learn a teacher."""

import pytest
import torch
from torch.nn import functional

from alone_fairseq.errors import UserError
from alone_fairseq.reconstruction.config import STUDENTS, StudentConfig, build_student, student_settings
from alone_fairseq.reconstruction.losses import DISTANCES, global_loss
from alone_fairseq.reconstruction.spelling import Characters, NGrams
from alone_fairseq.reconstruction.student_file import content, load_student

WORDS = ["the", "a", "cat", "cats", "dog", "dogs", "unbelievable", "été"]
SMALL = {"alone_inter_dim": 16, "hidden_dim": 8, "char_filters": 60, "ngrams": 30}
SUBWORD = [name for name in STUDENTS if name != "words"]


def make(student, dim=6, seed=1, words=WORDS, **settings):
    torch.manual_seed(seed)
    return build_student(StudentConfig(student=student, **SMALL | settings), words, dim).eval()


@pytest.mark.parametrize("student", STUDENTS)
def test_an_index_and_a_written_word_give_the_same_vector(student):
    made = make(student)
    places = torch.tensor([6, 1, 1, 7])
    torch.testing.assert_close(made(places), made.vectors([WORDS[place] for place in places]))
    assert made(places).shape == (4, 6)


@pytest.mark.parametrize("student", SUBWORD)
def test_one_long_word_takes_no_room_beside_the_others(student):
    words = ["a", "b" * 300, "ab", *WORDS]
    made = make(student, words=words)
    parts = [made.parts.of(word) for word in words]
    assert made.learnt_parts.tolist() == sum(parts, []) and made.learnt_parts.dtype == torch.int32
    for places in ([2, 0], [1], [0, 1, 10, 2]):
        written = made.parts([words[place] for place in places])
        assert torch.equal(made(torch.tensor(places)), made.embed(written)), "to the last bit"


@pytest.mark.parametrize("student", STUDENTS)
def test_a_vector_does_not_depend_on_the_other_words_of_a_batch(student):
    made = make(student)
    alone = torch.cat([made(torch.tensor([word])) for word in range(len(WORDS))])
    torch.testing.assert_close(made(torch.arange(len(WORDS))), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("student", SUBWORD)
def test_words_that_were_not_learnt_have_vectors(student):
    with torch.no_grad():
        vectors = make(student).vectors(["doge", "дом", "x"])
    assert vectors.shape == (3, 6) and vectors.isfinite().all()


def test_words_without_parts_in_common_with_any_learnt_are_refused_by_alone():
    with pytest.raises(UserError, match="'doge' is not one of the 8 words"):
        make("words").vectors(["cat", "doge"])


@pytest.mark.parametrize("student", SUBWORD)
def test_many_words_are_worked_through_in_portions(student, monkeypatch):
    made = make(student)
    whole = made.vectors(WORDS)
    monkeypatch.setattr("alone_fairseq.reconstruction.student.ROWS", 3)
    with torch.no_grad():
        torch.testing.assert_close(made.vectors(WORDS), whole, rtol=1e-5, atol=1e-6)


def test_no_words_have_no_vectors():
    for student in STUDENTS:
        assert make(student).vectors([]).shape == (0, 6)


def test_a_bilstm_has_no_negative_elements_and_with_a_highway_has():
    made = make("char-bilstm")
    everything = torch.arange(len(WORDS))
    assert made(everything).min() == 0
    highway = make("char-bilstm", highway=True)
    h = functional.relu(z := highway.output(highway.states(highway.parts(WORDS))))
    t = torch.sigmoid(highway.gate(h))
    torch.testing.assert_close(highway(everything), t * h + (1 - t) * z)
    assert highway(everything).min() < 0


def test_a_bilstm_reads_a_word_from_both_ends():
    """f at the last character, b at the first: the states of two LSTMs that are stepped by hand."""
    made = make("char-bilstm")
    lstm, word = made.states.lstm, Characters(WORDS)(["cats"])
    inputs = made.states.embedding(word)[0]
    ends = []
    for suffix, order in (("", inputs), ("_reverse", inputs.flip(0))):
        cell = torch.nn.LSTMCell(6, 6)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(cell, name, getattr(lstm, f"{name}_l0{suffix}"))
        state = None
        for character in order:
            state = cell(character[None], state)
        ends.append(state[0])
    torch.testing.assert_close(made.states(word), torch.cat(ends, dim=1))


def test_parameters_are_those_of_the_papers_formulas():
    d, characters = 6, len(Characters(WORDS))
    lstm = 2 * 4 * (d * d + d * d + 2 * d)  # PyTorch has two biases
    bilstm = characters * d + lstm + 2 * d * d + d
    assert make("char-bilstm").parameter_count == bilstm
    assert make("char-bilstm", highway=True).parameter_count == bilstm + d * d + d
    assert make("words").parameter_count == d + 16 * (d + d)
    assert make("ngram-bag").parameter_count == 32 * d
    assert make("char-cnn").embedding.num_embeddings == characters + 2, "and the marks of a word's ends"


def test_characters_may_stand_between_marks_of_the_word_s_ends():
    assert Characters(["ba"])(["ab", "c", ""]).tolist() == [[2, 3], [1, 0], [1, 0]]
    marked = Characters(["ba"], ends=True)
    assert marked(["ab", "c", ""]).tolist() == [[4, 2, 3, 5], [4, 1, 5, 0], [4, 5, 0, 0]]


def test_ngrams_are_those_of_fasttext_and_the_most_frequent_ones_are_kept():
    assert NGrams(["cat"], 3, 6, 100).cut("cat") == ["<ca", "cat", "at>", "<cat", "cat>", "<cat>"]
    assert list(NGrams(["cat", "cats", "bat"], 3, 3, 3).numbers) == ["<ca", "at>", "cat"]
    assert NGrams(["cat"], 3, 3, 100).of("dog") == [1]


def test_a_bag_is_the_mean_of_its_ngrams_times_the_root_of_d():
    made = make("ngram-bag")
    rows = [made.parts.numbers[part] for part in made.parts.cut("cat") if part in made.parts.numbers]
    assert len(rows) > 2
    torch.testing.assert_close(
        made.vectors(["cat"])[0], made.embedding_dim**0.5 * made.embedding.weight[rows].mean(0)
    )


def fitted(student, target, loss, steps, lr=0.05):
    """The loss after ``steps`` of Adam on all words."""
    student.train()
    optimizer = torch.optim.Adam(student.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.001, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(student(torch.arange(len(target))), target).mean().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return loss(student.eval()(torch.arange(len(target))), target).mean().item()


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("embedding", ["lookup", "alone"])
def test_a_student_that_can_represent_its_teacher_reaches_zero(embedding, distance):
    torch.manual_seed(2)
    target = torch.randn(len(WORDS), 6)
    student = make("words", embedding=embedding, alone_inter_dim=128)
    lowest = -1 if distance == "cosine" else 0
    assert fitted(student, target, DISTANCES[distance], 300) == pytest.approx(lowest, abs=0.03)


@pytest.mark.parametrize("student", SUBWORD)
def test_subword_students_learn_a_teacher_without_negative_elements(student):
    torch.manual_seed(2)
    target = torch.rand(len(WORDS), 6) + 0.2
    assert fitted(make(student, char_dim=16, ngrams=200), target, DISTANCES["squared"], 250) < 0.02


def test_a_bilstm_without_highway_cannot_learn_negative_elements():
    target = -torch.ones(len(WORDS), 6)
    assert fitted(make("char-bilstm"), target, DISTANCES["squared"], 20) == pytest.approx(6)


def test_the_global_loss_is_learnt_too():
    torch.manual_seed(2)
    target = torch.randn(len(WORDS), 6)
    others = target[torch.randint(len(WORDS), (len(WORDS), 5))]

    def both(made, target):
        return DISTANCES["mean-squared"](made, target) + global_loss(made, target, others)

    assert fitted(make("words", embedding="lookup"), target, both, 300) < 1e-3


@pytest.mark.parametrize("student", STUDENTS)
def test_a_small_file_gives_the_student_back(student, tmp_path):
    made = make(student)
    path = tmp_path / "student.safetensors"
    path.write_bytes(content(made))
    assert torch.equal(load_student(path).vectors(WORDS), made.vectors(WORDS))
    path.write_bytes(content(made, torch.float16))
    torch.testing.assert_close(load_student(path).vectors(WORDS), made.vectors(WORDS), rtol=0, atol=5e-3)


def test_weights_too_large_for_half_precision_are_not_written():
    made = make("words")
    with torch.no_grad():
        next(made.parameters()).fill_(1e5)
    with pytest.raises(UserError, match="not finite in float16; leave out --half"):
        content(made, torch.float16)


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "cut short"), (b"text", "cut short"), (None, "not there"), (300, "cut short")]
)
def test_a_damaged_small_file_is_refused_in_one_line(tmp_path, data, message):
    path = tmp_path / "student.safetensors"
    if data is not None:
        path.write_bytes(content(make("words"))[:data] if isinstance(data, int) else data)
    with pytest.raises(UserError, match=message) as error:
        load_student(path)
    assert "\n" not in str(error.value) and str(error.value).count(str(path)) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"student": "glove"}, "--student"),
        ({"student": "char-rnn", "hidden_dim": 0}, "--hidden-dim"),
        ({"student": "char-rnn", "student_dropout": 1.0}, "--student-dropout"),
        ({"student": "ngram-bag", "ngram_min": 4, "ngram_max": 3}, "--ngram-min"),
        ({"student": "ngram-attention", "attention_heads": 4}, "--attention-heads 4"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        build_student(StudentConfig(**settings), WORDS, 6)


def test_missing_settings_have_their_defaults():
    assert student_settings({"student": "ngram-bag", "ngrams": None, "lr": 3}) == StudentConfig(
        student="ngram-bag"
    )
