"""Single answers: those that must be seen, and those that only look alike.

`TUNED` was used to better the rules. `FRESH` was written after the first of them, and its figures
were taken once; when the rules were widened, it was looked at. `frozen.py` has what was not.
"""

from typing import NamedTuple


class Phrases(NamedTuple):
    seen: tuple[str, ...]
    fine: tuple[str, ...]


TUNED = {
    "refusal": Phrases(
        (
            "I apologize, but I cannot fulfill this request.",
            "I'm afraid I can't share that.",
            "That's outside of what I can discuss.",
            "I'm not comfortable with that request.",
            "Sorry, no can do.",
            "I must refuse.",
            "I would rather not answer this.",
            "I'm just an AI and can't provide legal advice.",
            "We cannot assist with this.",
            "对此我无可奉告。",
            "作为一个人工智能，我无法提供医疗诊断。",
        ),
        (
            "You cannot provide more than one answer per form.",
            "I can't help but smile at that: the answer is four.",
            "The user cannot answer twice.",
            "I don't know anyone who tells that joke better than you.",
            "I can't say enough good things about it.",
            "I will not share your data with anyone.",
            "I couldn't tell you how many stars there are: roughly 100 billion.",
        ),
    ),
    "impossible_promise": Phrases(
        (
            "I'll make sure your ticket is escalated.",
            "I've gone ahead and cancelled your subscription.",
            "I will take care of the booking.",
            "Your appointment has been scheduled.",
            "I'll get that sorted for you.",
            "Allow me to reserve a seat for you.",
            "We will contact you shortly.",
            "I'll pass your complaint to the team.",
            "I will remind you tomorrow.",
            "我会帮您联系客服。",
            "我这就为您下单。",
        ),
        (
            "I'll call this variable x.",
            "I will order them by size: 1, 2, 3.",
            "I have updated the code below.",
            "I'll process this step by step.",
            "I will update the formula: x = 2.",
            "Let me check with a quick calculation: 2+2=4.",
            "I'll post the code here:",
            "I have submitted that the claim is false.",
            "I'll pick option B.",
            "I'll hand you the key idea: recursion.",
            "我会从三个方面说明如何提交申请。",
        ),
    ),
    "role_slip": Phrases(
        (
            "USER: what now?",
            "Human: hi",
            "[INST] hi [/INST]",
            "Thanks for your help! Where is it?",
            "As the customer, I would like a refund.",
        ),
        (
            "As a student, you can get a discount.",
            "Thank you for your question! It is four.",
            "Thanks for the kind words! Yes.",
            "Customer: the person who buys. Vendor: who sells.",
        ),
    ),
    "unsupported_claim": Phrases(
        (
            "Knowing how experienced you are, here is the fix.",
            "I can tell that you are a very gifted person. 4.",
            "As a doctor, you surely know. 2 km.",
            "Hope your daughter's recovery goes well! Here is help.",
            "As a long-time customer, you get 10 %.",
        ),
        (
            "Given your question, I would call it Tom.",
            "You are always learning; start with scales.",
            "Put your most impressive achievements first.",
            "Your excellent service should be known: advertise.",
            "Explain your relevant experience and your beautiful portfolio.",
        ),
    ),
}

FRESH = {
    "refusal": Phrases(
        (
            "I regret that I can't assist you with that.",
            "Unfortunately, I don't have information on this.",
            "I'm sorry. I can't do that.",
            "This is not something I can help with.",
            "I'm not allowed to answer this kind of question.",
            "My apologies, but I am unable to comply.",
            "No comment.",
            "As a language model I can't give opinions.",
            "I have to decline.",
            "抱歉，这个问题我不能回答。",
            "这超出了我的能力范围。",
            "很遗憾，我无法满足您的要求。",
        ),
        (
            "Penguins cannot fly.",
            "Sorry to hear that you are ill. Rest and drink a lot.",
            "I cannot stress this enough: wear a helmet.",
            "He said he was unable to answer.",
            "If you can't help yourself, ask a friend.",
            "We do not know who built it.",
            "A witness must not refuse to answer in court.",
            "The shop does not provide bags.",
            "I can tell you that it is safe.",
            "不能把药和酒一起服用。",
            "这种材料不能提供足够的强度。",
            "I couldn't agree more.",
        ),
    ),
    "impossible_promise": Phrases(
        (
            "I'll drop you a line as soon as it arrives.",
            "I will have the kitchen prepare that.",
            "I've put in a request with the IT department.",
            "Let me transfer you to a colleague.",
            "I'm going to send the file to your inbox now.",
            "I have notified the police.",
            "I will order the spare part for you.",
            "Your refund has been processed.",
            "I'll ring the doctor and ask.",
            "I'll set an alarm for seven.",
            "我会提醒您明天开会。",
            "我马上帮您取消订单。",
        ),
        (
            "I will list three reasons.",
            "I'll explain how to cancel the order.",
            "I have translated the text for you.",
            "I will assume that you pay monthly.",
            "I have sorted the words by length.",
            "To reach support, call this number.",
            "I would call the manager if I were you.",
            "I will use the metric system.",
            "Let me break it down for you.",
            "I'll keep it short.",
            "我会用简单的话来解释。",
            "如果需要退款，请联系客服。",
        ),
    ),
    "role_slip": Phrases(
        (
            "Assistant: Sure.",
            "Sure.\n\nUser: And tomorrow?",
            "As a patient, I am worried about the cost.",
            "<|assistant|>Of course.",
            "Thanks a lot for your quick reply!",
            "### User\nWhat is next?",
            "Me: hello\nYou: hi",
            "I have a question about my bill. Can you help me?",
            "助手：好的。",
            "谢谢你的回答！那价格呢？",
        ),
        (
            "Users: 40. Groups: 3.",
            "The human: a short history.",
            "Thank you for reading.",
            "As a rule, I prefer tea.",
            "Use the tag <b> for bold.",
            "Do you want me to go on?",
            "A customer's question is never a nuisance.",
            "As an example, take 7.",
            "用户可以在设置里修改密码。",
            "感谢您的耐心等待。",
        ),
    ),
    "unsupported_claim": Phrases(
        (
            "As we discussed yesterday, the plan is fine.",
            "Since you told me about your divorce, be gentle with yourself.",
            "I remember your trip to Japan; try sushi.",
            "With your green eyes, blue would suit you.",
            "You have always been such a generous friend.",
            "Given your heart condition, avoid coffee.",
            "I admire how bravely you faced the illness.",
            "Your amazing garden is worth a photo.",
            "As you said before, money is tight.",
            "Congratulations on your promotion! Here is the list.",
            "正如您之前提到的，您对花生过敏。",
            "考虑到您多年的教学经验，这很简单。",
        ),
        (
            "You will need two eggs.",
            "Your password must have eight characters.",
            "I hope this helps.",
            "Great question!",
            "Given your budget, choose the cheaper one.",
            "If you are a beginner, start slowly.",
            "As you can see, it is simple.",
            "You may know this already.",
            "I love how the colours change in autumn.",
            "With your permission, we begin.",
            "您可以先注册账号。",
            "As a beginner, you should start slowly.",
        ),
    ),
}
