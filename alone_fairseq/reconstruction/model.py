"""Students as a model of fairseq, and the papers' settings as its architectures."""

import logging
from functools import partial

from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from alone_fairseq.config import check_names, one_line_errors
from alone_fairseq.gradients import log_gradients
from alone_fairseq.reconstruction.config import StudentConfig, build_student, student_settings, without_effect
from alone_fairseq.reconstruction.student import OTHER_WORDS, Student
from alone_fairseq.transformer import RefusesOthers

logger = logging.getLogger(__name__)

ARCHITECTURES = {
    # ALONE, Section 3.1; D_inter is one of 600, 1,200, 1,800 and 2,400.
    "student_alone": {"student": "words", "embedding": "alone", "alone_inter_dim": 2400},
    # Stratos 2017, Section 4.1; Equation 2, and with a highway Equation 3. The paper does not give its dropout.
    "student_char_bilstm": {"student": "char-bilstm", "student_dropout": 0.1},
    "student_char_bilstm_highway": {"student": "char-bilstm", "student_dropout": 0.1, "highway": True},
    # Ohashi et al. 2020; the poster gives sizes only, which these come near to with a teacher of 300 elements.
    "student_char_rnn": {"student": "char-rnn", "char_dim": 100, "hidden_dim": 512},
    "student_char_cnn": {"student": "char-cnn", "char_dim": 64},
    "student_ngram_bag": {"student": "ngram-bag"},
    "student_ngram_attention": {"student": "ngram-attention"},
}


@register_model("embedding_student")
class EmbeddingStudentModel(RefusesOthers, BaseFairseqModel):
    """Any student (``--student``), for ``--task embedding_reconstruction``."""

    refusals = (*RefusesOthers.refusals, OTHER_WORDS)

    def __init__(self, student: Student):
        super().__init__()
        self.student = student

    @classmethod
    def add_args(cls, parser):
        gen_parser_from_dataclass(parser, StudentConfig(), delete_default=True)

    @classmethod
    def build_model(cls, args, task):
        check_names(args)
        with one_line_errors():
            settings = student_settings(args)
            student = build_student(settings, task.words, task.embedding_dim)
        for flag in without_effect(settings):
            logger.warning(f"{flag} has no effect: --student {settings.student} does not have it")
        values = len(task.words) * task.embedding_dim
        share = student.parameter_count / values
        logger.info(
            f"student: {student.parameter_count:,} parameters, {share:.1%} of the teacher's {values:,} values"
        )
        model = cls(student)
        log_gradients(task, model)
        return model

    def forward(self, words: Tensor) -> Tensor:
        """Vectors of words by their indices: (n) long -> (n, d)."""
        return self.student(words)


def _architecture(settings, args) -> None:
    if getattr(args, "student", None) not in (None, settings["student"]):
        return  # the settings are of another student
    for name, value in settings.items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)


for _name, _settings in ARCHITECTURES.items():
    register_model_architecture("embedding_student", _name)(partial(_architecture, _settings))
