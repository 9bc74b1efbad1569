"""What an assistant says in a role that is not its own. English and Chinese."""

import re

# [ \t] after a line's end: \s would read a run of empty lines once for each of them.
_SLIPS = re.compile(
    r"(?:^|\n)[ \t]*(?:\*\*)?(?:user|human|assistant)(?:\*\*)?\s*[:：]"
    r"|(?:^|\n)[ \t]*(?:customer|client|guest)\s*:(?=[^\n]*(?:\?|\b(?:I|my|me)\b))"
    r"|<\|[\w-]+\|>|\[/?INST\]|(?:^|\n)###\s*(?:human|user|assistant|instruction|response)\b"
    r"|(?:^|\n)[ \t]*(?:用户|客户|助手|人类|顾客|客人)\s*[：:]"
    r"|(?:^|[.!?\n][ \t]*)as (?:an?|the|your) (?:user|customer|client|guest|patient|student|visitor"
    r"|tenant|member),? (?:I|my|we)\b"
    r"|(?:^|[.!?\n][ \t]*)(?:thanks|thank you)(?: \w+){0,2} for (?:the|your|that|this) (?:\w+ )?"
    r"(?:explanation|answer|help|advice|reply|response|tip)s?\b"
    r"|\b(?:user|customer|client|guest|human)['’]s (?:next )?(?:turn|question|message|reply)\s*:"
    r"|作为(?:一名|一位)?(?:用户|客户|顾客|客人)，我|(?:谢谢|感谢)(?:您|你)的(?:解答|回答|解释|帮助)",
    re.IGNORECASE,
)
_MARKS = (":", "：", "<|", "inst]", "###", "as a", "as the", "as your", "thank", "作为", "谢")

# Verbs that are acts whatever follows, and verbs that are where one of `_THINGS` follows soon.
_ACTS = """
    schedule reschedule reserve forward transfer refund dispatch remind notify escalate
    get&back&to follow&up&with reach&out&to put&you&through let&them&know have&them have&someone
    make&a&reservation make&an&appointment place&an&order place&your&order
"""
_DONE = """
    scheduled rescheduled reserved forwarded transferred refunded dispatched notified escalated
    reached&out&to made&a&reservation made&an&appointment placed&an&order placed&your&order
"""
_MAYBE = """
    book arrange order call ring phone telephone email e-mail mail text contact alert inform ship
    deliver cancel process file submit register enroll pay charge update print fax post send pass
    check&with speak&to speak&with talk&to ask look&into set&up take&care&of make&sure
"""
_MAYBE_DONE = """
    booked arranged ordered called phoned emailed e-mailed mailed texted contacted alerted informed
    shipped delivered cancelled canceled processed filed submitted registered enrolled paid charged
    updated printed faxed posted sent passed spoken&to talked&to set&up
"""
_THINGS = """
    you him her appointment appointments booking bookings reservation account request refund
    ticket claim complaint payment subscription reminder meeting table room slot seat seats taxi cab
    flight flights hotel manager team department mechanic support supplier colleague doctor nurse
    technician plumber office desk housekeeping owner landlord bank email emails confirmation
    invoice receipt parcel package delivery order orders application membership calendar courier
    restaurant insurance police customer&service
"""


def _either(texts: str) -> str:
    return "(?:" + "|".join(text.replace("&", r"\s+") for text in texts.split()) + ")"


_ADVERBS = (
    r"(?:(?:just|now|also|already|gladly|happily|immediately|personally|then|gone|go|ahead|and)"
    r"\s+)*"
)
_SOON = rf"(?:\W+(?!th(?:is|ese|at)\b)\w+){{0,5}}?\W+{_either(_THINGS)}\b"
_WILL = (
    r"(?:\bI(?:['’]ll|\s+will|\s+shall|['’]m\s+going\s+to|\s+am\s+going\s+to)"
    r"|\b(?:let|allow)\s+me(?:\s+to)?)"
)
_PROMISES = re.compile(
    rf"{_WILL}\s+{_ADVERBS}(?:{_either(_ACTS)}\b|{_either(_MAYBE)}{_SOON})"
    rf"|\bI(?:['’]ve|\s+have)\s+{_ADVERBS}(?:{_either(_DONE)}\b|{_either(_MAYBE_DONE)}{_SOON})"
    r"|\bwe(?:['’]ll|\s+will)\s+(?:contact|call|email|get\s+back\s+to)\s+you\b"
    r"|\bI(?:['’]ll|\s+will)\s+(?:get|have)\s+(?:it|that|this)\s+(?:sorted|fixed|delivered|sent)\b"
    rf"|\byour\s+(?:\w+\s+)?{_either(_THINGS)}\s+(?:has\s+been|is\s+now)\s+"
    rf"(?:{_either(_DONE)}|{_either(_MAYBE_DONE)})\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:我|我们)(?:会|将|将会|已经|已|马上|这就|现在就?|立刻|立即|稍后|来|帮您|为您|给您|就)+"
    r"(?:(?!无法|不能|没法|不会|可以|如何|怎么)[^。！？\n]){0,14}?"
    r"(?:预订|预定|安排|发送|发邮件|发给|转给|转告|转达|联系|打电话|致电|下单|订购|取消|退款|通知|提醒"
    r"|寄|办理|预约|转接|转交|登记|订位|订票|派人|汇款|转账)"
)
_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|rephrase|translate|reply to|role-?play|pretend|act as|story"
    r"|poem|dialogue|script|letter|essay)\b|写|扮演|起草|翻译|改写",
    re.IGNORECASE,
)


def slips(text: str) -> bool:
    # In most answers nothing of this stands, and no pattern need be tried at each of its places.
    folded = text.lower()
    return any(mark in folded for mark in _MARKS) and bool(_SLIPS.search(text))


def promises(asked: str, answer: str) -> str:
    """The promise or the report of an act; empty where there is none, or where the answer is a
    text that the user will say."""
    if _WRITING.search(asked):
        return ""
    found = _PROMISES.search(answer) or _CHINESE.search(answer)
    return found.group() if found else ""
