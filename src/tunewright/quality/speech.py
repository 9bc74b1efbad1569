"""What an assistant says in a role that is not its own. English and Chinese."""

import re

_ASKS = "user|human|customer|client|guest|caller|student|patient|visitor|me|q|question"
_ANSWERS = "assistant|agent|bot|chatbot|ai|operator|tutor|support|clerk|you|a|answer|advisor"
_MINE = (
    r"order|account|bill|invoice|subscription|credit card|booking|reservation|homework|assignment"
    r"|refund|package|parcel|ticket|appointment|luggage|landlord|password|phone|laptop"
)
# [ \t] after a line's end: \s would read a run of empty lines once for each of them.
_SLIPS = re.compile(
    "|".join(
        (
            # names of roles, and marks of templates
            r"(?:^|\n)[ \t]*(?:\*\*)?(?:user|human|assistant)(?:\*\*)?\s*[:：>]",
            r"^[ \t]*(?:AI|chat ?bot|bot|chatgpt|me)\s*[:：>](?!\s*(?:a|an|the|short|from)\b)",
            r"^[ \t]*system\s*[:：]\s*you are\b",
            r"(?:^|\n)[ \t]*(?:customer|client|guest|caller|student)\s*:(?=[^\n]*(?:\?|\b(?:I|my"
            r"|me)\b))",
            r"<\|[\w-]+\|>|\[/?INST\]|</s>|(?:^|\n)###\s*(?:human|user|assistant|instruction"
            r"|response)\b",
            r"[<\[]/?(?:user|assistant|human|customer)[>\]]",
            r"(?:^|\n)[ \t]*(?:用户|客户|助手|人类|顾客|客人|机器人|客服|AI)\s*[：:]",
            r"用户(?:问|说|回答)(?:道)?[：:]",
            r"顾客[：:][^\n]{1,40}客服[：:]|(?:^|\n)问[：:][^\n]{0,60}[?？][\s\S]{0,3}答[：:]",
            # two speakers in one answer, the first of whom asks or says "I"
            rf"(?:^|[\n.!?])[ \t]*(?:{_ASKS})\s*:(?=[^:\n]{{0,120}}(?:\?|\b(?:I|my|me|hello|hi"
            rf"|hey)\b))"
            rf"[^:]{{1,160}}?[\s.!?](?:{_ANSWERS})\s*:",
            r"(?:^|[(*\n])[ \t]*(?:the )?(?:user|assistant) (?:asks|nods|says|replies|responds"
            r"|waits|wants to know"
            r"|is asking|smiles|thinks|answers)\b",
            r"\b(?:user|customer|client|guest|human)['’]s (?:next )?(?:turn|question|message"
            r"|reply)\s*:",
        )
    ),
    re.IGNORECASE,
)
# What only who asks would say. A long text may be a story, a review, a letter.
_SHORT = 300
_AS_USER = re.compile(
    "|".join(
        (
            # who got the answer thanks for it
            r"(?:^|[.!?\n][ \t]*)(?:thanks|thank you)(?: \w+){0,2} for (?:the|your|that|this) "
            r"(?:\w+ )?"
            r"(?:explanation|answer|help|advice|reply|response|tip|clarification|information"
            r"|suggestion)s?\b",
            r"\b(?:thanks|thank you)(?: \w+){0,2} for (?:explaining|clarifying|answering|helping"
            r"|the tip)\b(?: \w+)?"
            r"(?=[,.!]|$)",
            r"^(?:thanks|thank you)[,!.] (?:that|this) (?:was|is|'s|really|helps|helped)\b"
            r"|\bexactly what I"
            r" (?:was looking for|needed|wanted)\b|\bthat (?:really )?help(?:s|ed) me\b",
            r"^(?:great|good|nice|perfect) (?:answer|explanation|reply)[!.,]",
            r"^(?:okay|ok|got it|alright)[,.!] (?:I['’]ll|I will) (?:try|do) (?:that|it|this)\b"
            r"|^got it,? thanks\b",
            # who asks speaks of what is theirs, or of the other as a customer does
            r"(?:^|[.!?\n][ \t]*)as (?:an?|the|your) (?:user|customer|client|guest|patient|student"
            r"|visitor"
            r"|tenant|member),? (?:I|my|we)\b",
            rf"\b(?:about|is|cancel|change|check|find|return|received|lost|with|track|where) my "
            rf"(?:{_MINE})\b",
            rf"(?:^|[.!?\n][ \t]*)my (?:{_MINE})(?: number)? (?:is|has|was|does|did|hasn|isn)\b",
            r"(?:^|[.!?\n][ \t]*)I (?:bought|ordered|purchased|booked|received"
            r"|returned)\b[^.!?\n]{0,60}\b(?:from you\b"
            r"|does(?:n['’]t| not)|is broken|never|but)",
            r"\b(?:I['’]d|I would) like to (?:return|order|book|cancel|buy|reserve|complain"
            r"|speak to|exchange)\b",
            r"\b(?:can|could|would) you (?:please )?(?:help me(?! understand)\b|look it up|check "
            r"(?:my|it)\b"
            r"|tell me (?:when|whether|if|how|what time) (?:you|your|the|it|I)\b)",
            r"^please help me\b",
            r"作为(?:一名|一位|一个)?(?:用户|客户|顾客|客人)，?我|(?:谢谢|感谢)(?:您|你)的(?:解答|回答|解释|帮助|建议)",
            r"^请问(?:您|你|贵)(?:们|店|公司)?(?!想|要|需要|是否|希望|有什么|的|方便)|^请问[^。！？]{0,10}(?:你们|贵店|贵公司)",
            r"我的(?:订单|快递|包裹|账单|账户|账号|作业|预约)|麻烦(?:您|你)?(?:帮我|给我)|有问题再(?:来)?(?:问|找)(?:您|你)",
        )
    ),
    re.IGNORECASE,
)
_MARKS = """
    : ： <| inst] </s> ### <user [user ser> man> as&a as&the as&your thank exactly great&a good&a
    nice&a perfect&a explanation i'll i&will i’ll user assistant my& helps&me helped&me from&you
    bought ordered would&like i'd&like i’d&like &you& help&me reply 作为 谢 请问 我的 麻烦 再问 再来
    再找 用户
"""
_FOUND_IN_SLIPS = [mark.replace("&", " ") for mark in _MARKS.split()]


def slips(text: str) -> bool:
    # In many answers nothing of this stands, and no pattern need be tried at each of its places.
    folded = text.lower()
    return any(mark in folded for mark in _FOUND_IN_SLIPS) and _slips(text)


def _slips(text: str) -> bool:
    return bool(_SLIPS.search(text) or (len(text) <= _SHORT and _AS_USER.search(text)))
