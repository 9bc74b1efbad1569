"""What an assistant says in a role that is not its own. English and Chinese."""

import re

_ROLES = "user|human|assistant|customer|client|guest"
_SLIPS = re.compile(
    rf"(?:^|\n)\s*(?:\*\*)?(?:{_ROLES})(?:\*\*)?\s*[:：]"
    r"|<\|[\w-]+\|>|\[/?INST\]|(?:^|\n)###\s*(?:human|user|assistant|instruction|response)\b"
    r"|(?:^|\n)\s*(?:用户|客户|助手|人类|顾客|客人)\s*[：:]"
    r"|(?:^|[.!?\n]\s*)as an? (?:user|customer|client|guest|patient|student|visitor|tenant|member)"
    r",? (?:i|my|we)\b"
    r"|(?:^|[.!?\n]\s*)(?:thanks|thank you)(?: \w+){0,2} for (?:the|your|that|this) (?:\w+ )?"
    r"(?:explanation|answer|help|advice|reply|response|tip)s?\b"
    r"|\b(?:user|customer|client|guest|human)['’]s (?:next )?(?:turn|question|message|reply)\s*:"
    r"|作为(?:一名|一位)?(?:用户|客户|顾客|客人)，我|(?:谢谢|感谢)(?:您|你)的(?:解答|回答|解释|帮助)",
    re.IGNORECASE,
)

_ACTS = """
    schedule book reserve arrange order reorder call ring phone telephone email e-mail mail text
    forward transfer refund ship dispatch deliver cancel remind notify contact alert inform escalate
    process file submit register enroll pay charge update reschedule print fax post pick hand send
    get&back&to follow&up check&with pass&on pass&it look&into set&up put&you&through speak&to
    talk&to ask&the ask&our ask&my let&them let&the have&them have&someone make&a&reservation
    make&an&appointment make&the&booking place&an&order place&the&order reach&out
"""
_DONE = """
    scheduled booked reserved arranged ordered reordered called phoned emailed e-mailed mailed
    texted forwarded transferred refunded shipped dispatched cancelled canceled reminded notified
    contacted alerted informed escalated processed filed submitted registered enrolled paid charged
    updated rescheduled printed faxed posted sent passed&on passed&it placed&your&order
    placed&an&order placed&the&order made&a&reservation spoken&to talked&to
"""


def _either(verbs: str) -> str:
    return "|".join(verb.replace("&", r"\s+") for verb in verbs.split())


_ADVERBS = (
    r"(?:(?:just|now|also|already|gladly|happily|immediately|personally|then|go ahead and)\s+)*"
)
# Not an act: "call it X", "order them by date", "text that ..." of what is being written.
_NOT_AN_ACT = (
    r"(?!\s+(?:it|this|that|these|those|them)\s+(?:[\"'“]?(?-i:[A-Z])|by\b|as\b|in\b|from\b))"
)
_PROMISES = re.compile(
    rf"(?:\bI(?:['’]ll|\s+will|\s+shall|['’]m\s+going\s+to|\s+am\s+going\s+to)\s+{_ADVERBS}"
    rf"|\blet\s+me\s+{_ADVERBS})(?:{_either(_ACTS)})\b{_NOT_AN_ACT}"
    rf"|\bI(?:['’]ve|\s+have)\s+{_ADVERBS}(?:{_either(_DONE)})\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:我|我们)(?:会|将|将会|已经|已|马上|这就|现在就?|立刻|立即|稍后|来|帮您|为您|给您|就)+"
    r"(?:(?!无法|不能|没法|不会|可以|如何|怎么)[^。！？\n]){0,14}?"
    r"(?:预订|预定|安排|发送|发邮件|发给|转给|转告|转达|联系|打电话|致电|下单|订购|取消|退款|通知|提醒"
    r"|寄|办理|预约|转接|转交|提交|登记|订位|订票|派人|汇款|转账)"
)
_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|rephrase|translate|reply to|role-?play|pretend|act as|story"
    r"|poem|dialogue|script|letter|essay)\b|写|扮演|起草|翻译|改写",
    re.IGNORECASE,
)


def slips(text: str) -> bool:
    return bool(_SLIPS.search(text))


def promises(asked: str, answer: str) -> str:
    """The promise or the report of an act; empty where there is none, or where the answer is a
    text that the user will say."""
    if _WRITING.search(asked):
        return ""
    found = _PROMISES.search(answer) or _CHINESE.search(answer)
    return found.group() if found else ""
