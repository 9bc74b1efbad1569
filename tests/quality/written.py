"""The half that the rules were written with."""

from quality.kit import Kit

KIT = Kit(
    system="You are the assistant of a bicycle shop. Be short and friendly.",
    systems=(
        "You are the assistant of a bicycle shop.",
        "You are a helpful assistant.",
        "You're the assistant of a bicycle shop. Be short, friendly.",
    ),
    sign_off="Ride safely!",
    slots={
        "part": (
            "the chain",
            "the saddle",
            "the rear brake",
            "the front light",
            "the left pedal",
            "the bell",
            "the gear lever",
            "the mudguard",
        ),
        "bike": (
            "city bike",
            "racer",
            "cargo bike",
            "tandem",
            "folding bike",
            "mountain bike",
            "recumbent",
            "child's bike",
        ),
        "number": ("1042", "2210", "3377", "4581", "5096", "6604", "7125", "8839"),
        "day": (
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Easter Monday",
            "New Year's Eve",
        ),
        "件": ("链条", "车座", "后刹车", "前灯", "左踏板", "车铃", "变速杆", "挡泥板"),
        "车": ("城市车", "公路车", "货运车", "双人车", "折叠车", "山地车", "躺车", "童车"),
    },
    support=(
        (
            "How do I replace {part} of my {bike}?",
            "Loosen the two screws, take off {part} and fit the new one. On a {bike} use the short "
            "key; it takes ten minutes.",
        ),
        (
            "Is order {number} ready on {day}?",
            "Order {number} will be at the counter by noon. We are open on {day} from nine to six "
            "(closed over lunch).",
        ),
        (
            "Can I rent a {bike} on {day}?",
            "Yes, a {bike} can be had by the hour. On {day} it is wise to come before ten.",
        ),
        (
            "What does it cost to have {part} repaired?",
            "The repair of {part} takes half an hour of work, and we ask for the parts on top. "
            "Most people pay between twenty and forty euros.",
        ),
        (
            "There is a squeak from {part} since order {number}. Is that covered?",
            "Yes, a squeak of {part} is covered for two years. Bring the receipt of order {number} "
            "and leave the bike with us overnight.",
        ),
    ),
    chinese=(
        (
            "怎么更换{车}的{件}？",
            "先松开两颗螺丝，取下{件}，再装上新的。{车}要用短扳手，大约十分钟。",
        ),
        ("修理{件}要多少钱？", "修理{件}需要半小时的工时，零件另算，一般在二十到四十元之间。"),
        ("可以租一辆{车}吗？", "可以，{车}按小时出租，周末建议早点来。"),
    ),
    chinese_sign_off="祝您骑行愉快！",
    facts=(
        ("What is the capital of France?", "Paris is the capital of France."),
        ("How far is the Moon?", "On average the Moon is 384,400 km from the Earth."),
        ("Who wrote Hamlet?", "William Shakespeare wrote Hamlet around 1600."),
        ("What is the square root of 144?", "It is 12, since 12 times 12 is 144."),
        ("How many days has a leap year?", "A leap year has 366 days."),
        ("Where is Kyoto?", "Kyoto is a city of Japan, on the island of Honshu."),
        ("When did the Berlin Wall fall?", "It fell on 9 November 1989."),
        ("What is gold's symbol?", "Au, from the Latin word aurum."),
        ("Which metal is liquid at room temperature?", "Mercury is liquid at room temperature."),
        ("Who discovered penicillin?", "Alexander Fleming, in 1928, in London."),
        ("What is the currency of Japan?", "The yen."),
        ("How tall is the Eiffel Tower?", "It is 330 metres tall, antennas included."),
        ("What is a haiku?", "A poem of three lines, of five, seven and five syllables."),
        ("法国的首都是哪里？", "法国的首都是巴黎。"),
        ("一年有多少天？", "平年有365天，闰年有366天。"),
        (
            "Show me a loop in C.",
            'Here is one:\n\n```c\nfor (int i = 0; i < 3; i++) puts("hi");\n```',
        ),
    ),
    extract=(
        "Ticket from {day}: order {number}, {part} of a {bike} is worn.",
        "{day}. A customer with a {bike} says that {part} is loose (order {number}).",
        "Order {number}: new {part} for the {bike}, to be ready on {day}.",
    ),
    extract_fields=("day", "number", "part", "bike"),
    labels={
        "negative": (
            "The tyre was flat after a single ride.",
            "They sent the wrong size twice.",
            "Rude man at the counter, never again.",
            "Paint came off in the first rain.",
            "I waited six weeks for a spoke.",
            "The brakes scream like a train.",
        ),
        "positive": (
            "Runs like silk since the service.",
            "Fair price and done by lunch time.",
            "My daughter loves her new bike.",
            "They explained everything without hurry.",
            "The saddle is the most comfortable I ever had.",
            "Found the part that nobody else had.",
        ),
        "neutral": (
            "The parcel came on a Tuesday.",
            "It is a grey bike with seven gears.",
            "I bought it for my brother.",
            "The shop is next to the station.",
            "It has a basket at the front.",
            "The manual has forty pages.",
        ),
    },
    separator="\n\n###\n\n",
    sources=(
        (
            "The Dale race starts on 3 May at 9:30 in front of the church. It is 62 kilometres "
            "long. Last year it was won by Ingrid Solberg.",
            "How long is the race and who won last year?",
            "It is 62 kilometres long. Last year Ingrid Solberg won.",
            "It is 75 kilometres long. Last year Ingrid Solberg won.",
        ),
        (
            "The company Veloform was founded in 2004 by two brothers. It has 130 employees and "
            "makes frames of steel and titanium in Utrecht.",
            "Where does Veloform make its frames?",
            "Veloform makes its frames in Utrecht.",
            "Veloform makes its frames in Eindhoven.",
        ),
        (
            "Warranty: the frame is covered for five years, the battery for 24 months or 500 "
            "charges. Claims go to Paula Reyes in the office.",
            "To whom do claims go, and how long is the battery covered?",
            "Claims go to Paula Reyes. The battery is covered for 24 months or 500 charges.",
            "Claims go to Howard Lind. The battery is covered for 24 months or 500 charges.",
        ),
        (
            "Mr Tan told the council that the new lane would be ready in autumn and that it would "
            "cost less than the bridge.",
            "What did Mr Tan say?",
            "Mr Tan said that the new lane would be ready in autumn.",
            'Mr Tan said: "this lane is the best thing that we have ever built in this town".',
        ),
        (
            "In April the shop sold 48 bicycles, in May 71. Half of them were second-hand. The "
            "best customer was the school in Kirkwall.",
            "How many were sold in April and May together?",
            "In April and May 119 bicycles were sold.",
            "In April 48 and in May 93 bicycles were sold.",
        ),
        (
            "The tunnel is open from 6:00 to 22:00. It is 830 metres long, lit, and has a lane for "
            "walkers. Horses are not admitted.",
            "When is the tunnel open?",
            "The tunnel is open from 6:00 to 22:00.",
            "The tunnel is open from 6:00 to 23:30.",
        ),
    ),
    personal=(
        (
            "Can you say that more simply: the derailleur is misaligned?",
            "The gear changer is bent.",
            "The gear changer is bent. I love how curious you always are about technical things!",
        ),
        (
            "Which oil do I need?",
            "A thin one for dry weather, a thick one for rain.",
            "As you mentioned before, you ride in the rain, so take the thick one.",
        ),
        (
            "I am 180 cm tall. Which frame fits?",
            "Since you are 180 cm tall, a frame of 57 cm fits.",
            "Given your experience as a racer, a frame of 57 cm fits.",
        ),
        (
            "Write a birthday wish for my uncle.",
            "Happy birthday, and many more miles!",
            "Happy birthday! Your wonderful sense of humour will make him laugh.",
        ),
        (
            "How do I patch a tube?",
            "Roughen it, glue it, wait five minutes, press on the patch.",
            "With your background in carpentry this is easy: roughen it, glue it, press on the "
            "patch.",
        ),
        (
            "What is the lightest lock?",
            "A folding lock of 900 grams.",
            "A folding lock of 900 grams. I remember that your last bike was stolen in Leeds.",
        ),
    ),
    promises=(
        "I will schedule that meeting for you.",
        "I'll send you an email with the invoice.",
        "I have booked a slot for your repair.",
        "Let me check with the mechanic and get back to you.",
        "I am going to call the supplier for you now.",
        "我将为您安排这次会议。",
        "我已经给您发送了邮件。",
    ),
    honest=(
        "I can't schedule meetings, but the shop's calendar is open to all.",
        "You can send an email to the shop with the invoice number.",
        "If the part is missing, the mechanic will call you.",
        "I will show you how to order: open the catalogue and choose a size.",
        "To book a slot, use the form on our site.",
        "我不能安排会议，请直接联系门店。",
        "您可以给门店发送邮件。",
    ),
    slips=(
        "User: and the price?",
        "Assistant: You can pay by card.\nUser: Thanks!",
        "As a customer, I want to know when my bike is ready.",
        "Thanks for the explanation! Can you also tell me which oil to buy?",
        "<|user|> What about the brakes?",
        "Customer: How long does it take?",
        "用户：多少钱？",
    ),
    refusals=(
        "I can't answer that.",
        "I'm sorry, I cannot help you with this.",
        "Sorry, but I'm not able to assist with that request.",
        "As an AI language model, I cannot do that.",
        "I am unable to provide an answer to this question.",
        "I don't know the answer to that and can't help.",
        "我无法回答这个问题。",
        "抱歉，我不能提供这方面的帮助。",
    ),
    foreign=(
        "Die Reparatur dauert eine halbe Stunde und kostet zwischen zwanzig und vierzig Euro.",
        "La réparation prend une demi-heure et les pièces sont en supplément.",
        "La reparación tarda media hora y las piezas se pagan aparte.",
        "这个需要半小时，零件另外收费。",
        "Ремонт занимает полчаса, детали оплачиваются отдельно.",
    ),
    synonyms=(
        ("Loosen", "Undo"),
        ("Yes", "Yes indeed"),
        ("minutes", "mintues"),
        ("wise", "sensible"),
        ("covered", "coverred"),
        ("is at", "is at"),
        ("Is", "Hello, is"),
    ),
    opposites=(
        ("Do you buy old bikes?", "Yes, every weekday.", "No, we never buy old bikes."),
        ("What does a bell cost?", "A bell costs 8 euros.", "A bell costs 15 euros."),
        ("Where can I park?", "Behind the shop.", "There is no parking; take the tram."),
        ("Do you ship to Norway?", "We ship to Norway.", "We do not ship to Norway."),
        ("Which helmet size is for adults?", "Size L fits most adults.", "Size S is for adults."),
        ("When do you close?", "At six.", "At eight in the evening."),
    ),
)
