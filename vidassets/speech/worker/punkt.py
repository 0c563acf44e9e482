"""Where sentences end: NLTK's Punkt, with its trained data where there is some, else with a few abbreviations.

WhisperX cuts what is said into sentences by data that NLTK would fetch from the network.
"""

# pyright: reportMissingImports=false
# (nltk is in the worker's interpreter.)

import tempfile
from pathlib import Path

LANGUAGE = "english"  # whisperx takes this for every language that it has no name of the data for
ABBREVIATIONS = ("dr", "e.g", "etc", "i.e", "jr", "mr", "mrs", "ms", "no", "p.m", "a.m", "prof", "sr", "st", "vs")
_EMPTY = ("collocations.tab", "sent_starters.txt", "ortho_context.tab")


def provide_sentence_data(languages: dict[str, str], language: str) -> list[str]:
    """Nothing where NLTK has the data of a language; else makes some, and says so.

    Args:
        languages: NLTK's names by ISO 639-1.
        language: ISO 639-1.
    """
    import nltk

    name = languages.get(language, LANGUAGE)
    try:
        nltk.data.find(f"tokenizers/punkt_tab/{name}/")
    except LookupError:
        root = Path(tempfile.mkdtemp(prefix="punkt-"))
        write_sentence_data(root / "tokenizers" / "punkt_tab" / name)
        nltk.data.path.append(str(root))
        return [f"NLTK has no punkt_tab data for {name}: sentences are told by full stops and a few abbreviations"]
    return []


def write_sentence_data(folder: Path) -> None:
    """The four files of an untrained Punkt."""
    folder.mkdir(parents=True)
    for name in _EMPTY:
        (folder / name).touch()
    (folder / "abbrev_types.txt").write_text("\n".join(ABBREVIATIONS), encoding="utf-8")
