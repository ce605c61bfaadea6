"""Texts and questions about them: papers, plots, invented knowledge, passages, single facts, long stories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engrain.evals.data import Data, Question, as_cloze, documents_in
from engrain.evals.tasks.task import Source


def _as_it_is(question: Question) -> Question:
    return question


def _did_you_know(text: str) -> str:
    """ "that X does Y?", as Wikipedia's column asks, is told as a statement."""
    return text[5].upper() + text[6:].rstrip("? ") + "." if text.startswith("that ") and text.endswith("?") else text


@dataclass(frozen=True)
class Passages:
    """A file of document records."""

    name: str
    about: str
    file: str
    scorer: str
    asked: Callable[[Question], Question] = _as_it_is
    """How a question of the file is put."""
    told: Callable[[str], str] = str
    """How a text of the file is told."""

    def load(self, source: Source) -> Data:
        """See `Task`."""
        found = documents_in(source.file(self.file))
        documents = tuple(replace(d, text=self.told(d.text)) for d in found.documents)
        return Data(documents, tuple(map(self.asked, found.questions)))


PASSAGES = (
    Passages("paperqa", "introductions of papers: recall, understanding, inference", "paperqa.jsonl", "rouge_l"),
    Passages("narrativeqa", "plot summaries, two reference answers a question", "narrativeqa-summaries.jsonl", "rouge_l"),
    Passages("invented", "invented encyclopaedia: verbatim, paraphrase, composition", "fictional-knowledge.jsonl", "token_f1", as_cloze),
    Passages("squad", "paragraphs of SQuAD v1.1", "squad-passages.jsonl", "token_f1"),
    Passages("wikidyk", "one fact, one question in other words", "wikidyk.jsonl", "token_f1", told=_did_you_know),
    Passages("quality", "long stories, four choices", "quality.jsonl", "choice"),
)
