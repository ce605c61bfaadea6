"""Texts and questions about them: papers, plots, invented knowledge, passages, single facts, long stories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from engrain.evals.data import Data, Question, as_cloze, documents_in
from engrain.evals.tasks.task import Source


def _as_it_is(question: Question) -> Question:
    return question


@dataclass(frozen=True)
class Passages:
    """A file of document records."""

    name: str
    about: str
    file: str
    scorer: str
    asked: Callable[[Question], Question] = _as_it_is
    """How a question of the file is put."""
    uses_train_qa: bool = True
    """Whether the file's own training questions are trained; otherwise questions are distilled from the text."""

    def load(self, source: Source) -> Data:
        """See `Task`."""
        found = documents_in(source.file(self.file))
        documents = found.documents if self.uses_train_qa else tuple(replace(d, taught=()) for d in found.documents)
        return Data(documents, tuple(map(self.asked, found.questions)))


PASSAGES = (
    Passages("paperqa", "introductions of papers: recall, understanding, inference", "paperqa.jsonl", "rouge_l"),
    Passages("narrativeqa", "plot summaries, two reference answers a question", "narrativeqa-summaries.jsonl", "rouge_l"),
    Passages("invented", "invented encyclopaedia: verbatim, paraphrase, composition", "fictional-knowledge.jsonl", "token_f1", as_cloze),
    Passages("squad", "paragraphs of SQuAD v1.1", "squad-passages.jsonl", "token_f1"),
    Passages("wikidyk", "one fact, one question in other words", "wikidyk.jsonl", "token_f1"),
    Passages("quality", "long stories, four choices", "quality.jsonl", "choice"),
)
