"""The texts that a graph is compared on: short and long, of several languages and scripts."""

_SHORT = (
    "cat",
    "How do I reset my password?",
    "The cat sat on the mat.",
    "ORDER #4711 - 2 pcs., EUR 19.90 (incl. VAT)",
    "Der Vertrag verlängert sich um ein Jahr, wenn er nicht gekündigt wird.",
    "La bibliothèque est fermée le lundi.",
    "¿Dónde está la estación de tren más cercana?",
    "O frete é grátis para compras acima de cem reais.",
    "東京の天気は明日晴れるでしょう。",
    "我想退货并要求退款。",
    "Где находится ближайшая аптека?",
    "كيف يمكنني تغيير كلمة المرور؟",
    "def area(r): return 3.14159 * r ** 2",
    "https://example.com/a?b=c&d=%20e",
    "😀 great value!!! 10/10",
    "SELECT name FROM users WHERE id = 7;",
)
_LONG = (
    "We ordered the blue model in March and waited eleven days for it. ",
    "After the update the printer answers, but every second page comes out empty. ",
    "The committee postponed its decision until the figures of the third quarter are known. ",
    "Water boils at a lower temperature in the mountains, so rice takes longer there. ",
)
_TIMES = (1, 2, 4, 8)  # some 15 to 130 tokens, each of the four texts
_MOST = 512  # tokens, some: nothing longer is compared, however much the model reads


def texts(context: int | None) -> list[str]:
    """32, the long beside the short; the longest fills the model's context, or 512 tokens."""
    long = [text * times for times in _TIMES for text in _LONG]
    words = min(context or _MOST, _MOST)
    long[-1] = (_LONG[0] * words)[: 5 * words]
    return [text for pair in zip(_SHORT, long, strict=True) for text in pair]
