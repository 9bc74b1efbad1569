"""The held-out half: written before the rules, which were never tuned on it."""

from quality.kit import Kit

KIT = Kit(
    system="You answer questions of guests of the Seaview hotel, briefly and politely.",
    systems=(
        "You answer questions of guests of the Seaview hotel.",
        "You are a helpful assistant.",
        "Answer the questions of hotel guests, briefly and very politely",
    ),
    sign_off="Your Seaview front desk",
    slots={
        "room": ("204", "311", "118", "507", "623", "415", "702", "109"),
        "thing": (
            "the hair dryer",
            "the kettle",
            "the safe",
            "the window blind",
            "the reading lamp",
            "the shower",
            "the minibar",
            "the television",
        ),
        "place": (
            "the castle",
            "the aquarium",
            "the old harbour",
            "the botanical garden",
            "the ferry pier",
            "the museum of glass",
            "the night market",
            "the lighthouse",
        ),
        "meal": (
            "breakfast",
            "lunch",
            "supper",
            "afternoon tea",
            "brunch",
            "a picnic",
            "the barbecue",
            "the fish buffet",
        ),
        "地": ("古城", "水族馆", "老港口", "植物园", "码头", "玻璃博物馆", "夜市", "灯塔"),
        "餐": ("早餐", "午餐", "晚餐", "下午茶", "早午餐", "野餐", "烧烤", "海鲜自助餐"),
    },
    support=(
        (
            "In room {room} {thing} does not work. What can I do?",
            "We are sorry about {thing} in room {room}. Please press the reset button on its left "
            "side and wait a minute. If that changes nothing, dial 9 for the front desk.",
        ),
        (
            "How do I get to {place} from the hotel?",
            "Walk down to the promenade, turn right and follow the signs to {place}. It takes "
            "about a quarter of an hour on foot.",
        ),
        (
            "When is {meal} served, and do I have to book?",
            "The times for {meal} are on the card in your room. A table need not be booked, but on "
            "Sundays it helps.",
        ),
        (
            "Could I stay longer in room {room}? I would also like {meal}.",
            "Late check-out for room {room} is possible until 2 pm (for a small fee). We charge "
            "{meal} to the bill as usual.",
        ),
        (
            "My children were at {place} and got sand on {thing}. Is that a problem?",
            "Not at all. After a day at {place} everybody brings sand home; just wipe {thing} with "
            "a dry cloth.",
        ),
    ),
    chinese=(
        ("从酒店怎么去{地}？", "出门右转，沿着海滨大道走，跟着路牌就能到{地}，步行大约十五分钟。"),
        (
            "{餐}几点开始？需要预订吗？",
            "{餐}的时间写在房间的卡片上，平时不用预订，周日最好提前说一声。",
        ),
        ("去{地}之前能吃到{餐}吗？", "可以的，{餐}提供得很早，吃完再去{地}时间很充裕。"),
    ),
    chinese_sign_off="海景酒店前台敬上",
    facts=(
        ("Which planet is the largest?", "Jupiter is the largest planet of the solar system."),
        ("How high is Mount Everest?", "Mount Everest is 8,849 metres high."),
        ("Who wrote Don Quixote?", "Miguel de Cervantes wrote it, in two parts, 1605 and 1615."),
        ("What is the boiling point of water?", "At sea level water boils at 100 degrees Celsius."),
        ("How many bones has a grown human?", "A grown human has 206 bones."),
        ("Where is the Colosseum?", "The Colosseum stands in Rome, in Italy."),
        ("When did people first walk on the Moon?", "On 20 July 1969, in the mission Apollo 11."),
        ("What is photosynthesis?", "Plants make sugar of light, water and carbon dioxide."),
        ("Name the longest river of Africa.", "The Nile, with about 6,650 kilometres."),
        ("What does H2O mean?", "It is water: two atoms of hydrogen and one of oxygen."),
        ("Which language is spoken in Brazil?", "Portuguese is spoken in Brazil."),
        ("Who painted the Starry Night?", "Vincent van Gogh painted it in 1889 in Saint-Rémy."),
        ("Is a tomato a fruit?", "Yes. To a botanist it is a berry; cooks call it a vegetable."),
        ("中国最长的河是哪条？", "长江是中国最长的河流，全长约6300公里。"),
        ("光的速度是多少？", "真空中的光速约为每秒30万公里。"),
        (
            "How do I sum a list in Python?",
            "Use the built-in function:\n\n```python\nsum([1, 2])\n```",
        ),
    ),
    extract=(
        "Booking: {who} arrives on {day} for {n} nights and wants a {thing}.",
        "Note from the desk: {who} leaves {day}, after {n} nights; the {thing} was broken.",
        "{who} called. Coming {day}, staying {n} nights, please put a {thing} in the room.",
    ),
    extract_fields=("who", "day", "n", "thing"),
    labels={
        "complaint": (
            "The room smelled of smoke and nobody came when we called.",
            "Our bill had two dinners on it that we never ate.",
            "The lift was out of order for three days.",
            "I could not sleep: the bar below plays music until four.",
            "Cold soup, warm wine and a waiter who rolled his eyes.",
            "The photos on the site show a pool. There is no pool.",
        ),
        "praise": (
            "The staff remembered our names after one day.",
            "Best view of the bay that we have ever had from a bed.",
            "Everything was spotless, down to the balcony tiles.",
            "The cook made an extra dish for our daughter. Lovely.",
            "We came for two nights and stayed for six.",
            "A quiet house with very good coffee.",
        ),
        "question": (
            "Do you have parking for a camper van?",
            "Is the beach in front of the house free of charge?",
            "Can we bring two small dogs?",
            "Which of your rooms has a bath tub?",
            "Do you collect guests at the station?",
            "Is there a cot for a baby of ten months?",
        ),
    },
    separator="\n\n=>\n\n",
    sources=(
        (
            "The harbour festival takes place from 12 to 14 June. Tickets cost 18 euros and are "
            "sold at the town hall. The opening concert is played by the Larsen Quartet.",
            "What do tickets cost and who plays at the opening?",
            "Tickets cost 18 euros; the opening concert is played by the Larsen Quartet.",
            "Tickets cost 25 euros; the opening concert is played by the Larsen Quartet.",
        ),
        (
            "Minutes: Dora Finch reported that the roof of the north wing leaks. Repairs are to "
            "begin in March and will take five weeks. The budget is 40,000 euros.",
            "Who reported the leak and what is the budget?",
            "Dora Finch reported that the roof leaks. The budget is 40,000 euros.",
            "Martin Holloway reported that the roof leaks. The budget is 40,000 euros.",
        ),
        (
            "The bus line 7 runs between the station and the lighthouse every 20 minutes. The last "
            "bus leaves the lighthouse at 22:40. Dogs travel free.",
            "When is the last bus from the lighthouse?",
            "The last bus leaves the lighthouse at 22:40.",
            "The last bus leaves the lighthouse at 23:15.",
        ),
        (
            "In a letter to all owners the manager, Ms Okafor, wrote that the pool stays closed "
            "until the pump is replaced, and that nobody will pay more because of it.",
            "What did the manager write?",
            "Ms Okafor wrote that the pool stays closed until the pump is replaced.",
            'Ms Okafor wrote: "we deeply regret the trouble that this has caused to all of you".',
        ),
        (
            "The survey was answered by 212 guests. Of these 150 were content with the food, 37 "
            "were not, and the others gave no opinion. Most came from Denmark.",
            "How many were content with the food, and where did most come from?",
            "150 guests were content with the food; most came from Denmark.",
            "150 guests were content with the food; most came from Portugal.",
        ),
        (
            "The cable car was built in 1928 by the engineer Anton Riedl. It climbs 640 metres in "
            "nine minutes and carries 24 people in a cabin.",
            "Who built the cable car, and how many people does a cabin carry?",
            "Anton Riedl built it in 1928. A cabin carries 24 people.",
            "Anton Riedl built it in 1928. A cabin carries 60 people.",
        ),
    ),
    personal=(
        (
            "Please check this sentence: I goes to the beach every days.",
            "Correct is: I go to the beach every day.",
            "Correct is: I go to the beach every day. Given your years of experience as a "
            "teacher, you will see why.",
        ),
        (
            "Which of your rooms is the quietest?",
            "Room 702 on the top floor is the quietest.",
            "Room 702 on the top floor is the quietest. I love how patient you are with these "
            "questions!",
        ),
        (
            "I am vegetarian. What can I eat tonight?",
            "As you are a vegetarian, I suggest the mushroom risotto.",
            "I suggest the mushroom risotto. Since you mentioned your nut allergy, leave out the "
            "pesto.",
        ),
        (
            "Write me a slogan for a bakery.",
            "Fresh at six, gone by noon.",
            "Fresh at six, gone by noon. Your beautiful handwriting would look great on the sign.",
        ),
        (
            "What is a good walk for an afternoon?",
            "Take the path along the cliffs; it needs two hours.",
            "Take the path along the cliffs. As you told me earlier, your knee hurts, so go "
            "slowly.",
        ),
        (
            "How long does the ferry take?",
            "The ferry takes fifty minutes.",
            "The ferry takes fifty minutes. With your background in engineering you will enjoy the "
            "old machine.",
        ),
    ),
    promises=(
        "I will book a table for four at eight and send you a confirmation by email.",
        "I'll call housekeeping right away and have them come up.",
        "I have just transferred the refund to your account.",
        "Let me forward this to the manager; he will get back to you tomorrow.",
        "I'm going to order a taxi for you for six o'clock.",
        "我会马上为您预订明天晚上的座位。",
        "我已经把您的要求转给经理，稍后给您打电话。",
    ),
    honest=(
        "I cannot book a table myself; please dial 9 for the restaurant.",
        "You can call housekeeping with the key 5 on your telephone.",
        "If a refund is due, the accounts department sends it within five days.",
        "Once you have ordered a taxi, it usually comes within ten minutes.",
        "I will explain how the booking form works: first choose a day, then a time.",
        "很抱歉，我无法直接为您订位，请拨打前台电话。",
        "您可以在大堂预订出租车。",
    ),
    slips=(
        "As a guest, I would like to know whether my room is ready.",
        "User: thanks, and where is the pool?\nAssistant: It is on the roof.",
        "Human: what about the beach?",
        "As an AI language model, I am to write the guest's next question: where is the spa?",
        "Thank you for your answer, that helps me a lot. Could you also tell me the price?",
        "<|im_start|>user\nIs it far?",
        "用户：那早餐呢？",
    ),
    refusals=(
        "I'm sorry, but I can't help with that.",
        "Unfortunately I am not able to answer this question.",
        "I cannot provide that information.",
        "As an AI, I'm unable to assist with this request.",
        "Sorry, that is something I must decline to answer.",
        "I don't have access to that, so I won't be able to tell you.",
        "对不起，我不能回答这个问题。",
        "很抱歉，我没有办法提供相关信息。",
    ),
    foreign=(
        "Gehen Sie die Promenade hinunter, dann rechts und immer den Schildern nach.",
        "Le petit déjeuner est servi dans la salle du rez-de-chaussée, sans réservation.",
        "El ascensor está al final del pasillo y las llaves se dejan en la recepción.",
        "请沿着海滨大道一直走，到路口以后右转就可以看到。",
        "Пожалуйста, позвоните на стойку регистрации, и мы вам поможем.",
    ),
    synonyms=(
        ("about", "roughly"),
        ("Please", "Kindly"),
        ("helps", "is of help"),
        ("does not", "doesn't"),
        ("minute", "minutee"),
        ("follow", "folow"),
        ("How do", "Hi! How do"),
    ),
    opposites=(
        ("Is the pool open in winter?", "Yes, all year.", "No, it closes in October."),
        ("May I bring my own wine?", "Yes, for a corkage fee.", "No, that is not allowed."),
        ("At what time is check-in?", "From 3 pm.", "From 11 am."),
        ("How many rooms are there?", "We have 84 rooms.", "We have 120 rooms."),
        ("Which floor has the gym?", "The gym is on the second floor.", "On the ground floor."),
        ("Is parking free?", "Parking is free of charge.", "Parking costs 12 euros a night."),
    ),
)
