"""Data for sentence boundaries: NLTK's trained Punkt if it is installed, else a few abbreviations.

WhisperX splits text into sentences with data that NLTK would download.
"""

# pyright: reportMissingImports=false
# (nltk is in the worker's interpreter.)

import tempfile
from pathlib import Path

LANGUAGE = "english"  # whisperx uses this for every language whose data it has no name for
ABBREVIATIONS = ("dr", "e.g", "etc", "i.e", "jr", "mr", "mrs", "ms", "no", "p.m", "a.m", "prof", "sr", "st", "vs")
_EMPTY = ("collocations.tab", "sent_starters.txt", "ortho_context.tab")


def provide_sentence_data(languages: dict[str, str], language: str) -> list[str]:
    """Write minimal data if NLTK has none for a language; return a note for people if so.

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
        return [f"NLTK has no punkt_tab data for {name}: sentences end at full stops, except after a few abbreviations"]
    return []


def write_sentence_data(folder: Path) -> None:
    """Write the four files of an untrained Punkt."""
    folder.mkdir(parents=True)
    for name in _EMPTY:
        (folder / name).touch()
    (folder / "abbrev_types.txt").write_text("\n".join(ABBREVIATIONS), encoding="utf-8")
