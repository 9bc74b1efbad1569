"""What is planted among food reviews, to be found again: twenty texts of other themes and kinds,
written before anything was measured, and copies of reviews with one small edit by a rule."""

import random
import re
from collections.abc import Callable

ANOMALIES = (
    "The tenant shall give written notice of at least sixty days before the end of the term. "
    "Failing such notice, the lease renews for a further twelve months on the same conditions.",
    "def merge(left, right):\n    result = []\n    while left and right:\n        source = left if "
    "left[0] <= right[0] else right\n        result.append(source.pop(0))\n    return result",
    "2026-03-14 02:17:45 ERROR worker-7 connection to 10.4.0.12:5432 lost after 30 s, 3 retries "
    "left; transaction 88213 rolled back",
    "In der Nacht fiel der erste Schnee, und am Morgen war der ganze Hafen weiß. Die Fischer "
    "blieben zu Hause und flickten ihre Netze.",
    "The spacecraft passed within 3,500 kilometres of the moon's south pole, and its magnetometer "
    "recorded a field that no model of a frozen interior can explain.",
    "Striker Ana Prado scored twice in the second half and the visitors won 3-1, their first away "
    "win of the season. The keeper saved a penalty in the last minute.",
    "Patients with a creatinine clearance below 30 ml/min received half the dose. Two of 48 "
    "withdrew because of dizziness; no change of the QT interval was seen.",
    "Let G be a finite group of odd order. Then every irreducible representation other than the "
    "trivial one is not isomorphic to its dual.",
    "asdf jkl qwerty zxcv 12 12 12 poiu lkjh mnbv test test 000 xxxx",
    "The cellist entered a beat early, yet the slow movement of the quartet had a stillness that "
    "held the hall until long after the last note.",
    "Dear Ms Okafor, thank you for your application for the post of accountant. We would like to "
    "invite you to an interview on Tuesday at ten in our office in Leeds.",
    "Turn left at the lighthouse, follow the coastal road for two miles, and park behind the "
    "chapel. The path to the castle is closed when the tide is high.",
    "Quarterly revenue rose 8 percent to 412 million dollars, while the operating margin fell to "
    "11 percent because of higher freight costs and a weaker yen.",
    "Hold the power button for ten seconds until the blue light blinks. Then connect the router to "
    "port 2 and open 192.168.1.1 in a browser to install the firmware.",
    "O wind that combs the barley into waves, / teach me your patience with the standing stone; / "
    "I too would pass and leave a softer field.",
    "The senate voted 52 to 47 against the amendment on rural broadband. The minority leader said "
    "that the bill would be brought back after the election.",
    "To change the brake pads, loosen the caliper bolts with a 13 mm socket, push the piston back "
    "with a clamp, and torque the bolts to 35 Nm.",
    '{"id": 4417, "type": "sensor", "unit": "hPa", "values": [1013.2, 1012.9, 1011.4], "ok": true}',
    "The dragon folded its wings around the tower and slept. Below, the princess picked the lock "
    "with a hairpin and counted the hours until the guards changed.",
    "Call me Thursday about the band saw. Grandpa's workshop goes to auction, and nobody has told "
    "the neighbours that the fence stands on their side of the line.",
)

Edit = Callable[[str, random.Random], str]


def typo(text: str, draw: random.Random) -> str:
    """Two neighbouring letters of a longer word change places."""
    words = list(re.finditer(r"[A-Za-z]{5,}", text))
    word = draw.choice(words)
    at = word.start() + draw.randrange(1, len(word.group()) - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def case(text: str, draw: random.Random) -> str:
    return text.upper() if draw.random() < 0.5 else text.lower()


def punctuation(text: str, draw: random.Random) -> str:
    """Full stops become exclamation marks, or commas go; numbers keep theirs."""
    if draw.random() < 0.5:
        return re.sub(r"\.(?!\d)", "!", text)
    return re.sub(r"[,;:](?!\d)", "", text) + "!!"


def word_more(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    words.insert(draw.randrange(1, len(words)), draw.choice(["really", "honestly", "again", "now"]))
    return " ".join(words)


def swapped(text: str, draw: random.Random) -> str:
    """Two sentences next to each other change places."""
    parts = re.split(r"(?<=[.!?])\s+", text)
    if len(parts) < 2:
        return word_more(text, draw)
    at = draw.randrange(len(parts) - 1)
    parts[at], parts[at + 1] = parts[at + 1], parts[at]
    return " ".join(parts)


EDITS: tuple[Edit, ...] = (typo, case, punctuation, word_more, swapped)


def edited(texts: list[str], count: int, seed: int = 0) -> list[tuple[int, str, str]]:
    """(place, name of the edit, the text with it) of `count` texts, the edits in turn."""
    draw = random.Random(seed)
    places = draw.sample(range(len(texts)), count)
    found = list[tuple[int, str, str]]()
    for number, place in enumerate(places):
        edit = EDITS[number % len(EDITS)]
        found.append((place, edit.__name__, edit(texts[place], draw)))
    return found


# Rows of the 1,000 food reviews, from 0, that really say the same: their texts are equal. No other
# two do; read by hand, down from the highest cosine. 467 and 602 share paragraphs with 466, 574 and
# 603, all of one author, about chips of three kinds.
TWICE = ((466, 574, 603), (10, 29))
OF_ONE_AUTHOR = (466, 467, 574, 602, 603)
