"""The memory tool: remember, recall and forget, for one owner, as a model calls them."""

from __future__ import annotations

from engrain.memory.forget import Selector, matching
from engrain.memory.memory import Memory
from engrain.memory.recall import Recollection
from engrain.tools.protocol import Tool, tool

NOTHING_NEW = "Nothing new: it is known already, or it was forgotten, and stays so."
"""What there is to say of a note without a fact."""


def memory_tools(memory: Memory, owner: str) -> list[Tool]:
    """The three tools over one owner's memory; what they return is text for a model."""

    def remember(note: str) -> str:
        """Write something down that the user will want to be remembered for good.

        Args:
            note: One statement in the user's words, such as "My dentist is Dr. Okafor."
        """
        facts = memory.remember(note, owner)
        return "\n".join(f"Remembered: {fact.text}" for fact in facts) or NOTHING_NEW

    def recall(question: str) -> str:
        """Look into long-term memory, for anything the user may have said in earlier conversations.

        Args:
            question: What to look for, as a question in the user's words, such as "Who is my dentist?"
        """
        return describe(memory.recall(question, owner))

    def forget(about: str) -> str:
        """Erase for good what was remembered, when the user asks for it.

        Args:
            about: Words that all occur in what is to be erased, such as "dentist Okafor".
        """
        memory.close(owner=owner)  # what was said just now is meant, too
        with memory.store.read() as db:
            facts = matching(db, owner, about)
        if len(facts) > 5:
            return f"{len(facts)} facts match; name more words of what is to be erased."
        erased: set[int] = set()
        for fact in facts:
            if fact.id not in erased:  # as a repetition of another
                erased.update(memory.forget(Selector(fact=fact.id), owner).facts)
        return f"Erased {len(erased)} facts." if erased else "Nothing of that was remembered."

    return [tool(remember), tool(recall), tool(forget)]


def describe(recollection: Recollection) -> str:
    """A recollection as a model reads it: what is recalled, and when and where it was said."""
    if not recollection.known and not recollection.near:
        return "Nothing is remembered about that."
    lines = [recollection.text] if recollection.known else ["No sure answer is remembered. What comes nearest, and may be about something else:"]
    if recollection.mode != "weights":
        lines += [f"(On {e.said_on.day} {e.said_on:%B %Y}: {e.text})" for e in recollection.evidence or recollection.near]
    return "\n".join(lines)
