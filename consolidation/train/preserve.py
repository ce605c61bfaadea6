"""What training must leave alone.

Beside every batch of memories the trainer shows the model a stretch of ordinary text and holds its final hidden states
where the base model had them: the locality term of model editing (MEND, arXiv 2110.11309), on states instead of logits
because on a CPU the vocabulary projection would cost more than the layers.
"""

from __future__ import annotations

TEXTS = (
    "Water boils at a lower temperature on a mountain than at the sea, because the air presses less on it. That is why rice "
    "takes longer to cook in a hut at three thousand metres, and why a closed pot helps.",
    "She put the letter back in its envelope, looked at the clock over the door, and decided that there was still time to "
    "catch the last bus if she left the dishes until tomorrow.",
    "To sort a list of names, compare the first two and swap them if they are in the wrong order; go on with the next pair "
    "until no swap is needed. It is slow for long lists, but easy to understand.",
    "Most plants close the small openings in their leaves at noon on a hot day. They lose less water that way, but they also "
    "take in less carbon dioxide, and growth slows down until the evening.",
    "The committee will meet again on the second floor. Please bring a copy of the minutes and a list of open questions, and "
    "tell the office by Monday whether you need a translation.",
    "A violin has four strings, a bow, and a hollow body of thin wood. The bridge carries the movement of the strings to the "
    "top plate, and the plate moves the air.",
    "If you have a headache, drink a glass of water and rest in a dark room. See a doctor when it comes suddenly, when it is "
    "very strong, or when it does not go away.",
    "The price of a ticket depends on the day, the distance and how early it is bought. Children under six travel free when an "
    "adult travels with them.",
)
