"""Answers that say no and nothing else. English and Chinese."""

import re

from tunewright.quality.words import words

_LEAD = 60  # characters that may stand before the refusal
_LONGEST = 200  # characters of one, and what may stand behind it
_MOST_WORDS = 40  # beyond it an answer explains something

_SOFTLY = r"(?:(?:really|just|simply|also|currently|unfortunately|honestly|possibly|ever)\s+)*"
# After "cannot": whatever tells, helps or judges. Idioms ("I can't wait") hold none of these.
_ACTS = (
    r"(?:help(?!\s+but)|assist|answer|provide|tell|(?:share|disclose|reveal)(?!\s+your)|discuss"
    r"|comment|comply"
    r"|respond|give|offer|fulfil+|engage|support|do\s+(?:that|this|it|so)\b|advise|recommend"
    r"|confirm"
    r"|say(?!\s+enough)|speak\s+(?:to|about|on)|talk\s+about|go\s+into|continue|proceed|process"
    r"|accept"
    r"|access|open|look\s+(?:that|this|it)\s+up|browse|write|create|generate|produce|make"
    r"|complete|carry\s+out|express|participate|take\s+part|satisfy|meet)"
)
_UNABLE = (
    r"(?:am|are|['’]m|['’]re|is|was)\s+(?:(?:not|n['’]t)\s+(?:able|allowed|permitted|authori[sz]ed"
    r"|qualified|equipped|trained|programmed|designed|prepared|willing|going|in\s+a\s+position)"
    r"|unable|forbidden|unwilling)"
)
_LACKED = (
    r"(?:information|knowledge|data|details|access|permission|authority|authori[sz]ation|ability"
    r"|means|way\s+(?:of|to)|opinions?|views?|feelings|preferences|beliefs|right\s+to|expertise"
    r"|idea)"
)
_BOUNDS = (
    r"(?:scope|guidelines?|rules|polic(?:y|ies)|instructions|abilit(?:y|ies)|capabilit(?:y|ies)"
    r"|expertise|remit|knowledge|area|programming|principles|role|power|control)"
)
_SPEAKER = r"(?:\b(?:I|we)|\bsorry,?\s+(?:but\s+)?|\band)\s*"
_CANNOT = (
    r"(?:can(?:not|['’]t|\s+not)|could(?:n['’]t|\s+not)|won['’]t|will\s+not|should(?:n['’]t|\s+not)"
    r"|must(?:n['’]t|\s+not)|may\s+not)\s*,?\s*(?:in\s+good\s+conscience,?\s*)?"
)
_DOING = r"(?:providing|answering|helping|discussing|sharing|doing\s+(?:that|this))"
# "We don't provide bags" is a fact: of these only what is about the talk itself.
_DO_NOT = (
    rf"(?:do\s+not|don['’]t)\s+{_SOFTLY}(?:(?:answer|discuss|comment|comply|engage|disclose"
    r"|talk\s+about|do\s+(?:that|this))|feel\s+(?:comfortable|able)|know\s+(?:the\s+answer|how\s+to"
    r"\s+(?:answer|respond|help)|that|this|enough|what\s+to)|think\s+I\s+(?:can|should)"
    rf"|have\s+(?:(?:any|enough|the|an|personal)\s+)*{_LACKED})"
)
_ENGLISH = re.compile(
    "|".join(
        (
            # who speaks cannot, may not, will not
            rf"{_SPEAKER}(?:{_CANNOT}{_SOFTLY}(?:be\s+able\s+to\s+|be\s+)?(?:{_ACTS}|{_DOING})"
            rf"|{_DO_NOT})\b",
            r"\b(?:I|we)\s*(?:do\s+not|don['’]t)\s+know\s*(?:[.,!]|$|about\b)",
            rf"\b(?:I|we)\s*{_UNABLE}\s+to\b",
            rf"\b(?:I|we)\s+(?:have\s+no|lack)\s+(?:(?:any|the|enough|personal"
            rf"|real)\s+)*{_LACKED}\b",
            r"\bnot\s+comfortable\s+(?:with|answering|discussing|sharing|giving|talking)\b",
            # who speaks will rather not
            r"\b(?:I|we)['’\w]*\s+(?:(?:must|have\s+to|need\s+to|(?:am\s+)?going\s+to\s+"
            r"(?:have\s+to\s+)?"
            r"|would)\s*)?(?:respectfully\s+|politely\s+)?(?:decline|refuse|pass(?=\s*(?:on\s+"
            r"(?:this|that)"
            r"|[.,!]|$))|say\s+no(?!\s+to\s+(?:a|the|your))|(?:rather|prefer)\s+(?:not\b|to\s+"
            r"(?:leave|skip"
            r"|avoid|stay\s+(?:out|away))))",
            # what is asked is out of bounds
            rf"\b(?:outside|beyond|against|not\s+(?:with)?in)\s+(?:of\s+)?(?:(?:my|our|the)\s+"
            rf"(?:\w+\s+)?"
            rf"{_BOUNDS}|what\s+(?:I|we)(?:['’]m|['’]re)?\s+\w+)",
            r"\b(?:my|our)\s+(?:guidelines|rules|instructions|polic(?:y|ies)|programming)\s+(?:do"
            r"(?:es)?\s+not"
            r"|do(?:es)?n['’]t|forbids?|prevents?|prohibits?)",
            r"\b(?:break|violate|against|contrary\s+to)s?\s+(?:my|our)\s+(?:rules|guidelines|polic"
            r"(?:y|ies))",
            r"\b(?:is|['’]s)(?:\s+not|n['’]t)\s+(?:something|anything|a\s+(?:topic|subject"
            r"|question)"
            r"|information)\s+(?:that\s+)?(?:I|we)\b",
            r"\b(?:topic|subject|question|request|thing)\s+(?:that\s+)?(?:I|we)\s*(?:do\s+not"
            r"|don['’]t|can(?:not"
            r"|['’]t)|won['’]t|will\s+not)\b",
            r"\b(?:not|n['’]t)\s+(?:be\s+)?(?:available|known|possible|permitted|allowed|accessible"
            r"|answered"
            r"|done|shared)\s+(?:to|for|by)\s+(?:me|us)\b",
            r"\bnothing\s+(?:that\s+)?(?:I|we)\s+can\s+(?:tell|say|do|share|offer)\b",
            r"\b(?:would|is|['’]s)(?:\s+not|n['’]t)\s+(?:be\s+)?(?:appropriate|right|ethical"
            r"|responsible|proper)"
            r"\s+(?:for\s+(?:me|us)|to\s+(?:answer|discuss|share|say|comment))",
            r"^\W*no\s+comment\b|\bno\s+can\s+do\b",
            # what the speaker is
            r"\bas\s+an?\s+(?:AI|artificial|\w*\s*language\s+model|assistant|chatbot|bot"
            r"|machine)\b[^.]{0,40}?"
            r"\bI(?:['’]m|\s+am)?\s+(?:can(?:not|['’]t)|do(?:\s+not|n['’]t)|have\s+no|not\b|unable"
            r"|lack)",
        )
    ),
    re.IGNORECASE,
)
_CHINESE = re.compile(
    r"无可奉告|恕(?:我|本人)?(?:不|无|难)|爱莫能助"
    # not: "这种材料不能提供足够的强度"; the speaker, an excuse or what was asked stands before
    r"|(?:我|本人|抱歉|对不起|不好意思|遗憾|问题|话题|请求|要求|信息|内容)[^。！？]{0,12}?"
    r"(?:无法|不能|没法|没有办法|没办法|不方便|不便|不予|不可以|不会|拒绝|没有权限|无权|不被允许)"
    r"[^。！？]{0,8}?(?:回答|提供|帮|协助|回复|告诉|满足|讨论|透露|评论|答复|给出|处理|查看|查询|完成|执行|继续"
    r"|参与|谈论|发表|解答|说明|访问)"
    r"|(?:无法|不能|没法|没有办法|不方便|拒绝)[^。！？]{0,4}(?:回答|提供(?=[^。！？]{0,6}(?:信息|帮助|服务|答案|建议|诊断))"
    r"|帮|协助|回复|告诉|满足您|讨论|透露)"
    r"|我[^。！？，]{0,4}(?:帮不了|做不到|办不到|答不上来|不知道(?:该)?(?:怎么|如何|答案)|不清楚)"
    r"|我没有[^。！？]{0,6}(?:观点|意见|看法|立场|权限|能力|情感|相关信息)"
    r"|(?:超出|不在|超过)(?:了)?(?:我|我们)[^。！？]{0,8}(?:范围|能力|权限)",
)
_MARKS = (
    "not", "'t", "’t", "unable", "declin", "refus", "no ", "outside", "beyond", "against", "lack",
    "pass", "rather", "prefer", "nothing", "break", "violate", "forbid", "unwilling",
    "不", "没", "无", "拒绝", "超", "恕", "爱莫能助",
)  # fmt: skip
_HELPS = re.compile(
    r"\b(?:but|however|instead|you (?:can|could|may)|please|try|contact|happy to|here (?:is|are))\b"
    r"|[;；:：]|但|请|可以|建议|不过",
    re.IGNORECASE,
)


def refuses(answer: str) -> bool:
    """Whether it says no and nothing else: what goes on with a way out helps."""
    lead = answer[: _LEAD + _LONGEST].lower()
    if not any(mark in lead for mark in _MARKS):
        return False  # most answers: no pattern need be tried at each of their places
    end = _LEAD + _LONGEST
    match = _ENGLISH.search(answer, 0, end) or _CHINESE.search(answer, 0, end)
    if not match or match.start() > _LEAD or len(words(answer)) > _MOST_WORDS:
        return False
    return not _HELPS.search(answer, match.end())
