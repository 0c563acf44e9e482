"""The project folder, for tests of files outside the package: README, samples, Dockerfile."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
