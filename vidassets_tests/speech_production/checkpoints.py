"""Models in the real formats, created with the real libraries, tiny or full size: python checkpoints.py FOLDER [true]

Run by the interpreter that VIDASSETS_SPEECH_PYTHON names. Creates `whisper` (returns SENTENCE in LANGUAGE for any
sound), `align` (wav2vec 2.0 with arbitrary times) and `diarization` (a pipeline with arbitrary turns).
"""

import json
import sys
from pathlib import Path

import numpy as np

SENTENCE = "The press is warm. Mind the gap."
LANGUAGE = "de"
D_MODEL = 32
PROMPT_LENGTH = 4  # startoftranscript, language, task, notimestamps
N_TIMESTAMPS = 1501


LARGE_V3 = {"d_model": 1280, "num_mel_bins": 128}
LARGE_V3 |= {
    f"{part}_{name}": n
    for part in ("encoder", "decoder")
    for name, n in (("layers", 32), ("attention_heads", 20), ("ffn_dim", 5120))
}
WAV2VEC2_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
WAV2VEC2_BASE |= {"conv_dim": (512,) * 7, "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16}
TRUE_REPEATS = 3  # so that 30 s of speech have about a hundred tokens


def main(folder: Path, true_size: bool = False) -> None:
    make_whisper(folder / "whisper", TRUE_REPEATS if true_size else 1, **(LARGE_V3 if true_size else {}))
    make_align(folder / "align", **(WAV2VEC2_BASE if true_size else {}))
    make_diarization(folder / "diarization", true_size)


def make_whisper(folder: Path, n_repeats: int = 1, **sizes: int) -> None:
    """Create a Whisper model whose decoder ignores the sound: its position embeddings contain the text."""
    import torch
    from ctranslate2.converters.transformers import WhisperLoader
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    tokenizer = _whisper_tokenizer()
    vocabulary = tokenizer.get_vocab()
    settings = {
        "d_model": D_MODEL,
        "num_mel_bins": 80,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_source_positions": 1500,
        "max_target_positions": 448,
        **sizes,
    }
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(vocabulary), **settings, **{f"{name}_token_id": 257 for name in ("pad", "bos", "eos")}
    )
    model = WhisperForConditionalGeneration(config).eval()
    generation = model.generation_config
    generation.suppress_tokens, generation.begin_suppress_tokens = [], []
    languages = {token: at for token, at in vocabulary.items() if token[2:-2] in _languages()}
    generation.lang_to_id, generation.alignment_heads = languages, [[0, 0]]
    _script(
        model,
        tokenizer.encode(f" {SENTENCE}" * n_repeats).ids,
        languages[f"<|{LANGUAGE}|>"],
        vocabulary["<|endoftext|>"],
    )
    spec = WhisperLoader()(model, _Tokens(vocabulary))
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    features = {"feature_size": settings["num_mel_bins"], "sampling_rate": 16_000, "n_fft": 400, "hop_length": 160}
    (folder / "preprocessor_config.json").write_text(json.dumps(features))


def make_align(folder: Path, **sizes: int) -> None:
    """Create a wav2vec 2.0 model with English letters."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC
    from transformers import Wav2Vec2Processor as Processor

    folder.mkdir(parents=True)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
    (folder / "vocab.json").write_text(json.dumps({letter: at for at, letter in enumerate(letters)}))
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    small |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
    torch.manual_seed(0)
    config = Wav2Vec2Config(vocab_size=len(letters), **({"conv_dim": (16,) * 7, **small} | sizes))
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    Processor(Wav2Vec2FeatureExtractor(), Wav2Vec2CTCTokenizer(folder / "vocab.json")).save_pretrained(folder)


def make_diarization(folder: Path, true_size: bool = False) -> None:
    """Create pyannote's pipeline with a powerset segmentation model of three voices, at most two at once."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34, XVectorMFCC
    from pyannote.audio.models.segmentation import PyanNet

    torch.manual_seed(7)
    small = {"lstm": {"hidden_size": 4, "num_layers": 1}, "linear": {"hidden_size": 8, "num_layers": 1}}
    segmentation = PyanNet(**({"lstm": {"hidden_size": 128, "num_layers": 4}} if true_size else small))
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["one", "two", "three"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    _let_turns_vary(segmentation)
    embedding = WeSpeakerResNet34() if true_size else XVectorMFCC(dimension=D_MODEL)
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=10.0, classes=["one"]
    )
    _save(segmentation, folder / "segmentation")
    _save(embedding, folder / "embedding")
    _save_plda(folder / "plda", embedding.dimension)
    parts = "".join(f"    {part}: $model/{part}\n" for part in ("segmentation", "embedding", "plda"))
    (folder / "config.yaml").write_text(
        "dependencies:\n  pyannote.audio: 4.0.0\npipeline:\n"
        f"  name: pyannote.audio.pipelines.SpeakerDiarization\n  params:\n    clustering: VBxClustering\n{parts}"
        "params:\n  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}\n  segmentation: {min_duration_off: 0.0}\n"
    )


