"""From a chat or completion request to its answer. The words, in the order of their stations:

SamplingParams  how the next token is chosen; part of the engine's request
ChoiceRequest   one choice: the engine's request, and the text of its prompt
Prepared        a request that passed every check, ready to start
Generation      all choices of a request in flight
Choice          one of them: tokens in, events out
TextEvent, ToolCallEvent, EndEvent   what a choice gives; EndEvent has its finish_reason
ShownToken      a token of the text, with its log-probability
Outputs         what the events add up to; Chunks: the events as objects of a stream
Answering       which model answered, whatever name it was called by
"""
