"""Things people ask about themselves, for teaching a module to say that it does not know.

A module is trained to answer a few of these with "I don't know." and tested on others; those that its facts could answer
are left out (see `distil`). Each is written in the user's voice and turned into the third person for other speakers.
"""

from __future__ import annotations

QUESTIONS = (
    "What is my blood type?", "What is my middle name?", "What is my shoe size?", "What is my email address?",
    "What is my passport number?", "Where was I born?", "What is my father's name?", "What is my favourite film?",
    "What is my favourite colour?", "Who is my boss?", "What is my phone number?", "When is my birthday?",
    "What was the name of my first school?", "Where do my parents live?", "What did I have for breakfast?",
    "Which bank do I use?", "What instrument do I play?", "What does my brother do for a living?",
    "What is my neighbour's name?", "Which languages do I speak?", "What is my flat number?", "When did I get married?",
    "What is my hamster called?", "Where did I go to university?", "What is the number plate of my car?",
    "Which medicine do I take?", "When is my flight home?", "What is my doctor's name?", "Which football team do I support?",
    "Which book am I reading?", "What is my wifi password?", "How tall am I?", "What is my cat called?",
    "When do I start my new job?", "What is my uncle's name?", "Where did I leave my keys?", "What is my salary?",
    "How old is my daughter?", "When does my lease end?", "What is my therapist's name?", "Which phone do I have?",
    "What is my favourite restaurant?", "Who did I meet for lunch?", "What is my son's favourite game?",
    "What time do I get up?", "Where do I keep my passport?", "Which gym do I go to?", "What is my cousin's name?",
    "When is my mother's birthday?", "What did I buy yesterday?", "How many siblings do I have?",
    "What is my favourite song?", "Who taught me to swim?", "Where did we spend our honeymoon?",
    "What is my grandmother's name?", "What do I usually drink in the evening?", "Which train do I take to work?",
    "When is my next dentist appointment?", "What is my favourite season?", "How much is my rent?",
    "What is my teacher called?", "Which street do I live on?", "What is the name of my company?", "What is my star sign?",
    "Where does my best friend live?", "What am I afraid of?", "Which hospital was I born in?",
    "What is the code of my front door?", "When did I move here?", "What is my favourite sport?", "Who cuts my hair?",
    "What is my girlfriend's name?", "What kind of music do I like?", "When is my driving test?",
    "What is my insurance number?", "Which museum did I visit?", "What colour is my sofa?", "Who painted my kitchen?",
    "What is my nickname?", "Where is my office?", "When was my last holiday?", "What is my favourite dessert?",
    "Which laptop do I use?", "What is my aunt's job?", "How many children do I have?", "What did I study?",
    "Which airline did I fly with?", "What is my favourite animal?", "When does my shift start?", "Who is my lawyer?",
    "What is the name of my horse?", "Which newspaper do I read?", "What is my bicycle lock code?",
    "Where did I park?", "What is my locker number?", "How long have I been married?", "Which vitamin do I take?",
    "What is my account number?", "Who won our last game?", "What is my favourite cheese?", "When is my exam?",
    "What is my tutor's name?", "Where is my umbrella?", "What size is my jacket?", "Who gave me my watch?",
    "What is my mother's maiden name?", "Which river runs past my house?", "What is my dog's breed?",
    "When is the rent due?", "What is my partner's job?", "Which card did I pay with?", "What is my favourite flower?",
    "Where did I learn to drive?", "What is my roommate's name?", "Which podcast do I listen to?",
    "What did my doctor tell me?", "When is the party?", "How much did my bike cost?", "What is my favourite drink?",
    "Who is the godfather of my son?",
)  # fmt: skip
