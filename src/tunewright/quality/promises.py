"""What an assistant promises to do, or says that it did, in the world. English and Chinese."""

import re

from tunewright.quality.words import is_writing

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
    restaurant insurance police customer&service seller courier driver
"""
_PEOPLE = """
    technician engineer colleague manager supervisor team agent driver courier nurse doctor kitchen
    chef plumber electrician mechanic supplier teacher landlord boss director lawyer authorities
    police ambulance department office support accountant specialist representative receptionist
    housekeeping owner seller bank hotel restaurant airline school insurer staff someone somebody
"""
# What the user has with a company: who handles it has acted.
_HELD = """
    account card order record records file reservation booking subscription ticket room seat seats
    password profile application refund payment address case claim membership appointment parcel
    package delivery invoice complaint request calendar cart inbox mailbox email message messages
    phone line balance luggage medication prescription flight table policy stock system
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
_IS = r"(?:\bI(?:['’]m|\s+am)|\bwe(?:['’]re|\s+are))"
_HAVE = r"\b(?:I|we)(?:['’]ve|\s+have)"
_ALL_WILL = (
    r"(?:\b(?:I|we)(?:['’]ll|\s+will|\s+shall|['’](?:m|re)\s+going\s+to|\s+(?:am|are)\s+going\s+to)"
    r"|\b(?:let|allow)\s+me(?:\s+to)?)"
)
_WHOSE = r"(?:the|our|my|your|a|an|one\s+of\s+(?:our|my)|some)\s+(?:\w+\s+)?"
_PROMISES = re.compile(
    "|".join(
        (
            rf"{_WILL}\s+{_ADVERBS}(?:{_either(_ACTS)}\b|{_either(_MAYBE)}{_SOON})",
            rf"\bI(?:['’]ve|\s+have)\s+{_ADVERBS}(?:{_either(_DONE)}\b"
            rf"|{_either(_MAYBE_DONE)}{_SOON})",
            r"\bwe(?:['’]ll|\s+will)\s+(?:contact|call|email|get\s+back\s+to)\s+you\b",
            r"\bI(?:['’]ll|\s+will)\s+(?:get|have)\s+(?:it|that|this)\s+(?:sorted|fixed|delivered"
            r"|sent"
            r"|done|ready|repaired|replaced|changed)\b",
            rf"\byour\s+(?:\w+\s+)?{_either(_THINGS)}\s+(?:has\s+been|is\s+now)\s+"
            rf"(?:{_either(_DONE)}|{_either(_MAYBE_DONE)})\b",
            # somebody else is set to work, or spoken to
            rf"{_ALL_WILL}\s+{_ADVERBS}(?:have|get|ask|send|tell|inform|alert|brief|warn|talk\s+"
            rf"(?:to|with)"
            rf"|speak\s+(?:to|with)|check\s+with|consult|contact|call|phone)\s+(?:{_WHOSE})?"
            rf"{_either(_PEOPLE)}\b",
            rf"{_HAVE}\s+{_ADVERBS}(?:asked|told|informed|alerted|talked\s+(?:to|with)|spoken\s+"
            rf"(?:to|with)"
            rf"|checked\s+with|contacted|called)\s+(?:{_WHOSE})?{_either(_PEOPLE)}\b",
            rf"\b(?:our|my|one\s+of\s+our)\s+(?:\w+\s+)?{_either(_PEOPLE)}\s+(?:will"
            rf"|is\s+going\s+to"
            r"|shall)\s+(?:\w+\s+){0,2}?(?:contact|call|reach|email|visit|be\s+in\s+touch"
            r"|get\s+back)\s*(?:out\s+)?"
            r"(?:to\s+)?(?:you|with\s+you)\b",
            # it is being done
            rf"{_IS}\s+{_ADVERBS}(?:(?:putting|transferring|connecting|passing|forwarding)\s+(?:you"
            rf"|your)"
            r"|sending\s+(?:you|it|them|your|the)\b|calling\s+(?:you|your|an?|the)\b|"
            r"(?:looking\s+into"
            r"|checking|cancelling|canceling|processing|updating|booking|reserving|ordering"
            r"|arranging|refunding"
            rf"|blocking|pulling\s+up|opening|filing|submitting)\s+(?:your|an?|the|our)\s+"
            rf"(?:\w+\s+)?{_either(_HELD)}"
            r"\b)",
            r"\bwhile\s+I\s+(?:check|look|find|pull|search|get|fetch|verify|confirm)\b",
            # what the user has with a company is handled
            rf"{_ALL_WILL}\s+{_ADVERBS}(?:pull\s+up|look\s+(?:up|into)|check|find|open|access"
            rf"|retrieve|upgrade"
            r"|activate|unlock|block|freeze|reset|change|extend|renew|reactivate|close|delete"
            r"|credit|refund"
            rf"|track|hold|release|waive|apply|cancel|update|confirm|review)\s+(?:your|our)\s+"
            rf"(?:\w+\s+)?{_either(_HELD)}\b",
            rf"{_HAVE}\s+{_ADVERBS}(?:(?:credited|refunded|blocked|unlocked|unblocked|upgraded"
            rf"|activated|reset"
            r"|changed|extended|renewed|closed|deleted|frozen|waived|cancelled|canceled|confirmed"
            r"|charged|updated"
            rf"|reserved)\s+(?:your|the\s+full|the\s+amount|the\s+fee)|(?:opened|raised|logged"
            rf"|filed|lodged"
            r"|put\s+in|submitted|made|started|sent)\s+(?:an?|your|the)\s+(?:\w+\s+)?(?:ticket|case"
            r"|request|claim"
            r"|complaint|refund|return|order|application|booking|reservation|report\s+with|email"
            r"|message|letter\s+to)\b"
            r"|(?:sent|mailed|emailed|shipped|forwarded|posted)\s+(?:it|that|them|you|your"
            r"|the\s+\w+\s+(?:over\s+)?to)\b"
            rf"|(?:added|credited|moved|transferred|booked)\s+[^.!?]{{1,40}}?\s+(?:to|into|onto|in"
            rf"|for)\s+your\s+"
            rf"(?:\w+\s+)?{_either(_HELD)}\b)",
            r"\byour\s+(?:\w+\s+)?(?:seat|room|table|place|spot|reservation|booking|order|refund"
            r"|appointment"
            r"|ticket|flight|request|payment|subscription|account)\s+(?:is|was|has\s+been"
            r"|have\s+been)\s+(?:now\s+"
            r"|already\s+|all\s+)*(?:reserved|booked|confirmed|cancelled|canceled|processed"
            r"|scheduled|refunded"
            r"|activated|placed|held|upgraded|set)\b",
            rf"{_ALL_WILL}\s+{_ADVERBS}(?:send|mail|email|forward|ship"
            rf"|post)\s+[^.!?\n]{{1,40}}?\bto\s+your?\b",
            # what will reach the user
            r"\byou(?:['’]ll|\s+will|\s+should)\s+(?:\w+\s+)?(?:receive|get|have"
            r"|hear)\b[^.!?]{0,40}?\bfrom\s+(?:me|us)\b",
            r"\b(?:is|are)\s+(?:already\s+|now\s+)?on\s+(?:its|their|the)\s+way\s+to\s+you\b",
            r"\bconsider\s+it\s+done\b|\bI(?:['’]ll|\s+will)\s+see\s+to\s+it\b",
            rf"{_ALL_WILL}\s+{_ADVERBS}(?:let\s+you\s+know\s+(?:when|as\s+soon|once|if|how|what|by"
            rf"|tomorrow)"
            r"|keep\s+(?:an\s+eye|you\s+(?:posted|informed|updated))|come\s+back\s+to\s+you"
            r"|be\s+in\s+touch|drop\s+you"
            r"|wake\s+you|meet\s+you|see\s+you\s+(?:at|on|there)|pick\s+(?:you\s+)?up\s|drop\s+"
            r"(?:it|them|you|off)|swing\s+by"
            r"|(?:come|stop)\s+(?:by|over)|hold\s+(?:it|them|the\s+\w+\s+for)|bring\s+(?:you|it"
            r"|them)|personally\s+\w+"
            r"|(?:call|ring|phone|text|email|mail|write)\s+(?:you|him|her|them)\b|remind\s+you"
            r"|set\s+an?\s+(?:alarm"
            r"|reminder|timer)|mail\s+you|deliver|visit\s+you)",
        )
    ),
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"(?:我|我们)(?:会|将|将会|已经|已|马上|这就|现在就?|立刻|立即|稍后|来|帮您|为您|给您|就)+"
    r"(?:(?!无法|不能|没法|不会|可以|如何|怎么)[^。！？\n]){0,14}?"
    r"(?:预订|预定|安排|发送|发邮件|发给|转给|转告|转达|联系|打电话|致电|下单|订购|取消|退款|通知|提醒"
    r"|寄|办理|预约|转接|转交|登记|订位|订票|派人|汇款|转账)"
    # for you; already done for you; what is yours is done
    r"|(?:我|我们|这边|稍等|马上|立刻|已|已经)(?:(?!无法|没法|不|别)[^。！？\n]){0,6}?"
    r"(?:帮|为|给|替)(?:您|你)(?:(?!无法|不能|可以|如何|怎么|解释|说明"
    r"|介绍|举|列|讲|写|翻译|总结|分析)[^。！？\n]){0,8}?(?:查一下|查询|查看|查|申请|开通|留|订|办|发|打个?电话|反映|修|换|处理|联系"
    r"|安排|预约|退|寄|送|取消|改签|登记|转)"
    r"|(?:您|你)的[^。！？，\n]{1,10}(?:已经|已)(?:经?为(?:您|你))?[^。！？，\n]{0,3}?(?:留|预订|预定|订|办|发送|发出|寄出|取消|开通"
    r"|安排"
    r"|处理|确认|退|提交|登记)(?:[好了成。！]|$)"
    r"|我[^。！？，\n]{0,4}(?:让|叫|派|请)[^。！？，\n]{1,8}(?:上门|过去|过来|去|来|联系|送)"
    r"|我[^。！？，\n]{0,3}(?:去|跟|和|向)[^。！？，\n]{1,10}(?:反映|说一声|沟通|确认|汇报|申请|反馈|换)"
    r"|(?:我|我们|专员|客服|同事|工作人员)[^。！？，\n]{0,12}(?:与|和|跟)(?:您|你)联系"
    r"|我[^。！？，\n]{0,6}给(?:您|你)(?:打|发|寄|送|回)|我(?:已经|已)?(?:给|往)(?:您|你)的[^。！？，\n]{1,6}(?:发|寄)"
)


_MARKS = (
    "i'", "i’", "i will", "i shall", "i am", "i have", "we'", "we’", "we will", "we are", "we have",
    "we shall", "let me", "allow me", "consider it", "way to you", "while i", "you will", "you'll",
    "you’ll", "you should", " your ", " our ", " my ",
)  # fmt: skip


def promises(asked: str, answer: str) -> str:
    """The promise or the report of an act; empty where there is none, or where the answer is a
    text that the user will say."""
    # In most answers nothing of this stands, and no pattern need be tried at each of its places.
    folded = f" {answer.lower()}".replace("\n", " ")
    found = any(mark in folded for mark in _MARKS) and _PROMISES.search(answer)
    found = found or (not answer.isascii() and _CHINESE.search(answer))
    return found.group() if found and not is_writing(asked) else ""
