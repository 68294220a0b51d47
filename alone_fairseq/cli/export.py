"""``alone export``: a trained model in a format that people serve with."""

from pathlib import Path

from alone_fairseq.cli.arguments import positive
from alone_fairseq.errors import UserError

WHOLE_MODELS = ("fairseq", "ctranslate2", "fsmt")
BEAM = 5
FORMATS = (*WHOLE_MODELS, "safetensors", "vectors")
QUANTIZATIONS = (
    "float32",
    "float16",
    "bfloat16",
    "int16",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
)


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "export",
        help="write a model for fairseq without this package, CTranslate2, transformers, ...",
        description="Write a trained model in another format, and check that it says the same as the original:"
        " the largest difference is printed, and above a bound nothing is written. fairseq: a checkpoint of"
        " fairseq's own transformer, which needs no --user-dir. ctranslate2: a folder of CTranslate2. fsmt: a"
        " folder of Hugging Face transformers. safetensors: the ALONE embedding alone, for"
        " AloneEmbedding.from_file. vectors: word2vec's text format. A student of word vectors, as"
        " --task embedding_reconstruction trains them, is written as vectors or safetensors, without --data.",
        epilog="example: alone export averaged.pt --to ctranslate2 --data BIN --output model.ct2",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="of a model with any --embedding, or a student")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format")
    parser.add_argument("--data", type=Path, metavar="BIN", help="binarised data, for dictionaries")
    parser.add_argument("--output", required=True, type=Path, metavar="PATH", help="file or folder to write")
    parser.add_argument("--force", action="store_true", help="replace the output if it exists")
    parser.add_argument("--half", action="store_true", help="half precision (fairseq, safetensors)")
    parser.add_argument("--quantization", choices=QUANTIZATIONS, help="(ctranslate2; default: float32)")
    parser.add_argument(
        "--words",
        type=Path,
        metavar="FILE",
        help="words to write vectors for, one a line (students; all it learnt)",
    )
    parser.add_argument(
        "--check-text", type=Path, metavar="FILE", help="raw text to translate with both (ctranslate2, fsmt)"
    )
    parser.add_argument("--beam", type=positive, metavar="N", help=f"for --check-text ({BEAM})")
    parser.add_argument(
        "--desired-length",
        type=int,
        metavar="N",
        help="(ctranslate2) for models with --length-control: the one length",
    )
    parser.add_argument("--source-lang", metavar="L", help="if BIN holds several pairs of languages")
    parser.add_argument("--target-lang", metavar="L", help="if BIN holds several pairs of languages")
    parser.set_defaults(run=run)


def run(arguments):
    if arguments.half and arguments.to not in ("fairseq", "safetensors"):
        raise UserError("--half is for --to fairseq and --to safetensors")
    if arguments.quantization and arguments.to != "ctranslate2":
        raise UserError("--quantization is for --to ctranslate2")
    if arguments.check_text and arguments.to not in ("ctranslate2", "fsmt"):
        raise UserError("--check-text is for --to ctranslate2 and --to fsmt")
    if arguments.beam and not arguments.check_text:
        raise UserError("--beam is for --check-text")
    if arguments.desired_length is not None and arguments.to != "ctranslate2":
        raise UserError("--desired-length is for --to ctranslate2")
    import torch

    from alone_fairseq.checkpoint.files import check_other_file
    from alone_fairseq.export.plain import load_plain
    from alone_fairseq.reconstruction.student_file import holds_student

    check_other_file(arguments.output, arguments.checkpoint, arguments.data, arguments.words, arguments.check_text)
    if holds_student(arguments.checkpoint):
        export_student(arguments)
        return
    if arguments.words:
        raise UserError("--words is for students of word vectors")
    if arguments.data is None:
        raise UserError("--data BIN is missing: the binarised data, for their dictionaries")
    output, force, check = arguments.output, arguments.force, None
    if arguments.check_text:
        from alone_fairseq.export.search import CheckText

        check = CheckText(arguments.check_text, arguments.beam or BEAM)
    plain = load_plain(arguments.checkpoint, arguments.data, arguments.source_lang, arguments.target_lang)
    if arguments.to in WHOLE_MODELS:
        from alone_fairseq.export.fixed_length import at_length

        plain = at_length(plain, arguments.to, arguments.desired_length)
    dtype = torch.float16 if arguments.half else torch.float32
    # Imported one by one, for a target may need a package that is not installed.
    if arguments.to == "fairseq":
        from alone_fairseq.export import fairseq_checkpoint

        fairseq_checkpoint.write(plain, output, force, dtype)
    elif arguments.to == "ctranslate2":
        from alone_fairseq.export import ctranslate2_folder

        quantization = arguments.quantization or "float32"
        ctranslate2_folder.write(plain, arguments.data, output, force, quantization, check)
    elif arguments.to == "fsmt":
        from alone_fairseq.export import fsmt_folder

        fsmt_folder.write(plain, arguments.data, output, force, check)
    elif arguments.to == "safetensors":
        from alone_fairseq.export import small_file

        small_file.write(plain, output, force, dtype)
    else:
        from alone_fairseq.export import vectors

        vectors.write(plain, output, force)


def export_student(arguments):
    import torch

    from alone_fairseq.export import student_files
    from alone_fairseq.reconstruction.student_file import load_student

    for option in ("data", "source_lang", "target_lang"):
        if getattr(arguments, option) is not None:
            raise UserError(f"--{option.replace('_', '-')} is for Transformers; a student knows its words")
    if arguments.to not in ("vectors", "safetensors"):
        raise UserError("a student is no Transformer; export it --to vectors or --to safetensors")
    if arguments.words and arguments.to != "vectors":
        raise UserError("--words is for --to vectors")
    if arguments.to == "safetensors" and arguments.output.suffix != ".safetensors":
        raise UserError(
            f"--output {arguments.output}: must end in .safetensors, by which the file is known for a student"
        )
    student = load_student(arguments.checkpoint)
    if arguments.to == "vectors":
        student_files.write_vectors(student, arguments.words, arguments.output, arguments.force)
    else:
        dtype = torch.float16 if arguments.half else torch.float32
        student_files.write_small(student, arguments.output, arguments.force, dtype)