class _Tokens:
    """The parts of a tokenizer that the converter uses."""

    bos_token = eos_token = unk_token = "<|endoftext|>"
    additional_special_tokens = ()

    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary

    def get_vocab(self) -> dict[str, int]:
        return self._vocabulary

    def __len__(self) -> int:
        return len(self._vocabulary)


def _whisper_tokenizer() -> "tokenizers.Tokenizer":  # noqa: F821
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    # CTranslate2 recognises a multilingual model by the empty token.
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), ""]
    tokenizer = tokenizers.Tokenizer(models.BPE({letter: at for at, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["endoftext", "startoftranscript", *_languages(), "translate", "transcribe"]
    special += ["startoflm", "startofprev", "nospeech", "notimestamps"]
    special += [f"{0.02 * at:.2f}" for at in range(N_TIMESTAMPS)]
    tokenizer.add_special_tokens([f"<|{token}|>" for token in special])
    return tokenizer


def _languages() -> list[str]:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    return list(_LANGUAGE_CODES)


def _script(model, sentence: list[int], language: int, end: int) -> None:
    import torch

    decoder = model.model.decoder
    with torch.no_grad():
        tokens = torch.nn.functional.normalize(torch.randn_like(decoder.embed_tokens.weight), dim=1)
        decoder.embed_tokens.weight.copy_(tokens)
        model.proj_out.weight = decoder.embed_tokens.weight
        for layer in decoder.layers:
            for part in (layer.self_attn.out_proj, layer.encoder_attn.out_proj, layer.fc2):
                part.weight.zero_()
                part.bias.zero_()
        positions = decoder.embed_positions.weight
        positions.zero_()
        positions[0] = 20 * tokens[language]  # the position that `detect_language` reads
        for at in range(PROMPT_LENGTH - 1, len(positions)):
            said = at - PROMPT_LENGTH + 1
            positions[at] = 20 * tokens[sentence[said] if said < len(sentence) else end]


def _let_turns_vary(segmentation) -> None:
    """Make all classes about equally frequent, and the output of each close to 0 or 1."""
    import torch

    times_s = torch.arange(10 * 16_000) / 16_000
    pitch_hz = torch.where(times_s % 6 < 3, 110.0, 330.0)
    hum = sum(torch.sin(2 * torch.pi * n * pitch_hz * times_s) / n for n in range(1, 8)) * (times_s % 1.5 < 1.2)
    features = []
    hook = segmentation.classifier.register_forward_hook(lambda _module, inputs, _output: features.append(inputs[0]))
    with torch.no_grad():
        segmentation.eval()(0.15 * hum[None, None])
        hook.remove()
        segmentation.classifier.weight *= 40
        segmentation.classifier.bias.copy_(-segmentation.classifier.weight @ features[0].mean(dim=(0, 1)))


def _save(model, folder: Path) -> None:
    import pytorch_lightning
    import torch

    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    model.on_save_checkpoint(checkpoint)
    folder.mkdir(parents=True)
    torch.save(checkpoint, folder / "pytorch_model.bin")


def _save_plda(folder: Path, dimension: int) -> None:
    folder.mkdir(parents=True)
    rng, n_kept = np.random.default_rng(0), 16
    lda = np.linalg.qr(rng.normal(size=(dimension, n_kept)))[0]
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(dimension), mean2=np.zeros(n_kept), lda=lda)
    np.savez(folder / "plda.npz", mu=np.zeros(n_kept), tr=np.eye(n_kept), psi=np.linspace(2.0, 0.5, n_kept))


if __name__ == "__main__":
    main(Path(sys.argv[1]), true_size=sys.argv[2:] == ["true"])
